package api

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// exportFilter returns every parameter of some view. Each view uses its own.
func exportFilter() []view.Param {
	var out []view.Param
	for _, v := range view.Views() {
		for _, p := range v.Params {
			if !slices.ContainsFunc(out, func(q view.Param) bool { return q.Name == p.Name }) {
				p.Needed = false
				out = append(out, p)
			}
		}
	}
	return out
}

func exportView(c *call) error {
	v, ok := view.Find(c.r.PathValue("view"))
	if !ok {
		return store.ErrNotFound
	}
	format := c.query.Get("format")
	asked := c.query
	asked.Del("format")
	if _, err := readQuery(asked.Encode(), v.Params); err != nil {
		return err
	}
	if !slices.Contains(v.Formats(), format) {
		return &problem{
			Status: http.StatusBadRequest, Detail: "The query cannot be taken.",
			Fields: []fieldProblem{{"format", "this view is there as csv and json"}},
		}
	}
	source := view.Source{Ctx: c.ctx(), Store: c.store, Catalog: c.catalog, Now: c.now()}
	var many *view.TooManyError
	if err := v.Fits(source, format, asked); errors.As(err, &many) {
		return &problem{Status: http.StatusUnprocessableEntity, Detail: many.Error()}
	} else if err != nil {
		return err
	}
	return c.attach(v.File(format), view.Media(format),
		func(w io.Writer) error { return v.Write(w, source, format, asked) })
}

// attach begins an answer that is a file.
func (c *call) attach(name, kind string, write func(io.Writer) error) error {
	h := c.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	c.streaming = true
	return write(patient{c.w, http.NewResponseController(c.w)})
}

// patient gives a client half a minute for each part of a long file, whatever the server's own limit is.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write writes a part.
func (p patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(30 * time.Second)) // not every server supports it
	return p.ResponseWriter.Write(b)
}

func exportTargets(c *call) error {
	return c.attach("ipcguard-targets.csv", view.Media(view.CSV),
		func(w io.Writer) error { return fleet.ExportTargets(c.ctx(), c.store, w) })
}

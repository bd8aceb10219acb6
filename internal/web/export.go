package web

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ipcguard/internal/fleet"
	"ipcguard/internal/web/view"
)

// exportsOf returns links to the files of a view: the same filter, all rows.
func exportsOf(name string, q url.Values) []export {
	x, _ := view.Find(name)
	var out []export
	for _, format := range x.Formats() {
		out = append(out, export{format, "/export/" + name + "." + format + "?" + q.Encode()})
	}
	return out
}

func exportView(v *visit) error {
	name, format, _ := strings.Cut(v.r.PathValue("file"), ".")
	x, ok := view.Find(name)
	if !ok || !slices.Contains(x.Formats(), format) {
		return errNotFound
	}
	q := v.r.URL.Query()
	source := view.Source{Ctx: v.ctx(), Store: v.store, Catalog: v.catalog, Now: v.now().UTC()}
	var many *view.TooManyError
	if err := x.Fits(source, format, q); errors.As(err, &many) {
		return problem{http.StatusUnprocessableEntity, sentence(many.Error())}
	} else if err != nil {
		return err
	}
	for _, p := range x.Params {
		if p.Needed && p.Check(q.Get(p.Name)) != "" {
			return problem{http.StatusUnprocessableEntity, sentence(p.Name + ": " + p.Check(q.Get(p.Name)))}
		}
	}
	return v.send(x.File(format), view.Media(format), func(w io.Writer) error { return x.Write(w, source, format, q) })
}

// exportTargets writes all targets as CSV that can be imported again.
func exportTargets(v *visit) error {
	return v.send("ipcguard-targets.csv", view.Media(view.CSV),
		func(w io.Writer) error { return fleet.ExportTargets(v.ctx(), v.store, w) })
}

// send answers with a file that is written while it is read. A partial one must not look complete.
func (v *visit) send(name, kind string, write func(io.Writer) error) error {
	h := v.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if err := write(v.w); err != nil {
		v.log.Error("an export ended early", "file", name, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

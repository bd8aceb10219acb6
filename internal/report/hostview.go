package report

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
	"sync"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// HostView is the top of a host's page: how strangers get data there, which settings stop that, and what remains then.
type HostView struct {
	Picture template.HTML // a picture; empty if nothing was settled about any stranger
	Lines   []Line        // the picture in words, for narrow screens
	Moves   []move        // the changes that close most, numbered as in the picture
	Planned bool          // the changes are a plan's; otherwise the catalog's advice
	More    int           // further changes of the plan
	Before  []string      // the kinds of data that strangers are given, according to the latest result
	After   []string      // those of Before that no change of the plan closes
}

// NewHostView builds a host's view from a scan, an audit and a plan, each of which may be nil. A scan takes precedence
// over an audit.
func NewHostView(c *catalog.Catalog, name string, scan *model.Scan, audit *model.Audit, plan *model.Plan) (*HostView,
	error,
) {
	v := &HostView{}
	var doors []door
	var ways []way
	var platform model.Platform
	var findings []model.Finding
	if audit != nil {
		doors, ways = auditWays(c, audit)
		platform, findings = audit.Platform, audit.Findings
	}
	if scan != nil && len(scan.Identities) > 0 {
		if seen, through := scanWays(c, scan); len(seen) > 0 {
			doors, ways = seen, through
		}
		if audit == nil {
			platform = seenPlatform(scan.Server)
		}
		findings = append(slices.Clone(findings), scan.Findings...)
	}
	switch {
	case plan != nil:
		v.Moves, v.Planned = planMoves(c, plan), true
		v.More = len(plan.Changes) - len(v.Moves)
	case platform.System != "":
		v.Moves = adviceMoves(c, platform, findings)
	}
	v.Before, v.After = leftAfter(c, ways, plan)
	p := newPicture(c, "reach", name, doors, ways, v.Moves)
	if p == nil {
		return v, nil
	}
	var b bytes.Buffer
	t, err := pictureTemplate()
	if err == nil {
		err = t.ExecuteTemplate(&b, "picture", p)
	}
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	v.Lines = p.Lines
	v.Picture = template.HTML(b.String()) //nolint:gosec // html/template wrote it
	return v, nil
}

// leftAfter returns what strangers are given now, and what of it stays open to any of them according to the plan.
// Without a plan nothing is closed.
func leftAfter(c *catalog.Catalog, ways []way, plan *model.Plan) (before, after []string) {
	var closed, open []string // findings
	if plan != nil {
		for _, x := range plan.Changes {
			closed = append(closed, x.Closes...)
		}
		for _, o := range plan.Open {
			open = append(open, o.What)
		}
	}
	names := func(findings []string, w way) bool {
		return slices.ContainsFunc(findings, func(id string) bool {
			who, d := given(c, id)
			return d == w.kind && (who == w.who || who == "")
		})
	}
	for _, d := range kindsOf(ways) {
		before = append(before, d.Noun())
		if slices.ContainsFunc(ways, func(w way) bool { return w.kind == d && (!names(closed, w) || names(open, w)) }) {
			after = append(after, d.Noun())
		}
	}
	return before, after
}

// pictureTemplate is parsed once, on first use.
var pictureTemplate = sync.OnceValues(func() (*template.Template, error) {
	c, _ := catalog.Load() // the built-in catalog never fails
	return template.New("parts").Funcs(pageFuncs(c)).Parse(partsText)
})

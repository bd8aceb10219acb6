package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// breakage is an entry of the catalog that applies to a change here.
type breakage struct {
	model.Break
	declared bool // it names a service that the administrator declared
	found    bool // it names a service that was found on the host
}

// breakage returns what the catalog says about a value on this product.
func (w *work) breakage(e *edit, data any) []breakage {
	var out []breakage
	for _, b := range e.setting.Breaks {
		if _, possible := w.c.Fit(b.Scope, w.platform); !possible || !w.hits(e, b, data) {
			continue
		}
		x := breakage{Break: model.Break{
			Who: b.Who, What: b.What, Certainty: b.Certainty, Because: e.name() + " becomes " + model.Text(data),
			Sources: b.Sources,
		}}
		for _, id := range b.Services {
			if list, ok := data.([]string); ok && e.setting.ID == "NullSessionPipes" && !w.takesPipe(id, list) {
				continue
			}
			switch {
			case w.needs.declares(id):
				x.declared, x.found, x.Service = true, true, id
			case w.needs.finds(id):
				x.found = true
				if x.Service == "" {
					x.Service = id
				}
			}
		}
		if x.Service == "" && len(b.Services) == 1 {
			x.Service = b.Services[0]
		}
		out = append(out, x)
	}
	return out
}

func (e *edit) name() string {
	if e.share != "" {
		return "[" + e.share + "] " + e.setting.ID
	}
	if e.account != "" {
		return e.where
	}
	return e.setting.ID
}

// hits reports whether a breakage is about this value. A breakage of a lower number also holds for a higher one of the
// same kind; that of a list holds if a pipe of its services is removed.
func (w *work) hits(e *edit, b catalog.Breakage, data any) bool {
	if b.Value == nil {
		return true
	}
	want, ok := e.setting.Value(model.Value{Present: true, Data: b.Value})
	if !ok {
		return false
	}
	switch have := data.(type) {
	case int:
		limit, _ := want.(int)
		return have == limit || atLeast(e.setting) && have > limit
	case []string:
		if e.setting.ID == "NullSessionPipes" {
			return slices.ContainsFunc(b.Services, func(id string) bool { return w.takesPipe(id, have) })
		}
		wanted, _ := want.([]string)
		return len(wanted) == 0 && len(have) < len(w.list(w.cfg, e.setting.ID)) || e.setting.Same(have, wanted)
	}
	return e.setting.Same(data, want)
}

// takesPipe reports whether a new list lacks a pipe of a service that was open before. A service without fixed pipe
// names may use any of the removed pipes that the catalog does not know.
func (w *work) takesPipe(service string, list []string) bool {
	before, hard := w.openNow()
	s := w.c.Service(service)
	return s != nil && slices.ContainsFunc(before, func(n string) bool {
		if holds(list, n) || holds(hard, n) {
			return false
		}
		return holds(s.Pipes, n) || len(s.Pipes) == 0 && len(s.Names) > 0 && w.c.Pipe(n) == nil
	})
}

// breaks returns what the chosen changes stop: first what was observed, then what documents say.
func (w *work) breaks(after catalog.Config, done []chosen) []model.Break {
	out := []model.Break{}
	add := func(b model.Break) {
		if !slices.ContainsFunc(out, func(o model.Break) bool { return o.Who == b.Who && o.What == b.What }) {
			out = append(out, b)
		}
	}
	if w.e.Observed != nil {
		r := replay(w.c, w.cfg, after, w.uses(), w.unmodelled(after, settingsOf(done)))
		for _, x := range r.Refused {
			add(x.Break("observed", "the plan refuses it"))
		}
		for _, x := range r.Possible {
			add(x.Break("possible", "seen here; "+x.Why))
		}
		for _, x := range r.NotKnown {
			add(x.Break("possible", "seen here; "+x.Why))
		}
		for _, ch := range done {
			for _, b := range w.weakNetlogon(ch.edit.setting, ch.data(), &after) {
				add(b)
			}
		}
	}
	var lines []chosen
	for _, ch := range done {
		if ch.edit.share != "" {
			lines = append(lines, ch)
			continue
		}
		for _, b := range w.breakage(ch.edit, ch.data()) {
			add(b.Break)
		}
	}
	for _, b := range w.shareBreaks(lines) {
		add(b)
	}
	return out
}

// Break describes a use that would be refused.
func (x Replay) Break(certainty, because string) model.Break {
	u := x.Use
	what := "connects to IPC$"
	switch {
	case u.Call != "" && u.Pipe != "":
		what = fmt.Sprintf("calls %s through %s", u.Call, u.Pipe)
	case u.Layer == model.LayerBind && u.Interface != "" && u.Pipe != "":
		what = fmt.Sprintf("binds %s through %s", u.Interface, u.Pipe)
	case u.Pipe != "":
		what = "opens " + u.Pipe
	case u.Share != "" && !strings.EqualFold(u.Share, "IPC$"):
		what = "uses the share " + u.Share
	case u.Layer == model.LayerSession:
		what = "logs on"
	}
	who := u.Client
	if u.Account != "" {
		who += " (" + u.Account + ")"
	}
	times := "once"
	if u.Count > 1 {
		times = fmt.Sprintf("%d times", u.Count)
	}
	if !u.Last.IsZero() {
		times += ", last on " + u.Last.UTC().Format("2006-01-02")
	}
	return model.Break{
		Who: who, What: fmt.Sprintf("%s as %s (%s)", what, u.Identity, times), Certainty: certainty, Because: because,
	}
}

// seenSo matches how often a use was seen, as [Replay.Break] writes it.
var seenSo = regexp.MustCompile(` \((once|[0-9]+ times)(, last on [0-9-]+)?\)$`)

// Alike returns what a plan would stop without how often it was seen, so that the same breakage on two hosts is equal.
func Alike(b model.Break) model.Break {
	b.What = seenSo.ReplaceAllString(b.What, "")
	return b
}

func settingsOf(done []chosen) (out []*catalog.Setting) {
	for _, ch := range done {
		out = append(out, ch.edit.setting)
	}
	return out
}

package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

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
			why := "the plan refuses it"
			if x.Use.Untold() {
				why += "; " + untold
			}
			add(x.Break("observed", why))
		}
		for _, x := range r.Possible {
			add(x.Break("possible", "seen here; "+x.Why))
		}
		for _, x := range r.NotKnown {
			add(x.Break("possible", "seen here; "+x.Why))
		}
		for _, b := range w.losesShares(after, done, r) {
			add(b)
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
	u := &x.Use
	return model.Break{
		Who: x.who(), What: fmt.Sprintf("%s as %s (%s)", x.what(), u.Identity, howOften(u.Count, u.Last)),
		Certainty: certainty, Because: because,
	}
}

// losesShares names the clients of the host, each once, that the shares with wanted lines would refuse.
func (w *work) losesShares(after catalog.Config, done []chosen, r replayed) (out []model.Break) {
	changed := slices.DeleteFunc(w.changedShares(after), func(s changedShare) bool {
		return !slices.ContainsFunc(done, func(ch chosen) bool {
			return ch.edit.wanted && strings.EqualFold(ch.edit.share, s.is.Name)
		})
	})
	if len(changed) == 0 {
		return nil
	}
	known := map[string]bool{}
	for _, x := range w.refusedShares(after, changed, r.Refused, r.Possible, r.Unjudged) {
		b := x.Break("possible", "seen here; "+x.Why)
		b.What = "may use a share that would refuse it: " + b.What
		if as := b.Who + " " + string(x.Use.Identity); !known[as] {
			known[as] = true
			out = append(out, b)
		}
	}
	return out
}

// what describes a use without its caller.
func (x *Replay) what() string {
	switch u := &x.Use; {
	case u.Call != "" && u.Pipe != "":
		return fmt.Sprintf("calls %s through %s", u.Call, u.Pipe)
	case u.Layer == model.LayerBind && u.Interface != "" && u.Pipe != "":
		return fmt.Sprintf("binds %s through %s", u.Interface, u.Pipe)
	case u.Pipe != "":
		return "opens " + u.Pipe
	case u.Share != "" && !strings.EqualFold(u.Share, "IPC$"):
		return "uses the share " + u.Share
	case u.Layer == model.LayerSession && (u.Outgoing() || u.Elsewhere()) && u.Server != "":
		return "logs on to " + u.Server
	case u.Layer == model.LayerSession:
		return "logs on"
	case u.Layer == model.LayerNegotiate:
		return "negotiates"
	}
	return "connects to IPC$"
}

func (x *Replay) who() string {
	if x.Use.Account == "" {
		return x.Use.Client
	}
	return x.Use.Client + " (" + x.Use.Account + ")"
}

// howOften describes how often something was seen, and when last.
func howOften(n int64, last time.Time) string {
	times := "once"
	if n > 1 {
		times = fmt.Sprintf("%d times", n)
	}
	if !last.IsZero() {
		times += ", last on " + last.UTC().Format("2006-01-02")
	}
	return times
}

// Tell describes uses, those that differ only in their caller and their count in one sentence. With why each sentence
// has its reason, otherwise only those about a way to log on that ends.
func Tell(list []Replay, why bool) []string {
	type kind struct{ what, why string }
	type group struct {
		kind
		who   []string
		known map[string]bool
		n     int64
		last  time.Time
	}
	var groups []*group
	byKind := map[kind]*group{}
	for i := range list {
		x := &list[i]
		k := kind{what: fmt.Sprintf("%s as %s", x.what(), x.Use.Identity)}
		if why || x.Way {
			k.why = x.Why
		}
		g := byKind[k]
		if g == nil {
			g = &group{kind: k, known: map[string]bool{}}
			byKind[k] = g
			groups = append(groups, g)
		}
		if who := x.who(); !g.known[who] {
			g.known[who] = true
			g.who = append(g.who, who)
		}
		g.n += max(x.Use.Count, 1)
		if x.Use.Last.After(g.last) {
			g.last = x.Use.Last
		}
	}
	var out []string
	for _, g := range groups {
		who, in := g.who[0], ""
		if len(g.who) > 1 {
			who, in = fmt.Sprintf("each of %d callers", len(g.who)), "; they are "+names(g.who)
		}
		text := fmt.Sprintf("%s %s (%s)", who, g.what, howOften(g.n, g.last))
		if g.why != "" {
			text += ": " + g.why
		}
		out = append(out, text+in)
	}
	return out
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

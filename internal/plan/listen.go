package plan

import (
	"fmt"
	"maps"
	"slices"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// A setting that ends ways to sign in affects people whom nobody has counted. If the evidence does not say whom it
// refuses, the policy may ask for two steps: this plan makes the host log them, and the next plan, made with those
// logs, closes.

// mustListen returns why a setting has to wait, and the settings that log whom it would refuse. It is empty if the
// evidence suffices, or if the setting ends no way to sign in.
func (w *work) mustListen(ch chosen) (why string, audits []chosen) {
	s := ch.edit.setting
	if !w.e.Policy.Listen || len(s.Ends) == 0 {
		return "", nil
	}
	after := w.cfg
	after.Settings = maps.Clone(w.cfg.Settings)
	after.Settings[s.ID] = ch.value()
	r := replay(w.c, w.cfg, after, w.uses(), nil)
	weight := w.weighFor([]*catalog.Setting{s})
	open := len(r.Possible) + len(r.Unjudged)
	switch {
	case weight.Enough && open == 0:
		return "", nil
	case weight.Enough:
		why = fmt.Sprintf("listen first: of %d observed uses it is not known whether they would be refused", open)
	default:
		why = "listen first: " + weight.Why
	}
	source := "a capture, or the host's own records of logons, say who comes in how (ipcguard observe --logons)"
	for _, x := range s.Audits {
		a := w.c.Setting(x.Setting)
		e, ok := w.listener(a, x.Value)
		if !ok {
			continue
		}
		source = x.Tells
		if e != nil {
			audits = append(audits, chosen{e, 0})
		}
	}
	return why + "; " + source + "; plan again with what was observed then", audits
}

// listener returns the edit that makes a host log. The edit is nil if the host already does; ok is false if it cannot
// or may not.
func (w *work) listener(s *catalog.Setting, value any) (*edit, bool) {
	if _, possible := w.c.Fit(s.Applies, w.platform); !possible || w.avoids(s) {
		return nil, false
	}
	if now, known := w.effective(s.ID); known && s.Same(now, value) {
		return nil, true
	}
	from, read := w.cfg.Settings[s.ID]
	data, ok := s.Value(model.Value{Present: true, Data: value})
	if !read || !ok {
		return nil, false
	}
	return &edit{
		setting: s, where: w.where(s), from: from, options: []option{{data: data}},
		order: len(w.c.Settings) + slices.IndexFunc(w.c.Settings, func(x catalog.Setting) bool {
			return x.ID == s.ID
		}),
	}, true
}

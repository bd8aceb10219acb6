package plan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// shareChange changes a line of one share in a configuration. Only uses of IPC$ are observed, so no client is seen to
// use the share: any client of the host that the share would refuse may be affected.
func (w *work) shareChange(a *Answer, after *catalog.Config, line shareLine) error {
	e, err := line.edit(w)
	if err != nil {
		return err
	}
	after.Shares = withLines(after.Shares, []chosen{{e, 0}})
	s := e.setting
	effect := w.c.Effect(s, w.platform)
	ch := model.Change{
		ID: fmt.Sprint(len(a.Changes) + 1), Setting: e.share + ":" + s.ID, Where: e.where, From: exact(s, e.from),
		To:     model.Value{Present: true, Type: s.Type, Data: e.options[0].data},
		Closes: []string{}, Reach: s.Reach, When: effect.When, TakesEffect: effect.How,
	}
	if !e.from.Present {
		ch.Effective = e.now
	}
	a.Changes = append(a.Changes, ch)
	return nil
}

// shareUses moves uses of clients that a changed share would refuse from those that go on, or whose end is not known,
// to those that may stop. One whose logon was not seen stays with those that stop if it was a stranger's.
func (w *work) shareUses(a *Answer, after catalog.Config) {
	changed := w.changedShares(after)
	if len(changed) == 0 {
		return
	}
	names := make([]string, 0, len(changed))
	for _, s := range changed {
		names = append(names, s.is.Name)
	}
	a.Coverage.Enough = false
	a.Coverage.Why = "who uses the " + shareWord(names) + " was not recorded: what is observed is IPC$"
	for _, r := range w.refusedShares(after, changed, a.Refused, a.Possible, a.Unjudged) {
		a.Possible = append(a.Possible, r)
		known := len(a.NotKnown)
		a.NotKnown = slices.DeleteFunc(a.NotKnown, func(o Replay) bool { return o.Use == r.Use })
		if known == len(a.NotKnown) {
			a.Unchanged--
		}
	}
}

// refusedShares returns the clients of the host that a changed share would refuse, one row each, without those that
// were listed before.
func (w *work) refusedShares(after catalog.Config, changed []changedShare, before ...[]Replay) (out []Replay) {
	was, is := w.c.View(w.cfg), w.c.View(after)
	listed := map[caller]bool{}
	for _, list := range before {
		for i := range list {
			listed[callerOf(&list[i].Use)] = true
		}
	}
	for _, u := range w.uses() {
		if u.Layer != model.LayerSession && u.Layer != model.LayerTree || u.Elsewhere() ||
			u.Outcome != model.Allowed && !u.Untold() || listed[callerOf(&u)] {
			continue
		}
		for _, s := range changed {
			if why := s.refuses(&u, was, is); why != "" {
				listed[callerOf(&u)] = true
				out = append(out, Replay{
					Use: u, Before: model.Allowed, After: model.OutcomeUnknown,
					Why: why + "; whether it uses the share was not seen", Looks: []model.Look{lookOf(&u)},
				})
				break
			}
		}
	}
	return out
}

func shareWord(names []string) string {
	if len(names) == 1 {
		return "share " + names[0]
	}
	return "shares " + strings.Join(names, ", ")
}

// changedShare is a share before and after, and what it demands of users if that changes.
type changedShare struct {
	was, is *model.Share
	wanting *catalog.View
}

// changedShares returns the shares whose lines a question changes.
func (w *work) changedShares(after catalog.Config) (out []changedShare) {
	for i := range after.Shares {
		s := changedShare{was: &w.cfg.Shares[i], is: &after.Shares[i]}
		encrypts := s.was.Encrypt != s.is.Encrypt && w.c.Setting(smbEncrypt) != nil
		if encrypts {
			one := after
			one.Settings = map[string]model.Value{smbEncrypt: {Present: true, Data: s.is.Encrypt}}
			s.wanting = w.c.View(one).OfShare()
		}
		if encrypts || s.was.Guest != s.is.Guest || s.was.GuestOnly != s.is.GuestOnly {
			out = append(out, s)
		}
	}
	return out
}

// refuses returns why a client of the host may be refused the share, or give up there; empty if it goes on.
func (s *changedShare) refuses(u *model.Use, before, now *catalog.View) string {
	if u.Identity.IsStranger() {
		x, known := before.Share(u.Identity, s.was)
		y, knows := now.Share(u.Identity, s.is)
		switch {
		case known && x == model.Denied:
			return "" // it could not use the share
		case knows && y == model.Denied:
			return string(u.Identity) + " is refused the share " + s.is.Name
		}
	} else if shutsAll(before, now, s.was, s.is) {
		return fmt.Sprintf("the share %s wants encryption, and %s is off in [global]: it refuses everybody", s.is.Name,
			smbEncrypt)
	}
	if s.wanting == nil || now.EncryptsNothing() {
		return "" // who is not asked to encrypt goes on
	}
	if o, reasons := s.wanting.SignIn(u, []string{smbEncrypt}); o != model.Allowed {
		return "the share " + s.is.Name + " wants encryption: " + strings.Join(reasons, "; ")
	}
	return ""
}

// caller identifies the rows of one client that signs in in one way.
type caller struct {
	client, server, layer, identity, account, pkg, dialect, signing string
}

func callerOf(u *model.Use) caller {
	return caller{u.Client, u.Server, string(u.Layer), string(u.Identity), u.Account, u.Package, u.Dialect, u.Signing}
}

package plan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// smbEncrypt is the parameter of Samba that may stand in [global] and in a share.
const smbEncrypt = "server smb encrypt"

// shareSetting splits the name of a setting of one disk share, as in "public:guest ok". ok is false if the name is not
// of that form.
func (w *work) shareSetting(name string) (share string, s *catalog.Setting, ok bool) {
	share, rest, found := strings.Cut(name, ":")
	if !found || w.c.Setting(name) != nil {
		return "", nil, false
	}
	s = w.c.Setting(strings.TrimSpace(rest))
	return strings.TrimSpace(share), s,
		s != nil && s.System == w.platform.System && (s.ID == guestOK || s.ID == guestOnly || s.ID == smbEncrypt)
}

// shareChange changes a line of one share in a configuration. Only uses of IPC$ are observed, so no client is seen to
// use the share: any client of the host that the share would refuse may be affected.
func (w *work) shareChange(a *Answer, after *catalog.Config, name string, s *catalog.Setting, value string) error {
	i := slices.IndexFunc(after.Shares, func(x model.Share) bool { return strings.EqualFold(x.Name, name) })
	if i < 0 {
		return &InputError{
			fmt.Sprintf("the audit has no share %q", name), "ipcguard audit lists the shares with --format json",
		}
	}
	if strings.EqualFold(name, "IPC$") {
		return &InputError{s.ID + " in [IPC$] is ignored", ""}
	}
	data, ok := s.Value(model.Value{Present: true, Data: parse(s, value)})
	if !ok || !s.Takes(data) {
		return cannotBe(s, value)
	}
	share := &after.Shares[i]
	ed := &edit{setting: s, share: share.Name, where: "[" + share.Name + "] " + s.ID, options: []option{{data: data}}}
	before := after.Shares[i]
	if s.ID == smbEncrypt {
		after.Shares = slices.Clone(after.Shares)
		after.Shares[i].Encrypt = strings.ToLower(model.Text(data))
		ed.from = model.Value{Present: before.Encrypt != "", Type: s.Type, Data: before.Encrypt}
	} else {
		on := before.Guest
		if s.ID == guestOnly {
			on = before.GuestOnly
		}
		ed.from = model.Value{Present: on, Type: s.Type, Data: on}
		after.Shares = withLines(after.Shares, []chosen{{ed, 0}})
	}
	effect := w.c.Effect(s, w.platform)
	a.Changes = append(a.Changes, model.Change{
		ID: fmt.Sprint(len(a.Changes) + 1), Setting: share.Name + ":" + s.ID, Where: ed.where, From: exact(s, ed.from),
		To:     model.Value{Present: true, Type: s.Type, Data: data},
		Closes: []string{}, Reach: s.Reach, When: effect.When, TakesEffect: effect.How,
	})
	return nil
}

// shareUses moves uses of clients that a changed share would refuse from those that go on, or whose end is not known,
// to those that may stop. One whose logon was not seen stays with those that stop if it was a stranger's.
func (w *work) shareUses(a *Answer, after catalog.Config) {
	changed := w.changedShares(after)
	if len(changed) == 0 {
		return
	}
	before, now := w.c.View(w.cfg), w.c.View(after)
	listed := make(map[caller]bool, len(a.Refused)+len(a.Possible))
	for _, list := range [][]Replay{a.Refused, a.Possible, a.Unjudged} {
		for i := range list {
			listed[callerOf(&list[i].Use)] = true
		}
	}
	names := make([]string, 0, len(changed))
	for _, s := range changed {
		names = append(names, s.is.Name)
	}
	a.Coverage.Enough = false
	a.Coverage.Why = "who uses the " + shareWord(names) + " was not recorded: what is observed is IPC$"
	for _, u := range w.uses() {
		if u.Layer != model.LayerSession && u.Layer != model.LayerTree || u.Elsewhere() ||
			u.Outcome != model.Allowed && !u.Untold() || listed[callerOf(&u)] {
			continue
		}
		for _, s := range changed {
			if why := s.refuses(&u, before, now); why != "" {
				listed[callerOf(&u)] = true
				a.Possible = append(a.Possible,
					Replay{
						Use: u, Before: model.Allowed, After: model.OutcomeUnknown,
						Why: why + "; whether it uses the share was not seen", Looks: []model.Look{lookOf(&u)},
					})
				known := len(a.NotKnown)
				a.NotKnown = slices.DeleteFunc(a.NotKnown, func(r Replay) bool { return r.Use == u })
				if known == len(a.NotKnown) {
					a.Unchanged--
				}
				break
			}
		}
	}
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
			s.wanting = w.c.View(one)
		}
		if encrypts || s.was.Guest != s.is.Guest || s.was.GuestOnly != s.is.GuestOnly {
			out = append(out, s)
		}
	}
	return out
}

// refuses returns why a client of the host may be refused the share; empty if it is not.
func (s *changedShare) refuses(u *model.Use, before, now *catalog.View) string {
	switch {
	case u.Identity.IsStranger():
		x, known := before.Share(u.Identity, s.was)
		if y, knows := now.Share(u.Identity, s.is); knows && y == model.Denied && (!known || x != model.Denied) {
			return string(u.Identity) + " is refused the share " + s.is.Name
		}
	case s.wanting != nil:
		if o, reasons := s.wanting.SignIn(u, []string{smbEncrypt}); o != model.Allowed {
			return "the share " + s.is.Name + " wants encryption: " + strings.Join(reasons, "; ")
		}
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

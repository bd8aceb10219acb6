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

// shareSetting parts the name of a setting of one disk share, as in "public:guest ok". ok is false where it is none.
func (w *work) shareSetting(name string) (share string, s *catalog.Setting, ok bool) {
	share, rest, found := strings.Cut(name, ":")
	if !found || w.c.Setting(name) != nil {
		return "", nil, false
	}
	s = w.c.Setting(strings.TrimSpace(rest))
	return strings.TrimSpace(share), s, s != nil && s.System == w.platform.System && (s.ID == guestOK || s.ID == guestOnly || s.ID == smbEncrypt)
}

// shareChange changes a line of one share in a configuration. What is observed are uses of IPC$, so that nobody is seen to use the
// share: whoever would be refused it and comes to the host at all may be.
func (w *work) shareChange(a *Answer, after *catalog.Config, name string, s *catalog.Setting, value string) error {
	i := slices.IndexFunc(after.Shares, func(x model.Share) bool { return strings.EqualFold(x.Name, name) })
	if i < 0 {
		return &InputError{fmt.Sprintf("the audit has no share %q", name), "ipcguard audit lists the shares with --format json"}
	}
	if strings.EqualFold(name, "IPC$") {
		return &InputError{s.ID + " in [IPC$] is ignored", ""}
	}
	data, ok := s.Value(model.Value{Present: true, Data: parse(s, value)})
	if !ok || strings.EqualFold(value, "absent") {
		return &InputError{fmt.Sprintf("%s cannot be %q: it is of type %s", s.ID, value, s.Type), ""}
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
		ID: fmt.Sprint(len(a.Changes) + 1), Setting: share.Name + ":" + s.ID, Where: ed.where, From: exact(s, ed.from), To: model.Value{Present: true, Type: s.Type, Data: data},
		Closes: []string{}, Reach: s.Reach, When: effect.When, TakesEffect: effect.How,
	})
	return nil
}

// shareUses moves, of the uses that go on, those of clients that a changed share would refuse to those that may stop.
func (w *work) shareUses(a *Answer, after catalog.Config) {
	before, now := w.c.View(w.cfg), w.c.View(after)
	for i := range after.Shares {
		was, is := &w.cfg.Shares[i], &after.Shares[i]
		encrypts := was.Encrypt != is.Encrypt && w.c.Setting(smbEncrypt) != nil
		if !encrypts && was.Guest == is.Guest && was.GuestOnly == is.GuestOnly {
			continue
		}
		a.Coverage.Enough = false
		a.Coverage.Why = "who uses the share " + is.Name + " was not recorded: what is observed is IPC$"
		var wanting *catalog.View // what the share asks of those who log on
		if encrypts {
			one := after
			one.Settings = map[string]model.Value{smbEncrypt: {Present: true, Data: is.Encrypt}}
			wanting = w.c.View(one)
		}
		for _, u := range w.uses() {
			if u.Layer != model.LayerSession && u.Layer != model.LayerTree || u.Outcome != model.Allowed || u.Elsewhere() {
				continue
			}
			why := ""
			switch {
			case u.Identity.IsStranger():
				x, known := before.Share(u.Identity, was)
				if y, knows := now.Share(u.Identity, is); knows && y == model.Denied && (!known || x != model.Denied) {
					why = string(u.Identity) + " is refused the share " + is.Name
				}
			case encrypts:
				if o, reasons := wanting.SignIn(&u, []string{smbEncrypt}); o != model.Allowed {
					why = "the share " + is.Name + " wants encryption: " + strings.Join(reasons, "; ")
				}
			}
			if why == "" {
				continue
			}
			r := Replay{Use: u, Before: model.Allowed, After: model.OutcomeUnknown, Why: why + "; whether it uses the share was not seen", Looks: []model.Look{lookOf(&u)}}
			if !slices.ContainsFunc(a.Refused, func(x Replay) bool { return sameUse(&x.Use, &u) }) && !slices.ContainsFunc(a.Possible, func(x Replay) bool { return sameUse(&x.Use, &u) }) {
				a.Possible = append(a.Possible, r)
				a.Unchanged--
			}
		}
	}
}

// sameUse tells whether two rows are of the same client and way.
func sameUse(a, b *model.Use) bool {
	return a.Client == b.Client && a.Server == b.Server && a.Layer == b.Layer && a.Identity == b.Identity && a.Account == b.Account && a.Package == b.Package && a.Dialect == b.Dialect && a.Signing == b.Signing
}

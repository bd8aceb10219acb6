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

// shareLine is a line of one disk share that somebody asks for, as in "public:guest ok=no".
type shareLine struct {
	name    string // of the share, as it was written
	share   int    // its index in the configuration; -1 if there is none
	setting *catalog.Setting
	value   string
}

// shareLine splits the text of a line. ok is false if it is not of that form. The name of a share may contain a colon
// or an equals sign, so a share that the host has is preferred.
func (w *work) shareLine(text string) (line shareLine, ok bool) {
	whole, _, _ := strings.Cut(text, "=")
	if s := w.c.Setting(strings.TrimSpace(whole)); s != nil && s.System == w.platform.System {
		return line, false // such as IPC$:invalid users
	}
	for at, r := range text {
		if r != ':' {
			continue
		}
		name, value, found := strings.Cut(text[at+1:], "=")
		s := w.c.Setting(strings.TrimSpace(name))
		if !found || s == nil || s.System != w.platform.System || !s.OfShares() {
			continue
		}
		l := shareLine{strings.TrimSpace(text[:at]), -1, s, strings.TrimSpace(value)}
		l.share = slices.IndexFunc(w.cfg.Shares, func(x model.Share) bool { return strings.EqualFold(x.Name, l.name) })
		if !ok || l.share >= 0 {
			line, ok = l, true
		}
	}
	return line, ok
}

// edit returns the edit that the line is.
func (l shareLine) edit(w *work) (*edit, error) {
	s := l.setting
	switch {
	case strings.EqualFold(l.name, "IPC$"):
		return nil, &InputError{s.ID + " in [IPC$] is ignored", ""}
	case l.share < 0:
		return nil, &InputError{fmt.Sprintf("the audit has no share %q", l.name), w.whereShares()}
	}
	data, ok := s.Value(model.Value{Present: true, Data: parse(s, l.value)})
	if !ok || !s.Takes(data) {
		return nil, cannotBe(s, l.value)
	}
	if word, is := data.(string); is {
		data = strings.ToLower(word)
	}
	share := &w.cfg.Shares[l.share]
	e := &edit{
		setting: s, share: share.Name, where: "[" + share.Name + "] " + s.ID, options: []option{{data: data}},
		wanted: true,
	}
	var at string
	if e.now, at = lineOf(share, s); at == "" && e.now != nil {
		e.from = model.Value{Present: true, Type: s.Type, Data: e.now}
	}
	return e, nil
}

// whereShares says where the shares of a host are to be found.
func (w *work) whereShares() string {
	if on, known := w.effective("registry shares"); known && on == true && !w.cfg.EveryShare {
		return "registry shares is on: ipcguard audit local, on the host itself, also reads the shares of Samba's registry"
	}
	return "ipcguard audit lists the shares with --format json"
}

// lineOf returns what a line of a share is in effect, and the section that it comes from: empty is the share's own. It
// is nil if no such line counts.
func lineOf(s *model.Share, setting *catalog.Setting) (now any, at string) {
	switch {
	case setting.ID == guestOK && s.Guest:
		return true, s.GuestAt
	case setting.ID == guestOnly && s.GuestOnly:
		return true, s.GuestOnlyAt
	case setting.ID == smbEncrypt && s.Encrypt != "":
		return s.Encrypt, s.EncryptAt
	}
	return nil, ""
}

// wishLine returns the edit for a wanted line of a share. It fails if the plan could not make the change, or if the
// line would give anybody more than now.
func (w *work) wishLine(l shareLine) (chosen, error) {
	refuse := func(why, hint string) (chosen, error) {
		return chosen{}, &InputError{l.name + ":" + l.setting.ID + " " + why, hint}
	}
	e, err := l.edit(w)
	if err != nil {
		return chosen{}, err
	}
	w.named[opener{l.setting.ID, strings.ToLower(e.share)}] = true
	ch, s, share := chosen{e, 0}, l.setting, &w.cfg.Shares[l.share]
	means := s.InShare(ch.data())
	switch {
	case w.avoids(s):
		return refuse("is wanted and to be avoided", "")
	case share.UserShare:
		return refuse("is the line of a usershare, which has no section in smb.conf",
			"usershare allow guests=no closes usershares to strangers; net usershare delete removes one")
	case w.cfg.Unread != "":
		return refuse("may be set where nothing was read: "+w.cfg.Unread, "an audit that reads all of it settles that")
	case ch.data() == true:
		return refuse("opens the share to strangers, and a plan only takes away",
			"--needs share:"+share.Name+" leaves an open share as it is")
	case len(s.InShares) > 0 && means == nil:
		return refuse(fmt.Sprintf("at %s is not known to work: the catalog has no such value", model.Text(ch.data())),
			"ipcguard explain \""+s.ID+"\" lists those that it has")
	case encryptionRank(ch.data()) < encryptionRank(e.now):
		return refuse(fmt.Sprintf("at %s asks for less than now, and a plan only takes away: it is %s",
			model.Text(ch.data()), model.Text(e.now)), "")
	}
	if why := w.idle(s); why != "" {
		return refuse("would do nothing: "+why, "")
	}
	if w.loses(share, ch) {
		e.closes = []string{share.Name}
	}
	e.why = "wanted. " + w.why(s, ch.data())
	if means != nil {
		e.why = "wanted. " + means.Means
	}
	return ch, nil
}

// loses reports whether a line takes a share from strangers.
func (w *work) loses(share *model.Share, line chosen) bool {
	now := withLines([]model.Share{*share}, []chosen{line})[0]
	for _, id := range model.Strangers() {
		x, known := w.view().Share(id, share)
		if y, _ := w.view().Share(id, &now); known && levelOf(y) < levelOf(x) {
			return true
		}
	}
	return false
}

// encryptionRank orders what lines of a share ask for: nothing, encryption of whom can, encryption.
func encryptionRank(v any) int {
	switch word, _ := v.(string); word {
	case "", "no", "false", "0", "off", "disabled", "default", "auto", "if_required", "enabled":
		return 0
	case "desired":
		return 1
	}
	return 2
}

// hasAlready reports whether a wanted line is already in effect.
func (w *work) hasAlready(ch chosen) bool {
	e := ch.edit
	switch ch.data().(type) {
	case bool:
		if e.now != nil {
			return false
		}
	default:
		if encryptionRank(e.now) != encryptionRank(ch.data()) {
			return false
		}
	}
	w.reject(e.name(), "it is "+model.Text(ch.data())+" in effect, as wanted")
	return true
}

// wishedLine reports whether the policy names the line of a share, so that nothing else may choose its value.
func (w *work) wishedLine(s *catalog.Setting, share string) bool {
	return w.named[opener{s.ID, strings.ToLower(share)}]
}

// takesFromShares refuses lines that would open a share to strangers, or shut one to everybody. The shares after the
// changes are in w.shares.
func (w *work) takesFromShares(wishes []chosen) error {
	after := w.with(w.cfg, wishes...)
	before, then := w.view(), w.c.View(after)
	for i := range w.cfg.Shares {
		was, is := &w.cfg.Shares[i], &after.Shares[i]
		for _, id := range model.Identities() {
			x, known := before.Share(id, was)
			y, _ := then.Share(id, is)
			switch {
			case !known:
			case id.IsStranger() && levelOf(y) > levelOf(x):
				return &InputError{
					"what is wanted would open the share " + was.Name + " to strangers", "a plan only takes away",
				}
			}
		}
		if shutsAll(before, then, was, is) {
			return &InputError{
				fmt.Sprintf("what is wanted would refuse everybody the share %s: %s is %s in [global]", was.Name,
					smbEncrypt, model.Text(w.judged(wishes...)[smbEncrypt].Effective)), "",
			}
		}
	}
	return nil
}

// shutsAll reports whether a changed line of a share refuses everybody, because the share then requires encryption and
// the server offers none.
func shutsAll(before, after *catalog.View, was, is *model.Share) bool {
	x, known := before.Share(model.User, was)
	y, _ := after.Share(model.User, is)
	return known && y == model.Denied && x != model.Denied && is.Encrypt != was.Encrypt
}

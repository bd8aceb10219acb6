package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// The settings of Samba each of which opens a share to strangers.
const (
	guestOK   = "guest ok"
	guestOnly = "guest only"
)

// global is the section with the defaults of shares.
const global = "global"

// opener is a line that opens a share, and its section: the share's own, [global], or a share that this one copies.
type opener struct{ setting, at string }

// openers returns the lines of smb.conf that open a share. The file of a usershare is not smb.conf.
func openers(s *model.Share) (out []opener) {
	add := func(on bool, setting, at string) {
		if at == "" && s.UserShare {
			return
		}
		if at == "" {
			at = s.Name
		}
		if on {
			out = append(out, opener{setting, strings.ToLower(at)})
		}
	}
	add(s.Guest, guestOK, s.GuestAt)
	add(s.GuestOnly, guestOnly, s.GuestOnlyAt)
	return out
}

// shareEdits closes disk shares to strangers. A line is changed in its section, once for all shares that inherit it and
// for shares that are made later; a share that must stay open then gets its own line.
//
// These edits need no search. Nothing else that a plan against strangers may set closes a share to anonymous callers,
// and each line opens shares that no other line closes.
func (w *work) shareEdits(s *catalog.Setting) []*edit {
	if s.Type != "bool" || s.ID != guestOK && s.ID != guestOnly {
		return nil
	}
	var out []*edit
	at := map[string]*edit{} // by section
	line := func(section string, from model.Value, to bool) *edit {
		e := &edit{
			setting: s, share: section, where: strings.ReplaceAll(s.Where, "SHARE", section), from: from,
			options: []option{{data: to}},
		}
		at[strings.ToLower(section)] = e
		out = append(out, e)
		return e
	}
	yes := model.Value{Present: true, Type: s.Type, Data: true}
	for i := range w.cfg.Shares {
		share := &w.cfg.Shares[i]
		if w.needs.share(share.Name) || !w.openShare(share) {
			continue
		}
		for _, o := range openers(share) {
			if o.setting != s.ID {
				continue
			}
			section := o.at
			if section != global && w.needs.share(section) {
				section = strings.ToLower(share.Name) // the line that it copies must stay
			}
			e := at[section]
			switch {
			case e == nil && section == strings.ToLower(share.Name):
				e = line(share.Name, yes, false)
			case e == nil:
				e = line(w.sectionName(section), yes, false)
			}
			e.closes = append(e.closes, share.Name)
		}
	}
	if at[global] == nil && w.opensNew(s) {
		line(global, yes, false) // no open share inherits it now, but the next one would
	}
	for i := range w.cfg.Shares { // a share that must stay open gets its own line
		share := &w.cfg.Shares[i]
		for _, o := range openers(share) {
			if o.setting == s.ID && w.needs.share(share.Name) && at[o.at] != nil &&
				o.at != strings.ToLower(share.Name) {
				line(share.Name, model.Value{}, true)
			}
		}
	}
	return out
}

// opensNew reports whether a line of [global] opens shares that are made later. Such a line is closed even if it opens
// no share now.
func (w *work) opensNew(s *catalog.Setting) bool {
	return w.cfg.Defaults != nil && slices.Contains(openers(w.cfg.Defaults), opener{s.ID, global})
}

// forLater reports whether a change of such a line closes no present share.
func (ch chosen) forLater() bool {
	return !ch.edit.wanted && ch.edit.share == global && len(ch.edit.closes) == 0 && ch.data() == false
}

// openShare reports whether some stranger may enter a share.
func (w *work) openShare(s *model.Share) bool {
	if strings.EqualFold(s.Name, "IPC$") {
		return false
	}
	for _, id := range model.Strangers() {
		if o, known := w.view().Share(id, s); known && levelOf(o) > shut {
			return true
		}
	}
	return false
}

// sectionName returns the name of a section as it is written.
func (w *work) sectionName(section string) string {
	for i := range w.cfg.Shares {
		if strings.EqualFold(w.cfg.Shares[i].Name, section) {
			return w.cfg.Shares[i].Name
		}
	}
	return section
}

// withLines returns the shares after changes of their lines.
func withLines(shares []model.Share, lines []chosen) []model.Share {
	if len(lines) == 0 {
		return shares
	}
	to := make(map[opener]any, len(lines))
	for _, ch := range lines {
		to[opener{ch.edit.setting.ID, strings.ToLower(cmp.Or(ch.edit.share, global))}] = ch.data()
	}
	shares = slices.Clone(shares)
	for i := range shares {
		s := &shares[i]
		s.Guest, s.GuestAt = changedLine(to, guestOK, s.Name, s.Guest, s.GuestAt)
		s.GuestOnly, s.GuestOnlyAt = changedLine(to, guestOnly, s.Name, s.GuestOnly, s.GuestOnlyAt)
		s.Encrypt, s.EncryptAt = changedLine(to, smbEncrypt, s.Name, s.Encrypt, s.EncryptAt)
	}
	return shares
}

// take sets the shares as they are after changes of lines, and what new shares then begin with.
func (w *work) take(changes []chosen) {
	after := w.with(w.cfg, changes...)
	w.shares, w.defaults = after.Shares, after.Defaults
}

// defaultsWith returns the defaults of shares after changes of lines.
func defaultsWith(defaults *model.Share, lines []chosen) *model.Share {
	if defaults == nil {
		return nil
	}
	return &withLines([]model.Share{*defaults}, lines)[0]
}

// changedLine returns a line of a share after some changes: its own line takes precedence over an inherited one.
func changedLine[T bool | string](to map[opener]any, setting, name string, is T, at string) (T, string) {
	if v, changed := to[opener{setting, strings.ToLower(name)}].(T); changed {
		return v, ""
	}
	if v, changed := to[opener{setting, strings.ToLower(at)}].(T); changed && at != "" {
		return v, at
	}
	return is, at
}

// split separates the edits of shares' lines from those that are searched.
func split(edits []*edit) (lines []chosen, others []*edit) {
	for _, e := range edits {
		if e.share != "" {
			lines = append(lines, chosen{e, len(e.options) - 1})
		} else {
			others = append(others, e)
		}
	}
	return lines, others
}

// closesShares returns what a line's change closes: what strangers no longer get anywhere, or, if they still get it
// from a share that must stay, or may, the names of the closed shares.
func (w *work) closesShares(e *edit, before, after []level) []string {
	out := []string{}
	if e.wanted && len(e.closes) == 0 {
		return out
	}
	for i, d := range w.doors {
		if d.kind == model.DisclosesFiles && !d.beside && before[i] > shut && after[i] == shut {
			if name := w.doorName(d); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	if len(out) == 0 {
		for _, name := range e.closes {
			out = append(out, w.doorName(door{identity: model.Anonymous, share: name}))
		}
	}
	return out
}

// shareBreaks returns what changes of lines stop: one entry with every share.
func (w *work) shareBreaks(lines []chosen) []model.Break {
	var out []model.Break
	for _, s := range []string{guestOK, guestOnly, smbEncrypt} {
		var names []string
		var of []breakage
		var to any = false
		for _, ch := range lines {
			if ch.edit.setting.ID != s || len(ch.edit.closes) == 0 && s != smbEncrypt {
				continue
			}
			list := w.breakage(ch.edit, ch.data())
			switch {
			case s != smbEncrypt:
				names, of = append(names, ch.edit.closes...), list
			case list != nil:
				names, of, to = append(names, ch.edit.share), list, ch.data()
			}
		}
		for _, b := range of {
			b.Because = fmt.Sprintf("%s becomes %s on %s", s, model.Text(to), strings.Join(names, ", "))
			if s == smbEncrypt { // the catalog tells what it does to the whole host
				b.What += " of the " + shareWord(names)
			}
			out = append(out, b.Break)
		}
	}
	return out
}

// unlisted returns what a closed IPC$ takes from those who use a share that stays open to strangers.
func (w *work) unlisted(cfg catalog.Config) []model.Break {
	before, after := w.view(), w.c.View(cfg)
	if len(w.needs.shares) == 0 || levelOf(before.Tree(model.Anonymous)) == shut ||
		levelOf(after.Tree(model.Anonymous)) > shut || w.platform.System != "samba" {
		return nil
	}
	return []model.Break{{
		Who:       "people who use " + strings.Join(sortedKeys(w.needs.shares), ", ") + " without an account",
		What:      "they are shown no list of shares any more, and open it by its name",
		Certainty: "documented", Because: "the list comes through IPC$, which is closed to them",
		Sources: []string{"M samba-4.17.12"},
	}}
}

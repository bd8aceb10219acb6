package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// maxExceptions bounds the servers that a plan excepts. A network with more of them is not ready to end NTLM, and
// nobody reads a longer list.
const maxExceptions = 100

// exceptions extends the lists that except servers from settings which end a way to sign in: it adds the servers at
// which that way was seen. Existing entries stay. The lists are changed before the settings.
func (w *work) exceptions(found []chosen) (out []chosen) {
	for _, ch := range found {
		for _, id := range lists(ch.edit.setting) {
			s := w.c.Setting(id)
			if w.wished(s) || planned(out, s) {
				continue
			}
			seen, doubtful := w.toExcept(ch, s)
			if len(doubtful) > 0 {
				w.reject(id, fmt.Sprintf("%s: %s; whether %s refuses anything is not known", names(doubtful),
					w.doubt(ch, s), ch.edit.setting.ID))
			}
			if len(seen) == 0 {
				continue
			}
			from, read := w.cfg.Settings[id]
			switch why := w.idle(s); {
			case w.avoids(s):
				w.reject(id, "the policy says not to touch it; without exceptions NTLM ends at "+names(seen))
				continue
			case !read:
				w.reject(id, "it was not read, so there would be no way back; NTLM ends at "+names(seen))
				continue
			case why != "":
				w.reject(id, why)
				continue
			case len(seen) > maxExceptions:
				w.reject(id, fmt.Sprintf("NTLM was seen at %d servers, and a plan excepts no more than %d: mend "+
					"some of them first", len(seen), maxExceptions))
				continue
			}
			now, _ := s.Value(from)
			list, _ := now.([]string)
			e := &edit{setting: s, where: w.where(s), from: from, order: ch.edit.order}
			e.options = []option{{data: slices.Concat(list, seen)}}
			e.why = fmt.Sprintf("NTLM was seen at %s, where %s would end it; take a server off once it has Kerberos",
				names(seen), ch.edit.setting.ID)
			out = append(out, chosen{e, 0})
		}
	}
	return out
}

// lists returns the settings with the exceptions from a setting.
func lists(s *catalog.Setting) (out []string) {
	for _, e := range s.Ends {
		if e.Except != "" && !slices.Contains(out, e.Except) {
			out = append(out, e.Except)
		}
	}
	return out
}

// excepts reports whether a setting is a list of exceptions whose effect the model knows.
func (w *work) excepts(s *catalog.Setting) bool {
	return slices.ContainsFunc(w.c.Settings, func(x catalog.Setting) bool { return slices.Contains(lists(&x), s.ID) })
}

// toExcept returns the servers at which a change would, or may, end what was seen, by their names in the records, and
// the servers of which the records do not say whether it would. An address cannot be on such a list.
func (w *work) toExcept(ch chosen, list *catalog.Setting) (seen, doubtful []string) {
	after := w.cfg
	after.Settings = maps.Clone(w.cfg.Settings)
	after.Settings[ch.edit.setting.ID] = ch.value()
	if !after.Settings[list.ID].Present {
		after.Settings[list.ID] = model.Value{Present: true, Type: list.Type, Data: []string{}}
	}
	r := replay(w.c, w.cfg, after, w.uses(), nil)
	chatty := w.doubt(ch, list) != ""
	for _, x := range slices.Concat(r.Refused, r.Possible) {
		name := x.Use.Server
		if _, err := netip.ParseAddr(name); err == nil || name == "" || !x.Way {
			continue
		}
		into := &seen
		if chatty && x.Use.Considered() {
			into = &doubtful
		}
		if !named(*into, name) {
			*into = append(*into, name)
		}
	}
	slices.Sort(seen)
	slices.Sort(doubtful)
	return seen, slices.DeleteFunc(doubtful, func(n string) bool { return named(seen, n) })
}

// doubt says why this host's log of what a change would end, at servers that the list does not except, may tell of
// other logons; it is empty if there is no doubt.
func (w *work) doubt(ch chosen, list *catalog.Setting) string {
	for _, e := range ch.edit.setting.Ends {
		if e.Except != list.ID {
			continue
		}
		for _, d := range e.Logged {
			if _, possible := w.c.Fit(d.Scope, w.platform); possible {
				return d.Why
			}
		}
	}
	return ""
}

func named(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// names joins names for a sentence, and counts those that would make it too long.
func names(list []string) string {
	const most = 10
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// exceptedAccounts returns the lines of smb.conf that except accounts from the changes: those that would lose access
// according to Samba's own log.
func (w *work) exceptedAccounts(found []chosen) (out []chosen) {
	for _, ch := range found {
		for _, line := range w.lines(ch.edit.setting, ch.data()) {
			accounts := w.weakAccounts(line)
			if len(accounts) == 0 {
				continue
			}
			switch {
			case w.avoids(line):
				w.reject(line.ID, "the policy says not to touch it; without exceptions Netlogon ends for "+
					names(accounts))
				continue
			case w.cfg.AccountLines == nil:
				w.reject(line.ID, "lines of accounts were not read, so there would be no way back; Netlogon ends for "+
					names(accounts))
				continue
			case len(accounts) > maxExceptions:
				w.reject(line.ID, fmt.Sprintf("Netlogon would end for %d accounts, and a plan excepts no more than "+
					"%d: mend some of them first", len(accounts), maxExceptions))
				continue
			}
			for _, account := range accounts {
				if !catalog.IsAccount(account) {
					w.reject(line.ID, fmt.Sprintf("%q is no name of an account that a line is written for", account))
					continue
				}
				e := &edit{
					setting: line, account: account, where: line.LineFor(account), from: w.lineOf(line, account),
					order: ch.edit.order,
				}
				e.options = []option{{data: exception(line)}}
				e.why = fmt.Sprintf("Samba's log says that %s would end the Netlogon of %s; take the line out once "+
					"the account's computer is mended", ch.edit.setting.ID, account)
				out = append(out, chosen{e, 0})
			}
		}
	}
	return out
}

// lines returns the settings with a line for each account that a value does not affect.
func (w *work) lines(s *catalog.Setting, to any) (out []*catalog.Setting) {
	for i := range s.Ends {
		if e := &s.Ends[i]; e.ExceptLine != "" && e.At(s, to) {
			out = append(out, w.c.Setting(e.ExceptLine))
		}
	}
	return out
}

// exception returns the value with which a line excepts its account.
func exception(line *catalog.Setting) any { return line.Values[0].Value }

// lineOf returns the current line of an account.
func (w *work) lineOf(line *catalog.Setting, account string) model.Value {
	for _, l := range w.cfg.AccountLines {
		if l.Setting == line.ID && strings.EqualFold(l.Account, account) {
			return l.Value
		}
	}
	return model.Value{}
}

// accountSetting splits the name of an account's line, as in "server schannel require seal:NAS2$". s is nil if the name
// is not of that form.
func (w *work) accountSetting(name string) (account string, s *catalog.Setting) {
	for i := range w.c.Settings {
		s := &w.c.Settings[i]
		if account, ok := s.Account(name); ok && s.System == w.platform.System && catalog.IsAccount(account) {
			return account, s
		}
	}
	return "", nil
}

// accountChange changes the line of an account in a configuration.
func (w *work) accountChange(a *Answer, after *catalog.Config, account string, s *catalog.Setting, value string) error {
	ch := chosen{edit: &edit{setting: s, account: account, where: s.LineFor(account), from: w.lineOf(s, account)}}
	to := model.Value{}
	if !strings.EqualFold(value, "absent") {
		data, ok := s.Value(model.Value{Present: true, Data: value})
		if !ok {
			return cannotBe(s, value)
		}
		ch.edit.options = []option{{data: data}}
		to = ch.value()
	}
	after.AccountLines = withAccounts(after.AccountLines, []chosen{ch})
	effect := w.c.Effect(s, w.platform)
	a.Changes = append(a.Changes, model.Change{
		ID: fmt.Sprint(len(a.Changes) + 1), Setting: s.ID, Where: ch.edit.where, From: exact(s, ch.edit.from), To: to,
		Closes: []string{}, Reach: s.Reach, When: effect.When, TakesEffect: effect.How,
	})
	return nil
}

// withAccounts returns the lines of accounts after some changes.
func withAccounts(lines []model.AccountLine, changes []chosen) []model.AccountLine {
	if len(changes) == 0 {
		return lines
	}
	lines = slices.DeleteFunc(slices.Clone(lines), func(l model.AccountLine) bool {
		return slices.ContainsFunc(changes, func(ch chosen) bool {
			return l.Setting == ch.edit.setting.ID && strings.EqualFold(l.Account, ch.edit.account)
		})
	})
	for _, ch := range changes {
		if len(ch.edit.options) == 0 {
			continue // the line is removed
		}
		lines = append(lines,
			model.AccountLine{
				Setting: ch.edit.setting.ID, Account: ch.edit.account, Where: ch.edit.where, Value: ch.value(),
			})
	}
	return lines
}

// weakAccounts returns the computer accounts that need a line and have none, according to a Samba controller's log.
func (w *work) weakAccounts(line *catalog.Setting) (out []string) {
	w.eachWeak(line, w.cfg.AccountLines, func(n *model.Notice) {
		if !named(out, n.Client) {
			out = append(out, n.Client)
		}
	})
	slices.Sort(out)
	return out
}

// eachWeak yields the notices about accounts that need a line and have none in lines.
func (w *work) eachWeak(line *catalog.Setting, lines []model.AccountLine, each func(*model.Notice)) {
	if w.e.Observed == nil {
		return
	}
	kind, _, _ := strings.Cut(line.ID, ":")
	for i := range w.e.Observed.Notices {
		n := &w.e.Observed.Notices[i]
		if n.ID != model.NoticeSchannel || n.Setting != kind {
			continue
		}
		if !slices.ContainsFunc(lines, func(l model.AccountLine) bool { return line.Excepts(&l, n.Client) }) {
			each(n)
		}
	}
}

// weakNetlogon returns the computer accounts that would lose Netlogon once the controller insists on its secure channel
// or on encryption, according to Samba's log, each with the line that excepts it. after is the configuration with the
// changes.
func (w *work) weakNetlogon(s *catalog.Setting, to any, after *catalog.Config) (out []model.Break) {
	for _, line := range w.lines(s, to) {
		w.eachWeak(line, after.AccountLines, func(n *model.Notice) {
			out = append(out, model.Break{
				Who: n.Client, What: n.What, Certainty: "possible",
				Because: s.ID + " becomes " + model.Text(to) + ", and no line in [global] excepts this account (" +
					n.Evidence + ")",
			})
		})
	}
	return out
}

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

// maxExceptions bounds the servers that a plan excepts. Whoever has more of them is not ready to end NTLM, and a list of that
// length is one that nobody reads.
const maxExceptions = 100

// exceptions are the lists that name where a way to sign in goes on, made longer by the servers at which it was seen and
// would end. An entry that is there already stays. They come before what they are exceptions from.
func (w *work) exceptions(found []chosen) (out []chosen) {
	for _, ch := range found {
		for _, id := range lists(ch.edit.setting) {
			s := w.c.Setting(id)
			if w.wished(s) || planned(out, s) {
				continue
			}
			seen, doubtful := w.toExcept(ch, s)
			if len(doubtful) > 0 {
				w.reject(id, fmt.Sprintf("%s: the log says that NTLM was considered there, which this release of Windows writes for Kerberos, too; whether %s refuses anything is not known", names(doubtful), ch.edit.setting.ID))
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
				w.reject(id, fmt.Sprintf("NTLM was seen at %d servers, and a plan excepts no more than %d: mend some of them first", len(seen), maxExceptions))
				continue
			}
			now, _ := s.Value(from)
			list, _ := now.([]string)
			e := &edit{setting: s, where: w.where(s), from: from, order: ch.edit.order}
			e.options = []option{{data: slices.Concat(list, seen)}}
			e.why = fmt.Sprintf("NTLM was seen at %s, where %s would end it; take a server off once it has Kerberos", names(seen), ch.edit.setting.ID)
			out = append(out, chosen{e, 0})
		}
	}
	return out
}

// lists are the settings with the exceptions from a setting.
func lists(s *catalog.Setting) (out []string) {
	for _, e := range s.Ends {
		if e.Except != "" && !slices.Contains(out, e.Except) {
			out = append(out, e.Except)
		}
	}
	return out
}

// excepts tells whether a setting is a list of exceptions, of which the model knows what it does.
func (w *work) excepts(s *catalog.Setting) bool {
	return slices.ContainsFunc(w.c.Settings, func(x catalog.Setting) bool { return slices.Contains(lists(&x), s.ID) })
}

// toExcept are the servers at which a change would, or may, end what was seen, by the names that the records have; and those
// of which the records do not say that it came to it. An address is no name that a list could have.
func (w *work) toExcept(ch chosen, list *catalog.Setting) (seen, doubtful []string) {
	after := w.cfg
	after.Settings = maps.Clone(w.cfg.Settings)
	after.Settings[ch.edit.setting.ID] = ch.value()
	if !after.Settings[list.ID].Present {
		after.Settings[list.ID] = model.Value{Present: true, Type: list.Type, Data: []string{}}
	}
	r := replay(w.c, w.cfg, after, w.uses(), nil)
	_, chatty := w.c.Fit(catalog.Scope{Since: "win11-24H2"}, w.platform)
	for _, x := range slices.Concat(r.Refused, r.Possible) {
		name := x.Use.Server
		if _, err := netip.ParseAddr(name); err == nil || name == "" || !x.Way {
			continue
		}
		into := &seen
		if chatty && x.Use.Outcome == model.Inconclusive {
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

// weakNetlogon are the computer accounts that a controller of Samba says would lose Netlogon once it insists on its secure
// channel or on encryption, each with the line that excepts it. A plan does not write the line: it is a parameter by account,
// which the audit does not read, so that there would be no way back.
func (w *work) weakNetlogon(s *catalog.Setting, to any) (out []model.Break) {
	exception := netlogonExceptions[s.ID]
	if exception == "" || w.e.Observed == nil || !slices.ContainsFunc(s.Ends, func(e catalog.End) bool { return e.At(s, to) }) {
		return nil
	}
	for _, n := range w.e.Observed.Notices {
		if n.ID == model.NoticeSchannel && strings.Contains(n.What, "'"+exception+":") {
			out = append(out, model.Break{Who: n.Client, What: n.What, Certainty: "possible", Because: s.ID + " becomes " + model.Text(to) + ", and a line for this account in [global] is left to you (" + n.Evidence + ")"})
		}
	}
	return out
}

// netlogonExceptions are the parameters by account that except from a setting. [S] source3/param/loadparm.c
var netlogonExceptions = map[string]string{"server schannel": "server require schannel", "server schannel require seal": "server schannel require seal"}

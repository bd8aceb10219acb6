package audit

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

// windows checks combinations of values: contradictions, values without effect, and traps.
func (j *judging) windows() {
	j.anonymousLists()
	j.withoutEffect()
	j.switches()
	j.secondLayer()
	j.legacyGroup()
	j.remoteSAM()
	j.logonRights()
}

// anonymousLists checks NullSessionPipes and NullSessionShares, name by name, as sets without regard to case.
func (j *judging) anonymousLists() {
	restrict, known := j.number("RestrictNullSessAccess")
	open := known && restrict == 0
	if open {
		j.add(lint{
			id: "null-session-unrestricted", setting: "RestrictNullSessAccess",
			evidence: "RestrictNullSessAccess is 0: every pipe and share takes strangers, as far as their own " +
				"permissions do",
		})
		if v := j.values["NullSessionPipes"]; v.Present {
			j.add(lint{
				id: "pipe-list-irrelevant", setting: "NullSessionPipes",
				evidence: fmt.Sprintf("NullSessionPipes lists %s, and RestrictNullSessAccess 0 opens every other "+
					"pipe too", model.Text(v.Data)),
			})
		}
	}
	if j.setting("NullSessionPipes").Basis == model.BasisConfigured && !open {
		names := j.names("NullSessionPipes")
		if j.platform.Role == model.UnknownRole {
			names = j.askForRole(names)
		}
		for _, name := range names {
			if !j.joined("NullSessionPipes", name, j.knownPipe) {
				j.anonymousPipe(name)
			}
		}
	}
	if j.setting("NullSessionShares").Basis != model.BasisConfigured || open {
		return
	}
	for _, name := range j.names("NullSessionShares") {
		j.anonymousShare(name)
	}
}

// anonymousShare checks one name on the list of shares.
func (j *judging) anonymousShare(name string) {
	l := lint{
		id: "unexpected-anonymous-share", setting: "NullSessionShares", identity: model.Anonymous,
		evidence: "NullSessionShares lists " + name,
	}
	switch shipped, sure := j.shippedShare(name); {
	case strings.EqualFold(name, "IPC$"), j.joined("NullSessionShares", name, j.knownShare):
		return
	case shipped && sure:
		l.severity, l.fix = model.Low,
			"Nobody added it. Take it off the list unless something here comes without credentials."
		l.evidence += ", which Microsoft shipped on this release, as one text says"
	case shipped:
		l.severity = model.Medium
		l.evidence += ", which Microsoft shipped until Server 2003, as one text says; which release this is is not " +
			"known"
	}
	j.add(l)
}

// askForRole handles the pipes that a domain controller opens by design: without the role it is unknown whether they
// belong on the list. It adds one finding that asks for the role, and returns the remaining names.
func (j *judging) askForRole(names []string) (left []string) {
	var open []string
	for _, n := range names {
		if slices.Contains(byDesign, catalog.PipeName(n)) {
			open = append(open, n)
		} else {
			left = append(left, n)
		}
	}
	if len(open) > 0 {
		j.add(lint{
			id: "role-decides-pipes", setting: "NullSessionPipes", identity: model.Anonymous,
			evidence: fmt.Sprintf("NullSessionPipes lists %s, which a domain controller opens by design; whether "+
				"this is for one is not known", strings.Join(open, ", ")),
		})
	}
	return left
}

// joined reports several names that ran together in one entry of a list, as tools write it that join them with blanks:
// together they form one name that does not exist. All of the names must be known, because a name may contain a blank.
func (j *judging) joined(setting, entry string, known func(string) bool) bool {
	parts := strings.FieldsFunc(entry, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\t' })
	if len(parts) < 2 || known(entry) || slices.ContainsFunc(parts, func(p string) bool { return !known(p) }) {
		return false
	}
	l := lint{
		id: "names-joined", setting: setting,
		evidence: fmt.Sprintf("%s holds one entry %q: %d names that ran together and count as none of them", setting,
			entry, len(parts)),
	}
	if own := j.ownPipes(); setting == "NullSessionPipes" && len(own) > 0 {
		l.fix = fmt.Sprintf("Write %s, each as an entry of its own: a domain controller needs them.",
			strings.Join(own, ", "))
	}
	j.add(l)
	return true
}

// knownPipe reports whether the catalog has a pipe, or a release opened it.
func (j *judging) knownPipe(name string) bool {
	bare := catalog.PipeName(name)
	return j.Catalog.Pipe(bare) != nil || j.oldDefault(bare)
}

// knownShare reports whether this host has a share, or a release shipped it on the list.
func (j *judging) knownShare(name string) bool {
	shipped, _ := j.shippedShare(name)
	return shipped || slices.ContainsFunc(j.shares, func(s model.Share) bool { return strings.EqualFold(s.Name, name) })
}

// ownPipes returns the pipes that this role opens to strangers by default.
func (j *judging) ownPipes() []string {
	if j.platform.Role != model.DomainController {
		return nil
	}
	for _, d := range j.Catalog.Setting("NullSessionPipes").Defaults {
		if certain, _ := j.Catalog.Fit(d.Scope, j.platform); certain && d.Unknown == "" {
			names, _ := model.List(d.Value)
			return names
		}
	}
	return nil
}

// byDesign are the pipes that a domain controller opens to strangers; browser only if that service is used. See SPS
// network-access-named-pipes-that-can-be-accessed-anonymously.
var byDesign = []string{"netlogon", "samr", "lsarpc", "browser"}

// anonymousPipe checks one name on the list.
func (j *judging) anonymousPipe(name string) {
	bare := catalog.PipeName(name)
	if j.platform.Role == model.DomainController && slices.Contains(byDesign, bare) {
		return
	}
	l := lint{id: "unexpected-anonymous-pipe", setting: "NullSessionPipes", pipe: name, identity: model.Anonymous}
	l.evidence = fmt.Sprintf("NullSessionPipes lists %s", name)
	if s := j.serviceOn(bare); s != nil {
		l.severity = model.Low
		l.evidence += fmt.Sprintf(", which %s needs: %s", s.ID, s.Evidence)
		l.fix = "Keep it while that service needs it without credentials; otherwise take it off the list."
		j.add(l)
		return
	}
	switch {
	case j.shipped(bare):
		l.severity = model.Low
		l.evidence += ", which Microsoft shipped on this release"
		if _, closed, given := j.worst(j.behind(bare)); len(given) > 0 {
			l.evidence += "; behind it strangers get " + model.Nouns(given)
		} else if !closed {
			l.evidence += "; what it gives strangers is not documented in full"
		}
		l.fix = "Nobody added it. Take it off the list unless something here comes without credentials."
	case !j.knownPipe(bare):
		l.evidence += ", a name that no release opens and no service in the catalog uses"
	default:
		level, closed, given := j.worst(j.behind(bare))
		switch {
		case len(given) > 0:
			l.severity = level
			l.evidence += "; behind it strangers get " + model.Nouns(given)
		case closed && j.oldDefault(bare):
			l.severity = model.Low
			l.evidence += ", which an earlier release shipped; nothing behind it is given to strangers here"
			l.fix = "It may have come with an upgrade, and nobody need have added it. Take it off the list unless " +
				"something here comes without credentials."
		case closed:
			l.severity = model.Low
			l.evidence += "; nothing behind it is given to strangers here"
		default:
			l.severity = model.Medium
			l.evidence += "; what it gives strangers is not documented in full"
		}
	}
	j.add(l)
}

// behind returns what a pipe may disclose.
func (j *judging) behind(pipe string) []model.Disclosure {
	var out []model.Disclosure
	p := j.Catalog.Pipe(pipe)
	if p == nil {
		return nil
	}
	for _, b := range p.Interfaces {
		i := j.Catalog.Interface(b.ID)
		if i == nil {
			continue
		}
		for _, c := range i.Calls {
			if c.Discloses != "" && !slices.Contains(out, c.Discloses) {
				out = append(out, c.Discloses)
			}
		}
	}
	return out
}

// shippedShare reports whether a default list of this release names a share, well documented or not; sure is false if
// the release is only possibly this one.
func (j *judging) shippedShare(name string) (shipped, sure bool) {
	for _, d := range j.Catalog.Setting("NullSessionShares").Defaults {
		names, _ := model.List(d.Value)
		has := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
		switch certain, possible := j.Catalog.Fit(d.Scope, j.platform); {
		case certain:
			return has, true
		case possible && has:
			return true, false
		}
	}
	return false, false
}

// shipped reports whether exactly this release opened the name by default.
func (j *judging) shipped(name string) bool {
	return slices.ContainsFunc(j.Catalog.PipeTables, func(t catalog.PipeTable) bool {
		certain, _ := j.Catalog.Fit(t.Scope, j.platform)
		return certain && slices.ContainsFunc(slices.Concat(t.Builtin, t.Registry),
			func(n string) bool { return catalog.PipeName(n) == name })
	})
}

// notBefore reports whether the platform is this product or a later one, as far as is known.
func (j *judging) notBefore(since string) bool { return j.platform.Product == "" || j.is(since) }

// oldDefault reports whether any release opened the name by default.
func (j *judging) oldDefault(name string) bool {
	for _, t := range j.Catalog.PipeTables {
		for _, l := range [][]string{t.Builtin, t.Registry} {
			if slices.ContainsFunc(l, func(n string) bool { return catalog.PipeName(n) == name }) {
				return true
			}
		}
	}
	return false
}

// serviceOn returns a service on this host that is not disabled and is known to need the pipe without credentials. A
// part of Windows does not count: nothing in a current release needs an anonymous pipe.
func (j *judging) serviceOn(pipe string) *model.Service {
	if p := j.Catalog.Pipe(pipe); p != nil && p.Windows != "" {
		return nil
	}
	for i := range j.services {
		s := &j.services[i]
		c := j.Catalog.Service(s.ID)
		if c == nil || s.Running == "disabled" || c.Anonymous != "legacy" {
			continue
		}
		if slices.ContainsFunc(c.Pipes, func(n string) bool { return catalog.PipeName(n) == pipe }) {
			return s
		}
	}
	return nil
}

// strangeRestrictAnonymous finds a RestrictAnonymous that this release does not document: only Windows 2000 has 2.
func (j *judging) strangeRestrictAnonymous() {
	n, ok := j.configured("RestrictAnonymous")
	switch {
	case !ok || n < 2:
	case n > 2:
		j.add(lint{
			id: "ra2-after-2000", setting: "RestrictAnonymous",
			evidence: fmt.Sprintf("RestrictAnonymous is %d, a value that no release documents", n),
		})
	case j.platform.Product != "" && j.mayBe("", "nt4") || j.is("winxp") || j.values["RestrictAnonymousSAM"].Present:
		j.add(lint{
			id: "ra2-after-2000", setting: "RestrictAnonymous",
			evidence: "RestrictAnonymous is 2, a value of Windows 2000 alone",
		})
	}
}

// withoutEffect finds values that have no effect on this product or role.
func (j *judging) withoutEffect() {
	j.strangeRestrictAnonymous()
	// Domain controllers of NT 4.0 and 2000 read it: Q296405, Q293127.
	if j.platform.Role == model.DomainController && j.notBefore("win2003") {
		for _, id := range []string{"RestrictAnonymous", "RestrictAnonymousSAM"} {
			if n, ok := j.configured(id); ok && n > 0 {
				j.add(lint{
					id: "restrict-anonymous-on-dc", setting: id,
					evidence: fmt.Sprintf("%s is %d on a domain controller, which does not read it", id, n),
				})
			}
		}
	}
	j.autoShare()
	if n, ok := j.configured("EnableSecuritySignature"); ok && n == 1 && j.notBefore("vista") {
		if r, ok := j.number("RequireSecuritySignature"); ok && r == 0 {
			j.add(lint{
				id: "signature-switch-ignored", setting: "EnableSecuritySignature",
				evidence: "EnableSecuritySignature is 1 and RequireSecuritySignature is 0: over SMB2 and later " +
					"nothing has to be signed",
			})
		}
	}
	switch n, ok := j.configured("RestrictRemoteClients"); {
	case ok && n == 1:
		j.add(lint{
			id: "rpc-clients-not-ipc", setting: "RestrictRemoteClients",
			evidence: "RestrictRemoteClients is 1, which exempts calls over named pipes",
		})
	case ok && n == 2:
		j.add(lint{
			id: "rpc-clients-not-ipc", setting: "RestrictRemoteClients",
			evidence: "RestrictRemoteClients is 2: Microsoft's own pages exempt calls over named pipes here too, one " +
				"specification does not, and nothing here counts on it",
		})
	}
	for i := range j.audit.Settings {
		s := &j.audit.Settings[i]
		if s.Present && s.State == model.StateNotApplicable && !j.has(s.ID) {
			j.add(lint{
				id: "setting-without-effect", setting: s.ID,
				evidence: fmt.Sprintf("%s is written (%s), and %s", s.ID, model.Text(s.Configured), s.Why),
			})
		}
	}
}

// autoShare: the value of the other product family has no effect, and neither removes IPC$. See KB954422 and Q185590.
func (j *judging) autoShare() {
	for _, id := range []string{"AutoShareServer", "AutoShareWks"} {
		n, ok := j.configured(id)
		if !ok || n != 0 {
			continue
		}
		switch certain, possible := j.Catalog.Fit(j.Catalog.Setting(id).Applies, j.platform); {
		case !possible:
			j.add(lint{
				id: "autoshare-wrong-product", setting: id,
				evidence: id + " is 0, and this product family does not read it",
			})
		case certain:
			j.add(lint{
				id: "autoshare-does-not-remove-ipc", setting: id,
				evidence: id + " is 0: the drive shares and ADMIN$ are gone, IPC$ is not",
			})
		default:
			j.add(lint{
				id: "autoshare-does-not-remove-ipc", setting: id,
				evidence: id + " is 0: where this edition reads it, the drive shares and ADMIN$ are gone; IPC$ is not",
			})
		}
	}
}

// switches finds single values that allow access, and pairs that contradict each other.
func (j *judging) switches() {
	if n, ok := j.number("TurnOffAnonymousBlock"); ok && n != 0 {
		j.add(lint{
			id: "anonymous-block-off", setting: "TurnOffAnonymousBlock",
			evidence: fmt.Sprintf("TurnOffAnonymousBlock is %d: any value but 0 lifts the block", n),
		})
	}
	if n, ok := j.number("PipeFirewallActive"); ok && n == 1 {
		allowed := j.setting("AllowedPipes")
		if l, ok := allowed.Effective.([]string); ok && len(l) == 0 {
			j.add(lint{
				id: "pipe-firewall-empty", setting: "PipeFirewallActive",
				evidence: "PipeFirewallActive is 1 and AllowedPipes lists nothing",
			})
		} else {
			j.add(lint{
				id: "pipe-firewall-active", setting: "PipeFirewallActive",
				evidence: "PipeFirewallActive is 1 and AllowedPipes is " + model.Text(allowed.Effective),
			})
		}
	}
	if n, ok := j.number("RestrictRemoteSamAuditOnlyMode"); ok && n == 1 {
		j.add(lint{
			id: "remote-sam-audit-only", setting: "RestrictRemoteSamAuditOnlyMode",
			evidence: "RestrictRemoteSamAuditOnlyMode is 1: refused calls are logged and let through",
		})
	}
	anonymous, ok1 := j.configured("RestrictAnonymous")
	sam, ok2 := j.configured("RestrictAnonymousSAM")
	if ok1 && ok2 && anonymous > 0 && sam == 0 && j.platform.Role != model.DomainController &&
		j.setting("RestrictAnonymousSAM").State != model.StateNotApplicable {
		j.add(lint{
			id: "contradictory-settings", setting: "RestrictAnonymousSAM",
			settings: []string{"RestrictAnonymous"},
			evidence: fmt.Sprintf("RestrictAnonymous is %d and RestrictAnonymousSAM is 0: the one keeps account "+
				"lists from strangers, the other gives them", anonymous),
		})
	}
	force, ok1 := j.configured("ForceGuest")
	guest, ok2 := j.number("EnableGuestAccount")
	if ok1 && ok2 && force == 1 && guest == 0 {
		j.add(lint{
			id: "contradictory-settings", setting: "ForceGuest", settings: []string{"EnableGuestAccount"},
			evidence: "ForceGuest is 1 and the guest account is disabled: network logons with local accounts fail",
		})
	}
	previous, ok1 := j.configured("PreviousAnonymousRestriction")
	_, read := j.values["RestrictAnonymous"] // absent counts as 0, its default on every release
	if ok1 && read && previous != anonymous {
		j.add(lint{
			id: "pending-restart", setting: "RestrictAnonymous",
			settings: []string{"PreviousAnonymousRestriction"},
			evidence: fmt.Sprintf("RestrictAnonymous is %d, and the Server service last noted %d: it has not been "+
				"started since the change (an inference from both values)", anonymous, previous),
		})
	}
}

// secondLayer checks by meaning whether the descriptors under DefaultSecurity grant strangers access.
func (j *judging) secondLayer() {
	everyone, _ := j.number("EveryoneIncludesAnonymous")
	var open []string
	for i := range j.audit.Settings {
		s := &j.audit.Settings[i]
		text, ok := s.Configured.(string)
		if !ok || !strings.HasPrefix(s.ID, "Srvsvc") || s.Type != "REG_BINARY" {
			continue
		}
		d, err := sddl.Parse(text)
		if err != nil {
			continue // reported when it was read
		}
		const connect = 1 // the first right of every srvsvc object, the one that reads
		if d.Check(sddl.AnonymousToken(everyone == 1), connect, sddl.Generic{}) == sddl.Granted {
			open = append(open, s.ID)
		}
	}
	if len(open) == 0 {
		return
	}
	l := lint{id: "second-layer-grants-anonymous", settings: open}
	l.evidence = fmt.Sprintf("%d descriptors under LanmanServer\\DefaultSecurity give strangers right 1: %s", len(open),
		strings.Join(open, ", "))
	if level, closed, given := j.worst([]model.Disclosure{model.DisclosesShares, model.DisclosesSessions}); len(
		given) > 0 {
		l.severity = level
	} else if closed {
		l.evidence += "; nothing in front of them lets a stranger through here"
	}
	j.add(l)
}

// remoteSAM: a filter on remote account calls can break the logons of a domain controller's clients.
func (j *judging) remoteSAM() {
	text, _ := j.setting("RestrictRemoteSAM").Effective.(string)
	if j.platform.Role != model.DomainController || text == "" {
		return
	}
	who := text
	if d, err := sddl.Parse(text); err == nil {
		who = d.Who()
	}
	j.add(lint{
		id: "remote-sam-filter-on-dc", setting: "RestrictRemoteSAM",
		evidence: "RestrictRemoteSAM on a domain controller lets in " + who +
			" alone; logons, remote desktop and look-ups of groups ask it, too",
	})
}

// manyNames are the holders of a logon right that include strangers or everyone, by SID and by English name.
var manyNames = map[string]string{
	"S-1-5-7": "ANONYMOUS LOGON", "ANONYMOUS LOGON": "ANONYMOUS LOGON", "S-1-5-32-546": "Guests", "GUESTS": "Guests",
	"GUEST":   "Guest",
	"S-1-1-0": "Everyone", "EVERYONE": "Everyone",
}

// logonRights checks who may log on over the network, if a template or a live system says so.
func (j *judging) logonRights() {
	in := func(id, name string) bool {
		return slices.ContainsFunc(j.names(id), func(m string) bool { return manyNames[strings.ToUpper(m)] == name })
	}
	for _, name := range []string{"ANONYMOUS LOGON", "Guests", "Guest"} {
		if in("SeNetworkLogonRight", name) && !in("SeDenyNetworkLogonRight", name) {
			j.add(lint{
				id: "network-logon-open", setting: "SeNetworkLogonRight",
				settings: []string{"SeDenyNetworkLogonRight"},
				evidence: "Access this computer from the network names " + name +
					", and the list of those who may not does not",
			})
		}
	}
	if in("SeDenyNetworkLogonRight", "Everyone") {
		j.add(lint{
			id: "network-logon-denied-to-all", setting: "SeDenyNetworkLogonRight",
			evidence: "Deny access to this computer from the network names Everyone: nobody gets a session",
		})
	}
}

// legacyGroup: strangers in Pre-Windows 2000 Compatible Access. See [MS-SAMR] <42>.
func (j *judging) legacyGroup() {
	if j.platform.Role != model.DomainController {
		return
	}
	for _, m := range j.names("PreWindows2000Members") {
		switch strings.ToUpper(m) {
		case "S-1-1-0", "S-1-5-7", "EVERYONE", "ANONYMOUS LOGON", "AN", "WD":
			j.add(lint{
				id: "legacy-group-open", setting: "PreWindows2000Members",
				evidence: m + " is a member of Pre-Windows 2000 Compatible Access",
			})
			return
		}
	}
}

package catalog

import (
	"slices"

	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

// way is one path to a kind of data on Windows: a pipe, and the check behind it.
type way struct {
	discloses model.Disclosure
	pipe      string
	check     func(*windows, model.Identity) cell
}

// windowsWays is the rule table: which pipes lead to which data, and the check that decides. An unchecked way has a
// check that allows.
var windowsWays = []way{
	{model.DisclosesIdentity, "lsarpc", (*windows).free},
	{model.DisclosesAccounts, "samr", (*windows).accounts},
	{model.DisclosesGroups, "samr", (*windows).groups},
	{model.DisclosesPasswordPolicy, "samr", (*windows).groups},
	{model.DisclosesSIDs, "lsarpc", (*windows).sids},
	{model.DisclosesTrusts, "lsarpc", (*windows).trusts},
	{model.DisclosesTrusts, "netlogon", (*windows).open},
	{model.DisclosesShares, "srvsvc", (*windows).shares},
	{model.DisclosesSessions, "srvsvc", (*windows).open},
	{model.DisclosesSessions, "wkssvc", (*windows).open},
	{model.DisclosesServices, "svcctl", (*windows).open},
	{model.DisclosesRegistry, "winreg", (*windows).open},
	{model.DisclosesPrinters, "spoolss", (*windows).open},
	{model.DisclosesJobs, "atsvc", (*windows).open},
	{model.DisclosesLogs, "eventlog", (*windows).logs},
	{model.DisclosesDFS, "netdfs", (*windows).open},
	{model.DisclosesHostInfo, "srvsvc", (*windows).open},
	{model.DisclosesHostInfo, "wkssvc", (*windows).open},
	{model.DisclosesEndpoints, "epmapper", (*windows).endpoints},
}

func (w *windows) discloses(id model.Identity, d model.Disclosure, at func(string) cell) cell {
	if d == model.DisclosesFiles {
		return w.files(id)
	}
	var buf [2]cell // no kind of data has more ways
	ways := buf[:0]
	for i := range windowsWays {
		r := &windowsWays[i]
		if r.discloses != d {
			continue
		}
		c := at(r.pipe)
		if !c.shut() {
			c = all(c, r.check(w, id))
		}
		ways = append(ways, c)
	}
	return anyOf(ways...)
}

// free: LsarGetUserName asks for no handle. See [MS-LSAT] 3.1.4.2.
func (w *windows) free(model.Identity) cell { return allowed("the call asks for no permission") }

// open: no document says what the interface grants this caller.
func (w *windows) open(model.Identity) cell {
	return unknown("what the interface grants this caller is not documented")
}

// accounts: RestrictRemoteSAM for everyone, then RestrictAnonymousSAM and RestrictAnonymous off domain controllers,
// Pre-Windows 2000 Compatible Access on them. See SPS, [MS-SAMR] 2.2.1 and Q143474.
func (w *windows) accounts(id model.Identity) cell {
	remote := w.remoteSAM(id)
	if id != model.Anonymous {
		if id == model.User {
			return all(remote, allowed("signed-in users may read accounts"))
		}
		return all(remote, unknown("what a guest may read is not documented"))
	}
	if c, decided := w.legacyOrDC(); decided {
		return all(remote, c)
	}
	sam, ok := w.number("RestrictAnonymousSAM")
	if !ok {
		return all(remote, unknown(w.why("RestrictAnonymousSAM")))
	}
	if sam != 0 {
		return all(remote, denied(w.why("RestrictAnonymousSAM")))
	}
	return all(remote, w.restrictAnonymous(allowed(w.why("RestrictAnonymousSAM")), denied(w.why("RestrictAnonymous"))))
}

// groups: the documents are about accounts; the effect of RestrictAnonymous 1 on groups and policy is unknown (Q278836,
// Q129457).
func (w *windows) groups(id model.Identity) cell {
	remote := w.remoteSAM(id)
	if id != model.Anonymous {
		if id == model.User {
			return all(remote, allowed("signed-in users may read groups and policy"))
		}
		return all(remote, unknown("what a guest may read is not documented"))
	}
	if w.dc == yes && w.old == no {
		return all(remote, w.legacyGroup())
	}
	if w.dc == maybe {
		return all(remote, unknown("the role is not known"))
	}
	left := unknown("whether groups and policy are held back together with accounts is not documented")
	if sam, ok := w.number("RestrictAnonymousSAM"); w.old == no && (!ok || sam != 0) {
		return all(remote, left)
	}
	return all(remote, w.restrictAnonymous(allowed("nothing holds it back"), left))
}

// legacyOrDC decides for NT 4.0 and Windows 2000 only by RestrictAnonymous, and for later domain controllers by the
// legacy group. decided is false for every other host.
func (w *windows) legacyOrDC() (cell, bool) {
	switch {
	case w.old == yes:
		return w.restrictAnonymous(allowed(w.why("RestrictAnonymous")), denied(w.why("RestrictAnonymous"))), true
	case w.old == maybe:
		return unknown("which release this is is not known"), true
	case w.dc == yes:
		return w.legacyGroup(), true
	case w.dc == maybe:
		return unknown("the role is not known; domain controllers follow another rule"), true
	}
	return cell{}, false
}

// restrictAnonymous chooses by the value; an unknown value chooses nothing unless both are the same.
func (w *windows) restrictAnonymous(zero, more cell) cell {
	n, ok := w.number("RestrictAnonymous")
	switch {
	case !ok:
		return unknown(w.why("RestrictAnonymous"))
	case n == 0:
		return zero
	}
	return more
}

// legacyGroup: Pre-Windows 2000 Compatible Access. Everyone includes anonymous if its token has it.
func (w *windows) legacyGroup() cell {
	members, ok := w.names("PreWindows2000Members")
	if !ok {
		return unknown(w.why("PreWindows2000Members"))
	}
	everyone, sure := w.number("EveryoneIncludesAnonymous")
	for _, m := range members {
		switch fold(m) {
		case "s-1-5-7", "an", "anonymous logon", `nt authority\anonymous logon`:
			return allowed("Anonymous Logon is in Pre-Windows 2000 Compatible Access")
		}
	}
	for _, m := range members {
		switch fold(m) {
		case "s-1-1-0", "wd", "everyone":
			if sure && everyone == 1 {
				return allowed("Everyone is in Pre-Windows 2000 Compatible Access and includes anonymous callers")
			}
			return unknown("Everyone is in Pre-Windows 2000 Compatible Access; whether that is enough while " +
				"EveryoneIncludesAnonymous is not 1 is not settled")
		}
	}
	return denied("Pre-Windows 2000 Compatible Access has neither Everyone nor Anonymous Logon")
}

// remoteSAM: a descriptor that every remote caller must pass. See SPS network-access-restrict-clients.
func (w *windows) remoteSAM(id model.Identity) cell {
	r := w.get("RestrictRemoteSAM")
	if r.applies == no {
		return allowed()
	}
	if id == model.Anonymous && w.is(Scope{Until: "win2000"}) == yes {
		return allowed()
	}
	s, ok := w.text("RestrictRemoteSAM")
	if !ok {
		return unknown(w.why("RestrictRemoteSAM"))
	}
	if s == "" {
		return allowed()
	}
	if n, ok := w.number("RestrictRemoteSamAuditOnlyMode"); ok && n == 1 {
		return allowed("RestrictRemoteSAM only logs")
	} else if !ok {
		return unknown(w.why("RestrictRemoteSamAuditOnlyMode"))
	}
	d, err := sddl.Parse(s)
	if err != nil {
		return unknown("RestrictRemoteSAM holds a descriptor that is not judged here")
	}
	everyone, sure := w.number("EveryoneIncludesAnonymous")
	who := sddl.AnonymousToken(sure && everyone == 1)
	switch id {
	case model.User:
		who = sddl.UserToken()
	case model.Guest, model.UnknownUser:
		who = sddl.GuestToken()
	}
	granted, certain := d.Judge(who, sddl.ReadControl)
	if id == model.Anonymous && !sure {
		if may, _ := d.Judge(sddl.AnonymousToken(true), sddl.ReadControl); may != granted {
			return unknown(w.why("EveryoneIncludesAnonymous"))
		}
	}
	switch {
	case granted && certain:
		return allowed("RestrictRemoteSAM lets this caller in")
	case certain, !granted && id == model.Anonymous && d.OnlyAdministrators():
		return denied(w.why("RestrictRemoteSAM"))
	}
	return unknown("RestrictRemoteSAM names accounts or refusals that are not judged here")
}

// policy: LsarOpenPolicy refuses anonymous off domain controllers while the block is on. See [MS-LSAD] 3.1.4.4.1.
func (w *windows) policy() cell {
	off, ok := w.number("TurnOffAnonymousBlock")
	switch {
	case w.get("TurnOffAnonymousBlock").applies == no: // nor does this release have the block. See [MS-LSAD] <55>.
		return allowed("this release has no block on anonymous policy calls")
	case w.dc == yes:
		return allowed()
	case w.dc == maybe:
		return unknown("the role is not known; the block on anonymous policy calls does not hold on domain controllers")
	case !ok:
		return unknown(w.why("TurnOffAnonymousBlock"))
	case off == 0:
		return denied("the block on anonymous policy calls is on: " + w.why("TurnOffAnonymousBlock"))
	}
	return allowed()
}

func (w *windows) sids(id model.Identity) cell {
	if id == model.User {
		return allowed("signed-in users may translate names")
	}
	if id != model.Anonymous {
		return unknown("what a guest may translate is not documented")
	}
	policy := w.policy()
	if w.old == yes {
		// Single names stay translatable at RestrictAnonymous 1 (Q143474); at 2 the tree is closed anyway.
		return all(policy, allowed("this release translates names for anonymous callers"))
	}
	lookup, ok := w.number("LSAAnonymousNameLookup")
	switch {
	case !ok:
		return unknown(w.why("LSAAnonymousNameLookup"))
	case lookup == 1 && policy.outcome == model.Denied:
		return unknown("LSAAnonymousNameLookup is 1 while the block on anonymous policy calls is on; the documents " +
			"do not say which wins")
	case lookup == 1:
		return all(policy, allowed(w.why("LSAAnonymousNameLookup")))
	}
	return all(policy,
		unknown("LSAAnonymousNameLookup is 0; whether the domain's own SID is still given is not documented"))
}

func (w *windows) trusts(id model.Identity) cell {
	if id != model.Anonymous {
		return unknown("what the interface grants this caller is not documented")
	}
	return all(w.policy(), unknown("who may list trusts is not documented"))
}

// shares: RestrictAnonymous, off domain controllers. See Q143474 and SPS.
func (w *windows) shares(id model.Identity) cell {
	if id == model.User {
		return allowed("signed-in users may list shares")
	}
	if id != model.Anonymous {
		return unknown("what a guest may list is not documented")
	}
	more := denied(w.why("RestrictAnonymous"))
	if w.old == no && w.dc != no {
		more = unknown("RestrictAnonymous has no effect on a domain controller; what it lists then is not documented")
	}
	return w.restrictAnonymous(allowed(w.why("RestrictAnonymous")), more)
}

// logs: RestrictGuestAccess is 1 by default and refuses guests and anonymous. See [MS-EVEN] 3.1.1.
func (w *windows) logs(id model.Identity) cell {
	n, ok := w.number("RestrictGuestAccess")
	if id != model.User && ok && n == 1 {
		return denied(w.why("RestrictGuestAccess"))
	}
	return w.open(id)
}

// endpoints: the endpoint mapper's pipe answers everyone. RestrictRemoteClients exempts pipes, at 1 by every document
// and at 2 by Microsoft's own pages, so it does not count as protection.
func (w *windows) endpoints(model.Identity) cell { return allowed("the endpoint map is for everybody") }

// files: NullSessionShares for anonymous, then permissions that the model does not know.
func (w *windows) files(id model.Identity) cell {
	if id != model.Anonymous {
		return unknown("the permissions of each share and folder decide")
	}
	shares, ok := w.names("NullSessionShares")
	restrict, sure := w.number("RestrictNullSessAccess")
	switch {
	case sure && restrict == 0:
		return unknown(w.why("RestrictNullSessAccess") + "; the permissions of each share and folder decide")
	case !ok:
		return unknown(w.why("NullSessionShares"))
	case !sure:
		return unknown(w.why("RestrictNullSessAccess"))
	case len(slices.DeleteFunc(slices.Clone(shares), func(s string) bool { return fold(s) == "ipc$" })) == 0:
		return denied("NullSessionShares lists no share")
	}
	return unknown(w.why("NullSessionShares") + "; the permissions of each share and folder decide")
}

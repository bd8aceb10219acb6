package catalog

import (
	"slices"

	"ipcguard/internal/model"
)

// windows holds the rules of Windows NT 4.0 to 2025. None was measured: each is based on the document cited with it,
// and what no document says is unknown.
type windows struct {
	*facts
	dc     fit          // a domain controller
	old    fit          // NT 4.0 or Windows 2000
	tables []*PipeTable // the default lists of pipes that may apply
}

func newWindows(f *facts) *windows {
	w := &windows{
		facts: f, dc: f.is(Scope{Roles: []model.Role{model.DomainController}}),
		old: f.is(Scope{Until: "win2000"}),
	}
	for i := range f.c.PipeTables {
		t := &f.c.PipeTables[i]
		is := f.is(t.Scope)
		if is != no {
			w.tables = append(w.tables, t)
		}
		if is == yes { // the first that fits counts
			break
		}
	}
	return w
}

func (w *windows) on(f *facts) rules {
	other := *w
	other.facts = f
	return &other
}

// serverRuns: the Server service creates IPC$. See KB3034016. If its start was not read, it is assumed to run: the
// question is what a server gives away.
func (w *windows) serverRuns() cell {
	if n, ok := w.number("LanmanServer.Start"); ok && n == 4 {
		return denied("the Server service is disabled, so there is no IPC$ and no share")
	}
	return allowed()
}

func (w *windows) session(id model.Identity) cell {
	switch id {
	case model.Anonymous:
		return all(w.serverRuns(), w.nullSession())
	case model.Guest:
		return all(w.serverRuns(), w.guestSession())
	case model.UnknownUser:
		g := w.guestSession()
		if g.outcome == model.Allowed {
			g = unknown(append(g.why, "whether a made-up name then becomes guest is not documented")...)
		}
		return all(w.serverRuns(), g)
	}
	return all(w.serverRuns(), allowed("the credentials are valid"))
}

// nullSession: from Windows 8 on the server admits anonymous only if a pipe or share is opened to it. See KB3034016 and
// [MS-SMB2] 3.3.5.2.9.
func (w *windows) nullSession() cell {
	since8 := w.is(Scope{Since: "win8"})
	if since8 == no {
		return allowed("releases before Windows 8 accept null sessions")
	}
	marked := all(w.marked(), w.encrypted())
	if since8 == maybe {
		return agree(allowed("releases before Windows 8 accept null sessions"), marked)
	}
	return marked
}

func (w *windows) encrypted() cell {
	switch n, ok := w.number("EncryptData"); {
	case !ok:
		return unknown(w.why("EncryptData"))
	case n == 1:
		return unknown("EncryptData is 1; whether an anonymous session is then refused is not documented")
	}
	return allowed()
}

func (w *windows) marked() cell {
	pipes, known := w.openPipes()
	if len(pipes) > 0 {
		return allowed("a pipe is open to anonymous callers, so null sessions are accepted")
	}
	shares, ok := w.names("NullSessionShares")
	if ok && len(shares) > 0 {
		return allowed("a share is open to anonymous callers, so null sessions are accepted")
	}
	restrict, sure := w.number("RestrictNullSessAccess")
	switch {
	case !known:
		return unknown(w.why("NullSessionPipes"))
	case !ok:
		return unknown(w.why("NullSessionShares"))
	case !sure:
		return unknown(w.why("RestrictNullSessAccess"))
	case restrict == 0:
		return unknown(
			"RestrictNullSessAccess is 0 and nothing is listed; whether that counts as marked is not documented")
	}
	return denied("no pipe and no share is open to anonymous callers, so null sessions are refused or dropped")
}

// guestSession: with the account disabled a failed logon fails; required signing refuses guests. See SPS
// accounts-guest-account-status and WSD smb-signing.
func (w *windows) guestSession() cell {
	n, ok := w.number("EnableGuestAccount")
	if !ok {
		return unknown(w.why("EnableGuestAccount"))
	}
	if n == 0 {
		return denied(w.why("EnableGuestAccount"))
	}
	switch s, ok := w.number("RequireSecuritySignature"); {
	case !ok:
		return unknown(w.why("RequireSecuritySignature"))
	case s == 1:
		return denied("RequireSecuritySignature is 1, which refuses guests")
	}
	return allowed(w.why("EnableGuestAccount"))
}

// tree: everyone can connect to IPC$ ([MS-SMB2] 3.3.4.13), except at RestrictAnonymous 2 on Windows 2000 (KB3034016).
func (w *windows) tree(id model.Identity) cell {
	if id != model.Anonymous {
		return allowed("the descriptor of IPC$ lets everybody connect")
	}
	switch is := w.is(Scope{Products: []string{"win2000"}}); is {
	case yes, maybe:
		n, ok := w.number("RestrictAnonymous")
		switch {
		case !ok:
			return unknown(w.why("RestrictAnonymous"))
		case n >= 2 && is == yes:
			return denied("RestrictAnonymous is 2, which closes IPC$ on Windows 2000")
		case n >= 2:
			return unknown("RestrictAnonymous is 2, which closes IPC$ on Windows 2000 alone")
		}
	}
	return allowed("the descriptor of IPC$ lets everybody connect")
}

// pipe: for anonymous the list decides, before every other check ([MS-SMB2] 3.3.5.9, [MS-SAMR] 2.1); then the pipe
// firewall for everyone (KB925890); then the pipe must exist.
func (w *windows) pipe(id model.Identity, p *Pipe) cell {
	if len(p.Systems) > 0 && !slices.Contains(p.Systems, "windows") {
		return absent("Windows has no such pipe")
	}
	gates := []cell{w.firewall(p)}
	if id == model.Anonymous {
		gates = append(gates, w.listed(p))
	}
	return all(append(gates, w.exists(p))...)
}

func (w *windows) firewall(p *Pipe) cell {
	r := w.get("PipeFirewallActive")
	if r.applies == no {
		return allowed()
	}
	n, ok := w.number("PipeFirewallActive")
	if !ok {
		return unknown(w.why("PipeFirewallActive"))
	}
	if n == 0 {
		return allowed()
	}
	names, ok := w.names("AllowedPipes")
	switch {
	case !ok:
		return unknown(w.why("AllowedPipes"))
	case has(names, p.Name):
		return allowed("AllowedPipes lists it")
	case w.is(Scope{Since: "winxp", Until: "win2003r2"}) == yes:
		return denied("the pipe firewall is on and does not list it")
	}
	return unknown("the pipe firewall is on and does not list it; whether this release honours it is not documented")
}

// anyThrough reports whether the pipe firewall lets any pipe through.
func (w *windows) anyThrough() cell {
	if w.get("PipeFirewallActive").applies == no {
		return allowed()
	}
	on, known := w.number("PipeFirewallActive")
	names, listed := w.names("AllowedPipes")
	switch {
	case known && on == 0:
		return allowed()
	case !known:
		return unknown(w.why("PipeFirewallActive"))
	case !listed:
		return unknown(w.why("AllowedPipes"))
	case len(names) > 0:
		return allowed(w.why("AllowedPipes"))
	case w.is(Scope{Since: "winxp", Until: "win2003r2"}) == yes:
		return denied("the pipe firewall is on and lists no pipe")
	}
	return unknown("the pipe firewall is on and lists no pipe; whether this release honours it is not documented")
}

// unrestricted reports whether the lists count for nothing.
func (w *windows) unrestricted() cell {
	switch n, sure := w.number("RestrictNullSessAccess"); {
	case !sure:
		return unknown(w.why("RestrictNullSessAccess"))
	case n == 0:
		return allowed(w.why("RestrictNullSessAccess"))
	}
	return denied(w.why("RestrictNullSessAccess"))
}

func (w *windows) exists(p *Pipe) cell {
	switch p.Windows {
	case "always":
		return allowed()
	case "":
		return unknown("whether this host has the pipe depends on what is installed")
	}
	if p.Name == "spoolss" && w.get("RpcProtocols").applies != no {
		switch n, ok := w.number("RpcProtocols"); {
		case !ok:
			return unknown(w.why("RpcProtocols"))
		case n == 5:
			return absent("the spooler listens on TCP alone: " + w.why("RpcProtocols"))
		}
	}
	n, ok := w.number(p.Windows)
	switch {
	case !ok:
		return unknown("whether its service runs is not known: " + w.why(p.Windows))
	case n == 4:
		return absent("its service is disabled: " + w.why(p.Windows))
	case n == 2:
		return allowed()
	}
	return unknown("its service starts when asked: " + w.why(p.Windows))
}

// listed reports whether anonymous may open a pipe.
func (w *windows) listed(p *Pipe) cell {
	restrict, sure := w.number("RestrictNullSessAccess")
	if sure && restrict == 0 {
		return allowed(w.why("RestrictNullSessAccess") + ", so every pipe takes anonymous callers")
	}
	if len(w.tables) == 0 {
		return unknown("which release this is is not known")
	}
	var answers []cell
	for _, t := range w.tables {
		answers = append(answers, w.listedBy(t, p))
	}
	c := agree(answers...)
	if !sure && c.outcome == model.Denied {
		return unknown(w.why("RestrictNullSessAccess"))
	}
	return c
}

func (w *windows) listedBy(t *PipeTable, p *Pipe) cell {
	r := w.get("NullSessionPipes")
	disputed := has(t.Unsure, p.Name) && (t.UnsureBuild == 0 || w.p.Build == 0 || w.p.Build <= t.UnsureBuild)
	switch {
	case has(t.Hard, p.Name):
		return allowed("this release opens it to anonymous callers whatever NullSessionPipes says")
	case r.present && r.known:
		names, _ := list(r.value)
		switch {
		case has(names, p.Name):
			return allowed("NullSessionPipes lists it")
		case disputed:
			return unknown("NullSessionPipes does not list it; the documents disagree on whether this release opens " +
				"it all the same")
		case has(t.Builtin, p.Name) && !t.Known:
			return unknown(
				"NullSessionPipes does not list it; whether this release opens it all the same is not documented")
		}
		return denied("NullSessionPipes does not list it")
	case !r.known && (r.present || r.why == "not read"):
		return unknown(w.why("NullSessionPipes"))
	case has(t.Builtin, p.Name):
		if disputed {
			return unknown("this release opens it by default according to one document and not to another, or until " +
				"a service pack")
		}
		return allowed("this release opens it to anonymous callers by default")
	case disputed:
		return unknown("the documents disagree on whether this release opens it by default")
	}
	return denied("this release does not open it to anonymous callers by default, and NullSessionPipes is absent")
}

// openPipes returns the names that are certainly open to anonymous by list, and whether the list is known.
func (w *windows) openPipes() ([]string, bool) {
	r := w.get("NullSessionPipes")
	if r.present && r.known {
		names, ok := list(r.value)
		return names, ok
	}
	if r.present || r.why == "not read" {
		return nil, false
	}
	if len(w.tables) == 0 {
		return nil, false
	}
	for _, t := range w.tables[1:] {
		if !sameSet(t.Builtin, w.tables[0].Builtin) {
			return nil, false
		}
	}
	return w.tables[0].Builtin, true
}

// has reports whether a list contains a pipe, without regard to case. See [MS-SRVS] 3.1.6.17.
func has(names []string, pipe string) bool {
	for _, n := range names {
		if samePipe(n, pipe) {
			return true
		}
	}
	return false
}

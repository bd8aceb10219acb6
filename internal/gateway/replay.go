package gateway

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

// Replayed is one observed use with the gateway's decision: allowed, denied, or inconclusive if the row does not say
// enough.
type Replayed struct {
	Use     model.Use     `json:"use"`
	Outcome model.Outcome `json:"outcome"`
	Why     string        `json:"why"`
}

// Replay applies a checked policy to every use that was allowed: those of strangers, and those of users that it denies
// something to. to is the server as the listener names it; empty is port 445 of the server in the row. Other uses of
// users are left out: they pass.
func (p *Policy) Replay(uses []model.Use, to string) []Replayed {
	var out []Replayed
	for i := range uses {
		u := &uses[i]
		server := cmp.Or(to, net.JoinHostPort(u.Server, "445"))
		client, err := netip.ParseAddr(u.Client)
		switch {
		case u.Outcome != model.Allowed && !u.Untold():
			continue
		case err != nil && u.Identity.IsStranger():
			out = append(out, Replayed{*u, model.Inconclusive, "a policy knows clients by their addresses"})
		case u.Identity.IsStranger():
			outcome, why := p.Stranger(u, client, server)
			out = append(out, Replayed{*u, outcome, why})
		case u.Identity == model.User || u.Identity == model.Machine:
			if outcome, why := p.replayUser(u, client, server); why != "" {
				out = append(out, Replayed{*u, outcome, why})
			}
		case u.Identity == model.Unknown:
			out = append(out, Replayed{*u, model.Inconclusive, "the logon was not seen, so this may be a stranger"})
		}
	}
	for i := range out {
		if out[i].Use.Untold() {
			out[i].Why += "; whether it was let in before is not known"
		}
	}
	return out
}

// Stranger returns the gateway's decision on a stranger's use, whatever its outcome was. The policy must be checked;
// server is the name that the listener uses.
func (p *Policy) Stranger(u *model.Use, client netip.Addr, server string) (model.Outcome, string) {
	may := p.lets(caller{who: u.Identity}, client, server)
	if may.all {
		return model.Allowed, "the policy lets it do everything"
	}
	if !may.any() {
		return model.Denied, "refused at the logon"
	}
	if u.Dialect == dialectSMB1 {
		return model.Denied, "refused at the logon: over SMB1 there is no list of pipes"
	}
	switch {
	case u.Layer == model.LayerSession:
		return model.Allowed, "the policy lets it log on"
	case u.Share != "" && !isIPC(u.Share):
		return model.Denied, "another share than IPC$"
	case u.Layer == model.LayerTree:
		return model.Allowed, "IPC$"
	}
	on, ok := may.rules[pipeName(u.Pipe)]
	if !ok {
		return model.Denied, "not one of the pipes that may be opened"
	}
	if u.Layer == model.LayerOpen {
		return model.Allowed, "the pipe may be opened"
	}
	id, err := dcerpc.ParseUUID(u.UUID)
	if err != nil {
		return model.Inconclusive, "the row does not say which interface"
	}
	of, ok := on[id]
	switch {
	case !ok:
		return model.Denied, "not one of the interfaces that may be bound"
	case u.Layer == model.LayerBind, of == nil:
		return model.Allowed, "the interface may be used"
	case u.Opnum < 0:
		return model.Inconclusive, "the row does not say which call"
	case of[uint16(u.Opnum)]:
		return model.Allowed, "the call may be made"
	}
	return model.Denied, "not one of the calls that may be made"
}

// replayUser returns the decision on a use that is denied to users; why is empty if it is not denied.
func (p *Policy) replayUser(u *model.Use, client netip.Addr, server string) (model.Outcome, string) {
	switch d := p.denies(client, server); {
	case d == nil || !d.covers(u):
		return model.Allowed, ""
	case u.Dialect == dialectSMB1:
		return model.Allowed, "denied to users, but not read over SMB1: it passes"
	case u.Encrypted == model.True:
		return model.Allowed, "denied to users, but encrypted: it passes"
	}
	return model.Denied, "denied to users: the connection is closed"
}

// covers reports whether a use is denied. Every use of a denied pipe is, since it begins with opening it.
func (d *denials) covers(u *model.Use) bool {
	if d.pipes[plainPipe(u.Pipe)] {
		return true
	}
	id, err := dcerpc.ParseUUID(u.UUID)
	if err != nil {
		return false
	}
	of, ok := d.interfaces[id]
	return ok && (of == nil || u.Layer == model.LayerCall && u.Opnum >= 0 && of[uint16(u.Opnum)])
}

// Keep adds an exception for all clients for a pipe that strangers need: some interfaces on it, or all that are known
// on it.
func (p *Policy) Keep(pipe string, interfaces []string, why string) error {
	on := Pipe{Pipe: pipe}
	for _, name := range interfaces {
		on.Interfaces = append(on.Interfaces, Interface{Interface: name})
	}
	e := Exception{Allow: somePipes, Pipes: []Pipe{on}, Why: why}
	if _, err := compile(e.Pipes); err != nil {
		return err
	}
	if slices.ContainsFunc(p.Strangers, func(x Exception) bool {
		return x.Why == why && len(x.Pipes) == 1 && x.Pipes[0].Pipe == pipe
	}) {
		return nil
	}
	p.Strangers = append(p.Strangers, e)
	return nil
}

// String returns one line.
func (r Replayed) String() string {
	u := &r.Use
	what := string(u.Layer)
	switch {
	case u.Call != "":
		what = u.Interface + " " + u.Call
	case u.Pipe != "":
		what = string(u.Layer) + " " + u.Pipe
	case u.Share != "":
		what = string(u.Layer) + " " + u.Share
	}
	return fmt.Sprintf("%-12s %s to %s as %s: %s (%d times): %s",
		r.Outcome, u.Client, u.Server, u.Identity, what, u.Count, r.Why)
}

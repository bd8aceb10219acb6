package scan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// kinship says whether an earlier result is of the machine that is being asked. Ports 445 and 139 of an address may
// lead to different ones, through a router or a proxy.
type kinship int

const (
	unproven kinship = iota
	sameMachine
	otherMachine
)

// kin compares what an earlier result showed of its server with what this one has shown so far. The GUID is the proof,
// or the computer's name and domain where one of them told none; what contradicts counts more.
func (h *host) kin(s *model.Scan) kinship {
	was, is := s.Server, h.result.Server
	if s.Address == h.result.Address {
		return sameMachine
	}
	h.lock.Lock()
	if h.hearing.heard {
		is.Name, is.Domain = h.hearing.target.NetBIOSComputer, h.hearing.target.NetBIOSDomain
	}
	h.lock.Unlock()
	differ := func(a, b string) bool { return a != "" && b != "" && !strings.EqualFold(a, b) }
	switch {
	case differ(was.GUID, is.GUID), differ(was.Name, is.Name), differ(was.Domain, is.Domain), h.greetsOtherwise(s):
		return otherMachine
	case was.GUID != "" && was.GUID == is.GUID:
		return sameMachine
	case (was.GUID == "" || is.GUID == "") && strings.EqualFold(was.Name, is.Name) && is.Name != "" &&
		strings.EqualFold(was.Domain, is.Domain) && is.Domain != "":
		return sameMachine
	}
	return unproven
}

// greetsOtherwise reports whether anonymous was let in at one of the two and refused at the other.
func (h *host) greetsOtherwise(s *model.Scan) bool {
	i := slices.IndexFunc(s.Identities, func(r model.IdentityResult) bool { return r.Identity == model.Anonymous })
	if i < 0 || len(h.ladders) == 0 || h.ladders[0].id != model.Anonymous {
		return false
	}
	was, is := s.Identities[i].Session.Outcome, h.ladders[0].result.Session.Outcome
	return was == model.Allowed && is == model.Denied || was == model.Denied && is == model.Allowed
}

// known returns the answer of an earlier try or scan that need not be repeated, or nil: a refused logon; and of an
// earlier try whatever the made-up user was told, because it logs on only once. Of another port it is only the refusal,
// if the same machine answers there: another one is asked anew, and where that is not known, nobody logs on, which may
// cause a ban or prolong one.
func (h *host) known(id model.Identity) *model.IdentityResult {
	if id != model.Guest && id != model.UnknownUser {
		return nil
	}
	find := func(list []*model.Scan, o ...model.Outcome) *model.IdentityResult {
		for _, s := range list {
			i := slices.IndexFunc(s.Identities, func(r model.IdentityResult) bool {
				return r.Identity == id && slices.Contains(o, r.Session.Outcome)
			})
			if i < 0 {
				continue
			}
			if r := h.carried(s, &s.Identities[i]); r != nil {
				return r
			}
		}
		return nil
	}
	refused := slices.Clone(h.before)
	if h.o.Earlier != nil {
		refused = append(refused, h.o.Earlier)
	}
	r := find(refused, model.Denied)
	switch {
	case r != nil || id != model.UnknownUser:
		return r
	case h.usedUp:
		return find(h.before, model.Allowed, model.Inconclusive)
	}
	return find(h.before, model.Allowed)
}

// seenAt begins the detail of a refusal that another port gave.
const seenAt = "refused at "

// carried returns what an earlier result of an identity is worth at this port; nil is nothing.
func (h *host) carried(s *model.Scan, r *model.IdentityResult) *model.IdentityResult {
	if s.Address == h.result.Address {
		return r
	}
	kin, there := h.kin(s), portOf(s)
	if kin == otherMachine || r.Session.Outcome == model.Allowed {
		return nil
	}
	untested := model.Step{Outcome: model.NotTested}
	out := &model.IdentityResult{Identity: r.Identity, Session: untested, Tree: untested, Pipes: []model.PipeResult{}}
	switch {
	case r.Session.Outcome != model.Denied:
		out.Session.Detail = "its logon got no answer at " + there + ", and may have been refused there: not repeated"
	case kin == sameMachine:
		out.Session = model.Step{Outcome: model.Denied, Status: r.Session.Status, Detail: seenAt + there}
	default:
		out.Session.Detail = fmt.Sprintf("its logon was refused at %s, where another server may be; a further one may "+
			"cause a ban: name this port to try it", there)
	}
	return out
}

// portOf names the port of a result.
func portOf(s *model.Scan) string {
	a, err := netip.ParseAddrPort(s.Address)
	if err != nil {
		return "another port"
	}
	return fmt.Sprintf("port %d", a.Port())
}

// beside marks a result at port 139 as partial if port 445 was answered in an earlier try and not shown to be the same
// machine: what is behind that was not asked to the end.
func (h *host) beside() {
	r := h.result
	if r.Verdict == model.Unreachable {
		return
	}
	for _, s := range h.before {
		if s.Address == r.Address || s.Server.Signing == "" || h.kin(s) == sameMachine {
			continue
		}
		r.Partial = true
		r.Reason = strings.TrimPrefix(fmt.Sprintf("%s; another server may be at %s, which was %s: %s", r.Reason, portOf(s),
			s.Verdict, s.Reason), "; ")
		return
	}
}

package scan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// noted returns a catalog finding with its evidence.
func (h *host) noted(id string, who model.Identity, evidence string, looks ...model.Look) []model.Finding {
	f := h.catalog.Finding(id)
	if f == nil {
		return nil
	}
	out := h.fill(f)
	out.Identity, out.Evidence, out.Looks = who, evidence, looks
	return []model.Finding{out}
}

// weaknesses returns the findings of the posture and the logons. They are worth knowing and expose nothing to a
// stranger by themselves.
func (h *host) weaknesses() []model.Finding {
	var out []model.Finding
	s := h.result.Server
	if s.SMB1 {
		out = append(out, h.noted("smb1-enabled", "", "the server speaks SMB1 (NT LM 0.12)",
			h.negotiated("SMB 1", "NT LM 0.12"))...)
	}
	if s.Signing != "" && s.Signing != "required" && !s.EncryptionRequired {
		says := "the server does not require signing (signing is " + s.Signing + ")"
		if h.result.MayRequireEncryption() {
			says += ", unless it requires encryption: it refuses the null session as such a Samba does, and as a gateway " +
				"does; a scan with --credentials-file and --probe-weak-logons tells them apart"
		}
		out = append(out, h.noted("signing-not-required", "", says, h.negotiated("negotiate", "signing "+s.Signing))...)
	}
	for _, w := range h.result.WeakWays {
		if id, says := taken(w.Way); w.Outcome == model.Allowed && id != "" {
			out = append(out, h.noted(id, model.User, says, w.Looks...)...)
		}
	}
	for i := range h.result.Identities {
		r := &h.result.Identities[i]
		out = append(out, h.entrance(r)...)
		out = append(out, h.coercible(r)...)
	}
	slices.SortStableFunc(out, func(a, b model.Finding) int { return b.Severity.Rank() - a.Severity.Rank() })
	return out
}

// taken returns the finding about a server that accepts a weak way to log on, and its evidence. SMB1 has one of its
// own.
func taken(way string) (id, says string) {
	switch way {
	case model.WayNTLMv1:
		return "ntlmv1-accepted", "a logon of the account with an NTLMv1 answer succeeded"
	case model.WayUnsigned:
		return "unsigned-request-accepted", "an unsigned request in a session of the account was served"
	case model.WayClear:
		return "clear-text-accepted", "the server wants encryption, and a request in clear text was served"
	}
	return "", ""
}

// negotiated returns the look at what a server tells every client.
func (h *host) negotiated(asked, answer string) model.Look {
	return model.Look{
		Asked: asked, Of: h.result.Address, Times: 1, First: h.result.Started, Last: h.result.Started,
		Answer: answer,
	}
}

// entrance returns who was let in without an account. A made-up name that is let in is reported even if IPC$ is closed
// to it: every guessed password would seem to be right.
func (h *host) entrance(r *model.IdentityResult) []model.Finding {
	if r.Session.Outcome != model.Allowed || r.ClosedBy != "" {
		return nil
	}
	look := catalog.LookOf(h.result, r, "log on", r.Session)
	switch {
	case r.Identity == model.Anonymous && r.Tree.Outcome == model.Allowed:
		return h.noted("null-session-accepted", r.Identity, "a null session was accepted and reaches IPC$", look)
	case r.Identity == model.Guest:
		return h.noted("guest-session-accepted", r.Identity, "the name Guest with no password was let in"+flagged(r),
			look)
	case r.Identity == model.UnknownUser && (r.GuestFlag || r.NullFlag):
		return h.noted("unknown-user-becomes-guest", r.Identity, "a made-up name with a made-up password was let in"+
			flagged(r), look)
	case r.Identity == model.UnknownUser:
		return h.noted("unknown-user-accepted", r.Identity,
			"a made-up name with a made-up password was let in, and the server does not say guest", look)
	}
	return nil
}

// flagged returns how the server marked the session.
func flagged(r *model.IdentityResult) string {
	switch {
	case r.GuestFlag:
		return ", as guest"
	case r.NullFlag:
		return ", as a null session"
	}
	return ""
}

// coercible finds interfaces that a stranger may bind and whose calls make a server log on elsewhere with its own
// account. Samba's printer notifications connect without one, so Samba is exempt.
func (h *host) coercible(r *model.IdentityResult) []model.Finding {
	if !r.Identity.IsStranger() || h.result.Server.System == "samba" {
		return nil
	}
	var where []string
	var looks []model.Look
	pipe := ""
	for _, p := range r.Pipes {
		for _, i := range p.Interfaces {
			if k := h.catalog.Interface(i.Interface); k == nil || !k.Coerces || i.Bind.Outcome != model.Allowed {
				continue
			}
			if pipe == "" {
				pipe = p.Pipe
			}
			where = append(where, i.Interface+" on "+p.Pipe)
			looks = append(looks, catalog.LookOf(h.result, r, "bind "+i.Interface+" on "+p.Pipe, i.Bind))
		}
	}
	if where == nil {
		return nil
	}
	out := h.noted("coercion-interface-open", r.Identity, fmt.Sprintf("%s may bind %s; no call was sent", r.Identity,
		strings.Join(where, ", ")), looks...)
	for i := range out {
		out[i].Pipe = pipe
	}
	return out
}

// encrypts reports whether the server accepts only encrypted sessions: it refused another one, or said so to a user.
// Samba also says so if it only prefers them. [M] samba-4.17.12
func (h *host) encrypts(ladders []*ladder) bool {
	switch h.result.Way(model.WayClear).Outcome {
	case model.Allowed:
		return false
	case model.Denied:
		return slices.ContainsFunc(ladders, func(l *ladder) bool { return l.encryptRequired })
	}
	return h.result.Server.System != "samba" && slices.ContainsFunc(ladders, func(l *ladder) bool {
		return l.id == model.User && l.encryptRequired
	})
}

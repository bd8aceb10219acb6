package scan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/smb"
)

// The answers of one server agree with one another. If they do not, somebody between changes some of them, or several
// servers share the address; either way no refusal can be attributed to the intended server.

// greeting is the part of a NEGOTIATE answer that must not change between connections.
type greeting struct {
	dialect smb.Dialect
	guid    [16]byte
	signing bool // required
	offered int  // number of offered dialects
}

// heed records a negotiation.
func (h *host) heed(n smb.Negotiated, offered int) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.greetings = append(h.greetings, greeting{n.Dialect, n.ServerGUID, n.SigningRequired, offered})
}

// contradictions returns what does not agree, in words.
func (h *host) contradictions() (out []string) {
	add := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	best := smb.Dialect(0)
	for _, g := range h.greetings {
		if g.offered == 1 && g.dialect != smb.SMB1 {
			best = max(best, g.dialect)
		}
	}
	var first *greeting
	for i, g := range h.greetings {
		if g.dialect == smb.SMB1 { // its GUID and signing are independent settings
			continue
		}
		if first == nil {
			first = &h.greetings[i]
		}
		if g.offered > 1 && h.o.Dialects == nil && best > g.dialect {
			add("the server chose %s where every dialect was offered, and speaks %s where that alone is", g.dialect,
				best)
		}
		if g.guid != first.guid {
			add("the server has another GUID on another connection")
		}
		if g.signing != first.signing {
			add("the server requires signing on one connection and not on another")
		}
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	if len(h.names) > 1 {
		add("the server calls itself %s", strings.Join(h.names, " and "))
	}
	return out
}

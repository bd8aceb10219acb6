package scan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/smb"
)

// The answers of one server agree with one another. Where they do not, somebody on the way changes some of them, or
// several servers share the address; either way no refusal can be put down to the server that was meant.

// greeting is what an answer to NEGOTIATE says that must not change from one connection to the next.
type greeting struct {
	dialect smb.Dialect
	guid    [16]byte
	signing bool // required
	offered int  // how many dialects were offered
}

// heed keeps what a negotiation said.
func (h *host) heed(n smb.Negotiated, offered int) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.greetings = append(h.greetings, greeting{n.Dialect, n.ServerGUID, n.SigningRequired, offered})
}

// contradictions lists what does not fit together, in plain words.
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
		if g.dialect == smb.SMB1 { // its GUID and its signing are settings of their own
			continue
		}
		if first == nil {
			first = &h.greetings[i]
		}
		if g.offered > 1 && h.o.Dialects == nil && best > g.dialect {
			add("the server chose %s where every dialect was offered, and speaks %s where that alone is", g.dialect, best)
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

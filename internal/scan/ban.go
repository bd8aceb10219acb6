package scan

import (
	"errors"
	"fmt"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// Servers with fail2ban, auto-block or the like ban an address after one or a few failed logons: a logon is refused or
// cut off, and after that no connection succeeds. The scan orders its questions so that a ban loses nothing (anonymous
// first, the made-up user last), and reports what looks like one.

// met records how a logon ended. One that is cut off counts as refused only if an earlier one got an answer: a network
// that cuts off every logon bans nobody.
func (h *host) met(id model.Identity, o model.Outcome, dropped bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if id != model.Anonymous && (o == model.Denied || dropped && h.logons > 0) {
		h.refused = id
	}
	if o == model.Allowed || o == model.Denied {
		h.logons++
	}
}

// suspect returns the identity whose refused logon may have caused a ban; empty if there is none.
func (h *host) suspect(err error) model.Identity {
	var t *smb.TransportError
	if !errors.As(err, &t) || ownFault(err) {
		return ""
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.refused
}

// banned describes that connections failed after a refused logon.
func banned(who model.Identity, err error) string {
	return fmt.Sprintf("no connection since the logon of %s was refused (%s): the server seems to ban addresses "+
		"after failed logons; "+
		"--no-guest and --no-unknown-user make none", who, plain(err))
}

package scan

import (
	"errors"
	"fmt"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// Servers with fail2ban, auto-block or the like shut out an address after one failed logon or a few. It looks like this:
// a logon is refused or cut off, and from then on there is no connection. The scan asks so that nothing is lost by it
// (anonymous first, the made-up user last) and says what it looks like.

// met notes how a logon ended. One that is cut off counts as refused only where another got an answer before: a network that
// cuts every logon off bans nobody.
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

// suspect names the identity whose refused logon may be why there is no connection any more; empty is nobody.
func (h *host) suspect(err error) model.Identity {
	var t *smb.TransportError
	if !errors.As(err, &t) || ownFault(err) {
		return ""
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.refused
}

// banned puts into words that connections ended with a refused logon.
func banned(who model.Identity, err error) string {
	return fmt.Sprintf("no connection since the logon of %s was refused (%s): the server seems to ban addresses after failed logons; "+
		"--no-guest and --no-unknown-user make none", who, plain(err))
}

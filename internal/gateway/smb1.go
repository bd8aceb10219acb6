package gateway

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"ipcguard/internal/model"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// SMB1 has no window of MessageIds, so a refused request is answered without the server. Its signatures are numbered
// over the whole connection: a response of the gateway would break those of all sessions, so once a user has logged on,
// the connection is closed instead. See [MS-CIFS] 3.1.4.1.

// badUID is the status of a request in a session that does not exist. See [MS-CIFS] 2.2.2.4.
const badUID status.NTStatus = 0x005B0002

// securityPackage is SMB_COM_SECURITY_PACKAGE_ANDX, an older logon. See [MS-CIFS] 2.2.4.55.
const securityPackage smb1.Command = 0x7E

// sealed begins an encrypted frame of SMB1, which Samba and its clients exchange over the UNIX extensions. Only a user
// can agree on the key, in a session that passes: strangers who may do everything must not hide a null session there.
// Samba takes no raw mode inside. The number of the key follows.
var sealed = []byte("\xFFE")

// smb1Request judges a frame of SMB1.
func (c *conn) smb1Request(b []byte, n int) error {
	h, err := smb1.ParseHeader(b)
	if err != nil {
		return refusal{ReasonMalformed, err.Error()}
	}
	if err := c.keepCircuits(&h, n); err != nil {
		return err
	}
	spoken, negotiated := c.table.state()
	switch {
	case h.Reply():
		return refusal{ReasonMalformed, "an answer that comes from the client"}
	case !negotiated && h.Command == smb1.Negotiate:
		if err := c.table.wait(0, waiting{negotiate: true}); err != nil {
			return err
		}
		return c.up.passRest()
	case spoken != dialectSMB1:
		return refusal{ReasonSMB1, h.Command.String() + " where SMB1 was not agreed on"}
	case h.Command == smb1.Negotiate:
		return refusal{ReasonMalformed, "a second NEGOTIATE"}
	case h.Command == smb1.SessionSetupAndX:
		return c.sessionSetupAndX(&h, n)
	case h.Command == securityPackage:
		return c.refuseSMB1(&h, refusal{ReasonUnreadable, "a logon by SECURITY_PACKAGE_ANDX"}, status.AccessDenied)
	}
	logsOff, err := c.andXChain(&h, n)
	if err != nil {
		return err
	}
	s := c.table.find(uint64(h.UID))
	switch {
	case s.user() && (h.Command == smb1.LogoffAndX || logsOff):
		if err := c.table.wait(uint64(h.MID), waiting{logoff: uint64(h.UID)}); err != nil {
			return err
		}
		c.table.left(uint64(h.UID)) // what the client sends behind it may reach the server as another's
		return c.up.passRest()
	case s.user(), h.Command == smb1.Echo, c.observing():
		if h.Command == writeRaw || h.Command == readRaw {
			if err := c.table.asksRaw(&h, s); err != nil {
				return err
			}
		}
		return c.up.passRest()
	case h.Command == smb1.NTCancel:
		return c.up.dropRest()
	}
	return c.refuseSMB1(&h, refusal{ReasonSession, h.Command.String() + " in a session that is not here"}, badUID)
}

// andXChain refuses a logon and raw mode after another command of the same frame, and reports whether the user logs
// off there. Servers accept chains that the specification does not allow.
func (c *conn) andXChain(h *smb1.Header, n int) (logsOff bool, err error) {
	if chained, err := c.chained(h, n); !chained {
		return false, err
	}
	m, err := c.wholeSMB1(n)
	if err != nil {
		return false, err
	}
	for _, b := range m.Blocks[1:] {
		switch b.Command {
		case smb1.SessionSetupAndX, securityPackage, smb1.Negotiate, readRaw, writeRaw:
			return false, refusal{ReasonCompound, b.Command.String() + " behind another command"}
		case smb1.LogoffAndX:
			logsOff = true
		}
	}
	return logsOff, nil
}

// chained reports whether another command follows the first one of a frame.
func (c *conn) chained(h *smb1.Header, n int) (bool, error) {
	if !h.Command.AndX() || n < smb1.HeaderLen+2 {
		return false, nil
	}
	if err := c.up.fill(nbss.HeaderLen + smb1.HeaderLen + 2); err != nil {
		return false, unexpected(err)
	}
	return smb1.Command(c.up.unread()[nbss.HeaderLen+smb1.HeaderLen+1]) != smb1.NoAndX, nil
}

// behindLogon refuses a chain of more than a logon and a tree connect, which is all that clients send. The server
// carries out the whole chain before it says that the caller is a guest.
func behindLogon(blocks []smb1.Block) error {
	if len(blocks) == 0 || len(blocks) == 1 && blocks[0].Command == smb1.TreeConnectAndX {
		return nil
	}
	return refusal{ReasonCompound, blocks[len(blocks)-1].Command.String() + " behind a logon"}
}

// wholeSMB1 reads a message of the client in full without forwarding it.
func (c *conn) wholeSMB1(n int) (*smb1.Message, error) {
	if n+nbss.HeaderLen > roomLen {
		return nil, refusal{ReasonTooMuch, fmt.Sprintf("a chain of %d bytes", n)}
	}
	if err := c.up.fill(nbss.HeaderLen + n); err != nil {
		return nil, unexpected(err)
	}
	m, err := smb1.Parse(c.up.unread()[nbss.HeaderLen:][:n])
	if err != nil {
		return nil, refusal{ReasonMalformed, err.Error()}
	}
	return m, nil
}

// vcNumber is the offset of VcNumber in the words of a SESSION_SETUP_ANDX of any form. See [MS-CIFS] 2.2.4.53.1.
const vcNumber = 8

// keepCircuits writes 1 to the VcNumber of every logon in a frame if it is 0, by which a client says that its other
// connections are lost. Servers that act on it end all connections from the client's address: behind a gateway with an
// address of its own those are the connections of all clients, which even a stranger could end. See [MS-CIFS] 2.1.3 and
// 3.3.5.43. It changes no signed bytes, and nothing if the server sees the client's own address.
//
// Frames that are refused are changed, too: a gateway that only observes forwards them.
func (c *conn) keepCircuits(h *smb1.Header, n int) error {
	if c.way.Route().Transparent || c.table.used() && mayBeSigned(h) {
		return nil
	}
	const words = smb1.HeaderLen + 1
	if h.Command == smb1.SessionSetupAndX && n >= words+2*smb1.SetupLANMAN { // the rest may not decode
		if err := c.up.fill(nbss.HeaderLen + words + 2*smb1.SetupLANMAN); err != nil {
			return unexpected(err)
		}
		msg := c.up.unread()[nbss.HeaderLen:]
		keepCircuit(msg[words:][:2*min(int(msg[smb1.HeaderLen]), smb1.SetupLANMAN)])
	}
	if chained, err := c.chained(h, n); !chained || n+nbss.HeaderLen > roomLen {
		return err
	}
	if err := c.up.fill(nbss.HeaderLen + n); err != nil {
		return unexpected(err)
	}
	m, err := smb1.Parse(c.up.unread()[nbss.HeaderLen:][:n])
	if err != nil {
		return nil // it is judged later
	}
	for _, b := range m.Blocks[1:] {
		if b.Command == smb1.SessionSetupAndX {
			keepCircuit(b.Words)
		}
	}
	return nil
}

// keepCircuit does so in the words of one logon.
func keepCircuit(words []byte) {
	if len(words) >= 2*smb1.SetupLANMAN && le.Uint16(words[vcNumber:]) == 0 {
		le.PutUint16(words[vcNumber:], 1)
	}
}

// mayBeSigned reports whether a request may be signed once a user has logged on, before which there is no key: clients
// fill the signature of a logon with zeros, or with this text. See [MS-SMB] 3.2.4.2.4, <81>.
func mayBeSigned(h *smb1.Header) bool {
	return h.Signature != [8]byte{} && !bytes.HasPrefix(h.Signature[:], []byte("BSRSPYL"))
}

// sessionSetupAndX judges a logon and what is chained to it.
func (c *conn) sessionSetupAndX(h *smb1.Header, n int) error {
	m, err := c.wholeSMB1(n)
	if err != nil {
		return err
	}
	if err := behindLogon(m.Blocks[1:]); err != nil {
		return err
	}
	body, err := m.Decode(0)
	if err != nil {
		return refusal{ReasonMalformed, err.Error()}
	}
	r, ok := body.(*smb1.SessionSetupRequest)
	if !ok {
		return refusal{ReasonUnreadable, "a SESSION_SETUP_ANDX of no known form"}
	}
	l := new(logon)
	if r.Form != smb1.SetupExtended {
		l.plain = plainly(r)
	} else if l, err = c.table.setup(uint64(h.UID)); err != nil {
		return err
	} else {
		l.request(r.SecurityBlob)
	}
	if why := c.formOf(h, r); why != "" {
		l.damaged = why
	}
	claim := l.claimed()
	if why, no := l.refusal(claim, c.table.find(l.session)); no && !(claim.stranger() && c.lets(claim).all) {
		c.table.failed(uint64(h.UID))
		if !c.observing() {
			c.row(claim, model.Denied, status.AccessDenied)
			return c.refuseSMB1(h, why, status.AccessDenied)
		}
		c.report(why)
		l.counted = true
	}
	if err := c.table.wait(uint64(h.MID), waiting{logon: l}); err != nil {
		return err
	}
	return c.up.passRest()
}

// formOf returns why servers may read a logon in another form or with another name; empty if they may not. Samba
// ignores the proof of a logon whose name is empty.
func (c *conn) formOf(h *smb1.Header, r *smb1.SessionSetupRequest) string {
	offer := c.table.offered()
	switch {
	case r.Form == smb1.SetupLANMAN:
		return "a SESSION_SETUP_ANDX of LAN Manager" // servers of NT LM 0.12 look for two passwords in it
	case offer.extended != (r.Form == smb1.SetupExtended):
		return "a SESSION_SETUP_ANDX of another form than the one agreed on"
	case offer.extended && h.Flags2&smb1.Flags2ExtendedSecurity == 0:
		return "a SESSION_SETUP_ANDX whose flags deny its form" // Samba reads it without extended security
	case offer.extended:
		return ""
	case h.Unicode() && !offer.unicode: // it takes the name for bytes, which may begin with the zero that aligns it
		return "a name in Unicode for a server that does not read it"
	case offer.plaintext && len(r.OEMPassword) > 0 && len(r.UnicodePassword) > 0:
		return "two passwords, behind one of which servers look for the name" // Samba behind the first, by their lengths
	case strings.ContainsFunc(r.AccountName, func(c rune) bool { return c > unicode.MaxASCII }):
		return "a name that servers may not have in their code page" // Samba then takes it for empty
	}
	return ""
}

// plainly reads a logon without extended security. Without a proof it is anonymous, whatever its name: two servers may
// look for the name in two places.
func plainly(r *smb1.SessionSetupRequest) *caller {
	const proof = 2 // length of an empty password in Unicode, which proves nothing
	if r.AccountName == "" || len(r.OEMPassword) <= proof && len(r.UnicodePassword) <= proof {
		return &caller{who: model.Anonymous, basis: "SMB1 logon without name or password", with: model.PackageAnonymous}
	}
	c := &caller{
		who: model.User, account: r.AccountName, name: r.AccountName, basis: "SMB1 logon by name",
		with: model.PackageUnknown,
	}
	if r.PrimaryDomain != "" {
		c.account = r.PrimaryDomain + `\` + r.AccountName
	}
	return c
}

// refuseSMB1 answers a request, or closes the connection if a response would break a user's signatures.
func (c *conn) refuseSMB1(h *smb1.Header, why refusal, st status.NTStatus) error {
	if c.observing() || c.table.used() {
		return why
	}
	c.report(why)
	if err := c.up.dropRest(); err != nil {
		return err
	}
	return c.toClient.send(statusSMB1(h, st))
}

// statusSMB1 returns a response with only a status.
func statusSMB1(request *smb1.Header, st status.NTStatus) []byte {
	h := *request
	h.Flags |= smb1.FlagsReply
	h.Signature = [8]byte{}
	h.SetStatus(st)
	b, err := smb1.Append(make([]byte, nbss.HeaderLen, nbss.HeaderLen+smb1.HeaderLen+3), &h,
		&smb1.Generic{Code: h.Command})
	if err != nil {
		return nil // one command without words always fits
	}
	nbss.PutHeader(b)
	return b
}

// smb1Response handles SMB1 responses that are waited for.
func (c *conn) smb1Response(b []byte, n int) error {
	h, err := smb1.ParseHeader(b)
	if err != nil {
		return refusal{ReasonMalformed, "the server: " + err.Error()}
	}
	c.table.answersRaw(&h) // Samba's is not marked as an answer
	if !h.Reply() {        // an oplock break
		return c.down.passRest()
	}
	id := uint64(h.MID)
	if h.Command == smb1.Negotiate {
		id = 0
	}
	w, ok := c.table.due(&smb2.Header{MessageID: id})
	switch {
	case !ok:
		return c.down.passRest()
	case w.logoff != 0:
		if h.NTStatus() == status.Success {
			c.table.left(w.logoff)
			c.unwatch(watchKey{c.to, w.logoff})
		}
		return c.down.passRest()
	}
	b, err = c.whole(h.Command, n)
	if err != nil {
		return err
	}
	m, err := smb1.Parse(b)
	if err != nil {
		return refusal{ReasonMalformed, "the server: " + err.Error()}
	}
	if w.negotiate {
		return c.negotiateResponse(m)
	}
	if h.Command != smb1.SessionSetupAndX || w.logon == nil {
		return refusal{ReasonMalformed, "the server answers a logon with something else"}
	}
	defer c.table.recorded()
	return c.sessionSetupAndXResponse(m, w.logon)
}

// negotiateResponse checks the negotiated protocol. A server with share-level security never learns who the user is.
func (c *conn) negotiateResponse(m *smb1.Message) error {
	const userLevel, encrypts = 0x01, 0x02 // See [MS-CIFS] 2.2.4.52.2, SecurityMode.
	body, err := m.Decode(0)
	if err != nil {
		return refusal{ReasonMalformed, "the server: " + err.Error()}
	}
	switch r := body.(type) {
	case *smb1.NegotiateResponse:
		if r.SecurityMode&userLevel == 0 && !c.observing() {
			return refusal{ReasonSMB1, "the server asks passwords of shares, and never who comes (security = share)"}
		}
		c.table.speaksSMB1(offer{
			extended:  r.Capabilities&smb1.CapExtendedSecurity != 0 && len(r.Challenge) == 0,
			unicode:   r.Capabilities&smb1.CapUnicode != 0,
			plaintext: r.SecurityMode&encrypts == 0,
		})
	case *smb1.NegotiateCore:
		if r.DialectIndex != smb1.NoDialect && !c.observing() {
			return refusal{ReasonSMB1, "the server chose the core protocol, which has no logon"}
		}
	default:
		if !c.observing() {
			return refusal{ReasonSMB1, "the server chose a dialect before NT LM 0.12"}
		}
	}
	return c.down.passRest()
}

// sessionSetupAndXResponse judges the server's response to a logon.
func (c *conn) sessionSetupAndXResponse(m *smb1.Message, l *logon) error {
	uid, st := uint64(m.UID), m.NTStatus()
	body, err := m.Decode(0)
	r, ok := body.(*smb1.SessionSetupResponse)
	switch {
	case st == status.MoreProcessingRequired && ok && err == nil:
		l.answer(r.SecurityBlob)
		if err := c.table.underway(uid, l); err != nil {
			return err
		}
		return c.down.passRest()
	case st.IsError():
		c.table.failed(uid)
		c.row(l.claimed(), denied(st), st)
		return c.down.passRest()
	case !ok || err != nil:
		return refusal{ReasonMalformed, "the server's SESSION_SETUP_ANDX does not decode"}
	}
	who := l.come(r.Action&smb1.SetupGuest != 0, false)
	if may := c.lets(who); may.all || c.observing() { // single pipes are allowed to strangers of SMB2 only
		may.rules = nil
		return c.letIn(uid, who, may)
	}
	why := refusal{reasonOf(who), who.basis}
	c.row(who, model.Denied, status.AccessDenied)
	if err := c.down.dropRest(); err != nil {
		return err
	}
	c.report(why) // before the response: the client may close the connection as soon as it has it
	if !c.table.used() {
		if err := c.toClient.send(statusSMB1(&m.Header, status.AccessDenied)); err != nil {
			return err
		}
	}
	return reported{why} // closing also ends the server's session
}

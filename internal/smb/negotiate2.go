package smb

import (
	"crypto/rand"
	"slices"
	"time"

	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

// offer2 is what this side said in NEGOTIATE; VALIDATE_NEGOTIATE repeats it.
type offer2 struct {
	guid         [16]byte
	capabilities uint32
	dialects     []uint16
}

// newOffer2 lists the SMB2 and SMB3 dialects of the options, ascending, as servers expect them.
func newOffer2(o *Options) (offer2, error) {
	var f offer2
	for _, d := range o.Dialects {
		if d != SMB1 {
			f.dialects = append(f.dialects, uint16(d))
		}
	}
	slices.Sort(f.dialects)
	f.dialects = slices.Compact(f.dialects)
	if len(f.dialects) == 0 {
		return f, broken("no SMB2 dialect to offer").at(layerNegotiate)
	}
	top := f.dialects[len(f.dialects)-1]
	if top > smb2.Dialect202 {
		f.capabilities |= smb2.CapLargeMTU
		if _, err := rand.Read(f.guid[:]); err != nil {
			return f, err
		}
	}
	if top >= smb2.Dialect300 {
		f.capabilities |= smb2.CapEncryption
	}
	return f, nil
}

// contexts are the negotiate contexts that come with 3.1.1.
func contexts(host string) ([]smb2.NegotiateContext, error) {
	salt := make([]byte, 32)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	preauth := smb2.PreauthCapabilities{HashAlgorithms: []uint16{smb2.HashSHA512}, Salt: salt}
	encryption := smb2.EncryptionCapabilities{Ciphers: []uint16{smb2.AES128GCM, smb2.AES128CCM, smb2.AES256GCM, smb2.AES256CCM}}
	signing := smb2.SigningCapabilities{Algorithms: []uint16{smb2.SignAESGMAC, smb2.SignAESCMAC, smb2.SignHMACSHA256}}
	return []smb2.NegotiateContext{preauth.Context(), encryption.Context(), signing.Context(), smb2.NetName(host)}, nil
}

// upgrade2 goes on from a server's SMB2 answer to an SMB1 NEGOTIATE. See [MS-SMB2] 3.2.5.2.
func (c *Conn) upgrade2(answer []byte, deadline time.Time) error {
	r, h, err := parseNegotiate(answer)
	if err != nil {
		return err
	}
	switch r.Dialect {
	case smb2.DialectWildcard:
		return c.negotiate2(1, deadline)
	case smb2.Dialect202:
		if slices.Contains(c.o.Dialects, SMB202) {
			return c.agree2(&client2{c: c}, r, h)
		}
	}
	return broken("the server chose dialect 0x%04X, which was not offered", r.Dialect).at(layerNegotiate)
}

// negotiate2 sends the SMB2 NEGOTIATE with a MessageId: 0, or 1 after an SMB1 NEGOTIATE.
func (c *Conn) negotiate2(id uint64, deadline time.Time) error {
	offer, err := newOffer2(&c.o)
	if err != nil {
		return err
	}
	b := &client2{c: c, offer: offer}
	body := &smb2.NegotiateRequest{
		SecurityMode: smb2.SigningEnabled, Capabilities: offer.capabilities, ClientGUID: offer.guid, Dialects: offer.dialects,
	}
	if slices.Contains(offer.dialects, smb2.Dialect311) {
		if body.Contexts, err = contexts(c.host); err != nil {
			return err
		}
	}
	m := smb2.Message{Header: smb2.Header{Command: smb2.Negotiate, MessageID: id, Credits: wantedCredits}, Body: body}
	frame := m.AppendMarshal(make([]byte, nbss.HeaderLen))
	answer, err := c.ask(frame, deadline)
	if err != nil {
		return err
	}
	r, h, err := parseNegotiate(answer)
	if err != nil {
		return err
	}
	if h.MessageID != id {
		return broken("an answer to a question that was not asked (MessageId %d)", h.MessageID).at(layerNegotiate)
	}
	if !slices.Contains(offer.dialects, r.Dialect) {
		return broken("the server chose dialect 0x%04X, which was not offered", r.Dialect).at(layerNegotiate)
	}
	if r.Dialect == smb2.Dialect311 {
		b.preauth.Add(frame[nbss.HeaderLen:])
		b.preauth.Add(answer)
	}
	return c.agree2(b, r, h)
}

// parseNegotiate reads a NEGOTIATE response; a refusal is its status.
func parseNegotiate(msg []byte) (*smb2.NegotiateResponse, *smb2.Header, error) {
	a := answer{msg: msg}
	if err := a.header.Unmarshal(msg); err != nil {
		return nil, nil, (&TransportError{Reason: "malformed answer: " + err.Error(), Err: err}).at(layerNegotiate)
	}
	if a.header.Command != smb2.Negotiate || !a.header.IsResponse() {
		return nil, nil, broken("%v where the answer to NEGOTIATE belongs", a.header.Command).at(layerNegotiate)
	}
	if err := a.status(layerNegotiate); err != nil {
		return nil, nil, err
	}
	r := new(smb2.NegotiateResponse)
	if err := a.body(layerNegotiate, r); err != nil {
		return nil, nil, err
	}
	return r, &a.header, nil
}

// agree2 takes over what the server chose.
func (c *Conn) agree2(b *client2, r *smb2.NegotiateResponse, h *smb2.Header) error {
	b.dialect, b.neg = r.Dialect, *r
	b.neg.SecurityBuffer, b.neg.Contexts = nil, nil
	b.credits.next, b.credits.free = h.MessageID+1, max(1, int(h.Credits))
	b.sessions = map[uint64]*session2{}
	if b.dialect >= smb2.Dialect300 {
		b.signing = smbcrypt.AESCMAC
		if b.dialect < smb2.Dialect311 && r.Capabilities&smb2.CapEncryption != 0 {
			b.cipher = smbcrypt.AES128CCM
		}
	}
	compression, err := b.chosen(r.Contexts)
	if err != nil {
		return err
	}
	c.neg = Negotiated{
		Dialect: Dialect(r.Dialect), ServerGUID: r.ServerGUID, Capabilities: r.Capabilities,
		SigningEnabled:  r.SecurityMode&smb2.SigningEnabled != 0,
		SigningRequired: r.SecurityMode&smb2.SigningRequired != 0,
		SecurityBlob:    r.SecurityBuffer,
		CanEncrypt:      b.cipher != 0, Cipher: b.cipher.String(), Signing: b.signing.String(), Compression: compression,
		MaxTransact: r.MaxTransact, MaxRead: r.MaxRead, MaxWrite: r.MaxWrite,
		SystemTime: smb2.FileTime(r.SystemTime), StartTime: smb2.FileTime(r.StartTime),
	}
	c.neg.mechanisms()
	c.be = b
	return nil
}

// mechanisms fills in what the security blob offers; a blob that does not parse offers nothing.
func (n *Negotiated) mechanisms() {
	t, err := spnego.Parse(n.SecurityBlob)
	if err != nil || t.Kind != spnego.KindInit {
		return
	}
	n.Mechanisms = t.Init.MechTypes
	if t.Init.Hints != nil {
		n.MechanismHint = string(t.Init.Hints.Name)
	}
}

// chosen reads the contexts of a 3.1.1 answer. See [MS-SMB2] 3.2.5.2.
func (b *client2) chosen(list []smb2.NegotiateContext) (compression []string, err error) {
	hash := b.dialect < smb2.Dialect311
	for _, c := range list {
		switch c.Type {
		case smb2.ContextPreauth:
			var p smb2.PreauthCapabilities
			err = p.Unmarshal(c.Data)
			hash = len(p.HashAlgorithms) == 1 && p.HashAlgorithms[0] == smb2.HashSHA512
		case smb2.ContextEncryption:
			var e smb2.EncryptionCapabilities
			if err = e.Unmarshal(c.Data); err == nil && len(e.Ciphers) > 0 && e.Ciphers[0] <= smb2.AES256GCM {
				b.cipher = smbcrypt.Cipher(e.Ciphers[0])
			}
		case smb2.ContextSigning:
			var s smb2.SigningCapabilities
			if err = s.Unmarshal(c.Data); err == nil && len(s.Algorithms) > 0 && s.Algorithms[0] <= smb2.SignAESGMAC {
				b.signing = smbcrypt.Algorithm(s.Algorithms[0])
			}
		case smb2.ContextCompression:
			var p smb2.CompressionCapabilities
			if err = p.Unmarshal(c.Data); err == nil {
				compression = smb2.CompressionNames(p.Algorithms)
			}
		}
		if err != nil {
			return nil, (&TransportError{Reason: "malformed answer: " + err.Error(), Err: err}).at(layerNegotiate)
		}
	}
	if !hash {
		return nil, broken("a 3.1.1 server without the SHA-512 preauthentication hash").at(layerNegotiate)
	}
	return compression, nil
}

// validation repeats what was said in NEGOTIATE, and what the server must say to it, so that nobody on the way can
// have changed either. See [MS-SMB2] 3.2.5.5 and 3.2.5.14.12.
func (b *client2) validation() (want *smb2.ValidateNegotiateResponse, question *smb2.IOCTLRequest) {
	in := smb2.ValidateNegotiateRequest{
		Capabilities: b.offer.capabilities, GUID: b.offer.guid, SecurityMode: smb2.SigningEnabled, Dialects: b.offer.dialects,
	}
	want = &smb2.ValidateNegotiateResponse{
		Capabilities: b.neg.Capabilities, GUID: b.neg.ServerGUID, SecurityMode: b.neg.SecurityMode, Dialect: b.dialect,
	}
	return want, &smb2.IOCTLRequest{
		CtlCode: smb2.FSCTLValidateNegotiate, FileID: smb2.RelatedFileID, Input: in.AppendMarshal(nil),
		MaxOutputResponse: 24, Flags: smb2.IsFSCTL,
	}
}

// notValidated are the signed refusals of servers that do not know VALIDATE_NEGOTIATE.
func notValidated(s uint32) bool {
	const fileClosed = 0xC0000128
	return s == fileClosed || s == uint32(status.NotSupported) || s == uint32(status.InvalidDeviceRequest)
}

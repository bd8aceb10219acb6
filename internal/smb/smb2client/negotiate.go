package smb2client

import (
	"crypto/rand"
	"slices"
	"time"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// offer is what this side said in NEGOTIATE; VALIDATE_NEGOTIATE repeats it.
type offer struct {
	guid         [16]byte
	capabilities uint32
	dialects     []uint16
}

// newOffer lists the SMB2 and SMB3 dialects of the options, ascending, as servers expect them.
func newOffer(o *dialect.Options) (offer, error) {
	var f offer
	for _, d := range o.Dialects {
		if d != dialect.SMB1 {
			f.dialects = append(f.dialects, uint16(d))
		}
	}
	slices.Sort(f.dialects)
	f.dialects = slices.Compact(f.dialects)
	if len(f.dialects) == 0 {
		return f, transport.Broken("no SMB2 dialect to offer").At(transport.LayerNegotiate)
	}
	top := f.dialects[len(f.dialects)-1]
	if top > smb2.Dialect202 {
		f.capabilities |= smb2.CapLargeMTU
		if _, err := rand.Read(f.guid[:]); err != nil {
			return f, err
		}
	}
	if top >= smb2.Dialect300 && !o.NoEncryption {
		f.capabilities |= smb2.CapEncryption
	}
	return f, nil
}

// contexts are the negotiate contexts that come with 3.1.1.
func contexts(host string, o *dialect.Options) ([]smb2.NegotiateContext, error) {
	salt := make([]byte, 32)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	preauth := smb2.PreauthCapabilities{HashAlgorithms: []uint16{smb2.HashSHA512}, Salt: salt}
	encryption := smb2.EncryptionCapabilities{
		Ciphers: []uint16{smb2.AES128GCM, smb2.AES128CCM, smb2.AES256GCM, smb2.AES256CCM},
	}
	signing := smb2.SigningCapabilities{Algorithms: []uint16{smb2.SignAESGMAC, smb2.SignAESCMAC, smb2.SignHMACSHA256}}
	if o.NoEncryption {
		return []smb2.NegotiateContext{preauth.Context(), signing.Context(), smb2.NetName(host)}, nil
	}
	return []smb2.NegotiateContext{preauth.Context(), encryption.Context(), signing.Context(), smb2.NetName(host)}, nil
}

// Upgrade goes on from a server's SMB2 answer to an SMB1 NEGOTIATE. See [MS-SMB2] 3.2.5.2.
func Upgrade(conn *transport.Conn, host string, o *dialect.Options, answer []byte, deadline time.Time) (*Client,
	error,
) {
	r, h, err := parseNegotiate(answer)
	if err != nil {
		return nil, err
	}
	switch r.Dialect {
	case smb2.DialectWildcard:
		return Negotiate(conn, host, o, 1, deadline)
	case smb2.Dialect202:
		if slices.Contains(o.Dialects, dialect.SMB202) {
			c := &Client{conn: conn, host: host, o: o}
			return c, c.agree(r, h)
		}
	}
	return nil, transport.Broken("the server chose dialect 0x%04X, which was not offered",
		r.Dialect).At(transport.LayerNegotiate)
}

// Negotiate sends the SMB2 NEGOTIATE with a MessageId: 0, or 1 after an SMB1 NEGOTIATE.
func Negotiate(conn *transport.Conn, host string, o *dialect.Options, id uint64, deadline time.Time) (*Client, error) {
	offer, err := newOffer(o)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, host: host, o: o, offer: offer}
	body := &smb2.NegotiateRequest{
		SecurityMode: smb2.SigningEnabled, Capabilities: offer.capabilities, ClientGUID: offer.guid,
		Dialects: offer.dialects,
	}
	if slices.Contains(offer.dialects, smb2.Dialect311) {
		if body.Contexts, err = contexts(host, o); err != nil {
			return nil, err
		}
	}
	m := smb2.Message{Header: smb2.Header{Command: smb2.Negotiate, MessageID: id, Credits: wantedCredits}, Body: body}
	frame := m.AppendMarshal(make([]byte, nbss.HeaderLen))
	answer, err := conn.Ask(frame, deadline)
	if err != nil {
		return nil, err
	}
	r, h, err := parseNegotiate(answer)
	if err != nil {
		return nil, err
	}
	if h.MessageID != id {
		return nil, transport.Broken("an answer to a question that was not asked (MessageId %d)",
			h.MessageID).At(transport.LayerNegotiate)
	}
	if !slices.Contains(offer.dialects, r.Dialect) {
		return nil, transport.Broken("the server chose dialect 0x%04X, which was not offered",
			r.Dialect).At(transport.LayerNegotiate)
	}
	if r.Dialect == smb2.Dialect311 {
		c.preauth.Add(frame[nbss.HeaderLen:])
		c.preauth.Add(answer)
	}
	return c, c.agree(r, h)
}

// parseNegotiate reads a NEGOTIATE response; a refusal is its status.
func parseNegotiate(msg []byte) (*smb2.NegotiateResponse, *smb2.Header, error) {
	a := answer{msg: msg}
	if err := a.header.Unmarshal(msg); err != nil {
		return nil, nil, transport.Malformed(transport.LayerNegotiate, err)
	}
	if a.header.Command != smb2.Negotiate || !a.header.IsResponse() {
		return nil, nil, transport.Broken("%v where the answer to NEGOTIATE belongs",
			a.header.Command).At(transport.LayerNegotiate)
	}
	if err := a.status(transport.LayerNegotiate); err != nil {
		return nil, nil, err
	}
	r := new(smb2.NegotiateResponse)
	if err := a.body(transport.LayerNegotiate, r); err != nil {
		return nil, nil, err
	}
	return r, &a.header, nil
}

// agree takes over what the server chose.
func (c *Client) agree(r *smb2.NegotiateResponse, h *smb2.Header) error {
	c.dialect, c.neg = r.Dialect, *r
	c.neg.SecurityBuffer, c.neg.Contexts = nil, nil
	c.credits.next, c.credits.free = h.MessageID+1, max(1, int(h.Credits))
	c.sessions = map[uint64]*session{}
	if c.dialect >= smb2.Dialect300 {
		c.signing = smbcrypt.AESCMAC
		if c.dialect < smb2.Dialect311 && r.Capabilities&smb2.CapEncryption != 0 && !c.o.NoEncryption {
			c.cipher = smbcrypt.AES128CCM
		}
	}
	compression, err := c.chosen(r.Contexts)
	if err != nil {
		return err
	}
	c.negotiated = dialect.Negotiated{
		Dialect: dialect.Dialect(r.Dialect), ServerGUID: r.ServerGUID, Capabilities: r.Capabilities,
		SigningEnabled:  r.SecurityMode&smb2.SigningEnabled != 0,
		SigningRequired: r.SecurityMode&smb2.SigningRequired != 0,
		SecurityBlob:    r.SecurityBuffer,
		CanEncrypt:      c.cipher != 0, Cipher: c.cipher.String(), Signing: c.signing.String(),
		Compression: compression,
		MaxTransact: r.MaxTransact, MaxRead: r.MaxRead, MaxWrite: r.MaxWrite,
		SystemTime: smb2.FileTime(r.SystemTime), StartTime: smb2.FileTime(r.StartTime),
	}
	c.negotiated.ReadBlob()
	return nil
}

// chosen reads the contexts of a 3.1.1 answer. See [MS-SMB2] 3.2.5.2.
func (c *Client) chosen(list []smb2.NegotiateContext) (compression []string, err error) {
	hash := c.dialect < smb2.Dialect311
	for _, one := range list {
		switch one.Type {
		case smb2.ContextPreauth:
			var p smb2.PreauthCapabilities
			err = p.Unmarshal(one.Data)
			hash = len(p.HashAlgorithms) == 1 && p.HashAlgorithms[0] == smb2.HashSHA512
		case smb2.ContextEncryption:
			var e smb2.EncryptionCapabilities
			if err = e.Unmarshal(one.Data); err == nil && len(e.Ciphers) > 0 && e.Ciphers[0] <= smb2.AES256GCM &&
				!c.o.NoEncryption {
				c.cipher = smbcrypt.Cipher(e.Ciphers[0])
			}
		case smb2.ContextSigning:
			var s smb2.SigningCapabilities
			if err = s.Unmarshal(one.Data); err == nil && len(s.Algorithms) > 0 && s.Algorithms[0] <= smb2.SignAESGMAC {
				c.signing = smbcrypt.Algorithm(s.Algorithms[0])
			}
		case smb2.ContextCompression:
			var p smb2.CompressionCapabilities
			if err = p.Unmarshal(one.Data); err == nil {
				compression = smb2.CompressionNames(p.Algorithms)
			}
		}
		if err != nil {
			return nil, transport.Malformed(transport.LayerNegotiate, err)
		}
	}
	if !hash {
		return nil, transport.Broken("a 3.1.1 server without the SHA-512 preauthentication hash").At(
			transport.LayerNegotiate)
	}
	return compression, nil
}

// validation repeats what was said in NEGOTIATE, and what the server must say to it, so that nobody on the way can
// have changed either. See [MS-SMB2] 3.2.5.5 and 3.2.5.14.12.
func (c *Client) validation() (want *smb2.ValidateNegotiateResponse, question *smb2.IOCTLRequest) {
	in := smb2.ValidateNegotiateRequest{
		Capabilities: c.offer.capabilities, GUID: c.offer.guid, SecurityMode: smb2.SigningEnabled,
		Dialects: c.offer.dialects,
	}
	want = &smb2.ValidateNegotiateResponse{
		Capabilities: c.neg.Capabilities, GUID: c.neg.ServerGUID, SecurityMode: c.neg.SecurityMode, Dialect: c.dialect,
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

package smb1client

import (
	"slices"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// flags are the Flags2 that the options ask for.
func flags(o *dialect.Options) uint16 {
	flags2 := smb1.Flags2LongNames | smb1.Flags2NTStatus
	if !o.OEM {
		flags2 |= smb1.Flags2Unicode
	}
	if !o.NoExtendedSecurity {
		flags2 |= smb1.Flags2ExtendedSecurity
	}
	return flags2
}

// AppendNegotiate appends the SMB1 NEGOTIATE request that a server may answer in either family.
// See [MS-SMB2] 3.2.4.2.2.1 and [MS-CIFS] 2.2.4.52.1.
func AppendNegotiate(dst []byte, o *dialect.Options) []byte {
	h := smb1.Header{
		Flags: smb1.FlagsCaseInsensitive | smb1.FlagsCanonicalPaths, Flags2: flags(o),
		TID: 0xFFFF, PIDLow: pid,
	}
	dst, err := smb1.Append(dst, &h, &smb1.NegotiateRequest{Dialects: dialects(o)})
	if err != nil {
		panic(err) // three short names fit
	}
	return dst
}

func dialects(o *dialect.Options) []string {
	var names []string
	if slices.Contains(o.Dialects, dialect.SMB1) {
		names = append(names, smb1.DialectNTLM012)
	}
	if slices.Contains(o.Dialects, dialect.SMB202) {
		names = append(names, smb1.DialectSMB2002)
	}
	if slices.ContainsFunc(o.Dialects, func(d dialect.Dialect) bool { return d >= dialect.SMB210 }) {
		names = append(names, smb1.DialectSMB2)
	}
	return names
}

// New takes the connection over when the server answered NEGOTIATE in SMB1.
func New(conn *transport.Conn, host string, o *dialect.Options, answer []byte) (*Client, error) {
	m, body, err := parse(answer)
	if err != nil {
		return nil, err.At(transport.LayerNegotiate)
	}
	if m.Command != smb1.Negotiate || !m.Reply() {
		return nil, transport.Broken("%v where the answer to NEGOTIATE belongs", m.Command).At(transport.LayerNegotiate)
	}
	if s := m.NTStatus(); s != status.Success {
		return nil, dialect.Refused(transport.LayerNegotiate, s)
	}
	neg, ok := body.(*smb1.NegotiateResponse)
	if core, none := body.(*smb1.NegotiateCore); none && core.DialectIndex == smb1.NoDialect {
		return nil, dialect.Refused(transport.LayerNegotiate, status.NotSupported)
	}
	names := dialects(o)
	if !ok || int(neg.DialectIndex) >= len(names) || names[neg.DialectIndex] != smb1.DialectNTLM012 {
		return nil, transport.Broken("the server chose a dialect that was not offered").At(transport.LayerNegotiate)
	}
	c := &Client{conn: conn, host: host, o: o, neg: *neg}
	c.slots = make(chan struct{}, min(max(1, int(neg.MaxMpxCount)), maxFlight))
	c.negotiated = dialect.Negotiated{
		Dialect: dialect.SMB1, ServerGUID: neg.ServerGUID, Capabilities: neg.Capabilities,
		SigningEnabled:  neg.SecurityMode&smb1.SecuritySignEnabled != 0,
		SigningRequired: neg.SecurityMode&smb1.SecuritySignRequired != 0,
		SecurityBlob:    neg.SecurityBlob, Signing: "MD5",
		MaxTransact: neg.MaxBufferSize, MaxRead: neg.MaxBufferSize, MaxWrite: neg.MaxBufferSize,
		SystemTime: smb2.FileTime(neg.SystemTime),
		Challenge:  neg.Challenge, DomainName: neg.DomainName, ServerName: neg.ServerName,
		UserLevel: neg.SecurityMode&smb1.SecurityUserLevel != 0, TimeZone: neg.TimeZone,
	}
	c.negotiated.ReadBlob()
	return c, nil
}

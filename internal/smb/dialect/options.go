package dialect

import (
	"context"
	"net"
	"time"

	"ipcguard/internal/smb/transport"
)

// Options configures a Conn. The zero value offers every dialect and uses the default timeouts.
type Options struct {
	// Dialects are offered in this order; nil is all of them. With SMB1 among them the first question is the SMB1
	// negotiate that a server may answer in SMB2, else it is a plain SMB2 negotiate.
	Dialects []Dialect
	// NoExtendedSecurity asks an SMB1 server for the older session setup, with WordCount 13.
	NoExtendedSecurity bool
	// OEM speaks SMB1 without Unicode.
	OEM bool
	// NetBIOS sends a session request first, as port 139 requires it, for CalledName, or for *SMBSERVER and then the
	// host's name if CalledName is empty.
	NetBIOS    bool
	CalledName string

	Timeouts Timeouts
	// Encrypt enables encryption of authenticated sessions if the server supports it.
	Encrypt bool
	// RequireSigning refuses an authenticated session that cannot be signed. It does not apply to anonymous and guest
	// sessions, which have no secret.
	RequireSigning bool
	// UnsignedSMB1 exempts an SMB1 server that signs nothing from RequireSigning: Windows before 2008 by default.
	UnsignedSMB1 bool
	// Unsigned and Unencrypted leave out what protects the requests of an authenticated session, whatever the server
	// wants, to see whether it takes them: all but the tree connect, which 3.1.1 ends the connection over.
	Unsigned, Unencrypted bool
	// NoEncryption does not offer encryption: a server cannot encrypt what it sends to this connection.
	NoEncryption bool
	// MaxFrame bounds an incoming frame, in bytes; zero is DefaultMaxFrame.
	MaxFrame int
	// Dial makes the TCP connection; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Counters may be shared by several Conns of one target; nil counts nothing.
	Counters *transport.Counters
}

// DefaultMaxFrame holds the largest response of a pipe conversation (64 KiB) many times over.
const DefaultMaxFrame = 1<<20 + 64<<10

// Timeouts bound the wait of each layer: TCP connect, negotiate with all its requests, one session setup with all its
// requests, tree connect, open, and each request on an open pipe. Zero is the default.
type Timeouts struct {
	Connect, Negotiate, Session, Tree, Open, Call time.Duration
}

// The default waits. A first pipe may take 4 s (the server starts a helper), a failed logon 2 s (Server 2025).
const (
	defaultConnect = 5 * time.Second
	defaultWait    = 10 * time.Second
)

// WithDefaults fills in the waits that are zero.
func (t Timeouts) WithDefaults() Timeouts {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Connect, defaultConnect},
		{&t.Negotiate, defaultWait},
		{&t.Session, defaultWait},
		{&t.Tree, defaultWait},
		{&t.Open, defaultWait},
		{&t.Call, defaultWait},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}

// Of is the wait for an answer in a layer of a session.
func (t *Timeouts) Of(layer string) time.Duration {
	switch layer {
	case transport.LayerSession:
		return t.Session
	case transport.LayerTree:
		return t.Tree
	case transport.LayerOpen:
		return t.Open
	}
	return t.Call
}

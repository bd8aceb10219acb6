package smb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1client"
	"ipcguard/internal/smb/smb2client"
	"ipcguard/internal/smb/transport"
)

// Conn is one connection to a server, after NEGOTIATE. It is safe for concurrent use.
type Conn struct {
	dialect.Client
	transport *transport.Conn
}

// Dial connects to address (host:port) and negotiates. A refusal of every dialect is a status.NTStatus, a missing or
// invalid response a *TransportError.
func Dial(ctx context.Context, address string, o Options) (*Conn, error) {
	o.Timeouts = o.Timeouts.WithDefaults()
	if o.Dialects == nil {
		o.Dialects = AllDialects()
	}
	if o.MaxFrame <= 0 {
		o.MaxFrame = dialect.DefaultMaxFrame
	}
	if o.Counters == nil {
		o.Counters = new(Counters)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("smb: %w", err)
	}
	if !o.NetBIOS {
		return dial(ctx, address, host, "", &o)
	}
	var c *Conn
	var refused nbss.CallError
	for _, called := range calledNames(host, o.CalledName) {
		if c, err = dial(ctx, address, host, called, &o); !errors.As(err, &refused) {
			break
		}
	}
	return c, err
}

// calledNames lists the NetBIOS names to call a host by, best first.
func calledNames(host, called string) []string {
	if called != "" {
		return []string{called}
	}
	names := []string{nbss.ServerName}
	if net.ParseIP(host) == nil {
		name, _, _ := strings.Cut(host, ".")
		names = append(names, name[:min(len(name), 15)])
	}
	return names
}

// dial connects and negotiates, with a NetBIOS name for the server if there is one. On an error nothing is left open.
func dial(ctx context.Context, address, host, called string, o *Options) (*Conn, error) {
	t, err := transport.Dial(ctx, address, transport.Options{
		Connect: o.Timeouts.Connect, MaxFrame: o.MaxFrame, Counters: o.Counters, Dial: o.Dial,
	})
	if err != nil {
		return nil, err
	}
	var family family
	deadline := t.Deadline(ctx, o.Timeouts.Negotiate)
	err = t.Negotiate(ctx, deadline, func() error {
		if called != "" {
			if err := t.CallByName(called, deadline); err != nil {
				return err
			}
		}
		family, err = negotiate(t, host, o, deadline)
		return err
	})
	if err != nil {
		_ = t.Close() // nothing is lost: there is no session yet
		return nil, err
	}
	t.Start(family.Receive)
	return &Conn{family, t}, nil
}

// family is what takes a connection over: a *smb1client.Client or a *smb2client.Client.
type family interface {
	dialect.Client
	// Receive takes one frame from the reading goroutine and owns it. An error ends the connection.
	Receive(frame []byte) error
}

// negotiate negotiates a dialect. If SMB1 is offered, the first request is one that a server may answer in either
// family. See [MS-SMB2] 3.2.4.2.2.1.
func negotiate(t *transport.Conn, host string, o *Options, deadline time.Time) (family, error) {
	if !slices.Contains(o.Dialects, SMB1) {
		return smb2client.Negotiate(t, host, o, 0, deadline)
	}
	answer, err := t.Ask(smb1client.AppendNegotiate(make([]byte, nbss.HeaderLen), o), deadline)
	if err != nil {
		return nil, err
	}
	if answer[0] == 0xFF {
		return smb1client.New(t, host, o, answer)
	}
	return smb2client.Upgrade(t, host, o, answer, deadline)
}

// Close ends the connection and every request in flight. It may be called more than once.
func (c *Conn) Close() error { return c.transport.Close() }

// Ended reports whether the connection has ended, by whichever side.
func (c *Conn) Ended() bool {
	select {
	case <-c.transport.Down():
		return true
	default:
		return false
	}
}

package verify

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ipcguard/internal/model"
)

// banning is a connection through a device that blocks this address at the first refused logon.
type banning struct {
	net.Conn
	banned *atomic.Bool
}

func (b *banning) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	// LOGON_FAILURE, ACCOUNT_DISABLED
	if bytes.Contains(p[:n], []byte{0x6D, 0, 0, 0xC0}) || bytes.Contains(p[:n], []byte{0x72, 0, 0, 0xC0}) {
		b.banned.Store(true)
	}
	return n, err
}

// TestBanTakesNothingBack: a server that bans this address after the scan's own refused logons is no reason to undo
// good changes: by then anonymous has been refused over every family, and the made-up user comes last.
func TestBanTakesNothingBack(t *testing.T) {
	var banned atomic.Bool
	v := &Verification{
		Target: practice(t, "win2022"), Plan: closing("anonymous-lists-accounts", "anonymous-pipe:samr"),
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if banned.Load() {
				return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
			}
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &banning{c, &banned}, nil
		},
	}
	p, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !banned.Load() {
		t.Fatal("nothing was refused, so the test shows nothing")
	}
	for _, check := range []string{"closed:anonymous-lists-accounts", "closed:anonymous-pipe:samr"} {
		if got := resultOf(p, check); got != Passed {
			t.Errorf("%s is %s", check, got)
		}
	}
	if !p.Proves() {
		t.Errorf("the changes would be taken back: %s", p.Failures())
	}
	said := false
	for _, s := range p.Scans {
		for _, i := range s.Identities {
			said = said || i.Identity == model.UnknownUser && strings.Contains(i.Session.Detail, "ban")
		}
	}
	if !said {
		t.Errorf("nobody says that it is a ban: %+v", p.Checks)
	}
}

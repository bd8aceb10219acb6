package verify

import (
	"bufio"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smbtest"
)

// forged is a connection on which an attacker changes the server's responses.
type forged struct {
	net.Conn
	r      *bufio.Reader
	change func(message []byte) []byte
	rest   []byte
}

func (f *forged) Read(b []byte) (int, error) {
	if len(f.rest) == 0 {
		typ, message, err := nbss.ReadFrame(f.r, nil, 1<<20)
		if err != nil {
			return 0, err
		}
		message = f.change(message)
		f.rest = append(make([]byte, nbss.HeaderLen), message...)
		nbss.PutHeader(f.rest)
		f.rest[0] = typ
	}
	n := copy(b, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// refusing replaces every SMB2 response to a command with an unsigned refusal.
func refusing(command uint16) func([]byte) []byte {
	return func(m []byte) []byte {
		if len(m) < 64 || m[0] != 0xFE || binary.LittleEndian.Uint16(m[12:]) != command {
			return m
		}
		m = slices.Clone(m[:64])
		binary.LittleEndian.PutUint32(m[8:], 0xC0000022) // STATUS_ACCESS_DENIED
		binary.LittleEndian.PutUint32(m[16:], binary.LittleEndian.Uint32(m[16:])&^8)
		clear(m[48:64])
		return append(m, 9, 0, 0, 0, 0, 0, 0, 0, 0) // [MS-SMB2] 2.2.2
	}
}

// TestChecksOnPath: a check as a user reports whether the server's responses were signed. A refusal that an attacker
// forges is no answer of the server, and credentials that were not sent were not refused.
func TestChecksOnPath(t *testing.T) {
	const treeConnect, create = 3, 5
	for _, c := range []struct {
		name            string
		signing         bool
		change          func([]byte) []byte
		result          Result
		unauthenticated bool
	}{
		{"signed", true, func(m []byte) []byte { return m }, Passed, false},
		{"a forged refusal of the tree", true, refusing(treeConnect), Inconclusive, false},
		{"a forged refusal of the file", true, refusing(create), Inconclusive, false},
		{"signing not required", false, func(m []byte) []byte { return m }, Unchecked, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, err := smbtest.NewHost("win2022", "SRV1")
			if err != nil {
				t.Fatal(err)
			}
			host.Profile.SigningRequired = c.signing
			s, err := smbtest.Start("127.42.1.7:0", host)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			v := &Verification{
				Target:   targets.Target{Name: "srv1", Addr: netip.MustParseAddrPort(s.Address())},
				Timeouts: unhurried, checkTime: long,
				Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					nc, err := new(net.Dialer).DialContext(ctx, network, address)
					if err != nil {
						return nil, err
					}
					return &forged{Conn: nc, r: bufio.NewReader(nc), change: c.change}, nil
				},
				User: func(targets.Target) (smb.Authenticator, error) {
					return ntlm.NewUser("anna", "", "Passw0rd!", ntlm.Options{Bound: true}), nil
				},
			}
			p := &Proof{Checks: []Check{v.check(t.Context(), "pipe:srvsvc", true)}}
			p.Judge()
			if got := p.Checks[0]; got.Result != c.result || got.Unauthenticated != c.unauthenticated {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestUnauthenticated: a pass of a closed: check is marked unauthenticated unless a key proves all its evidence.
func TestUnauthenticated(t *testing.T) {
	proved, bare := model.Look{As: model.User, Authenticated: true}, model.Look{As: model.Anonymous}
	for _, c := range []struct {
		check string
		looks []model.Look
		want  bool
	}{
		{"closed:anonymous-pipe:samr", nil, true},
		{"closed:ipc", []model.Look{bare}, true},
		{"closed:ipc", []model.Look{proved, bare}, true},
		{"closed:ipc", []model.Look{proved}, false},
		{"share:finance", []model.Look{proved}, false},
		{"share:finance", []model.Look{bare}, true},
		{"command:true", []model.Look{bare}, false},
		{"control:user", nil, false},
	} {
		p := &Proof{Checks: []Check{{Check: c.check, Result: Passed, Looks: c.looks}}}
		p.Judge()
		if got := p.Checks[0].Unauthenticated; got != c.want {
			t.Errorf("%s with %v: %v", c.check, c.looks, got)
		}
	}
}

package scan

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// framed is a connection on which the answers of a server can be changed. answer sees each with its header, by its number
// from 1. What it returns goes on, and an error ends the connection behind that.
type framed struct {
	net.Conn
	answer func(n int, frame []byte) ([]byte, error)
	n      int
	rest   []byte
	err    error
}

func (f *framed) Read(b []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		frame := make([]byte, 4)
		if _, err := io.ReadFull(f.Conn, frame); err != nil {
			return 0, err
		}
		frame = append(frame, make([]byte, binary.BigEndian.Uint32(frame)&0xFFFFFF)...)
		if _, err := io.ReadFull(f.Conn, frame[4:]); err != nil {
			return 0, err
		}
		f.n++
		f.rest, f.err = f.answer(f.n, frame)
	}
	n := copy(b, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// unidentified is a catalog that takes no server for anything.
func unidentified(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	blind := *c
	blind.Servers = nil
	return &blind
}

// A network that ends every connection after so many messages or bytes closes no server, though it is as regular as one:
// also where that is the answer to the first request of an anonymous session, which a closed Windows drops.
func TestCutIsNoRefusal(t *testing.T) {
	for _, blind := range []bool{false, true} {
		for _, profile := range []string{"samba", "win2022-dc"} {
			run := func(answer func() func(int, []byte) ([]byte, error)) (r *model.Scan) {
				o := Options{NoGuest: true, NoUnknownUser: true}
				if blind {
					o.Catalog = unidentified(t)
				}
				synctest.Test(t, func(t *testing.T) { r = scanOver(t, profile, o, time.Millisecond, nil, answer) })
				return r
			}
			cut := 0
			check := func(r *model.Scan, what string, n int) {
				if r.Verdict == model.Closed || r.Identities != nil && identity(r, model.Anonymous).ClosedBy != "" {
					t.Errorf("%s, unidentified %v, ended after %d %s: %s: %s", profile, blind, n, what, r.Verdict, r.Reason)
				}
				if id := identity(r, model.Anonymous); id.Session.Outcome == model.Allowed && id.Tree.Outcome == model.Inconclusive {
					cut++
				}
			}
			for n := 1; n <= 8; n++ {
				check(run(func() func(int, []byte) ([]byte, error) {
					return func(i int, frame []byte) ([]byte, error) {
						if i > n {
							return nil, io.EOF
						}
						return frame, nil
					}
				}), "messages", n)
			}
			for n := 400; n <= 1400; n += 25 {
				check(run(func() func(int, []byte) ([]byte, error) {
					left := n
					return func(_ int, frame []byte) ([]byte, error) {
						if len(frame) > left {
							return frame[:left], io.EOF
						}
						left -= len(frame)
						return frame, nil
					}
				}), "bytes", n)
			}
			if cut < 2 {
				t.Errorf("%s: the first request of a session was lost %d times", profile, cut)
			}
		}
	}
}

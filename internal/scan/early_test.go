package scan

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/model/modeltest"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/status"
)

// framed is a connection on which the answers of a server can be changed. answer sees each with its header, by its
// number from 1. What it returns goes on, and an error ends the connection behind that.
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

// A network that ends every connection after so many messages or bytes closes no server, though it is as regular as
// one: also where that is the answer to the first request of an anonymous session, which a closed Windows drops.
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
					t.Errorf("%s, unidentified %v, ended after %d %s: %s: %s", profile, blind, n, what,
						r.Verdict, r.Reason)
				}
				id := identity(r, model.Anonymous)
				if id.Session.Outcome == model.Allowed && id.Tree.Outcome == model.Inconclusive {
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

// A device that cuts one request of a null session, or the session itself, refuses nothing in the server's name,
// however often it does so; and only Windows is known to refuse by a cut.
func TestCutRequestIsNoRefusal(t *testing.T) {
	ask := func(profile string, blind bool, cut func(command uint16, code uint32) (before, after bool)) (r *model.Scan) {
		o := Options{NoGuest: true, NoUnknownUser: true, Retries: 1, Shares: []string{"Public"}}
		if blind {
			o.Catalog = unidentified(t)
		}
		synctest.Test(t, func(t *testing.T) {
			r = scanOver(t, profile, o, time.Millisecond, nil, func() func(int, []byte) ([]byte, error) {
				return func(_ int, frame []byte) ([]byte, error) {
					m := frame[4:]
					if m[0] != 0xFE || cut == nil {
						return frame, nil
					}
					before, after := cut(binary.LittleEndian.Uint16(m[12:]), binary.LittleEndian.Uint32(m[8:]))
					switch {
					case before:
						return nil, io.EOF
					case after:
						return frame, io.EOF
					}
					return frame, nil
				}
			})
		})
		return r
	}
	const setup, logoff, treeConnect = 1, 2, 3
	atTree := func(command uint16, _ uint32) (bool, bool) { return command == treeConnect, false }
	afterLogon := func(command uint16, code uint32) (bool, bool) { return false, command == setup && code == 0 }
	atAll := func(command uint16, _ uint32) (bool, bool) { return command == treeConnect || command == logoff, false }
	for _, one := range []struct {
		what, profile string
		blind         bool
		cut           func(uint16, uint32) (bool, bool)
		closed        bool
		says          string
	}{
		{"the tree connect", "win2022-dc", false, atTree, false, cutAlone},
		{"the tree connect", "samba", false, atTree, false, ""},
		{"the tree connect", "samba", true, atTree, false, cutByWhom},
		{"the session", "win2022-dc", false, afterLogon, false, cutByItself},
		{"nothing", "win2022", true, nil, false, cutByWhom},
		{"nothing", "win2022", false, nil, true, ""},
		{"what Windows cuts", "win2022-dc", false, atAll, true, ""},
	} {
		r := ask(one.profile, one.blind, one.cut)
		id := identity(r, model.Anonymous)
		if (r.Verdict == model.Closed) != one.closed || (id.ClosedBy != "") != one.closed {
			t.Errorf("%s cut at %s, unidentified %v: %s: %s", one.what, one.profile, one.blind, r.Verdict, r.Reason)
		}
		if id.Session.Outcome != model.Allowed || !strings.Contains(id.Tree.Detail, one.says) {
			t.Errorf("%s cut at %s, unidentified %v: session %s, tree %+v", one.what, one.profile, one.blind,
				id.Session.Outcome, id.Tree)
		}
	}
}

// Connections that are made ahead of time keep no place in the room that another would wait for: many hosts at once,
// each of which wants a further connection, all get theirs.
func TestNoPlaceIsHeldAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, err := smbtest.NewHost("samba", "PRACTICE1")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var lock sync.Mutex
		met, drops := map[string]bool{}, 0
		dial := func(ctx context.Context, _, address string) (net.Conn, error) {
			if err := sleep(ctx, roundTrip); err != nil {
				return nil, err
			}
			near, there := net.Pipe()
			go smbtest.Serve(there, host)
			lock.Lock()
			defer lock.Unlock()
			if met[address] {
				return awayFrom(near, roundTrip, nil), nil
			}
			met[address] = true // the first connection of a host ends in the middle, when the others are made
			return &framed{Conn: awayFrom(near, roundTrip, nil), answer: func(_ int, frame []byte) ([]byte, error) {
				if time.Since(began) > 10*roundTrip {
					lock.Lock()
					defer lock.Unlock()
					drops++
					return nil, io.EOF
				}
				return frame, nil
			}}, nil
		}
		s, err := New(Options{Files: reservedFiles + 8, Concurrency: 3, Dial: dial})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range s.Concurrency() {
			wg.Go(func() {
				address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 445)
				r := s.Host(t.Context(), targets.Target{Name: "far", Addr: address})
				if r.Verdict != model.Exposed || r.Partial || r.DurationMS > 60_000 {
					t.Errorf("%s, partial %v, after %d ms: %s", r.Verdict, r.Partial, r.DurationMS, r.Reason)
				}
			})
		}
		wg.Wait()
		if drops != s.Concurrency() {
			t.Errorf("%d connections of %d ended in the middle", drops, s.Concurrency())
		}
	})
}

// A firewall that lets nothing more through after a refused logon, on connections that stand neither, is named from
// afar too, where the made-up user's connection stands already.
func TestSilentBanFromAfar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var banned atomic.Bool
		o := Options{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if !banned.Load() {
				return nil, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		r := scanOver(t, "win2022", o, roundTrip, nil, func() func(int, []byte) ([]byte, error) {
			return func(_ int, frame []byte) ([]byte, error) {
				if banned.Load() {
					return nil, os.ErrDeadlineExceeded
				}
				if s := statusOf(frame[4:]); s == status.LogonFailure || s == status.AccountDisabled {
					banned.Store(true)
				}
				return frame, nil
			}
		})
		unknown := identity(r, model.UnknownUser).Session
		if !banned.Load() || unknown.Outcome != model.NotTested || !strings.Contains(r.Banned, "--no-unknown-user") {
			t.Errorf("%s, made-up user %+v, banned %q", r.Verdict, unknown, r.Banned)
		}
	})
}

// A server that shares no handles between instances of a pipe, and says so in words of its own, is told as much from
// afar as near by.
func TestHandlesApart(t *testing.T) {
	mismatch := binary.LittleEndian.AppendUint32(nil, uint32(status.InvalidHandle))
	for _, other := range []status.NTStatus{status.AccessDenied, status.NoneMapped, status.InvalidParameter} {
		synctest.Test(t, func(t *testing.T) {
			o := Options{AllPipes: true, Catalog: unidentified(t), NoGuest: true, NoUnknownUser: true}
			near := said(scanAway(t, "samba", o, 0, nil))
			var refused atomic.Int32
			words := binary.LittleEndian.AppendUint32(nil, uint32(other))
			var joins atomic.Int32
			change := withoutGroups(&joins)
			far := said(scanOver(t, "samba", o, roundTrip, change, func() func(int, []byte) ([]byte, error) {
				return func(_ int, frame []byte) ([]byte, error) {
					if bytes.Contains(frame, mismatch) {
						refused.Add(1)
					}
					return bytes.ReplaceAll(frame, mismatch, words), nil
				}
			}))
			if refused.Load() == 0 {
				t.Errorf("no handle was refused, of %d instances", joins.Load())
			}
			if !slices.Equal(near, far) {
				for i := range min(len(near), len(far)) {
					if near[i] != far[i] {
						t.Fatalf("%v: %s, near by %s", other, far[i], near[i])
					}
				}
			}
		})
	}
}

// A server that has no room for one more connection speaks what it speaks.
func TestBusyIsNoDialect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{NoGuest: true, NoUnknownUser: true}
		r := scanOver(t, "samba", o, time.Millisecond, nil, func() func(int, []byte) ([]byte, error) {
			return func(_ int, frame []byte) ([]byte, error) {
				m := frame[4:]
				if len(m) > 70 && m[0] == 0xFE && binary.LittleEndian.Uint16(m[12:]) == 0 &&
					smb.Dialect(binary.LittleEndian.Uint16(m[68:])) == smb.SMB300 {
					binary.LittleEndian.PutUint32(m[8:], 0xC0000205)
					return append([]byte{0, 0, 0, 73}, append(m[:64:64], 9, 0, 0, 0, 0, 0, 0, 0, 0)...), nil
				}
				return frame, nil
			}
		})
		if !slices.Equal(r.Server.Undecided, []string{"3.0"}) || slices.Contains(r.Server.Dialects, "3.0") {
			t.Errorf("dialects %v, undecided %v", r.Server.Dialects, r.Server.Undecided)
		}
	})
}

// A server that keeps one buffer for the answers of all pipes, and mixes up those of the same moment, makes no answer
// out of another's.
func TestMixedAnswers(t *testing.T) {
	const output = 4 + 64 + 48 // where what the pipe says begins in the answer to an IOCTL, see [MS-SMB2] 2.2.32
	for _, profile := range []string{"samba", "samba-1", "win2022-dc"} {
		synctest.Test(t, func(t *testing.T) {
			o := Options{NoGuest: true, NoUnknownUser: true, Dialects: smb.AllDialects()[1:]}
			direct := words(scanAway(t, profile, o, 0, nil))
			var last, file []byte
			var when time.Time
			mixed := 0
			now := words(scanOver(t, profile, o, roundTrip, nil, func() func(int, []byte) ([]byte, error) {
				return func(_ int, frame []byte) ([]byte, error) {
					m := frame[4:]
					if len(frame) < output+24 || m[0] != 0xFE || binary.LittleEndian.Uint16(m[12:]) != 11 ||
						binary.LittleEndian.Uint32(m[20:]) != 0 {
						return frame, nil
					}
					said, of := slices.Clone(frame[output:]), slices.Clone(m[64+8:64+24])
					out := frame
					if time.Now().Equal(when) && !bytes.Equal(of, file) {
						mixed++
						out = append(frame[:output:output], last...)
						binary.BigEndian.PutUint32(out, uint32(len(out)-4))
						binary.LittleEndian.PutUint32(out[4+64+36:], uint32(len(last)))
					}
					last, file, when = said, of, time.Now()
					return out, nil
				}
			}))
			for what, word := range now {
				if modeltest.Stronger(word, direct[what]) {
					t.Errorf("%s: %s is %q, and %q where nothing is mixed up", profile, what, word, direct[what])
				}
			}
			if mixed == 0 {
				t.Error("nothing was mixed up")
			}
		})
	}
}

// A made-up user's logon that the network lost is no ban where the server takes connections as before, and is not sent
// once more when the host is asked again for another reason.
func TestLostLogonIsNoBan(t *testing.T) {
	name := []byte("i\x00p\x00c\x00g\x00u\x00a\x00r\x00d\x00-\x00")
	for _, again := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var logons, refused, trees atomic.Int32
			count := func(sent []byte) {
				if bytes.Contains(sent, name) {
					logons.Add(1)
				}
			}
			o := Options{Retries: 2}
			r := scanOver(t, "samba", o, time.Millisecond, count, func() func(int, []byte) ([]byte, error) {
				return func(_ int, frame []byte) ([]byte, error) {
					switch m := frame[4:]; {
					case statusOf(m) == status.LogonFailure && refused.Add(1) == 2:
						return nil, io.EOF
					case again && len(m) > 64 && binary.LittleEndian.Uint16(m[12:]) == 3 && // TREE_CONNECT
						trees.Add(1) == 1:
						return nil, io.EOF
					}
					return frame, nil
				}
			})
			got := identity(r, model.UnknownUser).Session.Outcome
			if r.Banned != "" || got != model.Inconclusive || r.Verdict != model.Exposed {
				t.Errorf("%s, made-up user %s, banned %q", r.Verdict, got, r.Banned)
			}
			if logons.Load() != 1 {
				t.Errorf("the made-up user logged on %d times", logons.Load())
			}
			if again && trees.Load() < 2 {
				t.Error("the host was not asked again")
			}
		})
	}
}

// A network that ends connections hides no dialect: one over which it ended two is offered once more.
func TestTwoDropsAreNoDialect(t *testing.T) {
	for _, d := range []smb.Dialect{smb.SMB1, smb.SMB210} {
		synctest.Test(t, func(t *testing.T) {
			drops, broken := 0, false
			var lock sync.Mutex
			o := Options{NoUnknownUser: true}
			r := scanOver(t, "win2012r2", o, time.Millisecond, nil, func() func(int, []byte) ([]byte, error) {
				return func(n int, frame []byte) ([]byte, error) {
					lock.Lock()
					defer lock.Unlock()
					m := frame[4:]
					alone := n == 1 && m[0] == 0xFE && len(m) > 70 &&
						smb.Dialect(binary.LittleEndian.Uint16(m[68:])) == d
					if d == smb.SMB1 {
						alone = n == 1 && m[0] == 0xFF
					}
					if alone && drops < 2 {
						drops++
						return nil, io.EOF
					}
					if s := statusOf(m); s == status.LogonFailure && !broken { // another is ended as well
						broken = true
						return nil, io.EOF
					}
					return frame, nil
				}
			})
			known := slices.Concat(r.Server.Dialects, r.Server.Undecided)
			if drops != 2 || !slices.Contains(known, d.String()) {
				t.Errorf("%v, dropped %d times: dialects %v, undecided %v", d, drops, r.Server.Dialects,
					r.Server.Undecided)
			}
		})
	}
}

// nameOf is a part of a user's name as a logon carries it.
func nameOf(user string) []byte {
	var b []byte
	for _, c := range []byte(user) {
		b = append(b, c, 0)
	}
	return b
}

// Far away guest's logon begins while anonymous is asking, and his name is sent only when anonymous has every answer.
func TestGuestBeginsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lock sync.Mutex
		var begins, named, called time.Time
		r := scanAway(t, "samba", Options{NoUnknownUser: true}, roundTrip, func(b []byte) {
			lock.Lock()
			defer lock.Unlock()
			switch {
			case bytes.Contains(b, []byte("NTLMSSP\x00\x01")):
				begins = time.Now()
			case bytes.Contains(b, nameOf("Guest")):
				named = time.Now()
			case len(b) > 64 && b[4] == 0xFE && binary.LittleEndian.Uint16(b[4+12:]) == 11:
				called = time.Now()
			}
		})
		answered := called.Add(roundTrip)
		if begins.IsZero() || called.IsZero() || begins.After(answered) || named.Before(answered) {
			t.Errorf("the last call was answered %v after the logon began, and guest named %v after it", answered.Sub(begins),
				named.Sub(begins))
		}
		if g := identity(r, model.Guest).Session; g.Outcome != model.Denied {
			t.Errorf("guest: %+v", g)
		}
	})
}

// Whatever becomes of a logon that began ahead of time, guest is asked as one who did not: on a new connection where
// nothing of his was sent yet, and not at all as if nothing had happened where anonymous was refused or took long.
func TestGuestBeginsInVain(t *testing.T) {
	const setup = 1
	for _, x := range []struct {
		what  string
		wait  time.Duration // that anonymous' first call takes in addition
		error               // how guest's first connection ends, after its challenge or instead of it
		after bool
	}{
		{what: "nothing"},
		{what: "the connection ends instead of the challenge", error: io.EOF},
		{what: "the connection ends with the challenge", error: io.EOF, after: true},
		{what: "a reset instead of the challenge", error: syscall.ECONNRESET},
		{what: "a reset with the challenge", error: syscall.ECONNRESET, after: true},
		{what: "anonymous takes longer than a logon may", wait: 11 * time.Second},
		{what: "anonymous takes longer than two logons may", wait: 19 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			var lock sync.Mutex
			challenges, struck, named := 0, 0, 0
			slow := x.wait
			note := func(b []byte) {
				if bytes.Contains(b, nameOf("Guest")) {
					lock.Lock()
					named++
					lock.Unlock()
				}
			}
			r := scanOver(t, "samba", Options{NoUnknownUser: true}, roundTrip, note, func() func(int, []byte) ([]byte, error) {
				return func(_ int, frame []byte) ([]byte, error) {
					m := frame[4:]
					if len(m) < 64 || m[0] != 0xFE {
						return frame, nil
					}
					lock.Lock()
					defer lock.Unlock()
					switch binary.LittleEndian.Uint16(m[12:]) {
					case setup:
						if statusOf(m) != status.MoreProcessingRequired {
							break
						}
						if challenges++; challenges == 2 && x.error != nil {
							if struck++; x.after {
								return frame, x.error
							}
							return nil, x.error
						}
					case 11:
						d := slow
						slow = 0
						lock.Unlock()
						time.Sleep(d)
						lock.Lock()
					}
					return frame, nil
				}
			})
			if g := identity(r, model.Guest).Session; g.Outcome != model.Denied || r.Verdict != model.Exposed || r.Partial {
				t.Errorf("%s: guest %+v; %s, partial %v: %s", x.what, g, r.Verdict, r.Partial, r.Reason)
			}
			if named != 1 || x.error != nil && struck != 1 {
				t.Errorf("%s: guest logged on %d times, struck %d times", x.what, named, struck)
			}
		})
	}
}

package scan

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
)

// practice starts a practice server that behaves as a product.
func practice(t testing.TB, profile string, faults ...smbtest.Fault) *smbtest.Server {
	t.Helper()
	host, err := smbtest.NewHost(profile, "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	host.Faults = faults
	s, err := smbtest.Start("127.47.2.1:0", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func scanPractice(t testing.TB, s *smbtest.Server, o Options) *model.Scan {
	t.Helper()
	scanner, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return scanner.Host(context.Background(), at(t, s.Address()))
}

// A server that encrypts its answers to anonymous, who asks in plain text, is told as much as one that does not.
func TestEncryptedAnswers(t *testing.T) {
	host, err := smbtest.NewHost("samba", "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := smbtest.Start("127.47.2.1:0", host)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plain := said(scanPractice(t, s, Options{}))
	p := *host.Profile
	p.EncryptAnswers = true
	host.Profile = &p
	r := scanPractice(t, s, Options{})
	if got := said(r); !slices.Equal(got, plain) || r.Verdict != model.Exposed {
		t.Errorf("%s: %s\ngot  %q\nwant %q", r.Verdict, r.Reason, got, plain)
	}
	if i := identity(r, model.Anonymous); i.Encrypted {
		t.Error("anonymous is said to encrypt")
	}
}

// An encrypted answer that was damaged, belongs to another session or was sent before is evidence of nothing: neither
// of an open share nor of a refusal.
func TestDamagedEncryptedAnswers(t *testing.T) {
	host, err := smbtest.NewHost("samba", "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	host.Profile.EncryptAnswers = true
	for what, damage := range map[string]func(frame, before []byte) []byte{
		"ciphertext": func(f, _ []byte) []byte { f[len(f)-1] ^= 1; return f },
		"tag":        func(f, _ []byte) []byte { f[4+4] ^= 0x80; return f },
		"nonce":      func(f, _ []byte) []byte { f[4+20] ^= 1; return f },
		"session":    func(f, _ []byte) []byte { f[4+44]++; return f },
		"size":       func(f, _ []byte) []byte { f[4+36]++; return f },
		"cut short":  func(_, _ []byte) []byte { return []byte{0, 0, 0, 20, 0xFD, 'S', 'M', 'B', 19: 0, 23: 0} },
		"empty":      func(f, _ []byte) []byte { f[1], f[2], f[3] = 0, 0, 52; clear(f[40:44]); return f[:56] },
		"replay": func(f, before []byte) []byte {
			if before == nil {
				f[len(f)-1] ^= 1
				return f
			}
			return before
		},
	} {
		for _, good := range []int{0, 1, 3} {
			dial := func(ctx context.Context, network, address string) (net.Conn, error) {
				near, there := net.Pipe()
				go smbtest.Serve(there, host)
				seen, before := 0, []byte(nil)
				return &framed{Conn: near, answer: func(_ int, frame []byte) ([]byte, error) {
					if len(frame) < 56 || frame[4] != 0xFD {
						return frame, nil
					}
					if seen++; seen <= good {
						before = slices.Clone(frame)
						return frame, nil
					}
					return damage(frame, before), nil
				}}, nil
			}
			var r *model.Scan
			synctest.Test(t, func(t *testing.T) {
				s, err := New(Options{Dial: dial, NoGuest: true, NoUnknownUser: true, Retries: 1})
				if err != nil {
					t.Fatal(err)
				}
				r = s.Host(t.Context(), targets.Target{Name: "far", Addr: netip.MustParseAddrPort("192.0.2.1:445")})
			})
			id := identity(r, model.Anonymous)
			if r.Verdict == model.Closed || id.ClosedBy != "" || id.Tree.Outcome == model.Denied {
				t.Errorf("%s after %d: %s: %s; %+v", what, good, r.Verdict, r.Reason, id.Tree)
			}
			if good == 0 && (r.Verdict != model.VerdictInconclusive || id.Tree.Outcome == model.Allowed) {
				t.Errorf("%s at once: %s: %s; %+v", what, r.Verdict, r.Reason, id.Tree)
			}
		}
	}
}

// Every product that the practice server plays gets the verdict that its documents lead to.
func TestProfiles(t *testing.T) {
	verdicts := map[string]model.Verdict{
		"nt4": model.Exposed, "win2000": model.Exposed, "winxp": model.Exposed, "win2003": model.Exposed,
		"win2008": model.Limited, "win2008r2": model.Closed, "win2012r2": model.Closed, "win2022": model.Closed,
		"win2022-dc": model.Limited, "win2025": model.Closed,
		"samba": model.Exposed, "samba-1": model.Exposed, "samba-2": model.Closed,
	}
	for _, name := range smbtest.Profiles() {
		want, ok := verdicts[name]
		if !ok {
			t.Errorf("profile %s: no verdict is expected of it here", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := scanPractice(t, practice(t, name), Options{})
			if r.Verdict != want || r.Partial {
				t.Errorf("%s (%s), want %s", r.Verdict, r.Reason, want)
				for _, id := range r.Identities {
					t.Logf("%+v", id)
				}
			}
			profile, err := smbtest.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			if system := map[bool]string{true: "windows", false: "samba"}[profile.Windows]; r.Server.System != system {
				t.Errorf("looks like %s, %s", r.Server.System, r.Server.OS)
			}
			wanted := map[string]bool{}
			for _, d := range profile.Dialects {
				wanted[d] = true
			}
			if profile.SMB1 {
				wanted["NT LM 0.12"] = true
			}
			if len(r.Server.Dialects) != len(wanted) || len(r.Server.Undecided) > 0 {
				t.Errorf("dialects %v, undecided %v; it speaks %v", r.Server.Dialects, r.Server.Undecided, wanted)
			}
			if r.Server.SMB1 != profile.SMB1 {
				t.Errorf("SMB1 %v", r.Server.SMB1)
			}
		})
	}
}

// Names are counted, and kept only when they were asked for.
func TestShowNames(t *testing.T) {
	s := practice(t, "samba")
	for _, show := range []bool{false, true} {
		names := 0
		for _, id := range scanPractice(t, s, Options{ShowNames: show}).Identities {
			for _, p := range id.Pipes {
				for _, i := range p.Interfaces {
					for _, c := range i.Calls {
						names += len(c.Names)
					}
				}
			}
			for _, sh := range id.Shares {
				if sh.Name != "" {
					names++
				}
			}
		}
		if (names > 0) != show {
			t.Errorf("--show-names %v: %d names", show, names)
		}
	}
}

// The null-session question is one connection and at most 7 requests; what speaks SMB1 alone takes another connection.
func TestQuickIsCheap(t *testing.T) {
	for _, name := range []string{"nt4", "samba", "win2003", "win2008r2"} {
		connections, requests := 1, 7
		if name == "nt4" || name == "win2003" {
			connections, requests = 2, 9
		}
		r := scanPractice(t, practice(t, name), Options{Quick: true})
		if r.Stats.Connections > connections || r.Stats.Requests > requests {
			t.Errorf("%s: %+v", name, r.Stats)
		}
		if name == "samba" && (r.Verdict != model.Limited || !r.Partial || r.Identities[0].SeenAs == "") {
			t.Errorf("%s: %s (%s), seen as %q", name, r.Verdict, r.Reason, r.Identities[0].SeenAs)
		}
	}
}

// The whole anonymous ladder is one connection, the whole scan a chain of at most 25 waits.
func TestLadderIsCheap(t *testing.T) {
	s := practice(t, "samba")
	r := scanPractice(t, s, Options{NoGuest: true, NoUnknownUser: true, Dialects: []smb.Dialect{smb.SMB311}})
	if r.Stats.Connections != 1 {
		t.Errorf("the anonymous ladder took %d connections", r.Stats.Connections)
	}
}

// A fault at any layer ends in time, claims nothing that was not proved, and never reads as closed.
func TestFaults(t *testing.T) {
	wait := 300 * time.Millisecond
	o := Options{
		Host:     20 * time.Second,
		Timeouts: smb.Timeouts{Connect: wait, Negotiate: wait, Session: wait, Tree: wait, Open: wait, Call: wait},
	}
	for _, stage := range []smbtest.Stage{
		smbtest.AtNegotiate, smbtest.AtSession, smbtest.AtTree, smbtest.AtOpen,
		smbtest.AtPipe,
	} {
		for _, action := range []smbtest.Action{
			smbtest.Drop, smbtest.Silence, smbtest.Garbage, smbtest.Drip, smbtest.Pending, smbtest.Huge,
			smbtest.WrongID,
			smbtest.LoopChain, smbtest.Endless, smbtest.BadCount,
		} {
			if stage != smbtest.AtPipe && (action == smbtest.Endless || action == smbtest.BadCount) {
				continue
			}
			if stage == smbtest.AtNegotiate && action == smbtest.LoopChain {
				continue // an answer that says it goes on is whole all the same, and the scan goes on
			}
			t.Run(fmt.Sprintf("%s at %s", action, stage), func(t *testing.T) {
				t.Parallel()
				fault := smbtest.Fault{At: stage, Do: action, Wait: 50 * time.Millisecond}
				r := scanPractice(t, practice(t, "samba", fault), o)
				if r.Verdict != model.VerdictInconclusive && r.Verdict != model.Unreachable || r.Reason == "" {
					// A server that drops an SMB3 connection right after the anonymous session, twice, behaves as
					// Windows 2012 and later do when they are closed.
					if !(r.Verdict == model.Closed && stage == smbtest.AtTree && action == smbtest.Drop) {
						t.Errorf("%s, %q, %v", r.Verdict, r.Reason, findingIDs(r))
					}
				}
				if r.Stats.BytesReceived > 16<<20 {
					t.Errorf("%d bytes were read", r.Stats.BytesReceived)
				}
			})
		}
	}
}

// One pipe that makes the server drop the connection does not hide what the others give.
func TestDropOnce(t *testing.T) {
	r := scanPractice(t, practice(t, "samba", smbtest.Fault{At: smbtest.AtPipe, Do: smbtest.Drop, Times: 1}), Options{
		Host: 20 * time.Second, NoGuest: true, NoUnknownUser: true,
	})
	if r.Verdict != model.Exposed && r.Verdict != model.VerdictInconclusive {
		t.Errorf("%s, %q", r.Verdict, r.Reason)
	}
}

// TestPipesOfOtherSystems asks a Samba server for a pipe of Windows only when told to.
func TestPipesOfOtherSystems(t *testing.T) {
	for _, all := range []bool{false, true} {
		r := scanPractice(t, practice(t, "samba"), Options{AllPipes: all})
		want := model.NotTested
		if all {
			want = model.Absent
		}
		for _, p := range r.Identities[0].Pipes {
			if p.Pipe == `sql\query` && p.Open.Outcome != want {
				t.Errorf("all %v: %+v", all, p.Open)
			}
		}
	}
	for _, p := range scanPractice(t, practice(t, "win2003"), Options{}).Identities[0].Pipes {
		if p.Pipe == "trkwks" && p.Open.Outcome == model.NotTested {
			t.Errorf("Windows is not asked: %+v", p.Open)
		}
	}
}

// A Samba server outside any domain is not asked for pipes on which nothing is asked and that only controllers were
// seen to have: each costs it a process. One that may be a controller is; so are pipes that somebody named, and all if
// all are wanted.
func TestPipesOfControllers(t *testing.T) {
	bound := []string{"browser", "protected_storage", "dnsserver", "efsrpc"}
	for _, tc := range []struct {
		what   string
		domain bool
		o      Options
		opened []string
	}{
		{what: "standalone"},
		{"in a domain", true, Options{}, bound[:3]},
		{"named", false, Options{Pipes: []string{"Browser", "efsrpc"}}, []string{"browser", "efsrpc"}},
		{"all pipes", false, Options{AllPipes: true}, bound},
		{"not identified", false, Options{Catalog: unidentified(t)}, bound},
		{"looks like one", false, Options{}, bound},
	} {
		host, err := smbtest.NewHost("samba", "PRACTICE1")
		if err != nil {
			t.Fatal(err)
		}
		w := *host.World
		if w.InDomain = tc.domain; tc.domain {
			w.Domain = "PRACTICE"
		}
		if tc.what != "looks like one" {
			w.Comment = "Samba 4.17.12-Debian"
		}
		host.World = &w
		s, err := smbtest.Start("127.47.2.1:0", host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		tc.o.NoGuest, tc.o.NoUnknownUser = true, true
		r := scanPractice(t, s, tc.o)
		var opened []string
		for _, p := range r.Identities[0].Pipes {
			switch {
			case p.Open.Outcome == model.NotTested:
			case slices.Contains(bound, p.Pipe):
				opened = append(opened, p.Pipe)
			case len(p.Interfaces) == 0 && p.Open.Outcome == model.Inconclusive:
				t.Errorf("%s: %+v", tc.what, p)
			}
		}
		slices.Sort(opened)
		want := slices.Sorted(slices.Values(tc.opened))
		if !slices.Equal(opened, want) {
			t.Errorf("%s: opened %q, want %q", tc.what, opened, want)
		}
		if r.Verdict != model.Exposed || r.Partial {
			t.Errorf("%s: %s, partial %v: %s", tc.what, r.Verdict, r.Partial, r.Reason)
		}
	}
}

// Where every other pipe is denied, the verdict hangs on those that a Samba server is not known to have: they are
// opened.
func TestPipesTheVerdictHangsOn(t *testing.T) {
	for _, tc := range []struct {
		open, reason string
		verdict      model.Verdict
	}{
		{"efsrpc", "anonymous may come in", model.Limited},
		{"", "anonymous is refused at every pipe that was tried (22)", model.Closed},
	} {
		host, err := smbtest.NewHost("samba", "PRACTICE1")
		if err != nil {
			t.Fatal(err)
		}
		p := *host.Profile
		p.Pipes = append(slices.Clone(p.Pipes), "efsrpc")
		p.Anonymous = smbtest.Reach{Session: true, Tree: true, Pipes: []string{tc.open}}
		host.Profile = &p
		s, err := smbtest.Start("127.47.2.1:0", host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		r := scanPractice(t, s, Options{NoGuest: true, NoUnknownUser: true})
		if r.Verdict != tc.verdict || !strings.HasPrefix(r.Reason, tc.reason) || r.Partial {
			t.Errorf("%q open: %s: %s", tc.open, r.Verdict, r.Reason)
		}
		t.Logf("%q open: %d requests; %s", tc.open, r.Stats.Requests, r.Reason)
		for _, p := range r.Identities[0].Pipes {
			if p.Open.Outcome == model.NotTested && !strings.Contains(p.Open.Detail, "not known to have it: not tried") {
				t.Errorf("%s: %+v", p.Pipe, p.Open)
			}
		}
		if len(r.Limits) == 0 || !strings.HasPrefix(r.Limits[0].Why,
			"29 pipes that a server of this kind (samba) is not known to have were not tried") {
			t.Errorf("%+v", r.Limits)
		}
	}
}

// What counts as asked is asked: every call that the catalog names for data, of every interface that is called, is made
// on a server that answers all of them, and no call that is said to be spare.
func TestEveryWayIsAsked(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]map[string]bool{}
	for _, profile := range []string{"samba", "winxp", "win2003", "win2022-dc"} {
		for _, id := range scanPractice(t, practice(t, profile), Options{AllPipes: true}).Identities {
			for _, p := range id.Pipes {
				for _, i := range p.Interfaces {
					if made[i.Interface] == nil && i.Bind.Outcome == model.Allowed {
						made[i.Interface] = map[string]bool{}
					}
					for _, k := range i.Calls {
						made[i.Interface][k.Call] = true
					}
				}
			}
		}
	}
	for _, i := range c.Interfaces {
		for _, k := range i.Calls {
			data := k.Discloses != "" && k.Discloses != model.DisclosesNothing && k.Avoid == ""
			switch {
			case i.Probe != "call" || !data || made[i.ID] == nil:
			case k.Spare && made[i.ID][k.Name]:
				t.Errorf("%s is spare, and was called", k.Name)
			case !k.Spare && !made[i.ID][k.Name] && k.Name != "LsarLookupNames": // that is asked where the policy is refused
				t.Errorf("%s of %s gives %s, and was not called", k.Name, i.ID, k.Discloses)
			}
		}
	}
	if len(made) < 12 {
		t.Errorf("only %d interfaces were called: %v", len(made), made)
	}
}

// forked starts a server that agrees on SMB2 and has nothing more of it, and is another for SMB1. A mortal one ends
// when it is offered a dialect alone that is newer than its own, 2.1.
func forked(t *testing.T, modern, old *smbtest.Server, mortal bool) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var open sync.Map
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, nil)
			go func() {
				defer open.Delete(c)
				defer c.Close()
				first := make([]byte, 5) // the length, and the first byte of an SMB message
				if _, err := io.ReadFull(c, first); err != nil {
					return
				}
				to := old.Address()
				if first[4] == 0xFE {
					to = modern.Address()
				}
				s, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer s.Close()
				_, _ = s.Write(first)
				if first[4] == 0xFE { // the negotiate and its answer, then the end
					rest := make([]byte, int(first[2])<<8|int(first[3])-1)
					if _, err := io.ReadFull(c, rest); err != nil {
						return
					}
					count, dialect := rest[4+64+2-len(first)], rest[4+64+36-len(first):] // see [MS-SMB2] 2.2.3
					if mortal && count == 1 && smb.Dialect(binary.LittleEndian.Uint16(dialect)) > smb.SMB210 {
						l.Close()
						open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
						return
					}
					_, _ = s.Write(rest)
					answer := make([]byte, 64<<10)
					n, _ := s.Read(answer)
					_, _ = c.Write(answer[:n])
					_, _ = c.Read(answer[:1]) // the logon
					return
				}
				go func() { _, _ = io.Copy(s, c) }()
				_, _ = io.Copy(c, s)
			}()
		}
	}()
	return l.Addr().String()
}

// A server that agrees on SMB2 and has nothing more of it is asked in SMB1; as anonymous, even one that ends when it is
// offered a newer dialect alone, as node-smb-server 0.10.36 does, near by and far away.
func TestFallsBack(t *testing.T) {
	modern, old := practice(t, "win2008r2"), practice(t, "win2003") // its best dialect is 2.1
	address := forked(t, modern, old, false)
	for _, o := range []Options{{Quick: true}, {}} {
		straight := scanPractice(t, old, o)
		r := scanAddress(t, address, o)
		if r.Verdict != straight.Verdict || len(r.Identities) != len(straight.Identities) ||
			r.Server.Signing != straight.Server.Signing {
			t.Fatalf("%s (%s), %+v; want %s, %+v", r.Verdict, r.Reason, r.Identities, straight.Verdict,
				straight.Identities)
		}
		for i, want := range straight.Identities {
			if got := r.Identities[i]; got.Session.Outcome != want.Session.Outcome || len(got.Pipes) != len(want.Pipes) {
				t.Errorf("%s: %+v with %d pipes; want %+v with %d", got.Identity, got.Session, len(got.Pipes),
					want.Session, len(want.Pipes))
			}
		}
	}
	for where, dial := range map[string]dialer{"near": nil, "far": dialFar} {
		r := scanAddress(t, forked(t, modern, old, true), Options{Dial: dial})
		if r.Verdict != model.Exposed || !strings.Contains(r.Reason, "refused") {
			t.Errorf("%s, a server that ends in the middle: %s: %s", where, r.Verdict, r.Reason)
		}
	}
}

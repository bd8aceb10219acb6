package scan

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/status"
)

// statusOf returns the status of an SMB2 answer, 0 for anything else.
func statusOf(m []byte) status.NTStatus {
	if len(m) < 64 || string(m[:4]) != "\xFESMB" {
		return 0
	}
	return status.NTStatus(binary.LittleEndian.Uint32(m[8:]))
}

func scanAddress(t testing.TB, address string, o Options) *model.Scan {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s.Host(t.Context(), at(t, address))
}

func identity(r *model.Scan, who model.Identity) *model.IdentityResult {
	for i := range r.Identities {
		if r.Identities[i].Identity == who {
			return &r.Identities[i]
		}
	}
	return &model.IdentityResult{}
}

// A server that dies during the scan was exposed before; asking again does not change that.
func TestRetryKeepsTheBetter(t *testing.T) {
	s := practice(t, "samba")
	var dead atomic.Bool
	p := &onPath{upstream: s.Address(), accept: func(int) bool { return !dead.Load() }}
	p.request = func(_ int, m []byte) []byte {
		if bytes.Contains(m, []byte("G\x00u\x00e\x00s\x00t\x00")) { // anonymous is through
			dead.Store(true)
			return nil
		}
		return m
	}
	r := scanAddress(t, p.start(t, "127.47.7.1:0"), Options{Retries: 1, NoUnknownUser: true})
	if r.Verdict != model.Exposed || !r.Partial || len(r.Findings) == 0 {
		t.Errorf("%s, partial %v, %d findings: %s", r.Verdict, r.Partial, len(r.Findings), r.Reason)
	}
	if !strings.Contains(r.Reason, "refused") && !strings.Contains(r.Reason, "stopped answering") {
		t.Errorf("reason %q", r.Reason)
	}
}

// A ban after a failed logon loses nothing that anonymous was given, and is reported with the flags that avoid it.
func TestBanAfterFailedLogon(t *testing.T) {
	s := practice(t, "win2022") // it refuses guest
	for _, lost := range []bool{false, true} {
		var banned atomic.Bool
		p := &onPath{upstream: s.Address(), accept: func(int) bool { return !banned.Load() }}
		p.answer = func(_ int, m []byte) []byte {
			if st := statusOf(m); st == status.LogonFailure || st == status.AccountDisabled {
				banned.Store(true)
				if lost {
					return nil
				}
			}
			return m
		}
		r := scanAddress(t, p.start(t, "127.47.7.2:0"), Options{Retries: 1})
		if id := identity(r, model.Anonymous); id.Session.Outcome != model.Allowed && id.Session.Outcome != model.Denied {
			t.Errorf("answer lost %v: anonymous has no answer: %+v", lost, id.Session)
		}
		unknown := identity(r, model.UnknownUser).Session
		if unknown.Outcome != model.NotTested || !strings.Contains(unknown.Detail, "--no-guest") ||
			!strings.Contains(r.Reason, "ban") {
			t.Errorf("answer lost %v: %+v; %s: %s", lost, unknown, r.Verdict, r.Reason)
		}
		if len(r.Server.Dialects) < 4 {
			t.Errorf("dialects %v", r.Server.Dialects)
		}
	}
}

// A made-up user logs on once, however often a host is asked again.
func TestOneMadeUpUser(t *testing.T) {
	s := practice(t, "win2022")
	var tries atomic.Int32
	count := answersOf("ipcguard-", &tries)
	first := true
	p := &onPath{upstream: s.Address(), request: count}
	p.answer = func(_ int, m []byte) []byte {
		if first && statusOf(m) == status.MoreProcessingRequired { // anonymous' first logon is lost
			first = false
			return nil
		}
		return m
	}
	scanAddress(t, p.start(t, "127.47.7.3:0"), Options{Retries: 3})
	if tries.Load() != 1 {
		t.Errorf("%d logons of a made-up user", tries.Load())
	}
}

// A server that limits connections from one address hides neither a dialect nor an identity.
func TestConnectionLimit(t *testing.T) {
	s := practice(t, "samba")
	host, err := smbtest.Find("samba")
	if err != nil {
		t.Fatal(err)
	}
	for _, most := range []int32{1, 2, 3} {
		var open atomic.Int32
		p := &onPath{upstream: s.Address()}
		p.accept = func(int) bool { return open.Add(1) <= most }
		p.closed = func() { open.Add(-1) }
		r := scanAddress(t, p.start(t, "127.47.7.4:0"), Options{Retries: 0})
		if r.Verdict != model.Exposed || len(r.Server.Undecided) > 0 {
			t.Errorf("%d connections: %s, undecided %v: %s", most, r.Verdict, r.Server.Undecided, r.Reason)
		}
		for _, d := range host.Dialects {
			if !slices.Contains(r.Server.Dialects, d) {
				t.Errorf("%d connections: %s is missing in %v", most, d, r.Server.Dialects)
			}
		}
		if r.Server.SMB1 != host.SMB1 {
			t.Errorf("%d connections: SMB1 %v", most, r.Server.SMB1)
		}
		for _, who := range []model.Identity{model.Anonymous, model.Guest, model.UnknownUser} {
			if o := identity(r, who).Session.Outcome; o != model.Allowed && o != model.Denied {
				t.Errorf("%d connections: %s is %s: %s", most, who, o, identity(r, who).Session.Detail)
			}
		}
	}
}

// counted is a connection that tells when it is closed.
type counted struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (c *counted) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}

// With one connection there is never a second, whatever is asked.
func TestOneConnection(t *testing.T) {
	s := practice(t, "samba")
	var open, most atomic.Int32
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if n := open.Add(1); n > most.Load() {
			most.Store(n)
		}
		return &counted{Conn: c, closed: func() { open.Add(-1) }}, nil
	}
	r := scanAddress(t, s.Address(), Options{OneConnection: true, Dial: dial})
	whole := scanAddress(t, s.Address(), Options{})
	if r.Verdict != model.Exposed || len(r.Findings) != len(whole.Findings) ||
		len(r.Server.Dialects) != len(whole.Server.Dialects) {
		t.Errorf("%s, %d findings (%d side by side), %v: %s", r.Verdict, len(r.Findings), len(whole.Findings),
			r.Server.Dialects, r.Reason)
	}
	if most.Load() != 1 || open.Load() != 0 {
		t.Errorf("%d connections at a time, %d left open", most.Load(), open.Load())
	}
}

// A scan that lost most of its answers is partial, and says so.
func TestMostlyUnanswered(t *testing.T) {
	s := practice(t, "samba")
	p := &onPath{upstream: s.Address()}
	var calls atomic.Int32
	p.answer = func(_ int, m []byte) []byte {
		if len(m) > 64 && binary.LittleEndian.Uint16(m[12:]) == 11 && calls.Add(1) > 12 { // IOCTL
			return nil
		}
		return m
	}
	r := scanAddress(t, p.start(t, "127.47.7.6:0"), Options{NoGuest: true, NoUnknownUser: true})
	if r.Verdict == model.Exposed && !r.Partial {
		t.Errorf("%s, not partial: %s", r.Verdict, r.Reason)
	}
	if !slices.IsSortedFunc(r.Findings, func(a, b model.Finding) int { return b.Severity.Rank() - a.Severity.Rank() }) {
		t.Errorf("findings are not in the order of their weight")
	}
}

// Samba's hosts deny is named as that, and --quick is limited where IPC$ is open and lsarpc is not there.
func TestHostsDeny(t *testing.T) {
	t.Parallel()
	s := peer.StartSamba(t,
		peer.Config{Address: "127.47.7.7", Global: []string{
			"hosts deny = 127.47.7.0/24 127.0.0.1",
			"hosts allow = 127.47.7.99",
		}})
	scanner, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := scanner.Host(t.Context(), at(t, s.Addr()))
	if r.Verdict != model.VerdictInconclusive || !strings.Contains(r.Reason, "hosts deny") {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
}

func TestQuickWithoutLsarpc(t *testing.T) {
	profile, err := smbtest.Find("samba")
	if err != nil {
		t.Fatal(err)
	}
	profile.Pipes = slices.DeleteFunc(slices.Clone(profile.Pipes), func(p string) bool { return p == "lsarpc" })
	s, err := smbtest.Start("127.47.7.8:0", &smbtest.Host{Profile: profile, World: smbtest.NewWorld("PRACTICE1")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r := scanAddress(t, s.Address(), Options{Quick: true})
	if r.Verdict != model.Limited {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
}

// TestNoPipes: a Samba server whose samba-dcerpcd does not run has no pipe at all, and refuses none.
func TestNoPipes(t *testing.T) {
	profile, err := smbtest.Find("samba")
	if err != nil {
		t.Fatal(err)
	}
	profile.Pipes = nil
	s, err := smbtest.Start("127.47.7.9:0", &smbtest.Host{Profile: profile, World: smbtest.NewWorld("PRACTICE1")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r := scanAddress(t, s.Address(), Options{})
	if r.Verdict != model.Closed || !strings.Contains(r.Reason, "anonymous found no pipe: none of the ") ||
		strings.Contains(r.Reason, "refused at every pipe") {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
}

// Somebody on the way who lowers the dialect or takes the demand for signing away is found out, where what he left says
// that strangers are refused: no verdict comes of answers that contradict one another.
func TestContradictions(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		change     func(n int, m []byte) []byte
	}{
		{"signing taken away once", "requires signing on one connection", func(n int, m []byte) []byte {
			if n == 0 && len(m) > 70 && string(m[:4]) == "\xFESMB" && binary.LittleEndian.Uint16(m[12:]) == 0 {
				m[66] &^= 2
			}
			return m
		}},
		{"another server", "another GUID", func(n int, m []byte) []byte {
			if n > 0 && len(m) > 90 && string(m[:4]) == "\xFESMB" && binary.LittleEndian.Uint16(m[12:]) == 0 {
				m[72] ^= 0xFF
			}
			return m
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := practice(t, "win2022-dc")
			p := &onPath{upstream: s.Address(), answer: tc.change}
			r := scanAddress(t, p.start(t, "127.47.7.9:0"), Options{NoGuest: true, NoUnknownUser: true})
			if r.Verdict != model.VerdictInconclusive || !strings.Contains(strings.Join(r.Contradictions, "; "),
				tc.want) {
				t.Errorf("%s: %s; %q", r.Verdict, r.Reason, r.Contradictions)
			}
		})
	}
	honest := scanAddress(t, practice(t, "win2022-dc").Address(), Options{})
	if len(honest.Contradictions) > 0 {
		t.Errorf("an honest server: %q", honest.Contradictions)
	}
}

// A filter that lowers the dialect where a choice is offered, and forgets to if there is none, contradicts itself.
func TestLoweredDialect(t *testing.T) {
	h := &host{Scanner: &Scanner{}}
	h.heed(smb.Negotiated{Dialect: smb.SMB210}, 6)
	h.heed(smb.Negotiated{Dialect: smb.SMB210}, 1)
	if got := h.contradictions(); len(got) > 0 {
		t.Errorf("an old server: %q", got)
	}
	h.heed(smb.Negotiated{Dialect: smb.SMB311}, 1)
	if got := h.contradictions(); len(got) != 1 || !strings.Contains(got[0], "chose 2.1") {
		t.Errorf("%q", got)
	}
}

package scan

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
	"ipcguard/internal/smb/smb2"
)

// bound makes alice's logons as the command line makes them.
func bound(t targets.Target) (smb.Authenticator, error) {
	return ntlm.NewUser("alice", "", peer.Password, ntlm.Options{
		Bound: true, TargetName: "cifs/" + t.Host(), ServerName: t.HostName(),
	}), nil
}

// asAlice scans an address that goes by a name, and returns what alice met.
func asAlice(t *testing.T, name, address string, o Options) model.IdentityResult {
	t.Helper()
	o.NoGuest, o.NoUnknownUser = true, true
	if o.User == nil {
		o.User = bound
	}
	o.Host, o.Timeouts = 5*time.Minute, smb.Timeouts{
		Negotiate: time.Minute, Session: time.Minute, Tree: time.Minute,
		Open: time.Minute, Call: time.Minute,
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Host(t.Context(), targets.Target{Name: name, Addr: netip.MustParseAddrPort(address)})
	for _, i := range r.Identities {
		if i.Identity == model.User {
			return i
		}
	}
	t.Fatalf("alice was not asked for: %s (%s)", r.Verdict, r.Reason)
	return model.IdentityResult{}
}

// answersOf counts the NTLM answers with alice's name that pass on the way to a server.
func answersOf(account string, count *atomic.Int32) func(int, []byte) []byte {
	var name []byte
	for _, u := range utf16.Encode([]rune(account)) {
		name = append(name, byte(u), byte(u>>8))
	}
	return func(_ int, m []byte) []byte {
		if bytes.Contains(m, []byte("NTLMSSP\x00\x03")) && bytes.Contains(m, name) {
			count.Add(1)
		}
		return m
	}
}

// Credentials are sent only to a named server that requires signing.
func TestCredentialsAreHeldBack(t *testing.T) {
	t.Parallel()
	signing := peer.StartSamba(t,
		peer.Config{Address: "127.47.5.1", Global: []string{"server signing = mandatory", "netbios name = FILES1"}})
	lax := peer.StartSamba(t, peer.Config{Address: "127.47.5.2", Global: []string{"server min protocol = NT1"}})
	unbound := func(targets.Target) (smb.Authenticator, error) {
		return ntlm.NewUser("alice", "", peer.Password, ntlm.Options{}), nil
	}
	for i, tc := range []struct {
		name, host, address string
		o                   Options
		ranged              bool
		outcome             model.Outcome
		detail              string
		sent                bool
	}{
		{"signing required", "files1", signing.Addr(), Options{}, false, model.Allowed, "", true},
		{"by address", signing.Addr(), signing.Addr(), Options{}, false, model.Allowed, "", true},
		{"another name", "files2", signing.Addr(), Options{}, false, model.NotTested, "not files2", false},
		{
			"signing not required", lax.Addr(), lax.Addr(),
			Options{},
			false, model.NotTested, "does not require signing",
			false,
		},
		{
			"SMB1", lax.Addr(), lax.Addr(),
			Options{Dialects: []smb.Dialect{smb.SMB1}},
			false, model.NotTested, "SMB1",
			false,
		},
		{
			"signing not required, with the user's word", lax.Addr(), lax.Addr(),
			Options{User: unbound},
			false,
			model.Allowed, "", true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var sent atomic.Int32
			p := &onPath{upstream: tc.address, request: answersOf("alice", &sent)}
			got := asAlice(t, tc.host, p.start(t, net.JoinHostPort("127.47.6."+string(rune('1'+i)), "0")), tc.o)
			if got.Session.Outcome != tc.outcome || !strings.Contains(got.Session.Detail, tc.detail) {
				t.Errorf("session %+v", got.Session)
			}
			if (sent.Load() > 0) != tc.sent {
				t.Errorf("%d answers of alice's went out", sent.Load())
			}
			if tc.outcome == model.Allowed && tc.o.User == nil && !got.Signed && !got.Encrypted {
				t.Errorf("the session is neither signed nor encrypted: %+v", got)
			}
		})
	}
	t.Run("out of a range", func(t *testing.T) {
		for _, allowed := range []bool{false, true} {
			s, err := New(Options{
				User: bound, UserInRanges: allowed, NoGuest: true, NoUnknownUser: true,
				Host: 5 * time.Minute,
			})
			if err != nil {
				t.Fatal(err)
			}
			r := s.Host(t.Context(),
				targets.Target{Name: signing.Address, Addr: netip.MustParseAddrPort(signing.Addr()), Ranged: true})
			got := r.Identities[len(r.Identities)-1]
			if want := map[bool]model.Outcome{false: model.NotTested, true: model.Allowed}[allowed]; got.Session.Outcome != want {
				t.Errorf("allowed %v: %+v", allowed, got.Session)
			}
		}
	})
}

// Somebody between the two who holds no key cannot sign, whatever he lets the server promise. The answer to the logon
// has left by then; nothing that comes after it is believed.
func TestUnsignedAnswerIsLeft(t *testing.T) {
	t.Parallel()
	s := peer.StartSamba(t, peer.Config{Address: "127.47.5.3", Global: []string{"server signing = mandatory"}})
	var after atomic.Int32
	p := &onPath{
		upstream: s.Addr(),
		answer: func(_ int, m []byte) []byte {
			var h smb2.Header
			if h.Unmarshal(m) != nil || !h.IsSigned() {
				return m
			}
			h.Flags &^= smb2.FlagSigned
			out := h.AppendMarshal(nil)
			return append(out, m[len(out):]...)
		},
	}
	var sent atomic.Int32
	count := answersOf("alice", &sent)
	p.request = func(n int, m []byte) []byte {
		if sent.Load() > 0 {
			after.Add(1)
		}
		return count(n, m)
	}
	for i, dialects := range [][]smb.Dialect{nil, {smb.SMB302}, {smb.SMB210}} {
		got := asAlice(t, "", p.start(t, net.JoinHostPort("127.47.6."+string(rune('7'+i)), "0")),
			Options{Dialects: dialects})
		if got.Tree.Outcome == model.Allowed || len(got.Pipes) > 0 || !strings.Contains(got.Session.Detail+
			got.Tree.Detail, "signed") {
			t.Errorf("%v: session %+v, tree %+v, %d pipes", dialects, got.Session, got.Tree, len(got.Pipes))
		}
	}
}

// impacket's relay gets no response to relay, and its plain server none to keep.
func TestRelayAndCapture(t *testing.T) { // not beside TestWhoIsIt: each relay has its proxy at the same port
	behind := peer.StartSamba(t,
		peer.Config{Address: "127.47.5.4", Global: []string{"server min protocol = NT1", "lanman auth = yes"}})
	relay := peer.StartRelay(t, "127.47.5.5", behind.Addr())
	capture := peer.StartImpacket(t, "127.47.5.6", "bob")
	unbound := func(targets.Target) (smb.Authenticator, error) {
		return ntlm.NewUser("alice", "", peer.Password, ntlm.Options{}), nil
	}
	for _, server := range []struct{ name, address string }{{"relay", relay.Addr()}, {"capture", capture.Addr()}} {
		var sent atomic.Int32
		p := &onPath{upstream: server.address, request: answersOf("alice", &sent)}
		got := asAlice(t, "", p.start(t, "127.47.5.7:0"), Options{})
		if got.Session.Outcome != model.NotTested || sent.Load() > 0 {
			t.Errorf("%s: %+v; %d answers went out", server.name, got.Session, sent.Load())
		}
		asAlice(t, "", p.start(t, "127.47.5.8:0"), Options{User: unbound})
		if sent.Load() == 0 {
			t.Errorf("%s: with the user's word no answer went out either, so the test shows nothing", server.name)
		}
	}
	if !relay.Relayed("alice") {
		t.Errorf("the relay did not relay what it got with the user's word, so the test shows nothing:\n%s",
			relay.Said())
	}
}

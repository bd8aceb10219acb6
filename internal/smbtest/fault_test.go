package smbtest

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
)

// whoAmI runs the null-session probe over one connection.
func whoAmI(ctx context.Context, address string, o smb.Options) (string, error) {
	c, err := smb.Dial(ctx, address, o)
	if err != nil {
		return "", err
	}
	defer c.Close()
	s, err := c.SessionSetup(ctx, ntlm.NewAnonymous(ntlm.Options{}))
	if err != nil {
		return "", err
	}
	t, err := s.TreeConnect(ctx, "IPC$")
	if err != nil {
		return "", err
	}
	p, err := t.OpenPipe(ctx, "lsarpc")
	if err != nil {
		return "", err
	}
	rpc := dcerpc.NewClient(p)
	if _, err := rpc.Bind(ctx, dcerpc.LSARPC); err != nil {
		return "", err
	}
	r, err := dcerpc.LSAClient{Client: rpc}.GetUserName(ctx, `\\`+address)
	if err != nil {
		return "", err
	}
	return r.User.Text(), nil
}

var impatient = smb.Timeouts{
	Connect: time.Second, Negotiate: time.Second, Session: time.Second, Tree: time.Second, Open: time.Second,
	Call: time.Second,
}

// TestOwnClient is the quick positive control: every dialect, and SMB1 in its forms.
func TestOwnClient(t *testing.T) {
	s := start(t, "samba", func(h *Host) { h.Profile.SMB1 = true })
	for name, o := range map[string]smb.Options{
		"all":                       {},
		"smb1":                      {Dialects: []smb.Dialect{smb.SMB1}},
		"smb1 without extended":     {Dialects: []smb.Dialect{smb.SMB1}, NoExtendedSecurity: true},
		"smb1 oem":                  {Dialects: []smb.Dialect{smb.SMB1}, NoExtendedSecurity: true, OEM: true},
		"smb1 in a NetBIOS session": {Dialects: []smb.Dialect{smb.SMB1}, NetBIOS: true},
		"2.0.2":                     {Dialects: []smb.Dialect{0x0202}},
		"2.1":                       {Dialects: []smb.Dialect{0x0210}},
		"3.0":                       {Dialects: []smb.Dialect{0x0300}},
		"3.0.2":                     {Dialects: []smb.Dialect{0x0302}},
		"3.1.1":                     {Dialects: []smb.Dialect{0x0311}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := whoAmI(t.Context(), s.Address(), o); err != nil || got != "ANONYMOUS LOGON" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestFaults applies each fault at each layer: the client ends in time with a transport error (or, after a short delay,
// the response), and the server serves the next client.
func TestFaults(t *testing.T) {
	for _, stage := range []Stage{AtConnect, AtNegotiate, AtSession, AtTree, AtOpen, AtPipe} {
		for _, f := range []Fault{
			{Do: Drop},
			{Do: Drop, After: 3},
			{Do: Drop, After: 40},
			{Do: Silence},
			{Do: Garbage},
			{Do: Huge},
			{Do: Drip, Wait: 300 * time.Millisecond},
			{Do: Pending, Wait: 10 * time.Millisecond},
			{Do: WrongID},
			{Do: LoopChain},
			{Do: Speak, Text: "HTTP/1.1 400 Bad Request\r\n\r\n"},
			{Do: Speak, Text: "SSH-2.0-OpenSSH\r\n"},
			{Do: Speak, Text: "\x15\x03\x01\x00\x02\x02\x16"},
			{Do: Endless},
			{Do: BadCount},
		} {
			f.At = stage
			applies := f.Do == Drop || f.Do == Silence || f.Do == Garbage || f.Do == Huge ||
				stage != AtConnect && f.Do != Speak
			applies = applies || stage == AtConnect && f.Do == Speak
			applies = applies && (stage == AtPipe || f.Do != Endless && f.Do != BadCount)
			// There is no pending response before a dialect, and a client has no reason to look past the first message.
			applies = applies && (stage != AtNegotiate || f.Do != Pending && f.Do != LoopChain)
			if !applies {
				continue
			}
			t.Run(string(stage)+"/"+string(f.Do)+"/"+strings.Fields(f.Text + " -")[0], func(t *testing.T) {
				t.Parallel()
				s := start(t, "samba", func(h *Host) { h.Faults = []Fault{f} })
				got, err := whoAmI(t.Context(), s.Address(), smb.Options{Timeouts: impatient})
				var transport *smb.TransportError
				switch {
				case err == nil:
					t.Fatalf("got the answer %q", got)
				case f.Do == Endless || f.Do == BadCount:
					if !errors.Is(err, dcerpc.ErrLimit) && !errors.Is(err, dcerpc.ErrTruncated) &&
						!errors.Is(err, dcerpc.ErrMalformed) && !errors.As(err, &transport) {
						t.Errorf("%v", err)
					}
				case !errors.As(err, &transport):
					t.Errorf("no transport error: %v", err)
				}
			})
		}
	}
}

func TestDelay(t *testing.T) {
	s := start(t, "samba", func(h *Host) {
		h.Faults = []Fault{{At: AtOpen, Do: Delay, Wait: 50 * time.Millisecond}, {At: AtTree, Do: Drop, Times: 1}}
	})
	if _, err := whoAmI(t.Context(), s.Address(), smb.Options{}); err == nil {
		t.Error("the drop did not strike")
	}
	h, _ := NewHost("samba", "ONCE")
	h.Faults = []Fault{{At: AtOpen, Do: Delay, Wait: 50 * time.Millisecond}}
	s2, err := Start("127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	if got, err := whoAmI(t.Context(), s2.Address(), smb.Options{}); err != nil || got != "ANONYMOUS LOGON" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestManyAddresses serves different hosts on loopback addresses, and nothing elsewhere.
func TestManyAddresses(t *testing.T) {
	hosts := map[netip.Addr]*Host{}
	for _, a := range []string{"127.49.0.1", "127.49.200.7"} {
		h, err := NewHost("samba", strings.ReplaceAll(a, ".", "-"))
		if err != nil {
			t.Fatal(err)
		}
		hosts[netip.MustParseAddr(a)] = h
	}
	s, err := StartMany("0.0.0.0:0", func(a netip.Addr) *Host { return hosts[a] })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for a := range hosts {
		address := netip.AddrPortFrom(a, uint16(s.Port())).String()
		c, err := smb.Dial(t.Context(), address, smb.Options{})
		if err != nil {
			t.Skipf("no other loopback addresses on this system: %v", err)
		}
		c.Close()
		if _, err := whoAmI(t.Context(), address, smb.Options{}); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	if _, err := whoAmI(t.Context(), netip.AddrPortFrom(netip.MustParseAddr("127.49.0.2"), uint16(s.Port())).String(),
		smb.Options{}); err == nil {
		t.Error("an address without a host answered")
	}
	if _, err := Start("192.0.2.1:0", nil); err == nil {
		t.Error("an address that is not loopback was taken")
	}
}

func TestProfilesParse(t *testing.T) {
	if _, err := profiles(); err != nil {
		t.Fatal(err)
	}
	want := "nt4 win2000 winxp win2003 win2008 win2008r2 win2012r2 win2022 win2022-dc win2025 samba samba-1 samba-2"
	if got := strings.Join(Profiles(), " "); got != want {
		t.Errorf("got %s", got)
	}
	for _, name := range Profiles() {
		p, err := Find(name)
		if err != nil || len(p.Sources) == 0 || len(p.Pipes) == 0 {
			t.Errorf("%s: %v, %d sources, %d pipes", name, err, len(p.Sources), len(p.Pipes))
		}
	}
	if _, err := Find("win95"); err == nil {
		t.Error("a product that there is not")
	}
}

// FuzzFrames feeds the server frames from anywhere.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x04\xfeSMB"), []byte("\x00\x00\x00\x20\xffSMBr"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		h, err := NewHost("samba", "FUZZ")
		if err != nil {
			t.Fatal(err)
		}
		h.Profile.SMB1 = true
		c := &conn{faulty: newFaulty(deafConn{}, nil), host: h, sessions: map[uint64]*session{}}
		for _, b := range [][]byte{first, second, first} {
			if !c.receive(b) {
				return
			}
		}
	})
}

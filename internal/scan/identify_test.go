package scan

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/status"
)

// Real servers are taken for what they are, by what they show; decoys are marked, and nobody is told to configure them.
func TestWhoIsIt(t *testing.T) {
	t.Parallel()
	plain := peer.StartSamba(t, peer.Config{Address: "127.76.5.1"})
	named := peer.StartSamba(t,
		peer.Config{Address: "127.76.5.2", Global: []string{"server string = Files of the office"}})
	old := peer.StartSamba(t,
		peer.Config{Address: "127.76.5.3", Global: []string{"server string = Files", "server min protocol = NT1"}})
	server := peer.StartImpacket(t, "127.76.5.4")
	relay := peer.StartRelay(t, "127.76.5.5", plain.Addr())
	for _, x := range []struct{ address, system, product, basis string }{
		{plain.Addr(), "samba", "Samba 4.", "its comment"},
		{named.Addr(), "samba", "Samba", "6.1 without a build"},
		{old.Addr(), "samba", "Samba 4.", "over SMB1"},
		{server.Addr(), "unknown", "impacket's server", "letter A"},
		{relay.Addr(), "unknown", "impacket's server", "ntlmrelayx"},
	} {
		scanner, err := New(Options{NoUnknownUser: true})
		if err != nil {
			t.Fatal(err)
		}
		r := scanner.Host(t.Context(), at(t, x.address))
		s := &r.Server
		if s.System != x.system || !strings.HasPrefix(s.Product, x.product) ||
			!strings.Contains(strings.Join(s.Basis, "; "), x.basis) {
			t.Errorf("%s: %s, %q because %q; want %s, %q because of %q", x.address, s.System, s.Product, s.Basis,
				x.system, x.product, x.basis)
		}
		decoy := strings.HasPrefix(x.product, "impacket")
		if (s.Decoy != "") != decoy {
			t.Errorf("%s: decoy %q", s.Product, s.Decoy)
		}
		for _, f := range r.Findings {
			if decoy && !strings.Contains(f.Fix, "nothing to configure") || decoy && len(f.Settings) > 0 {
				t.Errorf("%s: %s is advised to %q with %v", s.Product, f.ID, f.Fix, f.Settings)
			}
		}
	}
}

// A server whose words do not go together is not what it claims, and gets no advice that is for what it claims.
func TestNotWhatItClaims(t *testing.T) {
	profile, err := smbtest.Find("win2022")
	if err != nil {
		t.Fatal(err)
	}
	profile.Version = [3]int{6, 1, 7601}
	s, err := smbtest.Start("127.76.5.6:0", &smbtest.Host{Profile: profile, World: smbtest.NewWorld("CLAIMS")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := scanPractice(t, s, Options{}).Server
	if got.System != unknownSystem || !strings.Contains(got.OS, "claims to be Windows 7") || !strings.Contains(got.OS,
		"does not before build 10240") {
		t.Errorf("%s: %s", got.System, got.OS)
	}
	// Where not every dialect was offered, the one that was chosen shows nothing.
	got = scanPractice(t, s, Options{Dialects: []smb.Dialect{smb.SMB311}}).Server
	if got.System != "windows" {
		t.Errorf("%s: %s", got.System, got.OS)
	}
}

// kernelPipe answers as the Linux kernel's server does: once it was asked for a call that it does not have, it has none
// until the pipe is opened again. Opnum 7 is the one it has.
type kernelPipe struct {
	smb.Pipe
	tree         *kernelTree
	bound, stuck bool
}

func (p *kernelPipe) Transact(_ context.Context, in []byte, _ int) ([]byte, error) {
	switch {
	case in[2] == 11 || in[2] == 14:
		p.bound = true
		return []byte("ack"), nil
	case !p.bound:
		return nil, status.InvalidParameter
	case p.stuck || in[22] != 7:
		p.stuck = true
		return nil, status.NotSupported
	}
	return []byte("answer"), nil
}

func (p *kernelPipe) Close(context.Context) error { p.tree.open--; return nil }

type kernelTree struct {
	smb.Tree
	opened, open int
	full         bool
}

func (t *kernelTree) OpenPipe(context.Context, string) (smb.Pipe, error) {
	if t.full {
		return nil, status.PipeNotAvailable
	}
	t.opened++
	t.open++
	return &kernelPipe{tree: t}, nil
}

// A call that a server has is answered after one that it has not.
func TestRenewedPipe(t *testing.T) {
	tree := &kernelTree{}
	p, _ := tree.OpenPipe(t.Context(), "lsarpc")
	r := &renewing{Pipe: p, tree: tree, name: "lsarpc"}
	ask := func(kind, op byte) string {
		m := make([]byte, 24)
		m[2], m[22] = kind, op
		out, err := r.Transact(t.Context(), m, 100)
		return fmt.Sprint(string(out), err)
	}
	for i, x := range []struct {
		kind, op byte
		want     string
	}{
		{11, 0, "ack<nil>"},
		{0, 7, "answer<nil>"},
		{0, 45, "STATUS_NOT_SUPPORTED"},
		{0, 7, "answer<nil>"},
		{0, 7, "answer<nil>"},
		{0, 45, "STATUS_NOT_SUPPORTED"},
		{0, 46, "STATUS_NOT_SUPPORTED"},
		{0, 7, "answer<nil>"},
	} {
		if got := ask(x.kind, x.op); got != x.want {
			t.Errorf("%d: %s, want %s", i, got, x.want)
		}
	}
	if tree.opened != 4 || tree.open != 1 {
		t.Errorf("%d pipes opened, %d left open", tree.opened, tree.open)
	}
	ask(0, 45)
	tree.full = true
	if got := ask(0, 7); got != "STATUS_PIPE_NOT_AVAILABLE" {
		t.Errorf("where no pipe can be had: %s", got)
	}
}

// What ksmbd says of a pipe that it does not have is an answer for ksmbd alone.
func TestMissingPipe(t *testing.T) {
	scanner, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]model.Outcome{"none": model.Absent, "samba": model.Inconclusive} {
		h := scanner.once(t.Context(), at(t, "127.0.0.1:1"), nil)
		h.hearing.heard = true
		h.hearing.target.NetBIOSComputer, h.hearing.target.NetBIOSDomain, h.hearing.target.DNSDomain = "K", "K", "K"
		h.hearing.offered.Dialect = smb.SMB311
		if version == "samba" {
			h.hearing.target.HasVersion, h.hearing.target.Version.Major, h.hearing.target.Version.Minor = true, 6, 1
		}
		j := &job{ladder: &ladder{host: h}}
		if got := j.opened(status.InvalidParameter); got.Outcome != want {
			t.Errorf("%s: %+v", version, got)
		}
	}
}

// An answer to the negotiate of SMB1 that is none settles it for ksmbd, which has no SMB1, and for nobody else.
func TestGarbledSMB1(t *testing.T) {
	scanner, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]int{"none": 0, "samba": 1} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				// What Linux 6.12 sends, as far as it sends it.
				_, _ = c.Write([]byte("\x00\x00\x00\x25\x00\x00\x00\x25\xffSMBr\x00\x00\x00\x00\x80\x40\xc8" +
					strings.Repeat("\x00", 12) + "\x00\x00\xfe\xff\x00\x00\x00\x00\x01"))
			}
		}()
		h := scanner.once(t.Context(), at(t, "127.0.0.1:1"), nil)
		h.target = at(t, l.Addr().String())
		h.result.Server.Undecided = nil
		h.hearing.heard = true
		h.hearing.target.NetBIOSComputer, h.hearing.target.NetBIOSDomain, h.hearing.target.DNSDomain = "K", "K", "K"
		h.hearing.offered.Dialect, h.dialect = smb.SMB311, smb.SMB311
		if version == "samba" {
			h.hearing.target.HasVersion, h.hearing.target.Version.Major, h.hearing.target.Version.Minor = true, 6, 1
		}
		err = h.speaks(t.Context(), h.meter(0), smb.SMB1)
		if err == nil || dropped(err) {
			t.Fatalf("%s: %v", version, err)
		}
		h.undecided(smb.SMB1, err)
		h.describe()
		if got := h.result.Server.Undecided; len(got) != want {
			t.Errorf("%s: %v (%v)", version, got, err)
		}
	}
}

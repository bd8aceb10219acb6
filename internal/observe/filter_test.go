package observe

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"
)

// onWire returns a TCP segment in Ethernet, with options of IP and TCP in front of its payload.
func onWire(v6 bool, src, dst uint16, ipOptions, tcpOptions int, payload []byte) []byte {
	be := binary.BigEndian
	tcp := make([]byte, 20+tcpOptions)
	be.PutUint16(tcp[0:], src)
	be.PutUint16(tcp[2:], dst)
	tcp[12], tcp[13] = byte(len(tcp)/4)<<4, 0x18
	tcp = append(tcp, payload...)
	if v6 {
		ip := make([]byte, 40)
		ip[0], ip[6] = 0x60, 6
		return slices.Concat(make([]byte, 12), []byte{0x86, 0xDD}, ip, tcp)
	}
	ip := make([]byte, 20+ipOptions)
	ip[0], ip[9] = 0x40|byte(len(ip)/4), 6
	return slices.Concat(make([]byte, 12), []byte{8, 0}, ip, tcp)
}

// smbMessage returns the beginning of one behind the header of its session message.
func smbMessage(protocol string, messageID uint64) []byte {
	b := make([]byte, 4+64)
	b[3] = 64
	copy(b[4:], protocol)
	if protocol == "\xfeSMB" {
		binary.LittleEndian.PutUint64(b[4+24:], messageID)
	}
	return b
}

// TestFilter runs the kernel's filter: it captures packets of watched ports completely, and of SMB elsewhere the
// beginning of some.
func TestFilter(t *testing.T) {
	vm, err := bpf.NewVM(filter([]uint16{445, 139}))
	if err != nil {
		t.Fatal(err)
	}
	const whole = 1 << 18
	fragment := onWire(false, 40000, 1445, 0, 0, nil)
	fragment[14+7] = 9
	for _, c := range []struct {
		name   string
		packet []byte
		want   int
	}{
		{"watched", onWire(false, 40000, 445, 0, 12, []byte("x")), whole},
		{"watched, IPv6, the answer", onWire(true, 139, 40000, 0, 0, nil), whole},
		{"a later fragment", fragment, whole},
		{"NEGOTIATE elsewhere", onWire(false, 40000, 1445, 0, 0, smbMessage("\xfeSMB", 0)), glimpse},
		{"its answer, with options", onWire(false, 1445, 40000, 40, 40, smbMessage("\xfeSMB", 0)), glimpse},
		{"in IPv6", onWire(true, 40000, 1445, 0, 12, smbMessage("\xfeSMB", 0)), glimpse},
		{"one in 256", onWire(false, 40000, 1445, 0, 0, smbMessage("\xfeSMB", 0xABC00)), glimpse},
		{"another", onWire(false, 40000, 1445, 0, 0, smbMessage("\xfeSMB", 0xABC01)), 0},
		{"SMB1 elsewhere", onWire(false, 40000, 1139, 0, 12, smbMessage("\xffSMB", 0)), glimpse},
		{"SMB1 in IPv6", onWire(true, 1139, 40000, 0, 32, smbMessage("\xffSMB", 0)), glimpse},
		{"encrypted", onWire(false, 40000, 1445, 0, 0, smbMessage("\xfdSMB", 0)), 0},
		{"of no session message", onWire(false, 40000, 1445, 0, 0, append([]byte{1, 0, 0, 64}, "\xfeSMB"...)), 0},
		{"HTTP", onWire(false, 40000, 8080, 0, 12, []byte("GET / HTTP/1.1\r\n\r\n")), 0},
		{"no payload", onWire(false, 40000, 1445, 0, 12, nil), 0},
		{"cut in the header of TCP", onWire(false, 40000, 1445, 0, 0, nil)[:14+20+8], 0},
	} {
		got, err := vm.Run(c.packet)
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
	longest := onWire(false, 40000, 1445, 40, 40, smbMessage("\xfeSMB", 0))
	if len(longest) > glimpse {
		t.Errorf("the longest headers are %d bytes, a glimpse %d", len(longest), glimpse)
	}
}

// TestHintIsSaved reads the saved result during an observation: the unwatched port is named once.
func TestHintIsSaved(t *testing.T) {
	dir := t.TempDir()
	tr := NewTraffic(NewAggregator(0), new(Coverage), TrafficOptions{})
	k, err := tr.keeper(dir)
	if err != nil {
		t.Fatal(err)
	}
	k.day = Today(k.day).Add(-48 * time.Hour) // far from midnight
	k.saved = k.day
	now := k.saved
	tr.Packet(layers.LinkTypeEthernet, onWire(false, 40000, 1445, 0, 0, smbMessage("\xfeSMB", 0)), 14+40+68, now)
	want := []string{"SMB on TCP port 1445 was not read: --port 139,445,1445 reads it"}
	saved := func(day time.Time) []string {
		o, err := k.state.Load(day)
		if err != nil {
			t.Fatal(err)
		}
		return o.Coverage.Notes
	}
	for range 2 {
		now = now.Add(saveEvery)
		if err := k.tick(tr, now); err != nil {
			t.Fatal(err)
		}
		if got := saved(k.day); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	}
	next := Today(now).Add(24 * time.Hour) // a new day begins with what it sees itself
	for range 2 {
		if err := k.tick(tr, next); err != nil {
			t.Fatal(err)
		}
		next = next.Add(saveEvery)
	}
	if got := saved(k.day); len(got) > 0 {
		t.Errorf("%q on the day after", got)
	}
	tr.Close()
	if err := k.end(tr); err != nil {
		t.Fatal(err)
	}
}

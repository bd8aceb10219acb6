package observe

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/peer"
)

// shark returns what tshark tells of a capture.
func shark(t *testing.T, path string) observetest.Shark {
	t.Helper()
	return observetest.Tshark(func(filter string, names ...string) [][]string {
		return peer.Fields(t, path, filter,
			names...)
	})
}

// agree compares what observe reads in a capture with tshark, and returns how many facts tshark has.
func agree(t *testing.T, path string) (facts int64) {
	t.Helper()
	rows, cov := readCapture(t, path, TrafficOptions{})
	says := shark(t, path)
	for _, line := range observetest.Disagree(rows, says) {
		t.Error(line)
	}
	if t.Failed() {
		t.Logf("%+v", cov)
	}
	for _, n := range says.Sure {
		facts += n
	}
	return facts
}

// write makes a capture of frames that begin with Ethernet, or without it, with the raw IP packets in them.
func write(t *testing.T, all []frame, raw bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	link, skip := layers.LinkTypeEthernet, 0
	if raw {
		link, skip = layers.LinkTypeRaw, 14
	}
	if err := w.WriteFileHeader(1<<16, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		info := gopacket.CaptureInfo{Timestamp: p.at, CaptureLength: len(p.data) - skip, Length: p.length - skip}
		if err := w.WritePacket(info, p.data[skip:]); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestMadeAgainstTshark compares captures of each kind that the tests generate with tshark. Those of real clients are
// compared where they are made (TestLiveAgainstTshark, TestLiveEverybody), those of every logon in
// TestWeakLogonsOnSamba, and compressed ones in TestCompressed.
func TestMadeAgainstTshark(t *testing.T) {
	peer.Need(t, "tshark")
	make := func(body func(*observetest.Maker)) string {
		path := filepath.Join(t.TempDir(), "made.pcap")
		m, done := observetest.Create(t, path)
		body(m)
		done()
		return path
	}
	calls := func(m *observetest.Maker, i, n int) {
		m.Connect(i)
		m.Logon(t)
		m.Calls(t, n)
	}
	copies, _ := observetest.Traffic(t, 1<<20)
	all := frames(t, copies)
	var reset, twice []frame
	for i, f := range all {
		reset, twice = append(reset, f), append(twice, f)
		if r := resetAfter(f); r != nil && i%7 == 0 {
			reset = append(reset, *r)
		}
		if i%5 == 0 {
			twice = append(twice, f)
		}
	}
	const logon = 5 // session, tree, open, bind and call
	for _, c := range []struct {
		name, path string
		facts      int64 // that tshark has at least
	}{
		{"copies and calls", copies, 20 + logon - 1},
		{"small packets", make(func(m *observetest.Maker) { calls(m, 1, 500); m.Disconnect() }), 500 + logon - 1},
		{"short flows", make(func(m *observetest.Maker) {
			for i := range 200 {
				calls(m, i, 1)
				m.Disconnect()
			}
		}), 200 * logon},
		{"that stay open", make(func(m *observetest.Maker) {
			for i := range 50 {
				calls(m, i, 2)
			}
		}), 50 * (logon + 1)},
		{"half open", make(func(m *observetest.Maker) {
			for i := range 50 {
				m.Connect(i)
			}
			calls(m, 50, 1)
		}), logon},
		{"binds that share a segment", make(func(m *observetest.Maker) {
			m.Connect(1)
			m.Logon(t)
			m.Together(func() {
				for i, offer := range [][]dcerpc.SyntaxID{
					{dcerpc.LSARPC, dcerpc.SAMR},
					{dcerpc.SAMR},
					{dcerpc.WKSSVC, dcerpc.LSARPC, dcerpc.LSARPC},
				} {
					bind, ack := dcerpc.Bind{MaxXmit: 4280, MaxRecv: 4280}, dcerpc.BindAck{MaxXmit: 4280, MaxRecv: 4280}
					for j, s := range offer {
						bind.Contexts = append(bind.Contexts,
							dcerpc.Context{
								ID: uint16(10*i + j), Abstract: s,
								Transfer: []dcerpc.SyntaxID{dcerpc.NDR20},
							})
						ack.Results = append(ack.Results, dcerpc.ContextResult{Transfer: dcerpc.NDR20})
					}
					m.Transact(t, dcerpc.TypeAlterContext, &bind, dcerpc.TypeAlterContextReply, &ack, uint32(2+i))
				}
			})
		}), logon - 1 + 5},
		{"calls that share segments", make(func(m *observetest.Maker) {
			m.Connect(1)
			m.Logon(t)
			m.Together(func() { m.Calls(t, 100) })
		}), 100 + logon - 1},
		{"without Ethernet", write(t, all, true), 20 + logon - 1},
		{"with forged resets", write(t, reset, false), 20 + logon - 1},
		{"with segments that came twice", write(t, twice, false), 20 + logon - 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n := agree(t, c.path); n < c.facts {
				t.Errorf("tshark has %d facts, of at least %d", n, c.facts)
			}
		})
	}
}

// TestFolderAgainstTshark compares the captures of a folder and its subfolders with tshark. Captures that were tampered
// with may differ: tshark takes a forged RST for an end, and a stray segment for a gap, where a receiver does not.
// TestSameAsControl compares such captures with the originals. tshark does not open a file whose compression is
// truncated.
func TestFolderAgainstTshark(t *testing.T) {
	dir := os.Getenv("IPCGUARD_CAPTURES")
	if dir == "" || os.Getenv("IPCGUARD_LONG") == "" {
		t.Skip("a long variant over captures of your own: set IPCGUARD_LONG=1 and IPCGUARD_CAPTURES to a folder")
	}
	peer.Need(t, "tshark")
	n, facts := 0, int64(0)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = openCapture(f)
		f.Close()
		if err != nil {
			return nil // no capture
		}
		n++
		name, _ := filepath.Rel(dir, path)
		t.Run(name, func(t *testing.T) {
			facts += agree(t, path)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatalf("no capture in %s", dir)
	}
	t.Logf("%d captures, %d facts", n, facts)
}

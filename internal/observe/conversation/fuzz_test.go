package conversation

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/format/xca/xcatest"
	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/observe/packet"
	"ipcguard/internal/smb/smb2"
)

// nobody takes rows and holds them against what every row must be.
type nobody struct {
	t    testing.TB
	rows int
}

func (n *nobody) Add(u model.Use) {
	n.rows++
	if u.Client == "" || u.Server == "" || u.Identity == "" || u.Layer == "" || u.Outcome == "" || u.Basis == "" || u.Count != 1 {
		n.t.Fatalf("a row that says too little: %+v", u)
	}
	if (u.Layer == model.LayerOpen || u.Layer == model.LayerBind) && u.Share != ipcShare {
		n.t.Fatalf("a pipe on %q: %+v", u.Share, u)
	}
}

func (n *nobody) Touch(model.Use) {}

// play feeds a script: direction and gap in the first byte, the length in two, then the bytes.
func play(f *Follower, script []byte, midstream bool) {
	c := f.Open(flow.Conn{Client: packet.Endpoint{IP: [16]byte{15: 1}, Port: 40000}, Server: packet.Endpoint{IP: [16]byte{15: 2}, Port: 445}, Midstream: midstream}, time.Time{})
	at := time.Unix(1e9, 0)
	for len(script) >= 3 {
		d, n := flow.Direction(script[0]&1), int(binary.LittleEndian.Uint16(script[1:]))
		gap := script[0]&2 != 0
		script = script[3:]
		at = at.Add(time.Second)
		if gap {
			c.Gap(d, n+1, at)
			continue
		}
		n = min(n, len(script))
		c.Data(d, script[:n], at)
		script = script[n:]
	}
	c.Close(at)
}

func seeds(f *testing.F) {
	for _, name := range []string{"samba/null-session-rpcclient.pcap", "zeek/smb__smb1_transaction_request.pcap", "suricata-verify/dcerpc__zerologon.pcap", "zeek/smb__smb3.pcap", "zeek/smb__smb1-OSS-fuzz-54883.pcap"} {
		for _, script := range scripts(f, name) {
			f.Add(script, false)
			f.Add(script, true)
		}
	}
	f.Add([]byte{0, 8, 0, 0, 0, 0, 4, 0xFE, 'S', 'M', 'B', 2, 3, 0}, false)
}

// FuzzConversation wants no panic, no row that says too little, and all memory back.
func FuzzConversation(f *testing.F) {
	if matches, _ := filepath.Glob("../../../../shared/captures/*"); len(matches) > 0 {
		seeds(f)
	}
	negotiate := []byte("\xFESMB\x40\x00\x00\x00\x00\x00\x00\x00\x01\x00" + strings.Repeat("\x00", 50) + "\x19\x00\x00\x00" + strings.Repeat("\x00", 20))
	for algorithm, pack := range map[uint16]func([]byte) []byte{smb2.CompressLZNT1: xcatest.LZNT1, smb2.CompressLZ77: xcatest.LZ77, smb2.CompressLZ77Huffman: xcatest.LZ77Huffman} {
		frame := binary.LittleEndian.AppendUint32([]byte("\xFCSMB"), uint32(len(negotiate)))
		frame = append(binary.LittleEndian.AppendUint16(frame, algorithm), make([]byte, 6)...)
		frame = append(frame, pack(negotiate)...)
		script := binary.LittleEndian.AppendUint16([]byte{0}, uint16(4+len(frame)))
		f.Add(append(binary.BigEndian.AppendUint32(script, uint32(len(frame))), frame...), false)
	}
	f.Fuzz(func(t *testing.T, script []byte, midstream bool) {
		fo := NewFollower(&nobody{t: t}, 1<<20)
		play(fo, script, midstream)
		for fo.ForgetOld() {
		}
		if fo.Used() != 0 {
			t.Fatalf("%d bytes are still charged", fo.Used())
		}
		n := fo.Counts()
		if n.Readable < 0 || n.Opaque < 0 || n.Lost < 0 || n.Foreign < 0 {
			t.Fatalf("%+v", n)
		}
	})
}

// teller takes rows as text, by their client.
type teller map[string][]string

func (t teller) Add(u model.Use) { t[u.Client] = append(t[u.Client], fmt.Sprintf("%+v", u)) }

func (t teller) Touch(u model.Use) { t[u.Client] = append(t[u.Client], fmt.Sprintf("touch %+v", u)) }

// player feeds a script as play does, step by step.
type player struct {
	c      flow.Stream
	script []byte
	at     time.Time
}

func newPlayer(f *Follower, n byte, script []byte, midstream bool) *player {
	return &player{f.Open(flow.Conn{
		Client: packet.Endpoint{IP: [16]byte{14: n, 15: 1}, Port: 40000}, Server: packet.Endpoint{IP: [16]byte{14: n, 15: 2}, Port: 445}, Midstream: midstream,
	}, time.Time{}), script, time.Unix(1e9, 0)}
}

// step feeds the next part; false when there is none and the connection is closed.
func (p *player) step() bool {
	if len(p.script) < 3 {
		p.c.Close(p.at)
		return false
	}
	d, n := flow.Direction(p.script[0]&1), int(binary.LittleEndian.Uint16(p.script[1:]))
	gap := p.script[0]&2 != 0
	p.script, p.at = p.script[3:], p.at.Add(time.Second)
	if gap {
		p.c.Gap(d, n+1, p.at)
		return true
	}
	n = min(n, len(p.script))
	p.c.Data(d, p.script[:n], p.at)
	p.script = p.script[n:]
	return true
}

// FuzzApart wants of connections that one Follower follows, one after the other and side by side, the rows that each
// has by itself: what they share, such as buffers and tables, must not show.
func FuzzApart(f *testing.F) {
	if matches, _ := filepath.Glob("../../../../shared/captures/*"); len(matches) > 0 {
		var all [][]byte
		for _, name := range []string{"samba/null-session-rpcclient.pcap", "zeek/smb__smb1_transaction_request.pcap", "suricata-verify/dcerpc__zerologon.pcap", "zeek/smb__smb3.pcap"} {
			all = append(all, scripts(f, name)...)
		}
		for i, script := range all {
			f.Add(script, all[(i+1)%len(all)], i%2 == 0)
		}
	}
	f.Add([]byte{0, 8, 0, 0, 0, 0, 4, 0xFE, 'S', 'M', 'B', 2, 3, 0}, []byte{1, 8, 0, 0, 0, 0, 4, 0xFF, 'S', 'M', 'B'}, false)
	f.Fuzz(func(t *testing.T, a, b []byte, midstream bool) {
		plays := []struct {
			script    []byte
			midstream bool
		}{{a, midstream}, {b, false}, {a, false}, {b, midstream}}
		var alone, together teller = teller{}, teller{}
		for i, p := range plays {
			for s := newPlayer(NewFollower(alone, 1<<20), byte(i), p.script, p.midstream); s.step(); {
			}
		}
		fo := NewFollower(together, 1<<20)
		for i := 0; i < len(plays); i += 2 {
			side := []*player{newPlayer(fo, byte(i), plays[i].script, plays[i].midstream), newPlayer(fo, byte(i+1), plays[i+1].script, plays[i+1].midstream)}
			for len(side) > 0 {
				side = slices.DeleteFunc(side, func(p *player) bool { return !p.step() })
			}
		}
		if fo.counts.GivenUp[tooMuchState]+fo.counts.GivenUp[tooManyPending] > 0 {
			return // any entry of a full table goes
		}
		for _, rows := range []teller{alone, together} {
			for _, list := range rows {
				slices.Sort(list) // requests without an answer are told in any order
			}
		}
		if diff := cmp.Diff(alone, together); diff != "" {
			t.Fatalf("rows of each (-) and of all together (+):\n%s", diff)
		}
	})
}

// FuzzKDC wants no panic, and all memory back.
func FuzzKDC(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x2c\x6d\x2a\x30\x28\xa3\x03\x1b\x01R\xa4\x0e\x30\x0c\xa0\x03\x02\x01\x01\xa1\x05\x30\x03\x1b\x01u\xa5\x11\x61\x0f\x30\x0d\xa0\x03\x02\x01\x05\xa3\x06\x30\x04\xa2\x02\x04\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fo := NewFollower(&nobody{t: t}, 1<<20)
		s := fo.OpenKDC(flow.Conn{}, time.Time{})
		for len(b) > 0 {
			n := min(len(b), 7)
			s.Data(flow.ToClient, b[:n], time.Time{})
			b = b[n:]
		}
		s.Close(time.Time{})
		_, _, _ = ticketOf(b)
		for fo.ForgetOld() {
		}
		if fo.Used() != 0 {
			t.Fatalf("%d bytes are still charged", fo.Used())
		}
	})
}

// FuzzTicket wants no panic from a client's token.
func FuzzTicket(f *testing.F) {
	f.Add([]byte("\x60\x1f\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00\x6e\x10\x30\x0e\xa3\x0c\x61\x0a\x30\x08\xa0\x03\x02\x01\x05\xa1\x01\x00"))
	f.Fuzz(func(_ *testing.T, b []byte) { ticketOf(b) })
}

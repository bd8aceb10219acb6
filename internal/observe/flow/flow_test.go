package flow

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ipcguard/internal/observe/packet"
)

var (
	client = packet.Endpoint{IP: [16]byte{15: 1}, Port: 40000}
	server = packet.Endpoint{IP: [16]byte{15: 2}, Port: 445}
)

// recorder records what a stream received; a lost byte is a '?'.
type recorder struct {
	got    [2][]byte
	gaps   [2]int
	closed int
}

func (r *recorder) Data(d Direction, b []byte, _ time.Time) { r.got[d] = append(r.got[d], b...) }
func (r *recorder) Gap(d Direction, n int, _ time.Time) {
	r.got[d] = append(r.got[d], bytes.Repeat([]byte("?"), n)...)
	r.gaps[d]++
}
func (r *recorder) Close(time.Time) { r.closed++ }

// deaf ignores everything, whatever the size of a gap.
type deaf struct{}

func (deaf) Data(Direction, []byte, time.Time) {}
func (deaf) Gap(Direction, int, time.Time)     {}
func (deaf) Close(time.Time)                   {}

func table(l Limits) (*Table, *[]*recorder) {
	all := &[]*recorder{}
	return NewTable(l, func(p uint16) bool { return p == 445 }, func(Conn, time.Time) Stream {
		r := &recorder{}
		*all = append(*all, r)
		return r
	}), all
}

func up(seq uint32, data string, flags packet.Flags) *packet.Segment {
	return &packet.Segment{Src: client, Dst: server, Seq: seq, Payload: []byte(data), Flags: flags}
}

func down(seq, ack uint32, data string, flags packet.Flags) *packet.Segment {
	return &packet.Segment{
		Src: server, Dst: client, Seq: seq, Ack: ack, Payload: []byte(data),
		Flags: flags | packet.ACK,
	}
}

func TestInOrder(t *testing.T) {
	tab, all := table(DefaultLimits)
	for _, s := range []*packet.Segment{
		up(99, "", packet.SYN), down(499, 100, "", packet.SYN), up(100, "hello", 0), down(500, 105, "world", 0),
		up(105, "!", packet.FIN), down(505, 107, "", packet.FIN), up(105, "!", 0),
	} {
		tab.Segment(s, time.Time{})
	}
	r := (*all)[0]
	if string(r.got[ToServer]) != "hello!" || string(r.got[ToClient]) != "world" || r.closed != 1 || len(*all) != 1 {
		t.Errorf("%q %q closed %d of %d", r.got[0], r.got[1], r.closed, len(*all))
	}
}

func TestHolesAndRepeats(t *testing.T) {
	for name, c := range map[string]struct {
		segs []*packet.Segment
		want string
	}{
		"swapped": {
			[]*packet.Segment{up(99, "", packet.SYN), up(103, "def", 0), up(100, "abc", 0)},
			"abcdef",
		},
		"repeated": {[]*packet.Segment{
			up(99, "", packet.SYN), up(100, "abc", 0), up(100, "abc", 0),
			up(103, "d", 0),
		}, "abcd"},
		"overlap, first counts": {
			[]*packet.Segment{up(99, "", packet.SYN), up(100, "abc", 0), up(101, "XYd", 0)},
			"abcd",
		},
		"overlap behind a hole": {[]*packet.Segment{
			up(99, "", packet.SYN), up(102, "cd", 0), up(101, "BCDE", 0),
			up(100, "a", 0),
		}, "aBCDE"},
		"acknowledged hole": {
			[]*packet.Segment{up(99, "", packet.SYN), up(103, "def", 0), down(1, 106, "x", 0)},
			"???def",
		},
		"midstream":   {[]*packet.Segment{up(7000, "abc", 0), up(7003, "d", 0)}, "abcd"},
		"wrap around": {[]*packet.Segment{up(0xFFFFFFFE, "abc", 0), up(1, "def", 0)}, "abcdef"},
	} {
		t.Run(name, func(t *testing.T) {
			tab, all := table(DefaultLimits)
			for _, s := range c.segs {
				tab.Segment(s, time.Time{})
			}
			tab.Close(time.Time{})
			if got := string((*all)[0].got[ToServer]); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSnapLength(t *testing.T) {
	tab, all := table(DefaultLimits)
	s := up(100, "abc", 0)
	s.Missing = 2
	tab.Segment(s, time.Time{})
	tab.Segment(up(105, "f", 0), time.Time{})
	if got := string((*all)[0].got[ToServer]); got != "abc??f" {
		t.Errorf("got %q", got)
	}
}

func TestPortsUsedAgain(t *testing.T) {
	tab, all := table(DefaultLimits)
	tab.Segment(up(99, "", packet.SYN), time.Time{})
	tab.Segment(up(100, "one", 0), time.Time{})
	tab.Segment(up(5000, "", packet.SYN), time.Time{})
	tab.Segment(up(5001, "two", 0), time.Time{})
	if len(*all) != 2 || string((*all)[1].got[ToServer]) != "two" || (*all)[0].closed != 1 {
		t.Errorf("%d connections", len(*all))
	}
}

func TestBounds(t *testing.T) {
	tab, all := table(Limits{Flows: 10, Held: 1 << 20, PerSide: 1 << 20})
	for i := range 1000 {
		s := up(100, "x", 0)
		s.Src.Port = uint16(1000 + i)
		tab.Segment(s, time.Time{})
	}
	if tab.Len() != 10 || tab.Counts().Evicted != 990 || (*all)[0].closed != 1 || (*all)[999].closed != 0 {
		t.Errorf("%d flows, %+v", tab.Len(), tab.Counts())
	}
	tab, all = table(Limits{Flows: 10, Held: 100, PerSide: 50})
	tab.Segment(up(99, "", packet.SYN), time.Time{})
	for i := range 30 {
		tab.Segment(up(uint32(200+i*20), "0123456789", 0), time.Time{})
		if tab.held > 100 {
			t.Fatalf("%d bytes held", tab.held)
		}
	}
	tab.Close(time.Time{})
	if tab.held != 0 || tab.Len() != 0 || tab.oldest != nil || len((*all)[0].got[ToServer]) != 100+29*20+10 {
		t.Errorf("held %d, flows %d, got %d", tab.held, tab.Len(), len((*all)[0].got[ToServer]))
	}
}

// TestAnyOrder splits a stream into pieces that overlap and repeat, shuffles them, and restores the stream.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 1, 2000).Draw(t, "stream")
		first := rapid.Uint32().Draw(t, "isn")
		var segs []*packet.Segment
		for at := 0; at < len(want); {
			n := rapid.IntRange(1, 300).Draw(t, "n")
			back := rapid.IntRange(0, min(at, 40)).Draw(t, "back")
			end := min(at+n, len(want))
			segs = append(segs, &packet.Segment{
				Src: client, Dst: server, Seq: first + 1 + uint32(at-back),
				Payload: want[at-back : end],
			})
			if rapid.Bool().Draw(t, "twice") {
				segs = append(segs, segs[len(segs)-1])
			}
			at = end
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		r.Shuffle(len(segs), func(i, j int) { segs[i], segs[j] = segs[j], segs[i] })
		tab, all := table(DefaultLimits)
		tab.Segment(&packet.Segment{Src: client, Dst: server, Seq: first, Flags: packet.SYN}, time.Time{})
		for _, s := range segs {
			tab.Segment(s, time.Time{})
		}
		if got := (*all)[0]; !bytes.Equal(got.got[ToServer], want) || got.gaps[ToServer] != 0 {
			t.Fatalf("got %d bytes and %d gaps, want %d bytes", len(got.got[ToServer]), got.gaps[ToServer], len(want))
		}
		if tab.held != 0 {
			t.Fatalf("%d bytes still held", tab.held)
		}
	})
}

func FuzzTable(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Fuzz(func(t *testing.T, b []byte) {
		tab := NewTable(Limits{Flows: 4, Held: 64, PerSide: 32}, func(p uint16) bool { return p == 445 },
			func(Conn, time.Time) Stream { return deaf{} })
		for ; len(b) >= 6; b = b[6:] {
			s := up(uint32(b[0])|uint32(b[1])<<24, "0123456789abcdef"[:b[2]&15], packet.Flags(b[3]&0x1F))
			s.Missing = int(b[4] & 7)
			s.Ack = uint32(b[5])
			s.Src.Port += uint16(b[4] >> 5)
			if b[2]&16 != 0 {
				s.Src, s.Dst = s.Dst, s.Src
			}
			tab.Segment(s, time.Time{})
			if tab.held > 64 || tab.Len() > 4 {
				t.Fatalf("held %d, flows %d", tab.held, tab.Len())
			}
			if n := tab.Counts(); n.Payload != n.Bytes+n.Repeated+n.Early+n.Stray+int64(tab.held) {
				t.Fatalf("%d bytes held, %+v", tab.held, n)
			}
		}
		tab.Close(time.Time{})
		if n := tab.Counts(); tab.held != 0 || n.Payload != n.Bytes+n.Repeated+n.Early+n.Stray || n.Lost < 0 {
			t.Fatalf("%d bytes held after the end, %+v", tab.held, n)
		}
	})
}

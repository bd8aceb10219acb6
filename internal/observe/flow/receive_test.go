package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/observe/packet"
)

// told plays segments and returns what the streams received, one line each: both directions, and how often it was
// closed.
func told(t *testing.T, segs []*packet.Segment) (lines []string, n Counts) {
	t.Helper()
	tab, all := table(DefaultLimits)
	for _, s := range segs {
		tab.Segment(s, time.Time{})
	}
	tab.Close(time.Time{})
	for _, r := range *all {
		lines = append(lines, fmt.Sprintf("%s|%s|%d", r.got[ToServer], r.got[ToClient], r.closed))
	}
	n = tab.Counts()
	if n.Payload != n.Bytes+n.Repeated+n.Early+n.Stray || tab.held != 0 {
		t.Errorf("%d bytes held, %+v", tab.held, n)
	}
	return lines, n
}

func open(rest ...*packet.Segment) []*packet.Segment {
	return append([]*packet.Segment{up(99, "", packet.SYN), down(499, 100, "", packet.SYN)}, rest...)
}

func asks(seq, ack uint32, data string, flags packet.Flags) *packet.Segment {
	s := up(seq, data, flags|packet.ACK)
	s.Ack = ack
	return s
}

// scaled returns a handshake in which both offer to scale windows, and a window of 64 KiB.
func scaled(s *packet.Segment) *packet.Segment {
	s.Window, s.Scale = 512, 7
	return s
}

// TestReceiver accepts of a connection what its receiver would accept.
func TestReceiver(t *testing.T) {
	long := strings.Repeat("x", 200)
	for name, c := range map[string]struct {
		segs []*packet.Segment
		want string
	}{
		"a reset from far ahead": {
			open(up(100, "a", 0), up(900_000_100, "", packet.RST), up(101, "b", 0)),
			"ab||1",
		},
		"a reset from the past":      {open(up(100, "a", 0), up(7, "", packet.RST), up(101, "b", 0)), "ab||1"},
		"a reset in the window":      {open(up(100, "a", 0), up(150, "", packet.RST), up(101, "b", 0)), "ab||1"},
		"a reset at the very number": {open(up(100, "a", 0), up(101, "", packet.RST), up(100, "a", 0)), "a||1"},
		"a reset for what is not here": {open(asks(100, 500, "a", 0), down(500, 103, "", 0),
			up(103, "", packet.RST)), "a||1"},
		"the answer to a SYN": {[]*packet.Segment{
			up(99, "", packet.SYN), down(0, 100, "", packet.RST),
			up(99, "", packet.SYN),
		}, "||1"},
		"on after a reset": {open(asks(100, 500, "a", 0), down(500, 101, "A", 0),
			asks(101, 501, "", packet.RST), asks(101, 501, "b", 0), down(501, 102, "B", 0)), "ab|AB|1 ignored"},
		"on after the server's": {
			open(asks(100, 500, "a", 0), down(500, 101, "A", 0),
				down(501, 101, "", packet.RST), asks(101, 501, "b", 0), down(501, 102, "B", 0), asks(102, 502, "", 0)),
			"ab|AB|1 ignored",
		},
		"on after two resets": {
			open(asks(100, 500, "a", 0), asks(101, 500, "", packet.RST),
				down(500, 101, "", packet.RST), asks(101, 500, "b", 0), down(500, 102, "B", 0), asks(102, 501, "c", 0)),
			"abc|B|1 ignored",
		},
		"under way when it was reset": {open(asks(100, 500, "a", 0), asks(101, 500, "", packet.RST),
			down(500, 101, "A", 0), down(501, 101, "B", 0)), "a|AB|1"},
		"one side goes on alone": {open(asks(100, 500, "a", 0), asks(101, 500, "", packet.RST),
			asks(101, 500, "b", 0)), "ab||1"},
		"an end behind a reset": {open(asks(100, 500, "a", packet.FIN), asks(102, 500, "", packet.RST),
			down(500, 102, "A", packet.FIN)), "a|A|1"},
		"a new connection after a reset": {open(asks(100, 500, "a", 0), asks(101, 500, "", packet.RST),
			up(5000, "", packet.SYN), up(5001, "b", 0)), "a||1 b||1"},
		"other numbers after a reset": {open(asks(100, 500, "a", 0), asks(101, 500, "", packet.RST),
			asks(500_000_000, 500, "b", 0)), "a||1 b||1"},
		"an end from the past": {open(up(100, "abc", 0), up(50, "", packet.FIN),
			down(500, 103, "", packet.FIN), up(103, "d", 0)), "abcd||1"},
		"an end that is none": {open(up(100, "a", packet.FIN), up(101, "b", 0)), "ab||1"},
		"on after both ends": {open(up(100, "a", packet.FIN), down(500, 102, "A", packet.FIN),
			up(102, "b", 0), down(502, 103, "B", 0)), "a|A|1 b|B|1"},
		"sent again after both ends": {open(up(100, "a", packet.FIN), down(500, 102, "A", packet.FIN),
			up(100, "a", packet.FIN)), "a|A|1"},
		"another one after both ends": {open(up(100, "a", packet.FIN), down(500, 102, "A", packet.FIN),
			up(5_000_000_00, "b", 0)), "a|A|1 b||1"},
		"a byte a gigabyte ahead": {open(up(100, "a", 0), up(1_000_000_100, "!", 0), up(101, "b", 0)), "ab||1"},
		"a byte behind the window": {[]*packet.Segment{
			scaled(up(99, "", packet.SYN)),
			scaled(down(499, 100, "", packet.SYN)), asks(100, 500, "a", 0), scaled(down(500, 101, "", 0)),
			up(101+512<<7, "!", 0), up(101, "b", 0),
		}, "ab||1"},
		"a byte that nobody acknowledged": {open(asks(100, 500, "a", 0), down(500, 101, "A", 0), up(5000, "!", 0),
			up(101, "b", 0)), "ab|A|1"},
		"a hole that was acknowledged": {
			open(asks(100, 500, "a", 0), up(104, "b", 0), down(500, 105, "A", 0)),
			"a???b|A|1",
		},
		"megabytes are missing": {open(up(100, "a", 0), up(200_000_000, "b", 0), up(200_000_001, "c", 0),
			up(200_000_002, "d", 0)), "a" + "?…" + "d||1"},
		"the answer came first": {open(down(500, 103, "A", 0), up(100, "abc", 0), down(501, 106, "B", 0),
			up(103, "def", 0)), "abcdef|AB|1"},
		"answer, question, question": {open(down(500, 103, "A", 0), asks(103, 501, "de", 0),
			asks(100, 500, "abc", 0), down(501, 105, "B", 0)), "abcde|AB|1"},
		"the question never came": {open(down(500, 103, "A", 0)), "???|A|1"},
		"a forged SYN":            {open(up(100, "a", 0), up(5000, "", packet.SYN), up(101, "b", 0)), "ab||1"},
		"a new connection": {open(up(100, "a", 0), up(5000, "", packet.SYN),
			down(8000, 5001, "", packet.SYN), up(5001, "b", 0), down(8001, 5002, "B", 0)), "a||1 b|B|1"},
		"a SYN that came twice": {open(up(99, "", packet.SYN), up(100, "a", 0), up(99, "", packet.SYN),
			up(101, "b", 0)), "ab||1"},
		"a probe first": {[]*packet.Segment{asks(99, 500, "\x00", 0), up(100, "a", 0)}, "a||1"},
		"before the first": {[]*packet.Segment{
			asks(1000, 500, "b", 0), asks(800, 500, long, 0),
			up(1001, "c", 0),
		}, "bc||1"},
	} {
		t.Run(name, func(t *testing.T) {
			lines, n := told(t, c.segs)
			got := strings.Join(lines, " ")
			if i := strings.Index(got, "????????"); i >= 0 {
				got = got[:i] + "?…" + strings.TrimLeft(got[i:], "?")
			}
			if n.Ignored > 0 {
				got += strings.Repeat(" ignored", int(n.Ignored))
			}
			if got != c.want {
				t.Errorf("got %q, want %q; %+v", got, c.want, n)
			}
		})
	}
}

// TestQueueIsBounded has answers wait for questions that never arrive.
func TestQueueIsBounded(t *testing.T) {
	tab, all := table(DefaultLimits)
	for _, s := range open() {
		tab.Segment(s, time.Time{})
	}
	data := strings.Repeat("x", 1000)
	for i := range 300 {
		tab.Segment(down(500+uint32(i)*1000, 100+uint32(i+1)*10, data, 0), time.Time{})
		if tab.held > maxQueued+1000 {
			t.Fatalf("%d bytes wait", tab.held)
		}
	}
	tab.Close(time.Time{})
	if r := (*all)[0]; len(r.got[ToClient]) != 300_000 || r.gaps[ToClient] != 0 || len(r.got[ToServer]) != 3000 {
		t.Errorf("%d bytes of answers, %d of questions", len(r.got[ToClient]), len(r.got[ToServer]))
	}
	// By the clock.
	tab, all = table(DefaultLimits)
	for _, s := range open() {
		tab.Segment(s, time.Unix(1000, 0))
	}
	tab.Segment(down(500, 110, "A", 0), time.Unix(1001, 0))
	tab.Segment(down(501, 120, "B", 0), time.Unix(1003, 0))
	if r := (*all)[0]; string(r.got[ToClient]) != "AB" {
		t.Errorf("%q after two seconds", r.got[ToClient])
	}
}

// TestResetsAreBounded resets more connections than are kept open: those that were reset first are closed.
func TestResetsAreBounded(t *testing.T) {
	tab, all := table(DefaultLimits)
	from := func(port uint16, s *packet.Segment) {
		if s.Src == client {
			s.Src.Port = port
		} else {
			s.Dst.Port = port
		}
		tab.Segment(s, time.Time{})
	}
	const more = 10
	for i := range uint16(maxReset + more) {
		for _, s := range open(asks(100, 500, "a", 0), down(500, 101, "A", 0), asks(101, 501, "", packet.RST)) {
			from(1000+i, s)
		}
	}
	closed := 0
	for _, r := range *all {
		closed += r.closed
	}
	if closed != more || len(tab.resets) != maxReset || (*all)[more-1].closed != 1 || (*all)[more].closed != 0 {
		t.Errorf("%d closed, %d kept", closed, len(tab.resets))
	}
	from(1000+more, asks(101, 501, "b", 0))
	from(1000+more, down(501, 102, "B", 0))
	if len(tab.resets) != maxReset-1 || tab.counts.Ignored != 1 {
		t.Errorf("%d kept, %+v", len(tab.resets), tab.counts)
	}
	tab.Evict(time.Time{}) // of a connection that was reset, before one that is open
	if (*all)[more+1].closed != 1 || (*all)[more].closed != 0 || tab.counts.Evicted != 0 {
		t.Errorf("%+v", tab.counts)
	}
	tab.Close(time.Time{})
	if len(tab.resets) != 0 || tab.Len() != 0 {
		t.Errorf("%d kept at the end", len(tab.resets))
	}
}

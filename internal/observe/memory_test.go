package observe

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/observe/capture"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/smb/smb2"
)

// flood feeds what a maker writes straight into a Traffic.
func flood(t *testing.T, name string, write func(m *observetest.Maker)) *Traffic {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	m, done := observetest.Create(t, path)
	write(m)
	done()
	tr := NewTraffic(NewAggregator(0), new(Coverage), TrafficOptions{})
	if err := tr.ReadPath(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return tr
}

// heap is what lives now, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestFlood opens 100,000 connections at a time: half open, in the middle of a frame, and logged on. All of it stays
// below the memory with room for the collector.
func TestFlood(t *testing.T) {
	const connections, most = 100_000, 120 << 20
	for name, write := range map[string]func(*observetest.Maker){
		"half open": func(m *observetest.Maker) {
			for i := range connections {
				m.Connect(i)
			}
		},
		"half a frame": func(m *observetest.Maker) {
			for i := range connections {
				m.Connect(i)
				m.Packet(true, 0x18, []byte("\x00\x00\x10\x00\xFESMB"))
			}
		},
		"behind a hole": func(m *observetest.Maker) {
			for i := range connections {
				m.Connect(i)
				m.Seq[0] += 100
				m.Packet(true, 0x10, make([]byte, 1000))
			}
		},
		"logged on": func(m *observetest.Maker) {
			for i := range connections / 4 { // the rest is given up in the same way
				m.Connect(i)
				m.Logon(t)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			tr := flood(t, "flood.pcap", write)
			used := heap() - before
			t.Logf("%d MiB, %d connections, %+v", used>>20, tr.table.Len(), tr.table.Counts())
			if used > most {
				t.Errorf("%d MiB for %d connections", used>>20, connections)
			}
			tr.Close()
			if n := tr.table.Counts().Connections; n < connections/4 {
				t.Errorf("only %d connections", n)
			}
			runtime.KeepAlive(tr)
		})
	}
}

// longName is a text of a logon that is as long as its 16-bit length allows, and no other's.
func longName(n, length int) []byte {
	head := fmt.Sprintf("%07d", n)
	return ntlm.EncodeText(head+strings.Repeat("x", max(0, length/2-len(head))), ntlm.NegotiateUnicode)
}

// longLogon is an AUTHENTICATE whose names have so many bytes.
func longLogon(t *testing.T, n, user, spn int) []byte {
	t.Helper()
	response := &ntlm.V2Response{Pairs: ntlm.AVPairs{{ID: ntlm.AvTargetName, Value: longName(n, spn)}}}
	b, err := (&ntlm.Authenticate{
		Flags: ntlm.NegotiateUnicode, UserName: longName(n, user), NtChallengeResponse: response.Append(nil),
	}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unanswered sends a logon that nobody answers.
func unanswered(m *observetest.Maker, token []byte) {
	h := smb2.Header{Command: smb2.SessionSetup, MessageID: m.MID, Credits: 1}
	m.MID++
	m.Send(true, (&smb2.Message{Header: h, Body: &smb2.SessionSetupRequest{SecurityBuffer: token}}).AppendMarshal(nil))
}

// accounted is what all of a Traffic's bounds take it for, in bytes.
func (t *Traffic) accounted() int {
	return t.follower.Used() + t.table.Len()*flowBytes + t.table.Held() + t.agg.bytes
}

// TestLongNames holds what logons with long names take against what they are charged for: less than twice as much. Maps
// are up to twice as large as what they hold, and the allocator rounds up; the collector's share of the memory, a
// fifth, and the buffers of this program, some MiB, are the rest.
func TestLongNames(t *testing.T) {
	const most, buffers = 90 << 20, 6 << 20
	established := func(m *observetest.Maker, id uint64, token []byte, status uint32) {
		h := smb2.Header{Command: smb2.SessionSetup, SessionID: id}
		m.Ask(h, &smb2.SessionSetupRequest{SecurityBuffer: token}, &smb2.SessionSetupResponse{}, status)
	}
	for name, write := range map[string]func(*observetest.Maker){
		"unanswered": func(m *observetest.Maker) {
			for i := range 6 {
				m.Connect(i)
				for j := range 1000 {
					unanswered(m, longLogon(t, i*1000+j, 20_000, 0))
				}
			}
		},
		"accepted": func(m *observetest.Maker) {
			for i := range 6 {
				m.Connect(i)
				for j := range 1000 {
					established(m, uint64(j+1), longLogon(t, i*1000+j, 20_000, 0), 0)
				}
			}
		},
		"in progress": func(m *observetest.Maker) {
			for i := range 100 {
				m.Connect(i)
				for j := range 60 {
					established(m, uint64(j+1), longLogon(t, i*1000+j, 30_000, 30_000), 0xC0000016)
				}
			}
		},
		"long SPNs": func(m *observetest.Maker) {
			for i := range 40_000 {
				m.Connect(i)
				established(m, 1, longLogon(t, i, 20, 2_000), 0)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			tr := flood(t, "flood.pcap", write)
			used, charged := int(heap()-before), tr.accounted()
			t.Logf("%d MiB, %d connections, charged %d MiB", used>>20, tr.table.Len(), charged>>20)
			if used > most || used > 2*charged+buffers {
				t.Errorf("%d MiB, charged %d MiB", used>>20, charged>>20)
			}
			tr.Close()
			if n := tr.table.Counts().Connections; n < 6 {
				t.Errorf("only %d connections", n)
			}
			runtime.KeepAlive(tr)
		})
	}
}

// TestRowBytes holds what rows are charged for against what they take, where each came in a way of its own and where
// all came alike.
func TestRowBytes(t *testing.T) {
	for _, own := range []bool{false, true} {
		const rows = 29_000 // the map has grown not long ago, and is at its largest for what it holds
		before := heap()
		a := NewAggregator(0)
		for i := range rows {
			u := model.Use{
				Client: "192.0.2.1", Server: "192.0.2.2", Identity: model.User, Account: fmt.Sprintf("user%d", i),
				Layer: model.LayerSession,
			}
			if own {
				u.SPN = fmt.Sprintf("cifs/%d", i)
			}
			a.Add(u)
		}
		used := float64(heap() - before)
		if charged := float64(a.bytes); charged < 0.9*used || charged > 1.3*used {
			t.Errorf("ways of their own %t: %.0f bytes a row, charged %.0f", own, used/rows, charged/rows)
		}
		runtime.KeepAlive(a)
	}
}

// TestWrongLink reads packets of a link type that there is none of.
func TestWrongLink(t *testing.T) {
	tr := NewTraffic(NewAggregator(0), new(Coverage), TrafficOptions{})
	p := capture.Packet{Link: layers.LinkType(147), Data: make([]byte, 60), Length: 60}
	tr.Packet(p.Link, p.Data, p.Length, p.Time)
	tr.Close()
	var n int64
	for _, m := range tr.cov.Unreadable {
		n += m
	}
	if n != 1 {
		t.Errorf("%v", tr.cov.Unreadable)
	}
}

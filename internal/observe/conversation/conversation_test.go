package conversation

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/capture"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/observe/packet"
)

// sharedCapture opens a capture of the folder beside the project.
func sharedCapture(t testing.TB, name string) *capture.Reader {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../../shared/captures", name))
	if err != nil {
		t.Skip("../shared/captures not present: captures of third parties are not part of the project")
	}
	r, err := capture.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// piece is one call of a stream.
type piece struct {
	d   flow.Direction
	b   []byte
	gap int
	at  time.Time
}

// tape records the calls of a connection, to be replayed in other ways.
type tape struct {
	conn   flow.Conn
	pieces []piece
}

func (t *tape) Data(d flow.Direction, b []byte, at time.Time) {
	t.pieces = append(t.pieces, piece{d: d, b: bytes.Clone(b), at: at})
}

func (t *tape) Gap(d flow.Direction, n int, at time.Time) {
	t.pieces = append(t.pieces, piece{d: d, gap: n, at: at})
}
func (t *tape) Close(time.Time) {}

func tapes(t testing.TB, name string) []*tape {
	r := sharedCapture(t, name)
	var all []*tape
	table := flow.NewTable(flow.DefaultLimits, func(p uint16) bool { return p == 445 || p == 139 },
		func(c flow.Conn, _ time.Time) flow.Stream {
			all = append(all, &tape{conn: c})
			return all[len(all)-1]
		})
	var d packet.Decoder
	for {
		p, err := r.Next()
		if err != nil {
			if err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Fatal(err)
			}
			break
		}
		if seg, why := d.Decode(p.Link, p.Data, p.Length); why == packet.OK {
			table.Segment(&seg, p.Time)
		}
	}
	table.Close(time.Time{})
	return all
}

// scripts turns connections into seeds for the fuzzer.
func scripts(t testing.TB, name string) [][]byte {
	var out [][]byte
	for _, one := range tapes(t, name) {
		var b []byte
		for _, p := range one.pieces {
			if len(b) > 16<<10 {
				break
			}
			for len(p.b) > 0 {
				n := min(len(p.b), 0xFFFF)
				b = append(binary.LittleEndian.AppendUint16(append(b, byte(p.d)), uint16(n)), p.b[:n]...)
				p.b = p.b[n:]
			}
		}
		if len(b) > 0 && len(out) < 4 {
			out = append(out, b)
		}
	}
	return out
}

// rows records the rows in order, and their counts.
type rows struct{ all map[model.Use]int }

func (r *rows) Add(u model.Use) {
	u.First, u.Last = time.Time{}, time.Time{}
	r.all[u]++
}
func (r *rows) Touch(model.Use) {}

// replay replays tapes, with each piece split by cut.
func replay(all []*tape, midstream bool, cut func(piece) []piece) (map[model.Use]int, *Follower) {
	r := &rows{map[model.Use]int{}}
	f := NewFollower(r, 64<<20)
	for _, one := range all {
		conn := one.conn
		conn.Midstream = conn.Midstream || midstream
		s := f.Open(conn, time.Time{})
		for _, whole := range one.pieces {
			for _, p := range cut(whole) {
				if p.gap > 0 {
					s.Gap(p.d, p.gap, p.at)
				} else {
					s.Data(p.d, p.b, p.at)
				}
			}
		}
		s.Close(time.Time{})
	}
	return r.all, f
}

func asIs(p piece) []piece { return []piece{p} }

var replayed = []string{
	"samba/null-session-rpcclient.pcap", "suricata-verify/dcerpc__zerologon.pcap",
	"suricata-verify/dcerpc-smb-test-01.pcap",
	"suricata-verify/smb2-06__20171220_smb_net_user.pcap", "zeek/dce-rpc__20-fids.pcap", "zeek/smb__smb2.pcap",
	"zeek/dce-rpc__mapi.pcap",
	"zeek/krb__kerberos_tso.pcapng", "suricata-verify/smb2-async-read.pcap",
	"zeek/smb__smb1_transaction_secondary_request.pcap",
}

// TestPieces gets the same rows however TCP splits the bytes.
func TestPieces(t *testing.T) {
	for _, name := range replayed {
		t.Run(filepath.Base(name), func(t *testing.T) {
			all := tapes(t, name)
			want, f := replay(all, false, asIs)
			wantCounts := f.Counts()
			for _, size := range []int{1, 3, 7, 64, 131, 1000} {
				random := rand.New(rand.NewPCG(1, uint64(size)))
				got, f := replay(all, false, func(p piece) (out []piece) {
					if p.gap > 0 {
						return asIs(p)
					}
					for len(p.b) > 0 {
						n := min(len(p.b), 1+random.IntN(size))
						out = append(out, piece{d: p.d, b: p.b[:n], at: p.at})
						p.b = p.b[n:]
					}
					return out
				})
				if d := cmp.Diff(want, got); d != "" {
					t.Fatalf("cut to %d: %s", size, d)
				}
				if d := cmp.Diff(wantCounts, f.Counts()); d != "" {
					t.Errorf("cut to %d: %s", size, d)
				}
			}
		})
	}
}

// TestHoles loses one piece at a time, or its middle: there may be fewer rows, but never others except unseen and
// unanswered ones.
func TestHoles(t *testing.T) {
	for _, name := range replayed[:5] {
		t.Run(filepath.Base(name), func(t *testing.T) {
			all := tapes(t, name)
			want, _ := replay(all, false, asIs)
			known := map[string]bool{}
			for u := range want {
				known[u.Pipe+"|"+u.Call+"|"+string(u.Layer)+"|"+u.Status] = true
			}
			random := rand.New(rand.NewPCG(7, 7))
			for range 60 {
				got, f := replay(all, false, func(p piece) []piece {
					if p.gap > 0 || len(p.b) < 3 || random.IntN(12) != 0 {
						return asIs(p)
					}
					i := random.IntN(len(p.b) - 1)
					n := 1 + random.IntN(len(p.b)-i)
					out := []piece{}
					if i > 0 {
						out = append(out, piece{d: p.d, b: p.b[:i], at: p.at})
					}
					out = append(out, piece{d: p.d, gap: n, at: p.at})
					if i+n < len(p.b) {
						out = append(out, piece{d: p.d, b: p.b[i+n:], at: p.at})
					}
					return out
				})
				for u := range got {
					if u.Status != "" && u.Pipe != "" && u.Call == "" && !known[u.Pipe+"|"+u.Call+"|"+string(u.Layer)+
						"|"+u.Status] {
						t.Fatalf("invented: %+v", u)
					}
					if u.Identity == model.Anonymous && name == "zeek/dce-rpc__20-fids.pcap" {
						t.Fatalf("an invented null session: %+v", u)
					}
				}
				for f.ForgetOld() {
				}
				if f.Used() != 0 {
					t.Fatalf("%d bytes still charged", f.Used())
				}
			}
		})
	}
}

// TestMidstream starts a connection at every later piece: every later call is found, and identities are unknown.
func TestMidstream(t *testing.T) {
	all := tapes(t, "samba/null-session-rpcclient.pcap")
	calls := func(got map[model.Use]int) (n int) {
		for u, count := range got {
			if u.Layer == model.LayerCall {
				n += count
			}
		}
		return n
	}
	conn, pieces := all[0].conn, all[0].pieces
	whole, _ := replay(all, false, asIs)
	for from := 1; from < len(pieces); from++ {
		got, _ := replay([]*tape{{conn, pieces[from:]}}, true, asIs)
		before, _ := replay([]*tape{{conn, pieces[:from]}}, false, asIs)
		if calls(got)+calls(before) < calls(whole) {
			t.Errorf("from piece %d: %d calls, %d before it, %d in all", from, calls(got), calls(before), calls(whole))
		}
		for u := range got {
			if u.Identity == model.Anonymous && from > 8 {
				t.Errorf("from piece %d: the logon is gone, and yet %+v", from, u)
			}
		}
	}
}

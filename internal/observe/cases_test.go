package observe

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/peer"
)

// caseFile returns a file of ../shared/cases/observe.
func caseFile(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(peer.Shared(t, "cases"), "observe", name)
}

// readCase reads a capture of a case.
func readCase(t testing.TB, name string) ([]string, *Coverage) {
	t.Helper()
	rows, cov := readCapture(t, caseFile(t, name), TrafficOptions{})
	return observetest.Short(rows), cov
}

// TestSameAsControl reads captures that were tampered with: the rows and counts are those of the original.
func TestSameAsControl(t *testing.T) {
	for _, c := range []struct {
		name, control string
		stray         int64
	}{
		{"01-rst-out-of-window/rst.pcap", "01-rst-out-of-window/control.pcap", 0},
		{"01-rst-out-of-window/rst-old.pcap", "01-rst-out-of-window/control.pcap", 0},
		{"01-rst-out-of-window/rst-inwindow.pcap", "01-rst-out-of-window/control.pcap", 0},
		{"10-answer-captured-before-question/swapped.pcap", "10-answer-captured-before-question/control.pcap", 0},
		{"06-fragments-joined-yet-lost/frag.pcap", "06-fragments-joined-yet-lost/control.pcap", 0},
		{"06-fragments-joined-yet-lost/ip6-fragments.pcap", "06-fragments-joined-yet-lost/control.pcap", 0},
		{"12-simple-packet-blocks-lose-opens/spb.pcapng", "12-simple-packet-blocks-lose-opens/base.pcap", 0},
		{"13-link-types/ieee80211.pcap", "01-rst-out-of-window/control.pcap", 0},
		{"13-link-types/llcsnap.pcap", "01-rst-out-of-window/control.pcap", 0},
		{"11-stray-segment-1GB-missing/stray.pcap", "01-rst-out-of-window/control.pcap", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			want, control := readCase(t, c.control)
			got, cov := readCase(t, c.name)
			for i := range got { // the same packets, in IPv6
				got[i] = strings.ReplaceAll(strings.ReplaceAll(got[i], "2001:db8::ac10:4201", "172.16.66.1"),
					"2001:db8::ac10:4224", "172.16.66.36")
			}
			if diff := cmp.Diff(want, got); diff != "" || len(want) != 15 {
				t.Errorf("%d rows (-control +got):\n%s", len(want), diff)
			}
			b := *cov.Bytes
			if b.Stray != c.stray {
				t.Errorf("%d bytes of strays, want %d", b.Stray, c.stray)
			}
			b.Stray = 0
			if diff := cmp.Diff(*control.Bytes, b); diff != "" {
				t.Errorf("bytes (-control +got):\n%s", diff)
			}
			if b.Share() != 1 || len(cov.Unreadable) > 0 {
				t.Errorf("%+v %v", b, cov.Unreadable)
			}
		})
	}
}

// TestOnAfterTheEnd reads a session on a 4-tuple whose earlier connection had ended in both directions.
func TestOnAfterTheEnd(t *testing.T) {
	rows, cov := readCapture(t, caseFile(t, "02-data-after-close-dropped/stream19.pcap"), TrafficOptions{})
	var got []string
	for _, u := range rows {
		if u.Layer != model.LayerSession {
			got = append(got, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s x%d", u.Layer, u.Pipe, u.Call,
				u.Outcome, u.Count)), " "))
		}
	}
	want := []string{
		"tree allowed x1", "open srvsvc allowed x1", "bind srvsvc allowed x1", "call lanman NetServerEnum2 allowed x2",
		"call srvsvc NetrShareEnum allowed x1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if cov.Bytes.Share() != 1 || cov.Bytes.Total() == 0 {
		t.Errorf("%+v", *cov.Bytes)
	}
}

// lines returns the rows of a capture, by layer, pipe, call, outcome, status and count.
func lines(rows []model.Use, keep func(*model.Use) bool) (out []string) {
	for i := range rows {
		if u := &rows[i]; keep(u) {
			out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s x%d", u.Layer, u.Pipe, u.Call,
				u.Outcome, u.Status, u.Count)), " "))
		}
	}
	return out
}

// TestSameMID reads a connection with several open requests of one process and one MID.
func TestSameMID(t *testing.T) {
	rows, _ := readCapture(t, caseFile(t, "03-smb1-same-mid/eternalchampion-cut.pcap"), TrafficOptions{})
	want := []string{
		"session allowed STATUS_SUCCESS x1", "tree allowed STATUS_SUCCESS x3", "open samr allowed STATUS_SUCCESS x2",
		"open samr inconclusive STATUS_NETWORK_NAME_DELETED x1", // ERRSRV, the TID is invalid
	}
	if diff := cmp.Diff(want, lines(rows, func(*model.Use) bool { return true })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestIAKERB reads a Kerberos logon through the server, whose name is in the exchange inside it.
func TestIAKERB(t *testing.T) {
	rows, _ := readCapture(t, caseFile(t, "04-iakerb-logon-not-seen/iakerb.pcap"), TrafficOptions{})
	if len(rows) != 1 || rows[0].Identity != model.User || !strings.HasSuffix(rows[0].Account, `\toto`) ||
		!strings.Contains(rows[0].Basis, "IAKERB") ||
		rows[0].Package != model.PackageKerberos || rows[0].SPN != "cifs/localhost" || rows[0].Dialect != "3.0.2" {
		t.Errorf("%+v", rows)
	}
}

// TestAnswerIsNoRefusal reads calls that the server carried out and that answered a stranger's question.
func TestAnswerIsNoRefusal(t *testing.T) {
	rows, _ := readCapture(t, caseFile(t, "05-no-such-user-is-denied/xscan-stream276.pcap"), TrafficOptions{})
	want := []string{
		"call samr SamrOpenUser allowed STATUS_NO_SUCH_USER x1",
		"call samr SamrOpenUser denied STATUS_ACCESS_DENIED x5",
	}
	if diff := cmp.Diff(want, lines(rows, func(u *model.Use) bool { return u.Call == "SamrOpenUser" })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestWCCP finds the packet that a router passes on to a cache.
func TestWCCP(t *testing.T) {
	_, cov := readCapture(t, caseFile(t, "13-link-types/wccp.pcap"), TrafficOptions{})
	if cov.Read["SMB segments"] != 1 || cov.Read["SMB frames"] != 1 || len(cov.Unreadable) > 0 {
		t.Errorf("%+v", cov)
	}
}

// TestArgumentOrder reads captures that are not named in the order of their times, and one of them twice.
func TestArgumentOrder(t *testing.T) {
	read := func(paths ...string) (int64, int, *Coverage) {
		agg, cov := NewAggregator(0), new(Coverage)
		tr := NewTraffic(agg, cov, TrafficOptions{})
		if err := tr.ReadPaths(t.Context(), paths); err != nil {
			t.Fatal(err)
		}
		tr.Close()
		rows := agg.Rows()
		return total(rows, func(*model.Use) bool { return true }), len(rows), cov
	}
	dir := caseFile(t, "15-argument-order")
	names, err := filepath.Glob(filepath.Join(dir, "cap*")) // the shell's order
	if err != nil || len(names) != 13 {
		t.Fatal(names, err)
	}
	uses, rows, cov := read(names...)
	if uses != 97 || rows != 25 || cov.Bytes.Lost != 0 {
		t.Errorf("%d rows, %d uses, %+v", rows, uses, *cov.Bytes)
	}
	copied := filepath.Join(t.TempDir(), "again")
	b, err := os.ReadFile(names[3])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		t.Fatal(err)
	}
	uses, rows, cov = read(append(names, copied)...)
	if uses != 97 || rows != 25 || len(cov.Notes) != 1 || !strings.Contains(cov.Notes[0], "read once") {
		t.Errorf("%d rows, %d uses, %v", rows, uses, cov.Notes)
	}
}

// TestCutInTheFirstBlock reads a capture that xz compressed into one block, half of which is missing.
func TestCutInTheFirstBlock(t *testing.T) {
	_, cov := readCapture(t, caseFile(t, "16-cut-xz-zst/half.xz"), TrafficOptions{})
	if cov.Read["packets"] != 150 || cov.Unreadable["captures that end in the middle of a packet"] != 1 {
		t.Errorf("%+v", cov)
	}
}

// bzipped compresses with bzip2, in blocks of 100 kB.
type bzipped struct {
	bytes.Buffer
	to  io.Writer
	ctx context.Context
}

// Close compresses what was written.
func (b *bzipped) Close() error {
	cmd := exec.CommandContext(b.ctx, "bzip2", "-1c")
	cmd.Stdin, cmd.Stdout = &b.Buffer, b.to
	return cmd.Run()
}

// TestCutStreams reads truncated compressed captures.
func TestCutStreams(t *testing.T) {
	peer.Need(t, "bzip2")
	path := filepath.Join(t.TempDir(), "random.pcap")
	m, done := observetest.Create(t, path)
	m.Connect(1)
	m.Logon(t)
	random := rand.New(rand.NewPCG(16, 16))
	for range 1000 { // incompressible
		data := make([]byte, 1400)
		for i := range data {
			data[i] = byte(random.IntN(256))
		}
		m.Packet(true, 0x18, data)
	}
	done()
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := observeFrames(frames(t, path)).packets
	for name, pack := range map[string]func(io.Writer) (io.WriteCloser, error){
		"gz":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"xz":  func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
		"zst": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
		"bz2": func(w io.Writer) (io.WriteCloser, error) { return &bzipped{to: w, ctx: t.Context()}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w, err := pack(&b)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(plain); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			tr := NewTraffic(NewAggregator(0), new(Coverage), TrafficOptions{})
			if err := tr.Read(t.Context(), name, bytes.NewReader(b.Bytes()[:b.Len()*2/3])); err != nil {
				t.Fatal(err)
			}
			tr.Close()
			if tr.packets < whole/4 || tr.packets >= whole || len(tr.cov.Unreadable) == 0 {
				t.Errorf("%d packets of %d, %v", tr.packets, whole, tr.cov.Unreadable)
			}
		})
	}
}

package evtx

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"

	"ipcguard/internal/peer"
)

// sharedLogs returns the real logs next to the module.
func sharedLogs(tb testing.TB) map[string][]byte {
	tb.Helper()
	logs := findLogs(tb)
	if len(logs) == 0 {
		tb.Skip("no event logs in ../shared/evtx beside the module: real logs are not part of the project")
	}
	return logs
}

func findLogs(tb testing.TB) map[string][]byte {
	tb.Helper()
	folder := filepath.Join(peer.ModuleRoot(tb), "..", "shared", "evtx")
	names, _ := filepath.Glob(filepath.Join(folder, "*.evtx*"))
	logs := make(map[string][]byte)
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		if strings.HasSuffix(name, ".xz") {
			r, err := xz.NewReader(bytes.NewReader(b))
			if err != nil {
				tb.Fatal(err)
			}
			if b, err = io.ReadAll(r); err != nil {
				tb.Fatal(err)
			}
		}
		logs[filepath.Base(name)] = b
	}
	return logs
}

// readAll returns every event of a log as XML.
func readAll(tb testing.TB, r io.Reader) ([]string, Stats) {
	tb.Helper()
	rd := NewReader(r)
	var out []string
	for {
		e, err := rd.Next()
		if errors.Is(err, io.EOF) {
			return out, rd.Stats()
		}
		if err != nil {
			tb.Fatal(err)
		}
		text, err := e.AppendXML(nil)
		if err != nil {
			tb.Fatalf("record %d: %v", e.RecordID, err)
		}
		out = append(out, string(text))
	}
}

// node is an XML element, for comparing.
type node struct {
	Name  string
	Attrs map[string]string
	Text  string
	Nodes []node
}

var (
	paddedHex = regexp.MustCompile(`^0x0*([0-9a-f]+)$`)
	guid      = regexp.MustCompile(`^\{[0-9A-Fa-f-]{36}\}$`)
)

// canonical normalizes two spellings of a value: evtxexport pads 64-bit hexadecimals with zeros and writes GUIDs in
// upper case, [MS-EVEN6] 3.1.4.7.3 does neither. The indentation is evtxexport's own.
func canonical(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\r\n", "\n")
	if m := paddedHex.FindStringSubmatch(s); m != nil {
		return "0x" + m[1]
	}
	if guid.MatchString(s) {
		return strings.ToLower(s)
	}
	return s
}

func parseXML(tb testing.TB, text string) []node {
	tb.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	stack := []node{{}}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return stack[0].Nodes
		}
		if err != nil {
			tb.Fatalf("%v in %.2000s", err, text)
		}
		top := &stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			n := node{Name: token.Name.Local, Attrs: map[string]string{}}
			for _, a := range token.Attr {
				n.Attrs[a.Name.Local] = canonical(a.Value)
			}
			stack = append(stack, n)
		case xml.CharData:
			top.Text += string(token)
		case xml.EndElement:
			n := *top
			n.Text = canonical(n.Text)
			stack = stack[:len(stack)-1]
			parent := &stack[len(stack)-1]
			parent.Nodes = append(parent.Nodes, n)
		}
	}
}

// evtxexport runs libevtx's tool.
func evtxexport(tb testing.TB, file string) string {
	tb.Helper()
	tool, err := exec.LookPath("evtxexport")
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal("evtxexport is missing: ", err)
		}
		tb.Skip("evtxexport is missing: ", err)
	}
	out, err := exec.Command(tool, "-f", "xml", file).Output()
	if err != nil {
		tb.Fatal(err)
	}
	// It passes on control characters, which XML cannot contain; ours are U+FFFD.
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return utf8.RuneError
		}
		return r
	}, string(out))
}

// TestAgainstEvtxexport: the same records and values as libevtx, in every real log.
func TestAgainstEvtxexport(t *testing.T) {
	for name, data := range sharedLogs(t) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log.evtx")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			text := evtxexport(t, file)
			if i := strings.Index(text, "<Event "); i >= 0 {
				text = text[i:]
			}
			want := parseXML(t, text)
			ours, stats := readAll(t, bytes.NewReader(data))
			t.Logf("%d events, %+v", len(ours), stats)
			if stats.Damaged != 0 || len(want) == 0 {
				t.Errorf("stats %+v, %d events expected", stats, len(want))
			}
			got := parseXML(t, strings.Join(ours, "\n"))
			if len(got) != len(want) {
				t.Fatalf("%d events, evtxexport has %d", len(got), len(want))
			}
			for i := range got {
				if diff := cmp.Diff(want[i], got[i]); diff != "" {
					t.Fatalf("event %d (-evtxexport +ours):\n%s\n%s", i, diff, ours[i])
				}
			}
		})
	}
}

package observe

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/peer"
	"ipcguard/internal/status"
)

// stream is one TCP connection as tshark read it.
type stream struct {
	Client, Server string
	Port           int
	Dialects       []string
	Auth           []struct {
		User, Domain, Layer string
		Anonymous           bool
		Result              *struct{ Status *string }
	}
	AuthResult []struct {
		Status string
		Flags  string `json:"session_flags"`
	} `json:"auth_result"`
	Trees     []struct{ Path, Status *string }
	Creates   []struct{ Name, Status, Tree *string }
	SMB1Opens []struct{ Name, Status, Tree *string } `json:"smb1_opens"`
	Binds     []struct{ UUIDs []string }
	BindAcks  []struct{ Results []string } `json:"bind_acks"`
	Opnums    map[string]int
	Faults    []json.RawMessage
}

// sharedCaptures returns the folder of captures beside the project.
func sharedCaptures(t testing.TB) string {
	dir := filepath.Join(filepath.Dir(peer.Shared(t, "evtx")), "captures")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/captures is not there: no captures of third parties to read")
	}
	return dir
}

// captureFiles lists the captures.
func captureFiles(t testing.TB) []string {
	var all []string
	for _, pattern := range []string{"*/*.pcap", "*/*.pcapng", "*/*.pcap.gz"} {
		files, _ := filepath.Glob(filepath.Join(sharedCaptures(t), pattern))
		all = append(all, files...)
	}
	if len(all) < 40 {
		t.Fatalf("only %d captures", len(all))
	}
	return all
}

func readCapture(t testing.TB, name string, o TrafficOptions) ([]model.Use, *Coverage) {
	t.Helper()
	agg, cov := NewAggregator(0), new(Coverage)
	tr := NewTraffic(agg, cov, o)
	if err := tr.ReadPath(context.Background(), name); err != nil {
		t.Fatal(err)
	}
	tr.Close()
	return agg.Rows(), cov
}

// counts is a multiset of facts.
type counts map[string]int64

func word(hex *string) string {
	if hex == nil {
		return ""
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(*hex, "0x"), 16, 32)
	if err != nil {
		return *hex
	}
	return status.NTStatus(n).String()
}

func anyWord(hex *string) string {
	if hex == nil {
		return "*"
	}
	return word(hex)
}

// of returns how often a fact is told; * stands for any status.
func (c counts) of(k string) (n int64) {
	prefix, ok := strings.CutSuffix(k, "*")
	if !ok {
		return c[k]
	}
	for k, m := range c {
		if rest, ok := strings.CutPrefix(k, prefix); ok && !strings.Contains(rest, " ") {
			n += m
		}
	}
	return n
}

// anyStatus returns the fact with any status.
func anyStatus(k string) string { return k[:strings.LastIndexByte(k, ' ')+1] + "*" }

func isIPCPath(s *string) bool { return s != nil && strings.HasSuffix(strings.ToUpper(*s), `\IPC$`) }

// expected reads tshark's facts of a capture.
func expected(t *testing.T, name string) (c, maybe counts) {
	t.Helper()
	parent, file := filepath.Base(filepath.Dir(name)), filepath.Base(name)
	f, err := os.Open(filepath.Join(sharedCaptures(t), "expected", parent+"__"+file+".json.gz"))
	if err != nil {
		t.Skip("no expectations")
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var streams map[string]stream
	if err := json.NewDecoder(z).Decode(&streams); err != nil {
		t.Fatal(err)
	}
	c, maybe = counts{}, counts{}
	for _, s := range streams {
		word := word
		if len(s.Dialects) == 0 { // tshark shows no statuses of SMB1: any will do
			word = anyWord
		}
		if s.Port != 445 && s.Port != 139 {
			continue
		}
		for _, a := range s.Auth {
			if (a.Layer == "smb" || a.Layer == "smb1-plain") && a.Result != nil {
				who := "session"
				if a.Anonymous {
					who = "session, anonymous"
				}
				c[who+" "+word(a.Result.Status)]++
			}
		}
		for _, x := range s.Trees {
			if isIPCPath(x.Path) {
				c["tree "+word(x.Status)]++
			}
		}
		for _, x := range slices.Concat(s.Creates, s.SMB1Opens) {
			if x.Name == nil {
				continue
			}
			k := "open " + strings.ToLower(strings.TrimPrefix(*x.Name, `\`)) + " " + word(x.Status)
			if isIPCPath(x.Tree) {
				c[k]++
			} else if x.Tree == nil { // the tree connect is not in the capture: tshark does not guess
				maybe[k]++
			}
		}
		for _, b := range s.Binds {
			slices.Sort(b.UUIDs)
			for _, u := range slices.Compact(b.UUIDs) {
				c["bind "+u]++
			}
		}
		for n, count := range s.Opnums {
			c["call "+n] += int64(count)
		}
		if len(s.Faults) > 0 {
			c["fault"] += int64(len(s.Faults))
		}
	}
	return c, maybe
}

// echoed are calls that tshark counts several times, because this server's IOCTL answers repeat the request.
var echoed = map[string]counts{"smb__smb2.pcap": {"call 16": 2}}

// TestAgainstTshark compares sessions, trees, opens, binds, calls and faults with tshark's.
func TestAgainstTshark(t *testing.T) {
	facts := int64(0)
	for _, name := range captureFiles(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			want, maybe := expected(t, name)
			rows, cov := readCapture(t, name, TrafficOptions{})
			got := counts(observetest.FactsOf(rows))
			for _, k := range slices.Sorted(maps.Keys(want)) {
				facts += want[k]
				if n := got.of(k); n != want[k] && want[k] != echoed[filepath.Base(name)][k]+n {
					t.Errorf("%s: %d, tshark %d", k, n, want[k])
				}
			}
			for _, k := range slices.Sorted(maps.Keys(got)) {
				if want[k] == 0 && want[anyStatus(k)] == 0 && got[k] > maybe[k]+maybe[anyStatus(k)] {
					t.Errorf("%s: %d, tshark none", k, got[k])
				}
			}
			if t.Failed() {
				for _, u := range rows {
					t.Logf("%+v", u)
				}
				t.Logf("%+v", cov)
			}
		})
	}
	t.Logf("%d facts agree", facts)
}

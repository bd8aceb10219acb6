package logs

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/format/evtx"
	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/observe/source"
	"ipcguard/internal/peer"
)

// readLogs reads logs given as text or as *os.File path with @ before it.
func readLogs(tb testing.TB, o Options, logs ...string) ([]model.Use, *observe.Coverage) {
	tb.Helper()
	agg, cov := observe.NewAggregator(0), new(observe.Coverage)
	l := New(agg, cov, o)
	for i, log := range logs {
		var err error
		if path, ok := strings.CutPrefix(log, "@"); ok {
			err = l.ReadPath(context.Background(), path)
		} else {
			err = l.Read(context.Background(), fmt.Sprintf("log%d", i), strings.NewReader(log))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	l.Close()
	return agg.Rows(), cov
}

func wantRows(tb testing.TB, rows []model.Use, want ...string) {
	tb.Helper()
	if diff := cmp.Diff(want, observetest.Short(rows)); diff != "" {
		tb.Errorf("rows (-want +got):\n%s", diff)
	}
}

// The rows are what evtxexport's XML shows (grep -E 'SubjectUserName|IpAddr|ShareName|RelativeT') and, of the JSON log,
// jq 'select(.EventID==5140 or .EventID==5145)'.
func TestRealEventLogs(t *testing.T) {
	dir := peer.Shared(t, "evtx")
	const dc = "WIN-77LTAPHIQ1R.example.corp"
	for _, tt := range []struct {
		log          string
		rows         []string
		note, notice string
	}{
		{
			"@discovery_bloodhound.evtx", []string{
				`10.0.2.17 > ` + dc + ` user [EXAMPLE\user01] open IPC$/lsarpc allowed x1`,
				`10.0.2.17 > ` + dc + ` user [EXAMPLE\user01] open IPC$/netlogon allowed x1`,
				`10.0.2.17 > ` + dc + ` user [EXAMPLE\user01] open IPC$/samr allowed x4`,
				`10.0.2.17 > ` + dc + ` user [EXAMPLE\user01] open IPC$/srvsvc allowed x1`,
				`10.0.2.18 > ` + dc + ` user [EXAMPLE\admin01] open IPC$/samr allowed x1`,
			}, "turn on Audit Logon", "log-cleared",
		},
		{
			"@discovery_psloggedon.evtx", []string{
				`10.0.2.17 > ` + dc + ` user [EXAMPLE\user01] open IPC$/lsarpc allowed x1`,
				`10.0.2.17 > ` + dc + ` user [EXAMPLE\user01] open IPC$/srvsvc allowed x1`,
				`10.0.2.17 > ` + dc + ` user [EXAMPLE\user01] open IPC$/winreg allowed x1`,
			}, "turn on Audit File Share", "log-cleared",
		},
		{
			"@Zerologon_VoidSec_CVE-2020-1472_4626_LT3_Anonym_follwedby_4742_DC_Anony_DC.evtx", []string{
				`172.16.66.37 > 01566s-win16-ir.threebeesco.com anonymous [] session allowed x2`,
			}, "silence proves nothing", "log-cleared",
		},
		{"@security.evtx.xz", nil, "silence proves nothing", ""},
		{"@LM_add_new_namedpipe_tp_nullsession_registry_turla_like_ttp.evtx", nil, "", "null-session-setting-changed"},
		{
			string(otrf(t)), []string{
				`172.18.39.5 > MORDORDC.theshire.local machine [THESHIRE\WORKSTATION5$] session allowed x1`,
				`172.18.39.5 > MORDORDC.theshire.local machine [THESHIRE\WORKSTATION5$] tree IPC$ allowed x1`,
				`172.18.39.5 > MORDORDC.theshire.local user [THESHIRE\pgustavo] session allowed x1`,
				`172.18.39.5 > MORDORDC.theshire.local user [THESHIRE\pgustavo] tree IPC$ allowed x1`,
				`172.18.39.5 > MORDORDC.theshire.local user [THESHIRE\pgustavo] open IPC$/srvsvc allowed x1`,
			}, "not whether the pipe itself did", "",
		},
	} {
		t.Run(tt.log[:min(len(tt.log), 20)], func(t *testing.T) {
			log := tt.log
			if name, ok := strings.CutPrefix(log, "@"); ok {
				log = "@" + filepath.Join(dir, name)
			}
			rows, cov := readLogs(t, Options{}, log)
			wantRows(t, rows, tt.rows...)
			if tt.note != "" && !strings.Contains(strings.Join(cov.Notes, "\n"), tt.note) {
				t.Errorf("no note %q in %q", tt.note, cov.Notes)
			}
			if len(cov.Unreadable) > 0 || cov.From.IsZero() || cov.To.Before(cov.From) {
				t.Errorf("coverage %+v", cov)
			}
			if got := fmt.Sprint(len(cov.Notices)); tt.notice == "" && got != "0" || tt.notice != "" && (got != "1" || cov.Notices[0].ID != tt.notice) {
				t.Errorf("notices %+v, want %q", cov.Notices, tt.notice)
			}
		})
	}
	_, cov := readLogs(t, Options{},
		"@"+filepath.Join(dir, "LM_add_new_namedpipe_tp_nullsession_registry_turla_like_ttp.evtx"))
	n := cov.Notices[0]
	if n.Host != "IEWIN7" || !strings.Contains(n.What, "NullSessionPipes") || !strings.Contains(n.Evidence,
		"reg.exe") || n.Time.Format("15:04:05") != "20:10:06" {
		t.Errorf("the pipe added to the list of null session pipes is told as %+v", n)
	}
}

func TestIsLog(t *testing.T) {
	head := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(peer.Shared(t, "evtx"), name))
		if err != nil {
			t.Fatal(err)
		}
		_, h := source.Peek(bytes.NewReader(b), 64<<10, func([]byte) bool { return false })
		return h
	}
	for name, b := range map[string][]byte{
		"evtx": head("discovery_bloodhound.evtx"), "xz": head("security.evtx.xz"),
		"json": otrf(t)[:4096], "smbd.log": []byte("[2026/11/22 10:59:49.558591,  0] x"),
	} {
		if !Is(b) {
			t.Errorf("%s is no log", name)
		}
	}
	for _, b := range [][]byte{
		nil, head("otrf_network_empire_getsession_NetSessEnum.zip"),
		{0xd4, 0xc3, 0xb2, 0xa1},
		{0x0a, 0x0d, 0x0d, 0x0a},
		[]byte("hello"),
	} {
		if Is(b) {
			t.Errorf("%.10q is a log", b)
		}
	}
}

// A folder is all its logs at once, those in archives too; files of other kinds are passed over and counted.
func TestFolder(t *testing.T) {
	rows, cov := readLogs(t, Options{}, "@"+peer.Shared(t, "evtx"))
	if len(rows) != 12 || cov.Unreadable["files that are no log"] != 1 {
		t.Errorf("%q\n%v", observetest.Short(rows), cov.Unreadable)
	}
}

// The same events as a file and as exported XML, in UTF-8 and in UTF-16, make the same rows.
func TestExportedXML(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(peer.Shared(t, "evtx"), "*.evtx"))
	for _, name := range names {
		want, wantCov := readLogs(t, Options{}, "@"+name)
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		text := []byte("<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n<Events>")
		for rd := evtx.NewReader(f); ; {
			e, err := rd.Next()
			if err != nil {
				break
			}
			if text, err = e.AppendXML(text); err != nil {
				t.Fatal(err)
			}
		}
		text = append(text, "</Events>"...)
		wide := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(string(text))) {
			wide = binary.LittleEndian.AppendUint16(wide, u)
		}
		for _, log := range []string{string(text), string(wide)} {
			got, cov := readLogs(t, Options{}, log)
			if diff := cmp.Diff(observetest.Short(want), observetest.Short(got)); diff != "" {
				t.Errorf("%s (-file +XML):\n%s", name, diff)
			}
			if len(cov.Notices) != len(wantCov.Notices) || !cov.From.Equal(wantCov.From) || len(cov.Unreadable) > 0 {
				t.Errorf("%s: coverage %+v, want %+v", name, cov, wantCov)
			}
		}
	}
}

// otrf returns the host log of the Security-Datasets pair.
func otrf(tb testing.TB) []byte {
	tb.Helper()
	z, err := zip.OpenReader(filepath.Join(peer.Shared(tb, "evtx"), "otrf_host_empire_getsession_NetSessEnum.zip"))
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	f, err := z.File[0].Open()
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, f); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

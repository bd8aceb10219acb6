package observe

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// zeekText returns one of Zeek's expected logs of its own captures.
func zeekText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(sharedCaptures(t), "zeek-logs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// zeekLog reads a log in Zeek's format: a row as a map of its fields.
func zeekLog(t *testing.T, name string) (rows []map[string]string) {
	t.Helper()
	var fields []string
	for line := range strings.Lines(zeekText(t, name)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case cells[0] == "#fields":
			fields = cells[1:]
		case strings.HasPrefix(line, "#"):
		default:
			row := map[string]string{}
			for i, cell := range cells {
				row[fields[i]] = cell
			}
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no rows", name)
	}
	return rows
}

func zeekCapture(t *testing.T, name string) ([]model.Use, *Coverage) {
	t.Helper()
	return readCapture(t, filepath.Join(sharedCaptures(t), "zeek", name), TrafficOptions{})
}

// uses adds up the rows of a layer that a function picks.
func uses(rows []model.Use, layer model.Layer, pick func(*model.Use) bool) (n int64) {
	for i := range rows {
		if u := &rows[i]; u.Layer == layer && (pick == nil || pick(u)) {
			n += u.Count
		}
	}
	return n
}

// TestAgainstZeek holds rows against what Zeek itself logs of those of its captures that are at hand: trees, pipes,
// calls, identities, encrypted frames. Where Zeek says something else, the case says why.
func TestAgainstZeek(t *testing.T) {
	t.Run("trees", zeekTrees)
	t.Run("opens of smb__smb2.pcap", zeekOpens)
	t.Run("calls of 20 pipes", zeekCalls)
	t.Run("encrypted frames", zeekEncrypted)
	t.Run("logons", zeekLogons)
	t.Run("Kerberos", zeekKerberos)
	t.Run("no pipe is a port", zeekPorts)
	t.Run("names of transactions", zeekTransactions)
	t.Run("weird", zeekWeird)
}

// sameCount compares a count with Zeek's, which must not be zero.
func sameCount(t *testing.T, what string, got, zeek int64) {
	t.Helper()
	if got != zeek || zeek == 0 {
		t.Errorf("%s: %d, Zeek %d", what, got, zeek)
	}
}

func zeekTrees(t *testing.T) {
	for log, capture := range map[string]string{
		"smb.smb2__smb_mapping.log": "smb__smb2.pcap",
		"smb.smb3__smb_mapping.log": "smb__smb3.pcap",
	} {
		t.Run("trees of "+capture, func(t *testing.T) {
			rows, _ := zeekCapture(t, capture)
			pipes := int64(0)
			for _, z := range zeekLog(t, log) {
				if z["share_type"] != "PIPE" {
					continue // a disk: no row of ours
				}
				pipes++
				if n := uses(rows, model.LayerTree, func(u *model.Use) bool {
					return u.Client == z["id.orig_h"] && u.Server == z["id.resp_h"]
				}); n == 0 {
					t.Errorf("no tree of %v", z)
				}
			}
			sameCount(t, "connects to IPC$", uses(rows, model.LayerTree, nil), pipes)
		})
	}
}

func zeekOpens(t *testing.T) {
	rows, _ := zeekCapture(t, "smb__smb2.pcap")
	srvsvc := int64(strings.Count(zeekText(t, "smb.smb2__.stdout"), "[filename=srvsvc,"))
	sameCount(t, "opens of srvsvc", uses(rows, model.LayerOpen, func(u *model.Use) bool { return u.Pipe == "srvsvc" }),
		srvsvc)
	// Zeek's other names, <share_root> and WP_SMBPlugin.pdf, are files.
	sameCount(t, "opens", uses(rows, model.LayerOpen, nil), srvsvc)
}

func zeekCalls(t *testing.T) {
	rows, _ := zeekCapture(t, "dce-rpc__20-fids.pcap")
	fids := map[string]bool{}
	requests := int64(0)
	for _, f := range regexp.MustCompile(`(?m)^dce_rpc_request, \w+, fid, (\d+)`).FindAllStringSubmatch(zeekText(t,
		"dce-rpc.dce-rpc-backing-size__out"), -1) {
		requests++
		fids[f[1]] = true
	}
	sameCount(t, "calls", uses(rows, model.LayerCall, nil), requests)
	sameCount(t, "opened pipes", uses(rows, model.LayerOpen, nil), int64(len(fids)))
	sameCount(t, "binds", uses(rows, model.LayerBind, nil), int64(len(fids)))
}

func zeekEncrypted(t *testing.T) {
	_, cov := zeekCapture(t, "smb__smb3.pcap")
	sameCount(t, "encrypted frames", cov.Unreadable["encrypted SMB frames"],
		int64(strings.Count(zeekText(t, "smb.smb3__.stdout"), "smb2_transform_header ")))
}

func zeekLogons(t *testing.T) {
	// smb_cmd.log has the commands of one connection to a disk: one logon, no IPC$. Its username is unset though the
	// logon has a name, which Zeek keeps in another log.
	rows, _ := zeekCapture(t, "smb__smb2.delete-on-close-perms-delete-existing.pcap")
	logons := int64(0)
	for _, z := range zeekLog(t, "smb.smb2-create-delete-on-close__smb_cmd.log") {
		if z["command"] == "SESSION_SETUP" && z["status"] == "SUCCESS" {
			logons++
			if z["username"] != "-" {
				t.Errorf("Zeek names %q now: compare it", z["username"])
			}
		}
	}
	sameCount(t, "logons", uses(rows, model.LayerSession,
		func(u *model.Use) bool { return u.Account == `ZEEK-TEST\zeek` }), logons)
	if n := uses(rows, model.LayerOpen, nil) + uses(rows, model.LayerTree, nil); n != 0 {
		t.Errorf("%d uses of IPC$, Zeek none", n)
	}
}

func zeekKerberos(t *testing.T) {
	// Zeek's client is a slash and the server's realm: the name is in the ticket, and Zeek writes an empty one.
	rows, _ := zeekCapture(t, "dce-rpc__kerberos445_auth.pcapng")
	z := zeekLog(t, "dce-rpc.spnego-gssapi-kerberos__kerberos.log.445")
	n := uses(rows, model.LayerSession, func(u *model.Use) bool {
		return u.Client == z[0]["id.orig_h"] && u.Server == z[0]["id.resp_h"] && u.Identity == model.User &&
			strings.HasPrefix(u.Basis, "Kerberos") && u.Account == ""
	})
	sameCount(t, "logons by AP-REQ", n, int64(len(z)))
	if z[0]["request_type"] != "AP" || !strings.HasPrefix(z[0]["client"], "/") {
		t.Errorf("%v", z[0])
	}
	// With the server's key Zeek opens the ticket, and so has a name that we do not have without that key.
	rows, _ = zeekCapture(t, "krb__smb2_krb.pcap")
	if !strings.Contains(zeekText(t, "krb.smb2_krb__.stdout"), "wallior@DS.SUSQ.COM") {
		t.Error("Zeek's name is gone")
	}
	if strings.Contains(zeekText(t, "krb.smb2_krb_nokeytab__.stdout"), "wallior") {
		t.Error("Zeek knows the name without the key")
	}
	sameCount(t, "logons by Kerberos", uses(rows, model.LayerSession,
		func(u *model.Use) bool { return strings.HasPrefix(u.Basis, "Kerberos") && u.Account == "" }), 1)
}

func zeekPorts(t *testing.T) {
	// Zeek writes a port into named_pipe where RPC comes over TCP. No IPC$ is in that: no row of ours has those ends.
	// What we have is SMB that the capture met in its middle, which Zeek passes over and tshark reads.
	rows, cov := zeekCapture(t, "dce-rpc__mapi.pcap")
	for _, z := range zeekLog(t, "dce-rpc.mapi__dce_rpc.log") {
		if z["named_pipe"] != z["id.resp_p"] || z["id.resp_p"] == "445" || z["id.resp_p"] == "139" {
			t.Errorf("not a port as a pipe: %v", z)
		}
		for _, u := range rows {
			if u.Client == z["id.orig_h"] || u.Call == z["operation"] {
				t.Errorf("%+v is no use of IPC$", u)
			}
		}
	}
	if n := cov.Read["SMB connections"]; n == 0 || n != cov.Read["SMB connections met in their middle"] {
		t.Errorf("%v", cov.Read)
	}
}

func zeekTransactions(t *testing.T) {
	// Zeek tells the name that an SMB1 transaction gives itself, \PIPE\lsarpc. For calls on a pipe the FID decides and
	// the name is \PIPE\, see [MS-CIFS] 2.2.5.6. This made request does not decode, and no pipe is invented from it.
	if !strings.Contains(zeekText(t, "smb.smb1-transaction-request__.stdout"), `name: \\PIPE\lsarpc`) {
		t.Error("Zeek's name is gone")
	}
	rows, cov := zeekCapture(t, "smb__smb1_transaction_request.pcap")
	for _, u := range rows {
		if u.Pipe != "" {
			t.Errorf("an invented pipe: %+v", u)
		}
	}
	if cov.Unreadable["frames that could not be decoded"] != 1 {
		t.Errorf("%v", cov.Unreadable)
	}
}

// zeekWeird: what Zeek calls weird or a violation is counted as not decoded, or is harmless here.
func zeekWeird(t *testing.T) {
	for log, tt := range map[string]struct {
		capture, says string
		counted       bool
	}{
		"smb.smb1-long-andx-chain__weird.log": {
			"smb__smb1-logoff-andx-advance.pcap",
			"smb_andx_depth_exceeded", true,
		},
		"smb.smb1-non-advancing-andx-offset__weird.log": {
			"smb__smb1-logoff-andx-no-advance.pcap", "not_advancing",
			true,
		},
		"smb.smb1-OSS-fuzz-54883__analyzer_debug.log": {"smb__smb1-OSS-fuzz-54883.pcap", "out_of_bound", true},
		// fragments are not gathered: their first and their end are enough
		"smb.named-pipe-fragment__weird.log": {
			"smb__fragment-state-exhaustion.pcap",
			"too_many_dce_rpc_msgs_in_reassembly", false,
		},
	} {
		t.Run(tt.capture, func(t *testing.T) {
			if text := zeekText(t, log); !strings.Contains(text, tt.says) {
				t.Errorf("Zeek says\n%s", text)
			}
			rows, cov := zeekCapture(t, tt.capture)
			if n := cov.Unreadable["frames that could not be decoded"]; n > 0 != tt.counted || len(rows) > 0 {
				t.Errorf("%v %s", cov.Unreadable, fmt.Sprint(rows))
			}
		})
	}
}

package observe

import (
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// rowsOf reads one capture of the folder beside the project.
func rowsOf(t *testing.T, name string) ([]model.Use, *Coverage) {
	t.Helper()
	return readCapture(t, filepath.Join(sharedCaptures(t), name), TrafficOptions{})
}

func total(rows []model.Use, match func(*model.Use) bool) (n int64) {
	for i := range rows {
		if match(&rows[i]) {
			n += rows[i].Count
		}
	}
	return n
}

// TestTraps checks what other programs, and flags, get wrong.
func TestTraps(t *testing.T) {
	is := func(id model.Identity, layer model.Layer, pipe string, outcome model.Outcome) func(*model.Use) bool {
		return func(u *model.Use) bool {
			return u.Identity == id && u.Layer == layer && u.Pipe == pipe && u.Outcome == outcome
		}
	}
	const zerologon = "suricata-verify/dcerpc__zerologon.pcap"
	for _, c := range []struct {
		name, file string
		match      func(*model.Use) bool
		want       int64
	}{
		// A domain controller: the client does not set NEGOTIATE_ANONYMOUS, the server does not answer IS_NULL.
		{"null session without flags", zerologon, is(model.Anonymous, model.LayerSession, "", model.Allowed), 10},
		// The pipe opens, the bind is taken, and the call says no.
		{"an open pipe is no leak", zerologon, is(model.Anonymous, model.LayerCall, "samr", model.Denied), 5},
		{"nothing was given", zerologon, is(model.Anonymous, model.LayerCall, "samr", model.Allowed), 0},
		{"another pipe is refused", zerologon, is(model.Anonymous, model.LayerOpen, "svcctl", model.Denied), 5},
		// bind_ack says \pipe\lsass: that is not what was opened.
		{"the secondary address is no pipe", zerologon, func(u *model.Use) bool { return u.Pipe == "lsass" }, 0},
		{
			"nor that of svcctl", "suricata-verify/dcerpc-smb-test-01.pcap",
			func(u *model.Use) bool { return u.Pipe == "ntsvcs" }, 0,
		},
		// Calls over TCP, without a pipe, are not IPC$.
		{"RPC over TCP", zerologon, func(u *model.Use) bool {
			return u.Interface == "netlogon" ||
				u.Interface == "epmapper"
		}, 0},
		// An empty name with a response behind it, and IS_GUEST in the answer.
		{"an empty name is not all", "suricata-verify/smb2-01__smb2-peter.pcap", is(model.Guest, model.LayerSession, "",
			model.Allowed), 1},
		{
			"and no null session", "suricata-verify/smb2-01__smb2-peter.pcap",
			func(u *model.Use) bool { return u.Identity == model.Anonymous }, 0,
		},
		// SMB1: GUEST by name, and the server's Action says so.
		{"guest in SMB1", "zeek/smb__smb1_transaction_request.pcap", is(model.Guest, model.LayerSession, "",
			model.Allowed), 1},
		{"null session in SMB1", "suricata-verify/output-eve-smb-01.pcap", is(model.Anonymous, model.LayerSession, "",
			model.Allowed), 1},
		// Kerberos has no NTLM name: that makes nobody anonymous.
		{"Kerberos has a name elsewhere", "zeek/krb__smb2_krb.pcap", is(model.User, model.LayerSession, "",
			model.Allowed), 1},
		{
			"Kerberos is not anonymous", "zeek/krb__kerberos_tso.pcapng",
			func(u *model.Use) bool { return u.Identity == model.Anonymous }, 0,
		},
		// Its name is beside the ticket where that is issued.
		{"the ticket's owner", "zeek/krb__kerberos_tso.pcapng", func(u *model.Use) bool {
			return u.Layer == model.LayerSession && strings.EqualFold(u.Account[strings.LastIndexByte(u.Account, '\\')+
				1:], "administrator")
		}, 2},
		// The third one's ticket was issued before the capture began.
		{
			"an older ticket", "zeek/krb__kerberos_tso.pcapng",
			func(u *model.Use) bool { return u.Layer == model.LayerSession && u.Account == "" }, 1,
		},
		{"the ticket of a machine", "zeek/krb__kerberos_tso.pcapng", is(model.Machine, model.LayerSession, "",
			model.Allowed), 1},
		// One client with twenty FIDs at a time, each bound with NTLM inside RPC.
		{"many FIDs", "zeek/dce-rpc__20-fids.pcap", func(u *model.Use) bool { return u.Layer == model.LayerBind }, 20},
		// The server's IOCTL answers repeat the request, which is one call all the same.
		{"echoed input", "zeek/smb__smb2.pcap", func(u *model.Use) bool {
			return u.Layer == model.LayerCall &&
				u.Opnum == 16
		}, 1},
		// An AndX chain that does not advance.
		{"a loop", "zeek/smb__smb1-logoff-andx-no-advance.pcap", func(*model.Use) bool { return true }, 0},
		// Encrypted: the logon is told, and that the rest is not readable.
		{"encrypted", "zeek/smb__smb3.pcap", is(model.Opaque, model.LayerSession, "", model.Inconclusive), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, _ := rowsOf(t, c.file)
			if got := total(rows, c.match); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
				for _, u := range rows {
					t.Logf("%s %q %s %s|%s|%s %s %s x%d", u.Identity, u.Account, u.Layer, u.Pipe, u.Interface, u.Call,
						u.Outcome, u.Status, u.Count)
				}
			}
		})
	}
}

// TestNoneInvented compares the null sessions of all captures with tshark's.
func TestNoneInvented(t *testing.T) {
	var accepted, refused, wantAccepted, wantRefused int64
	for _, name := range captureFiles(t) {
		if strings.HasPrefix(filepath.Base(name), "null-session-rpcclient") {
			continue // of our own making, and not among the expectations
		}
		want, _ := expected(t, name)
		rows, _ := readCapture(t, name, TrafficOptions{})
		for k, n := range want {
			switch {
			case !strings.HasPrefix(k, "session, anonymous "):
			case strings.HasSuffix(k, " STATUS_SUCCESS"):
				wantAccepted += n
			default:
				wantRefused += n
			}
		}
		accepted += total(rows, func(u *model.Use) bool {
			return u.Identity == model.Anonymous && u.Layer == model.LayerSession && u.Outcome == model.Allowed
		})
		refused += total(rows, func(u *model.Use) bool {
			return u.Identity == model.Anonymous && u.Layer == model.LayerSession && u.Outcome != model.Allowed
		})
	}
	t.Logf("%d null sessions accepted, %d refused", accepted, refused)
	if accepted != wantAccepted || refused != wantRefused || accepted == 0 {
		t.Errorf("%d accepted and %d refused, tshark has %d and %d", accepted, refused, wantAccepted, wantRefused)
	}
}

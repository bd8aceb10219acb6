package catalog

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asked are phrases as people type them, each with the entry that answers it and words of its three lines.
var asked = []struct{ phrase, entry, says string }{
	// From the public questions (cases, reports/16).
	{"is null session dangerous", "topic is a null session dangerous", "every release"},
	{"restrictanonymous 2", "setting RestrictAnonymous", "Windows 2000: Anonymous callers get nothing"},
	{"AutoShareWks", "setting AutoShareWks", "IPC$ stays"},
	{"does blocking IPC$ break SQL Server", "service sqlserver_default", "IPC$ blocked: clients that use np:"},
	{"0x80070035", "topic STATUS_BAD_NETWORK_PATH", "port 445"},
	{"STATUS_ACCESS_DENIED on IPC$", "topic STATUS_ACCESS_DENIED", "null session is refused"},
	{"rpcclient -U \"\" -N", "topic net use null session", "scan HOST"},
	{"enum4linux", "topic net use null session", "null session by hand"},
	{"how to check if anonymous access is enabled", "topic net use null session", "scan HOST"},
	{"KB5005413", "topic NTLM relay", "relay"},
	{"smbclient -N -L", "topic net use null session", "scan HOST"},
	{"nmap smb-enum-shares", "topic net use null session", "null session by hand"},
	{"netexec", "topic net use null session", "null session by hand"},
	{"security = share", "topic security = share", "does not start"},
	{"server max protocol = NT1", "setting server max protocol", "every client is refused"},
	{"System error 67 has occurred", "topic STATUS_BAD_NETWORK_NAME", "no share of this name"},
	{"force user", "topic force user", "never who comes in"},
	{"valid users guest", "topic lists of users", "who logged on"},
	{"hidden shares C$", "topic administrative shares", "administrators"},
	{"The specified network name is no longer available", "topic STATUS_NETWORK_NAME_DELETED", "while it was in use"},
	{"event 1704", "topic event 1704", "no tie"},
	{"netlogon pipe", "pipe netlogon", "Open to anonymous callers"},
	{"PrintNightmare", "topic PrintNightmare", "spoolss"},
	{"PetitPotam", "topic PetitPotam", "logs on there"},
	{"445", "topic port 445", "IPC$"},
	{"event 5145", "topic event 5145", "RelativeTargetName"},
	{"how do I disable IPC$", "topic disable IPC$", "RestrictNullSessAccess"},
	{"IPC$ access denied", "topic STATUS_ACCESS_DENIED", "tree connect"},
	{"error 1272", "topic ERROR_SMB_GUEST_LOGON_BLOCKED", "AllowInsecureGuestAuth"},
	{
		"You can't access this shared folder because your organization's security policies block unauthenticated " +
			"guest access", "topic ERROR_SMB_GUEST_LOGON_BLOCKED", "AllowInsecureGuestAuth",
	},
	{"0x80070043", "topic STATUS_BAD_NETWORK_NAME", "no share of this name"},
	{"system error 53", "topic STATUS_BAD_NETWORK_PATH", "found no server"},
	{`net use \\server\ipc$ "" /user:""`, "topic net use null session", "null session by hand"},
	{"null session", "topic null session", "S-1-5-7"},
	{"RestrictRemoteSAM breaks domain controller", "setting RestrictRemoteSAM", "logons in the domain"},
	{"NetSessionEnum access denied", "topic session enumeration", "default there"},
	{"BloodHound session enumeration", "topic session enumeration", "srvsvc"},
	{"map to guest = bad user", "setting map to guest", "unknown name becomes guest"},
	{"restrict anonymous = 2 guest share", "claim samba-ra2-guest-share", "that one share is readable"},
	{"nt pipe support", "setting nt pipe support", "no pipe opens"},
	{"usershare allow guests", "setting usershare allow guests", "smb.conf does not show it"},
	{"NullSessionPipes empty value", "setting NullSessionPipes", "empty"},
	{"NullSessionPipes on a domain controller", "setting NullSessionPipes", "netlogon, samr, lsarpc"},
	{"Pre-Windows 2000 Compatible Access", "setting PreWindows2000Members", "strangers may"},
	{"EveryoneIncludesAnonymous", "setting EveryoneIncludesAnonymous", "every right given to Everyone"},
	{"port 139", "topic port 139", "445 alone leaves it open"},
	{"nessus 26920", "finding null-session-accepted", "gives nothing away"},
	{"CVE-2017-7494", "topic SambaCry", "writable share"},
	{"SMB null session authentication", "topic is a null session dangerous", "What counts"},
	{"2.3.10.6", "control NullSessionPipes", "NullSessionPipes"},
	{"CIS 2.3.10.7", "control NullSessionPipes", "NullSessionPipes"},
	{"V-254467", "control RestrictAnonymous", "RestrictAnonymous, wanted 1"},
	{"V-73675", "topic V-73675", "renumbering of 2020"},
	{"zerologon", "topic Zerologon", "netlogon pipe"},
	{
		"print server stops working after restrictanonymous", "setting RestrictAnonymous",
		"printers are no longer listed",
	},
	{"RPC over named pipes RestrictRemoteClients", "claim rrc-protects-ipc", "exempt named pipes"},
	{"can I delete IPC$ share", "claim net-share-delete", "came back at the next start"},
	{"guest access blocked Windows 11 24H2", "topic ERROR_SMB_GUEST_LOGON_BLOCKED", "24H2"},
	{"SMB signing required NAS", "topic signing and old devices", "storage boxes"},
	{"browser service", "topic computer browser", "SMB1"},
	{"event 4624 anonymous logon", "topic event 4624", "null session"},
	{"ANONYMOUS LOGON", "topic S-1-5-7", "null session"},
	{"HydraLsPipe", "pipe HydraLsPipe", "licence server"},
	{`sql\query`, `pipe sql\query`, "Windows 2000"},
	{"LSAAnonymousNameLookup", "setting LSAAnonymousNameLookup", "every account name"},
	{"TurnOffAnonymousBlock", "setting TurnOffAnonymousBlock", "upside down"},
	// Our own.
	{"RestrictNullSessAccess=0", "setting RestrictNullSessAccess", "Every pipe and share takes anonymous callers"},
	{"NT_STATUS_ACCESS_DENIED", "topic STATUS_ACCESS_DENIED", "refused"},
	{"-1073741790", "topic STATUS_ACCESS_DENIED", "refused"},
	{"3221225506", "topic STATUS_ACCESS_DENIED", "refused"},
	{"win32 error 5", "topic STATUS_ACCESS_DENIED", "refused"},
	{"WERR_BAD_NETPATH", "topic STATUS_BAD_NETWORK_PATH", "found no server"},
	{"0xC0000034 on \\pipe\\winreg", "topic STATUS_OBJECT_NAME_NOT_FOUND", "no service listens"},
	{"NT_STATUS_CONNECTION_REFUSED", "topic STATUS_CONNECTION_REFUSED", "0xC0000236"},
	{"EventID 3023", "topic event 3023", "guest"},
	{"event id 16968", "topic event 16965", "RestrictRemoteSAM"},
	{"tcp/445", "topic port 445", "every named pipe"},
	{"what is port 135 for?", "topic port 135", "RPC over TCP"},
	{"STIG V-205914", "control RestrictAnonymousSAM", "RestrictAnonymousSAM, wanted 1"},
	{"MS17-010", "topic EternalBlue", "SMB1"},
	{"ntlm relay over smb", "topic NTLM relay", "Require signing"},
	{"does SMB signing stop null sessions", "claim signing-ends-null", "exempt"},
	{"LmCompatibilityLevel = 9", "setting LmCompatibilityLevel", "9 is no value that is documented"},
	{"RestrictAnonymous is 3", "setting RestrictAnonymous", "3 is no value that is documented"},
	{"is C$ the same as IPC$", "topic administrative shares", "IPC$ is not one of them"},
	{"how to find out who uses IPC$", "topic who uses IPC$", "5145"},
	{
		"restrict anonymous = 1 domain controller", "setting restrict anonymous",
		"On a domain controller samr answers too",
	},
	{"scan to folder printer fails after NTLMv1", "topic NTLMv1", "scan to a folder"},
	{"Windows 2000 RestrictAnonymous 2 trust", "setting RestrictAnonymous", "trusts with NT 4.0"},
	{"what does HardenedPaths do", "setting HardenedPaths.NETLOGON", "mutual authentication"},
	{"my IPC$ is odd, please advise", "topic IPC$", "IPC$ holds no files"},
	{"the above is only for earlier systems", "claim only-earlier-systems", "PARTLY TRUE"},
	{"2 is generally not recommended", "claim ra2-not-recommended", "mixed mode"},
	{"with SQL Server set 1", "claim sql-set-one", "1 is the right value on every release"},
	{"all other default shares go too", "claim all-default-shares-go", "SYSVOL and NETLOGON"},
	{"disable null sessions windows server 2022", "topic closing null sessions", "RestrictNullSessAccess"},
	{"stop null sessions samba", "topic closing null sessions", "restrict anonymous = 2"},
	{"who uses my named pipes", "topic who uses IPC$", "ipcguard observe"},
	{"null session on windows server 2019", "topic null session", "S-1-5-7"},
	{"windows server 2022 defaults", "product win2022", "Windows Server 2022"},
	{"TurnOffAnonymousBlock = 1", "setting TurnOffAnonymousBlock", "The block is off"},
}

// TestAsked: phrases that people type are found, and answered in three lines.
func TestAsked(t *testing.T) {
	c := mustLoad(t)
	for _, tt := range asked {
		got, near, ok := c.Topic(tt.phrase)
		if !ok {
			t.Errorf("%q: nothing found, suggestions %v", tt.phrase, near)
			continue
		}
		if s := kindOfTopic(got); s != tt.entry {
			t.Errorf("%q is %s, want %s", tt.phrase, s, tt.entry)
		}
		lines := c.Brief(got)
		if len(lines) < 2 || len(lines) > 3 {
			t.Errorf("%q is answered in %d lines", tt.phrase, len(lines))
		}
		if text := strings.Join(lines, "\n"); !strings.Contains(text, tt.says) || strings.Contains(text, "<nil>") ||
			strings.Contains(text, "%!") {
			t.Errorf("%q is answered without %q:\n%s", tt.phrase, tt.says, text)
		}
	}
}

// TestPublicPhrases: every phrase of the public questions is among those above.
func TestPublicPhrases(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "cases", "reports", "16-explain-finds-little", "phrases.txt")
	f, err := os.Open(path)
	if err != nil {
		t.Skip("the public phrases are not here: " + err.Error())
	}
	defer f.Close()
	known, n := map[string]bool{}, 0
	for _, tt := range asked {
		known[tt.phrase] = true
	}
	for in := bufio.NewScanner(f); in.Scan(); n++ {
		if !known[in.Text()] {
			t.Errorf("%q has no answer here", in.Text())
		}
	}
	if n < 51 {
		t.Errorf("%d phrases", n)
	}
}

// TestEveryBrief: every entry has an answer of two or three lines.
func TestEveryBrief(t *testing.T) {
	c := mustLoad(t)
	for _, e := range c.entries() {
		got, _, ok := c.Topic(e.ID)
		if !ok {
			continue // TestEveryIDIsATopic reports it
		}
		if lines := c.Brief(got); len(lines) < 2 || len(lines) > 3 {
			t.Errorf("%s %s is answered in %d lines: %q", e.Kind, e.ID, len(lines), lines)
		}
	}
}

// TestSuggestionsOnce: suggestions name each entry once.
func TestSuggestionsOnce(t *testing.T) {
	c := mustLoad(t)
	for _, asked := range []string{"netlogn", "spolss", "winrge", "RestictAnonymous", "lsarcp"} {
		_, near, ok := c.Topic(asked)
		if ok {
			t.Errorf("%q was found", asked)
		}
		seen := map[string]bool{}
		for _, n := range near {
			if seen[fold(n.ID)] {
				t.Errorf("%q suggests %s twice: %v", asked, n.ID, near)
			}
			seen[fold(n.ID)] = true
		}
	}
}

// FuzzTopic: any input is found or not, and every topic that is found has an answer.
func FuzzTopic(f *testing.F) {
	for _, tt := range asked {
		f.Add(tt.phrase)
	}
	f.Add("= = 0x 0xffffffffffffffffff -9223372036854775809 event port")
	c := mustLoad(f)
	f.Fuzz(func(t *testing.T, s string) {
		got, near, ok := c.Topic(s)
		if ok && len(near) > 0 {
			t.Error("found, and suggestions")
		}
		if ok && len(c.Brief(got)) == 0 {
			t.Errorf("%q has no answer", s)
		}
	})
}

func BenchmarkTopic(b *testing.B) {
	c := mustLoad(b)
	for _, asked := range []string{
		"RestrictAnonymous", "event 5145", "can I delete IPC$ share",
		strings.Repeat("abcdefgh ", 44),
	} {
		b.Run(asked[:min(len(asked), 12)], func(b *testing.B) {
			for b.Loop() {
				c.Topic(asked)
			}
		})
	}
}

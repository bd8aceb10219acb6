package dcerpc

import (
	"strings"
	"testing"
)

// TestOpnumText parses the table strictly, because the loader trusts it.
func TestOpnumText(t *testing.T) {
	kinds := map[string]bool{"-": true, "N": true, "W": true, "H": true, "F": true}
	expect := -1
	seen := map[string]bool{}
	for line := range strings.Lines(opnumText) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#":
		case f[0] == "interface":
			if len(f) != 6 || seen[f[2]+f[3]] {
				t.Errorf("%q", line)
			}
			seen[f[2]+f[3]] = true
			expect = 0
		default:
			if len(f) != 3 || !kinds[f[1]] || int(number(f[0])) < expect {
				t.Errorf("%q after %d", line, expect)
			}
			expect = int(number(f[0])) + 1
		}
	}
	if len(Interfaces()) < 50 {
		t.Errorf("%d interfaces", len(Interfaces()))
	}
}

// TestCallNames checks names and numbers that the specifications' own tables contain, and that every layout and
// constant has the opnum of its name in the table.
func TestCallNames(t *testing.T) {
	for _, c := range []struct {
		iface SyntaxID
		opnum uint16
		name  string
		kind  ReturnKind
	}{
		{SAMR, 64, "SamrConnect5", ReturnNTStatus},
		{SAMR, 13, "SamrEnumerateUsersInDomain", ReturnNTStatus},
		{LSARPC, 45, "LsarGetUserName", ReturnNTStatus},
		{LSARPC, 57, "LsarLookupSids2", ReturnNTStatus},
		{LSARPC, 76, "LsarLookupSids3", ReturnNTStatus},
		{NETLOGON, 4, "NetrServerReqChallenge", ReturnNTStatus},
		{NETLOGON, 34, "DsrGetDcNameEx2", ReturnWError},
		{SRVSVC, 15, "NetrShareEnum", ReturnWError},
		{WKSSVC, 20, "NetrGetJoinInformation", ReturnWError},
		{SPOOLSS, 65, "RpcRemoteFindFirstPrinterChangeNotificationEx", ReturnWError},
		{WINREG, 22, "BaseRegSetValue", ReturnWError},
		{SVCCTL, 15, "ROpenSCManagerW", ReturnWError},
		{EVENTLOG, 9, "ElfrOpenBELW", ReturnNTStatus},
		{EFSRPC, 0, "EfsRpcOpenFileRaw", ReturnWError},
		{EFSRPCLsa, 4, "EfsRpcEncryptFileSrv", ReturnWError},
		{DRSUAPI, 3, "IDL_DRSGetNCChanges", ReturnWError},
		{FSRVP, 8, "IsPathSupported", ReturnWError},
		{TASKSCHED, 0, "SchRpcHighestVersion", ReturnHResult},
		{NETDFS, 0, "NetrDfsManagerGetVersion", ReturnNone},
		{NETDFS, 13, "NetrDfsRemoveStdRoot", ReturnWError},
		{DNSSERVER, 5, "R_DnssrvOperation2", ReturnWError},
		{EPMAPPER, 2, "ept_lookup", ReturnDCE},
		{BACKUPKEY, 0, "BackuprKey", ReturnWError},
		{INITSHUTDOWN, 0, "BaseInitiateShutdown", ReturnWError},
		{BROWSER, 2, "I_BrowserrQueryOtherDomains", ReturnWError},
	} {
		i := LookupInterface(c.iface)
		if i == nil {
			t.Errorf("%v is unknown", c.iface)
			continue
		}
		if i.Syntax != c.iface {
			t.Errorf("%s: %v, want %v", i.Name, i.Syntax, c.iface)
		}
		if i.OpName(c.opnum) != c.name || i.Ops[c.opnum].Return != c.kind {
			t.Errorf("%s opnum %d is %s, %v", i.Name, c.opnum, i.OpName(c.opnum), i.Ops[c.opnum].Return)
		}
	}
	for _, s := range []SyntaxID{DSSETUP, ATSVC, PLUGPLAY, MGMT} {
		if i := LookupInterface(s); i == nil || i.Syntax != s {
			t.Errorf("%v is unknown", s)
		}
	}
	if iface, call := CallName(SyntaxID{UUID: UUID{1}}, 7); iface != "01000000-0000-0000-0000-000000000000" ||
		call != "opnum 7" {
		t.Errorf("%s %s", iface, call)
	}
	for _, l := range layouts {
		if name := InterfaceByName(l.iface).OpName(l.opnum); strings.HasPrefix(name, "opnum") ||
			strings.Contains(name, "NotUsed") {
			t.Errorf("%s %d is %s", l.iface, l.opnum, name)
		}
	}
}

// TestForbiddenCalls: a call that changes a server, requests secrets or makes the server authenticate to another host
// has no layout here, so it cannot be sent by mistake.
func TestForbiddenCalls(t *testing.T) {
	for name, opnums := range map[string][]uint16{
		"netlogon": {4, 5, 6, 15, 26, 29, 30}, "eventlog": {0, 9}, "FileServerVssAgent": {1, 2, 3, 8, 9},
		"spoolss": {62, 65}, "atsvc": {0, 1}, "svcctl": {2, 11, 12, 19}, "epmapper": {0, 1, 6}, "mgmt": {3},
		"netdfs": {1, 2, 13}, "srvsvc": {14, 18}, "samr": {12, 38, 55, 63, 58},
	} {
		for _, op := range opnums {
			if findLayout(name, op) != nil {
				t.Errorf("%s opnum %d has a layout", name, op)
			}
		}
	}
	for _, l := range layouts {
		switch l.iface {
		case "efsrpc", "drsuapi", "backupkey", "dnsserver", "InitShutdown", "browser":
			t.Errorf("%s opnum %d has a layout", l.iface, l.opnum)
		}
	}
}

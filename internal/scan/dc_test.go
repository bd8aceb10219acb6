package scan

import (
	"context"
	"net"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// dcQuestions are the rows of the table that have a column for domain controllers.
var dcQuestions = []question{
	{"lsarpc", "LsarGetUserName", "getusername"},
	{"lsarpc", "LsarQueryInformationPolicy", "lsaquery"},
	{"lsarpc", "LsarLookupSids", ""}, // see lookupScript
	{"samr", "SamrEnumerateUsersInDomain", "enumdomusers"},
	{"samr", "SamrQueryDisplayInformation", "querydispinfo"},
	{"samr", "SamrGetDomainPasswordInformation", "getdompwinfo"},
	{"srvsvc", "NetrShareEnum", "netshareenum"},
	{"srvsvc", "NetrServerGetInfo", "srvinfo"},
	{"srvsvc", "NetrSessionEnum", "netsessenum"},
	{"wkssvc", "NetrWkstaUserEnum", "wkssvc_enumerateusers"},
	{"winreg", "OpenLocalMachine", `winreg_enumkey HKLM\SOFTWARE`},
	{"svcctl", "REnumServicesStatusW", ""},
}

// The same table on a domain controller, where restrict anonymous means something else.
func TestDomainController(t *testing.T) {
	t.Parallel()
	dc := peer.StartDC(t)
	client := peer.Client{From: dc.Client}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return dc.Client.Dial(ctx, network, address)
	}
	for _, c := range []struct {
		level   string
		verdict model.Verdict
		want    map[string]model.Outcome
	}{
		{"0", model.Exposed, map[string]model.Outcome{
			"NetrShareEnum": model.Allowed, "NetrServerGetInfo": model.Allowed,
			"SamrEnumerateUsersInDomain": model.Allowed,
			"LsarQueryInformationPolicy": model.Allowed, "LsarLookupSids": model.Allowed,
			"OpenLocalMachine":     model.Allowed,
			"REnumServicesStatusW": model.Allowed,
		}},
		{"1", model.Exposed, map[string]model.Outcome{
			"NetrShareEnum": model.Denied, "NetrServerGetInfo": model.Denied,
			"SamrEnumerateUsersInDomain": model.Allowed,
			"LsarQueryInformationPolicy": model.Allowed, "LsarLookupSids": model.Allowed,
			"OpenLocalMachine": model.Allowed,
		}},
		{"2", model.Closed, map[string]model.Outcome{
			"NetrShareEnum": model.Denied, "SamrEnumerateUsersInDomain": model.Denied,
			"LsarQueryInformationPolicy": model.Denied,
		}},
	} {
		t.Run("restrict anonymous "+c.level, func(t *testing.T) {
			dc.Restart(t, "restrict anonymous = "+c.level)
			control := func() {
				alice := client
				alice.User, alice.Password, alice.Domain = "alice", peer.Password, peer.Domain
				if a := alice.RPC(t, dc.Addr(), "enumdomusers"); !a.OK() {
					t.Fatalf("the positive control fails: %v", a)
				}
			}
			control()
			r, by := scanServer(t, dc.Addr(), Options{Dial: dial})
			if r.Verdict != c.verdict {
				t.Errorf("verdict %s (%s), want %s", r.Verdict, r.Reason, c.verdict)
			}
			anonymous := by[model.Anonymous]
			for _, q := range dcQuestions {
				if want, ok := c.want[q.call]; ok && reached(anonymous, q) != want {
					t.Errorf("%s on %s: %s, want %s", q.call, q.pipe, reached(anonymous, q), want)
				}
				if q.rpcclient == "" {
					continue
				}
				answer := client.RPC(t, dc.Addr(), q.rpcclient)
				if got, want := reached(anonymous, q), told(answer); got != want {
					t.Errorf("%s on %s: %s, rpcclient %s says %s (%s)", q.call, q.pipe, got, q.rpcclient, want,
						answer.Status)
				}
			}
			if got, want := reached(anonymous, question{"lsarpc", "LsarLookupSids", ""}) == model.Allowed, lookupsid(t, dc); got != want {
				t.Errorf("names for SIDs: %v, samba says %v", got, want)
			}
			if c.level != "2" {
				if got := reached(anonymous, question{"netlogon", "DsrGetDcNameEx2", ""}); got != model.Allowed {
					t.Errorf("DsrGetDcNameEx2: %s", got)
				}
			}
			if by[model.User].SeenAs == "" {
				t.Errorf("alice: %+v", by[model.User].Session)
			}
			control()
		})
	}
}

// lookupScript asks for the name behind the SID of the administrator as anonymous, with Samba's own bindings. Neither
// rpcclient's lookupsids nor impacket's lookupsid will do: they ask for the policy with other rights, are refused
// those, and never come to the question.
const lookupScript = `
import sys
from samba.credentials import Credentials
from samba.dcerpc import lsa, security
from samba.param import LoadParm
creds = Credentials()
creds.set_anonymous()
conn = lsa.lsarpc("ncacn_np:" + sys.argv[1], LoadParm(), creds)
attributes = lsa.ObjectAttribute()
attributes.sec_qos = lsa.QosInfo()
policy = conn.OpenPolicy2("", attributes, security.SEC_FLAG_MAXIMUM_ALLOWED)
domain = conn.QueryInfoPolicy(policy, lsa.LSA_POLICY_INFO_ACCOUNT_DOMAIN)
one = lsa.SidPtr()
one.sid = security.dom_sid(str(domain.sid) + "-500")
sids = lsa.SidArray()
sids.sids = [one]
sids.num_sids = 1
answer = conn.LookupSids(policy, sids, lsa.TransNameArray(), 1, 0)
print([n.name.string for a in answer if hasattr(a, "names") for n in a.names])
`

// lookupsid reports whether Samba's own client library is given the administrator's name.
func lookupsid(t *testing.T, dc *peer.DC) bool {
	t.Helper()
	out, err := dc.Client.Command(t.Context(), "/usr/bin/python3", "-c", lookupScript, peer.DCAddress).CombinedOutput()
	t.Logf("lookup: %v %s", err, out)
	// 3221225506 is STATUS_ACCESS_DENIED, as the bindings print it.
	if !strings.Contains(string(out), "3221225506") && (err != nil || !strings.Contains(string(out), "Administrator")) {
		t.Errorf("samba's bindings fail")
	}
	return strings.Contains(string(out), "Administrator")
}

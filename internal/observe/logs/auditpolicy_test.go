package logs

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/peer"
)

const policyHead = "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion " +
	"Setting,Setting Value\r\n"

func notesWith(t *testing.T, log string, audits ...string) string {
	t.Helper()
	agg, cov := observe.NewAggregator(0), new(observe.Coverage)
	l := New(agg, cov, Options{})
	for _, a := range audits {
		if err := l.Audit(strings.NewReader(a)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.ReadPath(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	l.Close()
	return strings.Join(cov.Notes, "\n")
}

// TestAuditPolicy reads real logs beside what the host's policy says: silence is explained, or counts.
func TestAuditPolicy(t *testing.T) {
	dir := peer.Shared(t, "evtx")
	// Its Security log has 4624 alone.
	zerologon := filepath.Join(dir, "Zerologon_VoidSec_CVE-2020-1472_4626_LT3_Anonym_follwedby_4742_DC_Anony_DC.evtx")
	bloodhound := filepath.Join(dir, "discovery_bloodhound.evtx") // 5145 alone
	line := func(host, guid, words, value string) string {
		return host + ",System,x," + guid + "," + words + ",," + value + "\r\n"
	}
	policy := func(lines ...string) string { return policyHead + strings.Join(lines, "") }
	wide := func(s string) string { // as PowerShell 5 writes what auditpol prints
		b := []byte{0xFF, 0xFE}
		for _, w := range utf16.Encode([]rune(s)) {
			b = binary.LittleEndian.AppendUint16(b, w)
		}
		return string(b)
	}
	const host = "01566S-WIN16-IR"
	for name, tt := range map[string]struct {
		log    string
		audits []string
		want   []string
		never  string
	}{
		"nothing known": {zerologon, nil, []string{"no event 5145, so which pipes were opened is not seen and " +
			"silence proves nothing: turn on"}, "policy"},
		"off": {
			zerologon,
			[]string{policy(line(host, auditDetailed, "No Auditing", "0"), line(host, auditShare, "No Auditing", "4"),
				line(host, auditLogon, "Success", "1"))},
			[]string{
				"no event 5145 because Audit Detailed File Share is off by its audit policy",
				"no event 5140 because Audit File Share is off",
				"Audit Logon writes successes alone: what was refused is not seen",
			},
			"although",
		},
		"on": {
			zerologon,
			[]string{policy(line(host, auditDetailed, "Success and Failure", "3"))},
			[]string{"no event 5145 although Audit Detailed File Share is on", "no event 5140, so"},
			"pipes were opened is not seen",
		},
		"successes": {
			zerologon,
			[]string{policy(line(host, auditDetailed, "Success", ""))},
			[]string{"Audit Detailed File Share writes successes alone"},
			"pipes were opened is not seen",
		},
		"failures": {
			zerologon,
			[]string{policy(line(host, auditDetailed, "Failure", "2"))},
			[]string{"writes failures alone, so which pipes were opened is not seen and silence proves nothing"},
			"although",
		},
		"another host's": {
			zerologon,
			[]string{policy(line("DC1", auditDetailed, "No Auditing", "4"))},
			[]string{"no event 5145, so"},
			"policy",
		},
		"a group policy": {
			zerologon,
			[]string{policy(line("", auditDetailed, "Success and Failure", "3"))},
			[]string{"although Audit Detailed File Share is on"},
			"",
		},
		"unchanged by it": {
			zerologon,
			[]string{policy(line("", auditDetailed, "Not Specified", "0"))},
			[]string{"no event 5145, so"},
			"policy",
		},
		"another language's": {
			zerologon,
			[]string{policy(line(host, auditDetailed, "Erfolg", ""))},
			[]string{"no event 5145, so"},
			"policy",
		},
		"UTF-16": {
			zerologon,
			[]string{wide(policy(line(host, auditDetailed, "No Auditing", "")))},
			[]string{"is off by its audit policy"},
			"",
		},
		"a host beats all": {zerologon, []string{
			policy(line(host, auditDetailed, "No Auditing", "4")),
			policy(line("", auditDetailed, "Success", "1")),
		}, []string{"because Audit Detailed File Share is off"}, ""},
		"off, and yet events": {
			bloodhound,
			[]string{policy(line("WIN-77LTAPHIQ1R", auditDetailed, "No Auditing", "4"))},
			[]string{"is off now, and its log has such events"},
			"",
		},
	} {
		notes := notesWith(t, tt.log, tt.audits...)
		for _, want := range tt.want {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: no %q in\n%s", name, want, notes)
			}
		}
		if tt.never != "" && strings.Contains(notes, tt.never) {
			t.Errorf("%s: %q in\n%s", name, tt.never, notes)
		}
	}
	// A real group policy turns logons on and says nothing of file shares.
	b, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "gpo", "nsacyber-windows", "DomainSysvol", "GPO", "Machine",
		"microsoft", "windows nt", "Audit", "audit.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if notes := notesWith(t, bloodhound, string(b)); !strings.Contains(notes, "no event 4624 or 4625 although Audit Logon is on") || !strings.Contains(notes, "no event 5140, so") {
		t.Errorf("a real policy:\n%s", notes)
	}
	// An audit's result tells of guests.
	a := model.Audit{
		Schema: model.SchemaAudit, Host: host,
		Settings: []model.Setting{{ID: "AuditInsecureGuestLogon", Effective: 0, Basis: model.BasisDefault}},
	}
	one, _ := json.Marshal(a)
	for _, text := range []string{string(one), "[" + string(one) + "]", string(one) + "\n" + string(one)} {
		if notes := notesWith(t, zerologon, text); !strings.Contains(notes, "AuditInsecureGuestLogon is off by the audit given") {
			t.Errorf("an audit:\n%s", notes)
		}
	}
	a.Settings[0].Effective = 1
	one, _ = json.Marshal(a)
	if notes := notesWith(t, zerologon, string(one)); strings.Contains(notes, "AuditInsecureGuestLogon") {
		t.Errorf("an audit of a host that logs guests:\n%s", notes)
	}
}

func badPolicies() []string {
	return []string{
		"", "hello", "a,b\n", policyHead, `{"schema":"x"}`, `[null]`, `[1`, `{`, "\xFF\xFEa",
		strings.Repeat("a,b,c,d,e,f\n", 3),
	}
}

func TestNoAuditPolicy(t *testing.T) {
	for _, text := range badPolicies() {
		if err := New(observe.NewAggregator(0), new(observe.Coverage), Options{}).Audit(strings.NewReader(text)); !errors.Is(err, ErrNotPolicy) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := New(observe.NewAggregator(0), new(observe.Coverage), Options{}).Audit(bytes.NewReader(make([]byte, maxPolicy+1))); !errors.Is(err, ErrNotPolicy) {
		t.Errorf("too long: %v", err)
	}
}

// FuzzAuditPolicy wants no panic.
func FuzzAuditPolicy(f *testing.F) {
	for _, text := range badPolicies() {
		f.Add([]byte(text))
	}
	f.Add([]byte(policyHead + "h,System,x," + auditLogon + ",Success,,1\r\n"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		l := New(observe.NewAggregator(0), new(observe.Coverage), Options{})
		if l.Audit(bytes.NewReader(b)) == nil {
			_ = l.windows.missing("h", auditLogon, "Audit Logon", "4624", "x")
			l.windows.guests("h")
		}
	})
}

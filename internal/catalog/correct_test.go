package catalog

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestCorrected: statements that were once wrong, each with the source that corrects it.
func TestCorrected(t *testing.T) {
	c := mustLoad(t)
	const account = "S-1-5-21-1004336348-1177238915-682003330-1137"
	dc, m, w := model.DomainController, model.Member, model.Workstation
	for _, tt := range []struct {
		source, id, product string
		role                model.Role
		value               any // nil: absent
		state               model.State
		effective           any // nil: not compared
	}{
		{
			"defender-identity: its account beside administrators", "RestrictRemoteSAM", "win2019", m,
			"O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;" + account + ")", model.StateOK, nil,
		},
		{
			"MS-DTYP: domain users are many", "RestrictRemoteSAM", "win2019", m,
			"O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;S-1-5-21-1-2-3-513)", model.StateWeak, nil,
		},
		{"MS-DTYP: everyone", "RestrictRemoteSAM", "win2019", m, "O:BAG:BAD:(A;;RC;;;WD)", model.StateWeak, nil},
		{
			"MS-DTYP: every signed-in user", "RestrictRemoteSAM", "win2019", m, "O:BAG:BAD:(A;;RC;;;AU)",
			model.StateWeak,
			nil,
		},
		{
			"MS-DTYP: no access list lets everybody in", "RestrictRemoteSAM", "win2019", m, "O:BAG:BA", model.StateWeak,
			nil,
		},
		{
			"defender-identity 434: a filter on a controller", "RestrictRemoteSAM", "win2019", dc,
			"O:BAG:BAD:(A;;RC;;;BA)", model.StateWeak, nil,
		},
		{"none there", "RestrictRemoteSAM", "win2019", dc, nil, model.StateOK, ""},
		{
			"SPS: not for Vista", "RestrictRemoteSAM", "vista", w, "O:BAG:BAD:(A;;RC;;;BA)", model.StateNotApplicable,
			nil,
		},
		{"SPS: not for Server 2008", "RestrictRemoteSAM", "win2008", m, nil, model.StateNotApplicable, nil},
		{"SPS: 5 is the strictest", "LmCompatibilityLevel", "win2019", m, 5, model.StateOK, 5},
		{"SPS: there is no 9", "LmCompatibilityLevel", "win2019", m, 9, model.StateUnknown, nil},
		{"SPS: there is no 3", "RestrictAnonymous", "win2019", m, 3, model.StateUnknown, nil},
		{"cc957461: 0 or 1", "RestrictNullSessAccess", "win2019", m, 2, model.StateUnknown, nil},
		{"SPS: on or off", "EveryoneIncludesAnonymous", "win2019", m, 2, model.StateUnknown, nil},
		{"SPS: on or off", "RestrictAnonymousSAM", "win2019", m, 2, model.StateUnknown, nil},
		{"SPS spn: three levels", "SmbServerNameHardeningLevel", "win2019", m, 3, model.StateUnknown, nil},
		{
			"MS-LSAD <55>: any other value turns the block off", "TurnOffAnonymousBlock", "win2019", m, 2,
			model.StateWeak,
			2,
		},
		{"Q143474: 1", "RestrictAnonymous", "win2019", m, 1, model.StateOK, 1},
		{"SPS spn: off by default", "SmbServerNameHardeningLevel", "win2019", m, nil, model.StateWeak, 0},
		{"SPS paths: three by default", "AllowedExactPaths", "win2019", m, nil, model.StateOK, nil},
		{"WSD: two pages disagree", "RequireSecuritySignature", "win2025", m, nil, model.StateUnknown, nil},
		{"policy-csp: 514", "MinSmb2Dialect", "win2025", m, nil, model.StateWeak, 514},
		{"SPS blank passwords", "LimitBlankPasswordUse", "win2019", m, 0, model.StateWeak, 0},
		{"SPS blank passwords, by default", "LimitBlankPasswordUse", "win2019", m, nil, model.StateOK, 1},
		{"print-rpc", "RpcUseNamedPipeProtocol", "win11-24H2", w, 1, model.StateWeak, 1},
		{"wazuh 27466: 537395200", "NTLMMinServerSec", "win2025", m, 536870912, model.StateWeak, nil},
		{"the same, as asked for", "NTLMMinServerSec", "win2025", m, 537395200, model.StateOK, nil},
		{"policy-csp: the log of clients", "AuditClientDoesNotSupportSigning", "win2025", m, 0, model.StateWeak, 0},
		{"samba: NTLMv1", "ntlm auth", "samba", m, "ntlmv1-permitted", model.StateWeak, nil},
		{"samba: yes is NTLMv1", "ntlm auth", "samba", m, "yes", model.StateWeak, nil},
		{"samba: no is NTLMv2 alone", "ntlm auth", "samba", m, "no", model.StateOK, nil},
		{"samba: disabled", "ntlm auth", "samba", m, "disabled", model.StateOK, nil},
		{"samba: NT1 is SMB1", "server min protocol", "samba", m, "NT1", model.StateWeak, nil},
		{"samba: LANMAN1, too", "server min protocol", "samba", m, "LANMAN1", model.StateWeak, nil},
		{"samba-4.17.12: the default", "server min protocol", "samba", m, nil, model.StateOK, nil},
		{
			"samba: off over SMB1 outside an AD controller", "server signing", "samba", m, nil, model.StateWeak,
			"disabled",
		},
		{"samba: mandatory on one", "server signing", "samba", dc, nil, model.StateOK, "mandatory"},
		{"samba-4.17.12: Zerologon", "server schannel", "samba", dc, "auto", model.StateWeak, nil},
		{"samba-4.17.12: yes by default", "server schannel", "samba", dc, nil, model.StateOK, nil},
		{"CVE-2022-38023", "server schannel require seal", "samba", dc, false, model.StateWeak, nil},
		{"DES", "allow nt4 crypto", "samba", dc, true, model.StateWeak, nil},
		{"MD5", "reject md5 clients", "samba", dc, false, model.StateWeak, nil},
		{"Badlock", "client ipc signing", "samba", m, "auto", model.StateWeak, nil},
		{"Badlock, by default", "client ipc signing", "samba", m, nil, model.StateOK, nil},
		{"a client of SMB1", "client min protocol", "samba", m, "NT1", model.StateWeak, nil},
		{"shares of users for strangers", "usershare allow guests", "samba", m, true, model.StateWeak, nil},
		{"per interface", "allow dcerpc auth level connect:samr", "samba", m, true, model.StateWeak, nil},
	} {
		p := c.Product(tt.product)
		in := Config{
			Platform: model.Platform{System: p.System, Product: p.ID, Build: p.Builds[1], Role: tt.role},
			Complete: true, Settings: map[string]model.Value{},
		}
		s := c.setting[tt.id]
		if s == nil {
			t.Errorf("%s: no setting %s", tt.source, tt.id)
			continue
		}
		if tt.value != nil {
			in.Settings[tt.id] = model.Value{Present: true, Type: s.Type, Data: tt.value}
		}
		for _, got := range c.Resolve(in) {
			if got.ID == tt.id && (got.State != tt.state ||
				tt.effective != nil && !equal(got.Effective, tt.effective)) {
				t.Errorf("%s: %s = %v on %s is %v, %s (%s)", tt.source, tt.id, tt.value, tt.product, got.Effective,
					got.State, got.Why)
			}
		}
	}
}

// TestFilterInWords: the accounts that a descriptor admits are named in words.
func TestFilterInWords(t *testing.T) {
	c := mustLoad(t)
	in := host("windows", "win2019", model.Member, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;AU)")
	for _, s := range c.Resolve(in) {
		if s.ID == "RestrictRemoteSAM" && !strings.Contains(s.Why, "it lets in administrators, every signed-in user") {
			t.Errorf("%q", s.Why)
		}
	}
}

// TestCoveredBy: signing is not asked for if every session is encrypted, which also protects each message.
func TestCoveredBy(t *testing.T) {
	c := mustLoad(t)
	for _, tt := range []struct {
		in   Config
		id   string
		want model.State
	}{
		{host("samba", "samba", model.Standalone, "server smb encrypt", "required"), "server signing", model.StateOK},
		{host("samba", "samba", model.Standalone, "server smb encrypt", "desired"), "server signing", model.StateWeak},
		{host("windows", "win2019", model.Member, "EncryptData", 1), "RequireSecuritySignature", model.StateOK},
		{host("windows", "win2019", model.Member, "EncryptData", 0), "RequireSecuritySignature", model.StateWeak},
	} {
		for _, s := range c.Resolve(tt.in) {
			if s.ID == tt.id && s.State != tt.want {
				t.Errorf("%s beside %v: %s (%s)", tt.id, tt.in.Settings, s.State, s.Why)
			}
		}
	}
}

// TestHiddenShares: shares that the configuration does not show leave open whether files are disclosed.
func TestHiddenShares(t *testing.T) {
	c := mustLoad(t)
	for _, tt := range []struct {
		set  []any
		want model.Outcome
	}{
		{nil, model.Denied},
		{[]any{"registry shares", true}, model.OutcomeUnknown},
		{[]any{"config backend", "registry"}, model.OutcomeUnknown},
		{[]any{"usershare allow guests", true}, model.OutcomeUnknown},
		{[]any{"usershare allow guests", true, "usershare max shares", 0}, model.Denied},
		{[]any{"usershare max shares", 100}, model.Denied},
	} {
		in := host("samba", "samba", model.Standalone, tt.set...)
		in.Shares = []model.Share{{Name: "data"}}
		if got := c.View(in).Discloses(model.Anonymous, model.DisclosesFiles); got != tt.want {
			t.Errorf("%v: %s", tt.set, got)
		}
	}
	in := host("samba", "samba", model.Standalone)
	in.Shares = []model.Share{{Name: "pub", GuestOnly: true}}
	if got := c.View(in).Discloses(model.Anonymous, model.DisclosesFiles); got != model.Allowed {
		t.Errorf("guest only: %s", got)
	}
}

// TestCorrectedWords: entries whose wording was wrong once.
func TestCorrectedWords(t *testing.T) {
	c := mustLoad(t)
	rrc := c.Setting("RestrictRemoteClients")
	if !slices.Contains(rrc.Sources, "D cc781010") || !strings.HasPrefix(rrc.Values[2].Means, "Contradictory") ||
		rrc.TakesEffect[0].When != "reboot" || len(rrc.Governs.Pipes) > 0 {
		t.Errorf("RestrictRemoteClients: %+v", rrc)
	}
	for _, v := range c.Setting("LmCompatibilityLevel").Values {
		if certain, _ := c.Fit(v.Scope, model.Platform{System: "windows", Product: "win2025"}); certain &&
			v.Value == 3 {
			if strings.Contains(v.Means, "everything") {
				t.Errorf("level 3 on 2025: %s", v.Means)
			}
			break
		}
	}
	for _, id := range []string{
		"RequireSecuritySignature", "SmbServerNameHardeningLevel", "AllowedExactPaths",
		"RestrictRemoteSamEventThrottlingWindow",
	} {
		if e := c.Effect(c.Setting(id), model.Platform{System: "windows", Product: "win2019"}); e.When != "now" ||
			len(e.Sources) == 0 {
			t.Errorf("%s takes effect %+v", id, e)
		}
	}
	if v := c.Setting("SmbServerNameHardeningLevel").Values; len(v) != 3 ||
		!strings.Contains(v[1].Means, "let through") {
		t.Errorf("SmbServerNameHardeningLevel: %+v", v)
	}
	if n := len(c.Setting("AllowedExactPaths").Defaults[0].Value.([]any)); n != 3 {
		t.Errorf("%d default paths", n)
	}
	if p := c.Pipe("atsvc"); !strings.Contains(p.Notes, "atexec") {
		t.Errorf("atsvc: %s", p.Notes)
	}
	var who []string
	for _, b := range c.Setting("RestrictRemoteSAM").Breaks {
		who = append(who, b.Who)
	}
	for _, want := range []string{"Exchange", "remote desktop", "logons"} {
		if !strings.Contains(strings.Join(who, "; "), want) {
			t.Errorf("RestrictRemoteSAM does not name %s: %v", want, who)
		}
	}
}

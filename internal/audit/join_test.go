package audit

import (
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// scanned returns a scan of a Samba server on which anonymous got one kind of data through samr.
func scanned(name string, tree model.Outcome, accounts model.Outcome) *model.Scan {
	allowed := model.Step{Outcome: model.Allowed}
	r := model.IdentityResult{Identity: model.Anonymous, Session: allowed, Tree: model.Step{Outcome: tree}}
	if tree == model.Allowed {
		r.Pipes = []model.PipeResult{{
			Pipe: "samr", Open: allowed,
			Interfaces: []model.InterfaceResult{{Interface: "samr", Bind: allowed, Calls: []model.CallResult{
				{Call: "SamrEnumerateUsersInDomain", Outcome: accounts, Discloses: model.DisclosesAccounts, Count: 3},
			}}},
		}}
	} else {
		r.Tree.Status = "STATUS_ACCESS_DENIED"
	}
	return &model.Scan{
		Schema: model.SchemaScan, Target: strings.ToLower(name), Address: "192.0.2.1:445",
		Server:     model.Server{Name: name, System: "samba", Dialects: []string{"3.1.1"}},
		Identities: []model.IdentityResult{r},
	}
}

func TestJoin(t *testing.T) {
	conf := func(global string) string {
		return filepath.Join(write(t,
			map[string]string{"smb.conf": "[global]\nnetbios name = SRV1\nserver signing = mandatory\n" + global}),
			"smb.conf")
	}
	two, zero := conf("restrict anonymous = 2\n"), conf("")
	t.Run("agreement is no finding", func(t *testing.T) {
		for file, s := range map[string]*model.Scan{
			two:  scanned("SRV1", model.Denied, ""),
			zero: scanned("SRV1", model.Allowed, model.Allowed),
		} {
			a := source(t, Options{Scans: []*model.Scan{s}}, file)
			for _, id := range []string{"open-despite-configuration", "observed-differs"} {
				if f := finding(a, id); f != nil {
					t.Errorf("%s: %+v", file, f)
				}
			}
		}
	})
	t.Run("more open than configured", func(t *testing.T) {
		a := source(t, Options{Scans: []*model.Scan{scanned("SRV1", model.Allowed, model.Allowed)}}, two)
		f := finding(a, "open-despite-configuration")
		if f == nil || f.Severity != model.High || f.Identity != model.Anonymous ||
			!strings.Contains(f.Evidence, "accounts: configured denied, seen allowed") ||
			!strings.Contains(f.Fix, "rpcd_") {
			t.Errorf("%+v", f)
		}
	})
	t.Run("less open than configured", func(t *testing.T) {
		a := source(t, Options{Scans: []*model.Scan{scanned("SRV1", model.Denied, "")}}, zero)
		f := finding(a, "observed-differs")
		if f == nil || f.Severity != model.Low ||
			!strings.Contains(f.Evidence, "tree: configured allowed, seen denied (STATUS_ACCESS_DENIED)") {
			t.Errorf("%+v", f)
		}
	})
	t.Run("another host", func(t *testing.T) {
		a := source(t, Options{Scans: []*model.Scan{scanned("OTHER", model.Allowed, model.Allowed)}}, two)
		if f := finding(a, "open-despite-configuration"); f == nil ||
			!strings.Contains(f.Fix,
				"the wrong host: the configuration is of SRV1 and the scanned server calls itself OTHER") {
			t.Errorf("%+v", f)
		}
		windows := scanned("SRV1", model.Allowed, model.Allowed)
		windows.Server.System = "windows"
		a = source(t, Options{Scans: []*model.Scan{windows}}, two)
		if f := finding(a, "observed-differs"); f == nil || !strings.Contains(f.Evidence, "two hosts") {
			t.Errorf("%+v", f)
		}
	})
	t.Run("the right one of several", func(t *testing.T) {
		all := []*model.Scan{scanned("OTHER", model.Allowed, model.Allowed), scanned("SRV1", model.Denied, "")}
		if a := source(t, Options{Scans: all}, two); a.Partial || finding(a, "open-despite-configuration") != nil {
			t.Errorf("%v %v", a.Problems, ids(a))
		}
		all[1].Server.Name, all[1].Target = "THIRD", "third"
		if a := source(t, Options{Scans: all}, two); !a.Partial || !mentions(a.Problems, "none of 2 scans") {
			t.Errorf("%v", a.Problems)
		}
	})
	t.Run("no answer is no difference", func(t *testing.T) {
		a := source(t, Options{Scans: []*model.Scan{scanned("SRV1", model.Inconclusive, "")}}, two)
		for _, id := range []string{"open-despite-configuration", "observed-differs"} {
			if f := finding(a, id); f != nil {
				t.Errorf("%+v", f)
			}
		}
	})
	t.Run("posture of Windows", func(t *testing.T) {
		s := scanned("W", model.Denied, "")
		s.Server = model.Server{
			Name: "W", System: "windows", Build: 17763, SMB1: true, Signing: "enabled",
			Dialects: []string{"3.1.1"},
		}
		reg := filepath.Join(write(t,
			map[string]string{"x.reg": "Windows Registry Editor Version " +
				"5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters]\r\n\"SMB1\"=dword:0\r\n\"RequireSecuritySignature\"=dword:1\r\n"}), "x.reg")
		a := source(t, Options{Product: "win2022", Role: model.Member, Scans: []*model.Scan{s}}, reg)
		var about []string
		for _, f := range a.Findings {
			if f.ID == "observed-differs" {
				about = append(about, f.Setting)
			}
		}
		if strings.Join(about, " ") != "build SMB1 RequireSecuritySignature" {
			t.Errorf("%q", about)
		}
	})
}

package audit

import (
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// TestPolicyPlaceWins: a value below SOFTWARE\Policies takes precedence over the service's, and the result reports
// both.
func TestPolicyPlaceWins(t *testing.T) {
	const policy = `HKLM\SOFTWARE\Policies\Microsoft\Windows\LanmanServer`
	for _, tt := range []struct {
		name, id string
		values   []registry.Value
		want     int
		said     []string
	}{
		{
			"the policy alone", "MinSmb2Dialect",
			[]registry.Value{dword(policy, "MinSmb2Dialect", 785)},
			785,
			[]string{"a policy writes it, again at each refresh"},
		},
		{"the service alone", "MinSmb2Dialect", []registry.Value{dword(serverKey, "MinSmb2Dialect", 768)}, 768, nil},
		{
			"both", "MinSmb2Dialect",
			[]registry.Value{
				dword(policy, "MinSmb2Dialect", 785),
				dword(serverKey, "MinSmb2Dialect", 514),
			},
			785,
			[]string{"counts before", "514 is written and does nothing"},
		},
		{
			"the delay", "InvalidAuthenticationDelayTimeInMs",
			[]registry.Value{
				dword(policy, "InvalidAuthenticationDelayTimeInMs", 0),
				dword(serverKey, "InvalidAuthenticationDelayTimeInMs", 2000),
			},
			0,
			[]string{"2000 is written and does nothing"},
		},
		{
			"the rate limiter", "EnableAuthRateLimiter",
			[]registry.Value{dword(policy, "EnableAuthRateLimiter", 0)},
			0,
			[]string{"a policy writes it"},
		},
		{
			"the log of guests", "AuditInsecureGuestLogon",
			[]registry.Value{dword(serverKey, "AuditInsecureGuestLogon", 1)},
			1, nil,
		},
		{
			"the log of clients that cannot sign", "AuditClientDoesNotSupportSigning",
			[]registry.Value{dword(policy, "AuditClientDoesNotSupportSigning", 1)},
			1,
			[]string{"a policy writes it"},
		},
		{
			"guests as a client", "AllowInsecureGuestAuth",
			[]registry.Value{dword(`HKLM\SOFTWARE\Policies\Microsoft\Windows\LanmanWorkstation`,
				"AllowInsecureGuestAuth", 1), dword(keyServices+`\LanmanWorkstation\Parameters`,
				"AllowInsecureGuestAuth", 0)},
			1,
			[]string{"0 is written and does nothing"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := machine(t, "win2025", model.Member, tt.values...)
			for _, s := range a.Settings {
				if s.ID != tt.id {
					continue
				}
				if s.Effective != tt.want {
					t.Errorf("effective %v, want %d (%s)", s.Effective, tt.want, s.Why)
				}
				for _, said := range tt.said {
					if !strings.Contains(s.Why, said) {
						t.Errorf("%q does not say %q", s.Why, said)
					}
				}
				if tt.said == nil && strings.Contains(s.Why, "policy") {
					t.Errorf("%q speaks of a policy", s.Why)
				}
			}
		})
	}
}

// TestPolicyFirstInRegFiles: a policy's key also takes precedence in a .reg file, whichever is written first.
func TestPolicyFirstInRegFiles(t *testing.T) {
	const policy, own = `SOFTWARE\Policies\Microsoft\Windows\LanmanWorkstation`,
		`SYSTEM\CurrentControlSet\Services\LanmanWorkstation\Parameters`
	line := func(key, value string) string {
		return "[HKEY_LOCAL_MACHINE\\" + key + "]\r\n\"AllowInsecureGuestAuth\"=" + value + "\r\n\r\n"
	}
	for _, tt := range []struct {
		name, text string
		present    bool
		want       int
		why        string
	}{
		{"policy first", line(policy, "dword:1") + line(own, "dword:0"), true, 1, "0 is written and does nothing"},
		{"policy last", line(own, "dword:0") + line(policy, "dword:1"), true, 1, "0 is written and does nothing"},
		{"policy alone", line(policy, "dword:1"), true, 1, "a policy writes it, again at each refresh"},
		{"no policy", line(own, "dword:1"), true, 1, ""},
		{"the policy is taken away", line(own, "dword:0") + line(policy, "-"), true, 0, ""},
		{"written, and taken away", line(policy, "dword:1") + line(own, "dword:0") + line(policy, "-"), true, 0, ""},
		{"both are taken away", line(own, "-") + line(policy, "-"), false, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := source(t, Options{Product: "win2019", Role: model.Member},
				write(t, map[string]string{"x.reg": "Windows Registry Editor Version 5.00\r\n\r\n" + tt.text})+"/x.reg")
			for _, s := range a.Settings {
				if s.ID != "AllowInsecureGuestAuth" {
					continue
				}
				if s.Present != tt.present || s.Present && s.Effective != tt.want || !strings.Contains(s.Why, tt.why) ||
					tt.why == "" && strings.Contains(s.Why, "policy") {
					t.Errorf("present %v, effective %v, %q", s.Present, s.Effective, s.Why)
				}
				if inPolicy := strings.Contains(s.Origin, policy); inPolicy != (tt.why != "") {
					t.Errorf("from %q", s.Origin)
				}
			}
		})
	}
}

// TestHardenedPaths: the values of hardened paths have names that are paths.
func TestHardenedPaths(t *testing.T) {
	const key = `HKLM\SOFTWARE\Policies\Microsoft\Windows\NetworkProvider\HardenedPaths`
	a := machine(t, "win2025", model.Member,
		registry.NewText(key, `\\*\NETLOGON`, "RequireMutualAuthentication=1,RequireIntegrity=1"))
	for id, want := range map[string]bool{"HardenedPaths.NETLOGON": true, "HardenedPaths.SYSVOL": false} {
		for _, s := range a.Settings {
			if s.ID == id && (s.Present != want || s.NotRead) {
				t.Errorf("%s: %+v", id, s)
			}
		}
	}
}

// TestLogonRights reads the rights to log on over the network from a template.
func TestLogonRights(t *testing.T) {
	for _, tt := range []struct{ name, lines, want, not string }{
		{
			"guests", "SeNetworkLogonRight = *S-1-5-32-544,*S-1-5-32-546\r\n", "network-logon-open",
			"network-logon-denied-to-all",
		},
		{"anonymous", "SeNetworkLogonRight = *S-1-5-7\r\n", "network-logon-open", ""},
		{
			"guests, denied", "SeNetworkLogonRight = *S-1-5-32-546\r\nSeDenyNetworkLogonRight = Guests\r\n", "",
			"network-logon-open",
		},
		{"administrators", "SeNetworkLogonRight = *S-1-5-32-544\r\n", "", "network-logon-open"},
		{"nobody at all", "SeDenyNetworkLogonRight = *S-1-1-0\r\n", "network-logon-denied-to-all", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := "[Unicode]\r\nUnicode=yes\r\n[Version]\r\nsignature=\"$CHICAGO$\"\r\nRevision=1\r\n[Privilege " +
				"Rights]\r\n" + tt.lines
			a := source(t, Options{Product: "win2019", Role: model.Member},
				write(t, map[string]string{"GptTmpl.inf": text})+"/GptTmpl.inf")
			if tt.want != "" && finding(a, tt.want) == nil {
				t.Errorf("no %s: %v", tt.want, ids(a))
			}
			if tt.not != "" && finding(a, tt.not) != nil {
				t.Errorf("there should be no %s", tt.not)
			}
		})
	}
}

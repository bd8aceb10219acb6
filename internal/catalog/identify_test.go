package catalog

import (
	"slices"
	"strings"
	"testing"
)

// TestIdentify: what servers show, as measured or according to their sources, and what they are taken for.
func TestIdentify(t *testing.T) {
	c := mustLoad(t)
	type facts = map[string]string
	for _, x := range []struct {
		name, kind, product string
		sure, against       bool
		facts               facts
	}{
		{
			"bullseye", "samba", "Samba", false, false,
			facts{"version": "6.1.0", "guid_kind": "name", "signing": "AES-128-CMAC", "dialect": "3.1.1"},
		},
		{
			"bookworm", "samba", "Samba 4.15 or newer", false, false,
			facts{"version": "6.1.0", "guid_kind": "name", "signing": "AES-128-GMAC", "dialect": "3.1.1"},
		},
		{
			"its comment", "samba", "Samba 4.22.11-Debian", true, false,
			facts{"version": "6.1.0", "comment": "Samba 4.22.11-Debian"},
		},
		{
			"a comment of the site's", "samba", "Samba", false, false,
			facts{"version": "6.1.0", "comment": "Files of the office"},
		},
		{"SMB1", "samba", "Samba 3.0.37", true, false, facts{"native_os": "Unix", "native_lanman": "Samba 3.0.37"}},
		{
			"ksmbd", "ksmbd", "ksmbd", false, false,
			facts{"version": "none", "guid_kind": "zero", "domain": "name", "null_session": "guest"},
		},
		{"an empty GUID alone", "", "", false, false, facts{"guid_kind": "zero", "null_session": "guest"}},
		{
			"Windows", "windows", "Windows Server 2022, build 20348", false, false,
			facts{
				"version": "10.0.20348", "build": "20348", "windows": "Windows Server 2022, build 20348",
				"dialect": "3.1.1",
			},
		},
		{
			"newer than it claims", "windows", "Windows 7, build 7601", false, true,
			facts{"build": "7601", "windows": "Windows 7, build 7601", "dialect": "3.1.1"},
		},
		{
			"two at once", "samba", "Samba", false, true,
			facts{"guid_kind": "name", "build": "7601", "windows": "Windows 7, build 7601", "dialect": "2.1"},
		},
		{
			"smbserver", "impacket", "impacket's server", false, false,
			facts{"guid": strings.Repeat("41", 16), "guid_kind": "letters", "version": "255.255.65535"},
		},
		{
			"ntlmrelayx before Samba", "impacket", "impacket's server", false, true,
			facts{"guid_kind": "letters", "version": "6.1.0"},
		},
		{
			"Responder", "responder", "Responder", false, true,
			facts{"hint": "Server2008@SMB3.local", "build": "9600", "windows": "Windows 8.1, build 9600"},
		},
		{
			"Dionaea", "dionaea", "Dionaea", false, true,
			facts{"name": "HOMEUSER-3AF6FE", "native_os": "Windows 5.1", "native_lanman": "Windows 2000 LAN Manager"},
		},
		{
			"a name of its own", "", "NetApp Release 9", true, false,
			facts{"native_os": "x", "native_lanman": "NetApp Release 9"},
		},
		{"nothing", "", "", false, false, facts{}},
	} {
		got := c.Identify(x.facts)
		kind := ""
		if got.Kind != nil {
			kind = got.Kind.ID
		}
		if kind != x.kind || got.Product != x.product || got.Sure != x.sure || got.Against != x.against {
			t.Errorf("%s: %s, %q, sure %v, against %v: %q", x.name, kind, got.Product, got.Sure, got.Against, got.Basis)
		}
		if (got.Product != "") != (len(got.Basis) > 0) {
			t.Errorf("%s: %q rests on %q", x.name, got.Product, got.Basis)
		}
		// A missing fact removes a statement, and never adds one.
		for gone := range x.facts {
			fewer := facts{}
			for k, v := range x.facts {
				if k != gone {
					fewer[k] = v
				}
			}
			for _, b := range c.Identify(fewer).Basis {
				if !slices.Contains(got.Basis, b) && !strings.HasPrefix(b, "but ") && got.Kind != nil &&
					c.Identify(fewer).Kind == got.Kind {
					t.Errorf("%s without %s says %q, which it does not say with it", x.name, gone, b)
				}
			}
		}
	}
}

// TestClues: clues use existing facts, and what decides for one system decides for no other.
func TestClues(t *testing.T) {
	c := mustLoad(t)
	facts := []string{
		"native_os", "native_lanman", "comment", "name", "domain", "version", "build", "windows", "guid", "guid_kind",
		"dialect", "signing",
		"max_transact", "hint", "null_session", "started",
	}
	seen := map[string]string{}
	for _, k := range c.Servers {
		if k.System != "" && !slices.Contains(Systems(), k.System) {
			t.Errorf("%s: there is no system %s", k.ID, k.System)
		}
		if (k.System == "") != (k.Decoy != "") {
			t.Errorf("%s has a system or is a decoy, one of the two", k.ID)
		}
		for _, clue := range k.Clues {
			for name, value := range clue.If {
				if !slices.Contains(facts, name) {
					t.Errorf("%s: no fact %s", k.ID, name)
				}
				if len(clue.If) > 1 || clue.Weak {
					continue
				}
				if other := seen[name+"="+value]; other != "" {
					t.Errorf("%s=%s decides for %s and for %s", name, value, other, k.ID)
				}
				seen[name+"="+value] = k.ID
			}
			if clue.Says == "" || clue.Tells != "" && !slices.Contains(facts, clue.Tells) {
				t.Errorf("%s: %+v", k.ID, clue)
			}
		}
	}
}

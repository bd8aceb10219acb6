package plan

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestSilenceNeedsItsOwnRecords: silence counts for the layer and the host whose records were read, for as long as they
// were, and for nothing else.
func TestSilenceNeedsItsOwnRecords(t *testing.T) {
	wire := use("10.0.0.5", model.User, "srvsvc", "", -1)
	wire.Dialect = "3.1.1"
	read := func(h ...model.Heard) *Observed {
		return &Observed{From: day1, To: day1.AddDate(0, 0, 30), Read: 100, Heard: h}
	}
	gaps := heard("srv", model.LayerOpen, 31)
	gaps.Days = gaps.Days[:3]
	for name, x := range map[string]struct {
		o      *Observed
		layer  model.Layer
		enough bool
		says   string
	}{
		"another log alone": {read(), model.LayerOpen, false, "no record that shows it"},
		"its own": {
			read(heard("srv", model.LayerOpen, 11)), model.LayerOpen, true, "records on 11 of 11 days (100%)",
		},
		"of calls, by opens": {
			read(heard("srv", model.LayerOpen, 11)), model.LayerCall, true, "call: records of open",
		},
		"of connects, by opens": {
			read(heard("srv", model.LayerOpen, 11)), model.LayerTree, true, "tree: records of open",
		},
		"of opens, by logons": {
			read(heard("srv", model.LayerSession, 11)), model.LayerOpen, false, "no record that shows it",
		},
		"of logons, by opens": {
			read(heard("srv", model.LayerOpen, 11)), model.LayerSession, false, "no record that shows it",
		},
		"too short":             {read(heard("srv", model.LayerOpen, 5)), model.LayerOpen, false, "4.0 days"},
		"three days of a month": {read(gaps), model.LayerOpen, false, "records on 3 of 31 days (9%)"},
		"two hosts": {
			read(heard("srv", model.LayerOpen, 11), heard("other", model.LayerOpen, 11)), model.LayerOpen, false,
			"--server",
		},
		"packets": {
			&Observed{Uses: []model.Use{wire}, Traffic: true, Read: 1}, model.LayerSession, true, "SMB packets",
		},
		"packets of another server": {
			&Observed{Uses: []model.Use{wire}, Traffic: true, Read: 1, Servers: []string{"srv"}}, model.LayerSession,
			false, "no record",
		},
	} {
		g := Weigh(x.o, 0, x.layer)
		if g.Enough != x.enough || !strings.Contains(g.Why, x.says) {
			t.Errorf("%s: %v, %q", name, g.Enough, g.Why)
		}
	}
	named := read(heard("SRV", model.LayerOpen, 11), heard("other", model.LayerOpen, 3))
	named.Servers = []string{"srv"}
	if g := Weigh(named, 0, model.LayerOpen); !g.Enough {
		t.Errorf("the host that is named: %q", g.Why)
	}
}

// TestSilenceOnlyWeakens: whatever is taken from an observation, silence does not begin to count.
func TestSilenceOnlyWeakens(t *testing.T) {
	layers := []model.Layer{model.LayerSession, model.LayerTree, model.LayerOpen, model.LayerCall}
	for n := range 1 << 3 {
		var all []model.Heard
		for i, l := range layers[:3] {
			if n&(1<<i) != 0 {
				all = append(all, heard("srv", l, 3+4*i))
			}
		}
		for _, l := range layers {
			whole := Weigh(&Observed{Read: 9, Heard: all}, 0, l)
			for i := range all {
				less := append(append([]model.Heard{}, all[:i]...), all[i+1:]...)
				if g := Weigh(&Observed{Read: 9, Heard: less}, 0, l); g.Enough && !whole.Enough {
					t.Errorf("%s: silence counts without %s, and did not with it", l, all[i].Kind)
				}
			}
		}
	}
}

// TestClocksThatDiffer: silence counts for nothing where the sources' clocks differ.
func TestClocksThatDiffer(t *testing.T) {
	o := month()
	if g := Weigh(o, 0); !g.Enough {
		t.Fatalf("a month is not enough: %s", g.Why)
	}
	o.Notices = []model.Notice{{ID: model.NoticeClocks, Host: "srv", What: "its log is 1h0m0s ahead of the packets"}}
	if g := Weigh(o, 0); g.Enough || !strings.Contains(g.Why, "srv: its log is 1h0m0s ahead") {
		t.Errorf("enough %t: %s", g.Enough, g.Why)
	}
}

// TestWhatIfKnowsUsers: what reaches those who sign in is not said to go on as before.
func TestWhatIfKnowsUsers(t *testing.T) {
	h := host{
		system: "windows", product: "win2019", role: model.Member,
		settings: map[string]any{"RestrictRemoteSAM": "O:BAG:BAD:(A;;RC;;;WD)", "SMB1": 1},
	}
	e := Evidence{Audit: h.audit(t), Observed: month(
		use("10.0.0.5", model.User, "samr", "", -1),
		use("10.0.0.6", model.Machine, "samr", "SamrEnumerateUsersInDomain", 13),
		use("10.0.0.7", model.User, "spoolss", "", -1),
	)}
	ask := func(name, value string) *Answer {
		t.Helper()
		a, err := WhatIf(e, []Setting{{name, value}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := ask("RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)")
	if n := len(a.Possible) + len(a.Refused); n != 2 || a.Unchanged != 1 {
		t.Errorf("RestrictRemoteSAM: %d may be refused, %d go on: %+v", n, a.Unchanged, a.Possible)
	}
	for _, name := range []string{"SMB1", "RequireSecuritySignature"} {
		value := map[string]string{"SMB1": "0", "RequireSecuritySignature": "1"}[name]
		if a := ask(name, value); len(a.Possible) != 3 || a.Unchanged != 0 || a.Possible[0].Looks[0].Times != 2 ||
			!a.Possible[0].Way {
			t.Errorf("%s: %d may be refused, %d go on as before", name, len(a.Possible), a.Unchanged)
		} else if !slices.ContainsFunc(a.Warnings, func(w string) bool {
			return strings.Contains(w, "names each client")
		}) {
			t.Errorf("%s: what would tell is not said: %q", name, a.Warnings)
		}
	}
	if a := ask("NullSessionPipes", ""); len(a.NotKnown) != 0 || a.Unchanged != 3 {
		t.Errorf("a setting for strangers: %+v", a.NotKnown)
	}
}

// TestOtherServer: a plan says that uses count as those of this host where nothing in the evidence gives it the name or
// address that they were observed at.
func TestOtherServer(t *testing.T) {
	h := host{system: "samba", product: "samba", role: model.Standalone, settings: map[string]any{}}
	scan := func(target, address, name string) []*model.Scan {
		return []*model.Scan{{Target: target, Address: address, Server: model.Server{Name: name, System: "samba"}}}
	}
	for _, c := range []struct {
		name  string
		edit  func(e *Evidence)
		warns bool
	}{
		{"nothing names the host", func(*Evidence) {}, false},
		{"the same address", func(e *Evidence) { e.Scans = scan("fs1", "10.0.0.1:445", "FS1") }, false},
		{"another address", func(e *Evidence) { e.Scans = scan("fs1", "10.0.0.2:445", "FS1") }, true},
		{"another name in the audit", func(e *Evidence) { e.Audit.Host = "FS1" }, true},
		{"the short name", func(e *Evidence) {
			e.Audit.Host, e.Observed.Uses[0].Server = "FS1", "fs1.corp.example"
		}, false},
		{"said by the user", func(e *Evidence) {
			e.Audit.Host, e.Observed.Servers = "FS1", []string{"10.0.0.1"}
		}, false},
		{"nothing observed", func(e *Evidence) { e.Audit.Host, e.Observed.Uses = "FS1", nil }, false},
	} {
		e := Evidence{Audit: h.audit(t), Observed: month(use("10.0.0.9", model.User, "samr", "SamrConnect", 0))}
		c.edit(&e)
		if p := make1(t, e); has(p.Warnings, "the uses were observed at 10.0.0.1, and neither") != c.warns {
			t.Errorf("%s: warnings %q", c.name, p.Warnings)
		}
		a, err := WhatIf(e, []Setting{{"restrict anonymous", "2"}})
		if err != nil || has(a.Warnings, "the uses were observed at 10.0.0.1, and neither") != c.warns {
			t.Errorf("%s: %v: what-if warns of %q", c.name, err, a.Warnings)
		}
	}
}

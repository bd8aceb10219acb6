package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// seed fills a store with an estate: two sites, hosts of several kinds, a result a week, and everything around them.
// name makes a host's name, so that hostile ones can be given.
type seed struct {
	hosts, weeks int
	name         func(i int) string
	text         func(s string) string // of everything that somebody else chose
}

func plainSeed() seed {
	return seed{
		hosts: 40, weeks: 10, name: func(i int) string { return fmt.Sprintf("srv%02d.example.org", i) },
		text: func(s string) string { return s },
	}
}

// kinds of host, as a week's scan finds them.
type hostKind struct {
	verdict  model.Verdict
	given    []model.Disclosure
	smb1     bool
	system   string
	os       string
	signing  string
	findings []string
}

func hostKinds() []hostKind {
	return []hostKind{
		{
			model.Exposed,
			[]model.Disclosure{
				model.DisclosesAccounts, model.DisclosesGroups, model.DisclosesShares,
				model.DisclosesPasswordPolicy, model.DisclosesHostInfo, model.DisclosesIdentity,
			},
			false, "samba",
			"Samba 4.17.12", "enabled",
			[]string{
				"anonymous-lists-accounts", "anonymous-lists-groups",
				"anonymous-lists-shares",
			},
		},
		{model.Closed, nil, false, "windows", "Windows Server 2022", "required", nil},
		{
			model.Limited,
			[]model.Disclosure{model.DisclosesIdentity, model.DisclosesHostInfo},
			false, "windows",
			"Windows Server 2016", "enabled", nil,
		},
		{model.Closed, nil, false, "windows", "Windows Server 2019", "required", nil},
		{
			model.Exposed,
			[]model.Disclosure{model.DisclosesShares, model.DisclosesPrinters, model.DisclosesIdentity},
			true, "windows", "Windows Server 2003 R2", "disabled",
			[]string{"anonymous-lists-shares", "anonymous-lists-printers"},
		},
		{model.Closed, nil, false, "samba", "Samba 4.21.0", "required", nil},
		{model.VerdictInconclusive, nil, false, "unknown", "", "", nil},
		{model.Unreachable, nil, false, "", "", "", nil},
	}
}

func (k *hostKind) cells() store.Cells {
	var b strings.Builder
	for _, d := range model.Disclosures() {
		switch {
		case slices.Contains(k.given, d):
			b.WriteByte('a')
		case k.verdict == model.VerdictInconclusive:
			b.WriteByte('?')
		case d == model.DisclosesTrusts:
			b.WriteByte('n')
		case d == model.DisclosesLogs:
			b.WriteByte('-')
		default:
			b.WriteByte('d')
		}
	}
	return store.Cells(b.String())
}

// scanOf makes the document of a scan.
func (k *hostKind) scanOf(name, address string, at time.Time, text func(string) string) *model.Scan {
	s := &model.Scan{
		Schema: model.SchemaScan, Target: name, Address: address, Started: at, DurationMS: 41, Verdict: k.verdict,
		Reason: text("every layer answered"),
		Server: model.Server{
			Name: text("LABHOST"), Domain: text("LABGRP"), DNSName: text(name),
			Dialects: []string{"2.1", "3.0", "3.1.1"}, SMB1: k.smb1, Signing: k.signing, OS: text(k.os),
			System: k.system,
		},
	}
	for _, id := range []model.Identity{model.Anonymous, model.Guest, model.UnknownUser} {
		r := model.IdentityResult{Identity: id, Dialect: "3.1.1", SeenAs: text(`NT AUTHORITY\ANONYMOUS LOGON`)}
		in := id == model.Anonymous && k.verdict != model.Closed
		if !in {
			r.Session = model.Step{Outcome: model.Denied, Status: "STATUS_LOGON_FAILURE"}
			s.Identities = append(s.Identities, r)
			continue
		}
		r.Session, r.Tree = model.Step{Outcome: model.Allowed, Status: "STATUS_SUCCESS"},
			model.Step{Outcome: model.Allowed, Status: "STATUS_SUCCESS"}
		for _, p := range []struct {
			pipe, iface, call string
			gives             model.Disclosure
		}{
			{"samr", "samr", "SamrEnumerateUsersInDomain", model.DisclosesAccounts},
			{"srvsvc", "srvsvc", "NetrShareEnum", model.DisclosesShares},
			{"lsarpc", "lsarpc", "LsarGetUserName", model.DisclosesIdentity},
			{text("winreg"), "winreg", "OpenLocalMachine", model.DisclosesRegistry},
		} {
			call := model.CallResult{
				Call: text(p.call), Opnum: 13, Outcome: model.Denied,
				Status: "STATUS_ACCESS_DENIED", Discloses: p.gives,
			}
			if slices.Contains(k.given, p.gives) {
				call.Outcome, call.Status, call.Count = model.Allowed, "STATUS_SUCCESS", 3
			}
			r.Pipes = append(r.Pipes,
				model.PipeResult{
					Pipe: p.pipe, Open: model.Step{Outcome: model.Allowed, Status: "STATUS_SUCCESS"},
					Interfaces: []model.InterfaceResult{
						{
							Interface: text(p.iface), UUID: "12345778-1234-abcd-ef00-0123456789ac", Version: "1.0",
							Bind:  model.Step{Outcome: model.Allowed, Status: "accepted"},
							Calls: []model.CallResult{call},
						},
					},
				})
		}
		r.Pipes = append(r.Pipes,
			model.PipeResult{Pipe: "spoolss", Open: model.Step{Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED"}})
		r.Shares = []model.ShareResult{{Name: text("public"), Type: "disk", Tree: model.Step{Outcome: model.Denied}}}
		s.Identities = append(s.Identities, r)
	}
	return s
}

// fill writes the estate.
func (x seed) fill(t testing.TB, st *store.Store) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := catalog.Load()
	must(err)
	now := time.Now().UTC().Truncate(time.Second)
	sites := []store.Site{{Name: "default"}, {
		Name: x.text("plant"), Rate: 20, Window: "Mon-Fri 22:00-06:00",
		Zone: "Europe/Berlin",
	}}
	for i := range sites {
		must(st.SaveSite(ctx, &sites[i]))
	}
	kinds := hostKinds()
	var targets []store.Target
	for i := range x.hosts {
		tt := store.Target{
			SiteID: sites[i%5/4].ID, Spec: fmt.Sprintf("srv%02d.example.org", i),
			Tags:        []string{[]string{"file", "dc", "printer"}[i%3], x.text("berlin")},
			Owner:       x.text([]string{"Anna", "Bo", ""}[i%3]),
			Criticality: []store.Criticality{store.CriticalityHigh, store.CriticalityNormal, store.CriticalityLow}[i%3],
			Enabled:     true, Note: x.text("rack 4"),
		}
		must(st.SaveTarget(ctx, &tt))
		targets = append(targets, tt)
	}
	must(st.SaveTarget(ctx, &store.Target{
		SiteID: sites[0].ID, Spec: "10.9.0.0/24", Kind: store.TargetRange,
		Enabled: true, Criticality: store.CriticalityNormal,
	}))
	for week := range x.weeks {
		at := now.AddDate(0, 0, -7*(x.weeks-1-week)).Add(-3 * time.Hour)
		var results []*store.Result
		for i := range x.hosts {
			k := kinds[(i+(week*i)/7)%len(kinds)]
			if week == x.weeks-1 && i < len(kinds) {
				k = kinds[i]
			}
			name, address := x.name(i), fmt.Sprintf("10.1.%d.%d:445", i/200, 1+i%200)
			scan := k.scanOf(name, address, at, x.text)
			snapshot := store.Snapshot{
				Verdict: k.verdict, SMB1: k.smb1, Signing: k.signing, Findings: k.findings,
				Pipes: map[string]string{"anonymous/samr": "allowed"},
			}
			r := &store.Result{
				TargetID: targets[i].ID, Kind: store.RunScan, At: at, Verdict: k.verdict,
				Reason: x.text("every layer answered"), DurationMS: 41, Requests: 30, Worker: x.text("worker-1"),
				Host: store.Host{
					SiteID: targets[i].SiteID, Address: address, Name: name, System: k.system,
					OS: x.text(k.os), SMB1: k.smb1, Signing: k.signing,
				},
				Names: []store.HostName{
					{Name: name, Kind: "dns", FirstSeen: at, LastSeen: at},
					{Name: x.text("LABHOST"), Kind: "netbios", FirstSeen: at, LastSeen: at},
				},
			}
			if k.verdict != model.Unreachable {
				snapshot.Cells = k.cells()
				r.Host.Cells = snapshot.Cells
				r.Findings = []store.HostFinding{}
			}
			r.Snapshot = snapshot
			for _, id := range k.findings {
				f := c.Finding(id)
				r.Findings = append(r.Findings, store.HostFinding{
					Kind: store.RunScan, Finding: id, Severity: f.Severity[0].Level, Identity: model.Anonymous,
					Pipe: x.text("samr"), Evidence: x.text("3 accounts were listed"), Settings: f.Settings,
				})
			}
			if week > 0 && i%4 == week%4 {
				r.Events = append(r.Events, store.Event{
					At: at, Kind: store.EventBecameExposed, Severity: model.High,
					Subject: x.text("samr"), Before: x.text("closed"), After: "exposed",
					Text: x.text(name + " became exposed: strangers list accounts."),
				})
			}
			b, err := json.Marshal(scan)
			must(err)
			if week >= x.weeks-2 {
				r.Document = b
			}
			results = append(results, r)
		}
		n, err := st.RecordResults(ctx, results)
		must(err)
		if n != x.hosts {
			t.Fatalf("recorded %d of %d results", n, x.hosts)
		}
	}
	x.around(t, st, sites, targets, now)
}

// around writes what stands around the results: an audit with its plan, schedules, exceptions, channels, acts.
func (x seed) around(t testing.TB, st *store.Store, sites []store.Site, targets []store.Target, now time.Time) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	host, err := st.HostByAddress(ctx, sites[0].ID, "10.1.0.1:445")
	must(err)
	for kind, doc := range map[string]any{
		"audit": x.audit(), "observe": x.observation(now), "plan": x.plan(),
		"journal": x.journal(now),
	} {
		b, err := json.Marshal(doc)
		must(err)
		must(st.SaveDocument(ctx, host.ID, kind, now.Add(-time.Hour), b))
	}
	must(st.SaveSchedule(ctx, &store.Schedule{
		Name: x.text("nightly"), Kind: store.RunScan, Cron: "30 2 * * *",
		Zone: "Europe/Berlin", Enabled: true, Next: now.Add(9 * time.Hour),
		Selector: store.Selector{Tag: "dc", Owner: x.text("Anna")},
	}))
	must(st.SaveException(ctx, &store.Exception{
		Finding: "anonymous-lists-shares", HostID: host.ID,
		Reason: x.text("a kiosk needs the list until it is replaced"), Owner: x.text("Anna"), Until: now.AddDate(0, 2,
			0), By: x.text("operator"),
	}))
	must(st.SaveException(ctx, &store.Exception{
		Finding: "anonymous-lists-printers", Tag: "printer",
		Reason: x.text("print server"), Owner: x.text("Bo"), Until: now.AddDate(0, 1, 0), By: "operator",
	}))
	must(st.SaveChannel(ctx, &store.Channel{
		Name: x.text("ops hook"), Kind: "syslog",
		Config: `{"network":"udp","address":"127.46.9.9:514","format":"cef"}`, Least: model.Medium, Enabled: true,
		LastFail: x.text("nobody is there"),
	}))
	must(st.SaveCredential(ctx, &store.Credential{
		Name: x.text("auditor"), Kind: "password",
		Account: x.text(`LAB\auditor`), Sealed: []byte("sealed"),
	}))
	must(st.AddAct(ctx, &store.Act{
		At: now, Who: x.text("admin"), From: "127.46.0.1", Action: "target.add",
		Subject: x.text("srv1"), Detail: x.text("by hand"),
	}))
	must(st.Heartbeat(ctx, store.Worker{
		Name: x.text("worker-1"), Site: sites[0].Name, Version: "test", Protocol: 1,
		Started: now, Seen: now, Busy: 3, Done: 400,
	}))
	must(st.Heartbeat(ctx, store.Worker{
		Name: "worker-old", Site: sites[1].Name, Version: "0.1", Protocol: 0,
		Started: now.Add(-time.Hour), Seen: now.Add(-10 * time.Minute),
	}))
	o := store.Rollout{
		Name: x.text("berlin"), Query: "tag=berlin", Strategy: "restrict", Goal: "strangers",
		By: x.text("operator"),
	}
	must(st.AddRollout(ctx, &o, store.HostFilter{}))
	must(st.RecordPlanned(ctx, o.ID, []store.PlannedHost{
		{
			HostID: host.ID, State: store.RolloutOpen, Changes: []byte("1"), Plan: x.plan(),
			Closes: []string{"anonymous-lists-accounts"},
			Stops: []store.RolloutStop{{
				Certainty: "observed", Who: x.text("172.16.0.10"),
				What: x.text("lists accounts as anonymous"), Because: x.text("the plan refuses it"),
			}},
		},
		{HostID: host.ID + 1, State: store.RolloutUnaudited, Why: x.text("it was never audited")},
	}))
	run := &store.Run{
		Kind: store.RunScan, By: x.text("operator"), Selector: store.Selector{Tag: x.text("berlin")},
		Created: now,
	}
	must(st.CreateRun(ctx, run))
	_, err = st.AddUnits(ctx, run.ID, store.Selector{Targets: []int64{targets[0].ID, targets[1].ID, targets[2].ID}})
	must(err)
	_, err = st.TakeUnits(ctx, run.ID, []int64{targets[0].ID, targets[1].ID}, x.text("worker-1"))
	must(err)
	must(st.FailUnit(ctx, run.ID, targets[1].ID, x.text("no such name")))
}

func (x seed) audit() *model.Audit {
	return &model.Audit{
		Schema: model.SchemaAudit, Source: model.Source{Kind: "smbconf", Name: x.text("/etc/samba/smb.conf")},
		Host: x.text("LABHOST"),
		Platform: model.Platform{
			System: "samba", Product: "samba", Name: x.text("Samba"), Version: "4.17.12",
			Role: model.Standalone,
		}, Problems: []string{x.text("line 9: an unknown parameter")},
		Settings: []model.Setting{
			{
				ID: "restrict anonymous", Where: "[global] restrict anonymous", Type: "int", Effective: 0,
				Basis: model.BasisDefault, State: model.StateWeak,
				Why: x.text("0 lets anonymous callers list accounts"),
			},
			{
				ID: "map to guest", Where: "[global] map to guest", Type: "enum", Present: true,
				Configured: x.text("Never"), Effective: "Never", Basis: model.BasisConfigured, State: model.StateOK,
				Why: "strangers are refused",
			},
		},
		Access: map[model.Identity]model.Access{model.Anonymous: {
			Session: model.Allowed, Tree: model.Allowed,
			Discloses: map[model.Disclosure]model.Outcome{
				model.DisclosesAccounts: model.Allowed,
				model.DisclosesLogs:     model.OutcomeUnknown,
			},
		}},
	}
}

func (x seed) observation(now time.Time) *model.Observation {
	return &model.Observation{
		Schema: model.SchemaObserve, Coverage: model.Coverage{
			From: now.AddDate(0, 0, -7), To: now,
			Notes: []string{x.text("encrypted sessions cannot be read")},
		},
		Uses: []model.Use{
			{
				Client: x.text("172.16.0.10"), Server: "10.1.0.1", Identity: model.Anonymous, Pipe: x.text("samr"),
				Call: x.text("SamrConnect"), Layer: model.LayerCall, Outcome: model.Allowed, Count: 5, Last: now,
			},
			{
				Client: "172.16.0.11", Server: "10.1.0.1", Identity: model.User, Account: x.text(`LAB\anna`),
				Pipe: "srvsvc", Call: "NetrShareEnum", Layer: model.LayerCall, Outcome: model.Allowed, Count: 512,
				Last: now,
			},
			{
				Client: x.text("172.16.0.12"), Server: "10.1.0.1", Identity: model.User, Account: x.text(`LAB\scan`),
				Package: model.PackageNTLMv1, SPN: x.text("cifs/srv"), Dialect: "2.1", Layer: model.LayerSession,
				Outcome: model.Allowed, Count: 7, Last: now,
			},
		},
	}
}

func (x seed) plan() *model.Plan {
	return &model.Plan{
		Schema: model.SchemaPlan, Target: x.text("srv00"),
		Platform: model.Platform{System: "samba", Role: model.Standalone}, Strategy: "restrict",
		Changes: []model.Change{{
			ID: "1", Setting: "restrict anonymous", Where: "[global] restrict anonymous",
			To: model.Value{Present: true, Data: x.text("2")}, Closes: []string{"anonymous-lists-accounts"},
			TakesEffect: "at once", Why: x.text("strangers lose the list of accounts"),
		}},
		Breaks: []model.Break{{
			Who: x.text("172.16.0.10"), What: x.text("lists accounts as anonymous"),
			Certainty: "observed", Because: x.text("it did so 5 times"),
		}},
		Keeps:    []model.Keep{{What: "srvsvc", Why: x.text("users go on")}},
		Rejected: []model.Rejected{{Setting: "ipc hosts deny", Why: x.text("not needed")}},
		Residual: []string{x.text("logs: not known")}, Warnings: []string{x.text("nobody watched on Sundays")},
		Hash: "abc",
	}
}

func (x seed) journal(now time.Time) []map[string]any {
	return []map[string]any{{
		"id": "20261101-1", "started": now.AddDate(0, 0, -20), "ended": now.AddDate(0, 0, -20), "who": x.text("root"),
		"phase": "confirmed", "target": "samba:/etc/samba/smb.conf",
		"records": []map[string]any{{
			"action": "applied", "who": x.text("root"),
			"changes": []map[string]any{{"where": x.text("smb.conf"), "from": x.text("absent"), "to": "2"}},
		}},
	}}
}

package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"ipcguard/internal/model"
)

// estate generates hosts as in a large company: a few dozen configurations, each with its share of the hosts, names and
// addresses, and occasional changes from one configuration to another.
type estate struct {
	site  int64
	class []int // of each host
	rand  *rand.Rand
}

const (
	classes  = 60
	findings = 40
	settings = 25
)

func newEstate(site int64, hosts int) *estate {
	e := &estate{site: site, class: make([]int, hosts), rand: rand.New(rand.NewPCG(7, 11))}
	for i := range e.class {
		e.class[i] = e.pick()
	}
	return e
}

// pick prefers the first classes, like server templates.
func (e *estate) pick() int { return min(int(e.rand.ExpFloat64()*classes/5), classes-1) }

func (e *estate) spec(i int) string    { return fmt.Sprintf("srv%05d.corp.example", i) }
func (e *estate) address(i int) string { return fmt.Sprintf("10.%d.%d.%d:445", i>>16, i>>8&255, i&255) }

func (e *estate) target(i int) Target {
	return Target{
		SiteID: e.site, Spec: e.spec(i), Enabled: true, Owner: fmt.Sprintf("team-%02d", i%37),
		Tags: []string{fmt.Sprintf("floor-%d", i%11), []string{"production", "test", "office"}[i%3]},
	}
}

func (e *estate) snapshot(class int) Snapshot {
	cells := []byte("ddddddddddddddddd")
	s := Snapshot{Verdict: model.Closed, Signing: "required", Pipes: map[string]string{}, Calls: map[string]string{}}
	for i := range cells {
		if (class*7+i*3)%17 < class%9 {
			cells[i], s.Verdict, s.Signing = 'a', model.Exposed, "enabled"
		}
	}
	if s.Verdict == model.Closed && class%4 == 3 {
		s.Verdict = model.Limited
	}
	for i := range 12 {
		s.Pipes[fmt.Sprintf("anonymous/pipe%d", i)] = []string{"denied", "absent", "allowed"}[(class+i)%3]
		s.Calls[fmt.Sprintf("anonymous/pipe%d/Call%d", i, class%5)] = "denied"
	}
	s.Cells, s.SMB1 = Cells(cells), class%13 == 0
	for _, f := range e.findings(class) {
		s.Findings = append(s.Findings, f.Finding)
	}
	slices.Sort(s.Findings)
	s.Findings = slices.Compact(s.Findings)
	return s
}

func (e *estate) findings(class int) []HostFinding {
	out := []HostFinding{}
	for i := range class%10 + 1 {
		n := (class*5 + i*3) % findings
		out = append(out, HostFinding{
			Finding: fmt.Sprintf("finding-%02d", n), Severity: severities[1+n%5],
			Identity: model.Anonymous, Pipe: fmt.Sprintf("pipe%d", n%7),
			Evidence: fmt.Sprintf("anonymous read %d things through pipe%d (SomeCallOfTheInterface)", class, n%7),
			Settings: []string{fmt.Sprintf("setting-%02d", n%settings), fmt.Sprintf("setting-%02d", (n+5)%settings)},
		})
	}
	return out
}

// document is as large as a full scan, with data specific to the host.
func (e *estate) document(i int, at time.Time, s *Snapshot) []byte {
	scan := model.Scan{
		Schema: model.SchemaScan, Target: e.spec(i), Address: e.address(i), Started: at,
		DurationMS: int64(20 + i%70), Verdict: s.Verdict,
		Server: model.Server{
			Name: fmt.Sprintf("SRV%05d", i), Domain: "CORP", DNSName: e.spec(i),
			GUID:     fmt.Sprintf("%08x-%04x-%04x-0000-%012x", i*7919, i, i%77, i*104729),
			Dialects: []string{"2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"}, Signing: s.Signing,
			Encryption: true, System: "windows", OS: "Windows Server 2019",
			Time: at.Format(time.RFC3339),
		},
	}
	for _, who := range []model.Identity{model.Anonymous, model.Guest, model.UnknownUser} {
		r := model.IdentityResult{
			Identity: who,
			Dialect:  "3.1.1",
			Session:  model.Step{Outcome: model.Allowed, Status: "STATUS_SUCCESS"},
		}
		if who == model.Anonymous {
			for p := range 50 {
				r.Pipes = append(r.Pipes, model.PipeResult{
					Pipe: fmt.Sprintf("pipe%d", p),
					Open: model.Step{Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED"},
					Interfaces: []model.InterfaceResult{{
						Interface: fmt.Sprintf("iface%d", p),
						UUID:      fmt.Sprintf("%08x-1234-abcd-ef00-0123456789ab", p*7919), Version: "1.0",
						Bind: model.Step{Outcome: model.Allowed, Status: "accepted"},
						Calls: []model.CallResult{
							{
								Call: fmt.Sprintf("Call%dOfInterface", p), Opnum: uint16(p),
								Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED", Count: (i + p) % 19,
							},
						},
					}},
				})
			}
		}
		scan.Identities = append(scan.Identities, r)
	}
	scan.Stats = model.Stats{
		Connections:   5,
		Requests:      200 + i%50,
		RoundTrips:    90 + i%20,
		BytesSent:     int64(30000 + i%997),
		BytesReceived: int64(40000 + i%991),
	}
	b, err := json.Marshal(scan)
	if err != nil {
		panic(err)
	}
	return b
}

// result returns a scan's result of a host, with or without a document.
func (e *estate) result(run *Run, target int64, i int, at time.Time, withDocument bool) *Result {
	s := e.snapshot(e.class[i])
	r := &Result{
		RunID: run.ID, TargetID: target, Kind: RunScan, At: at, Verdict: s.Verdict,
		DurationMS: int64(20 + i%70), Requests: 200 + i%50,
		Worker: "worker-1-4711-abcdef", Snapshot: s, Findings: e.findings(e.class[i]),
		Host: Host{
			Address: e.address(i), Name: fmt.Sprintf("SRV%05d", i),
			Identity: fmt.Sprintf("%032x", i*104729), System: "windows",
			OS: "Windows Server 2019 build 17763", Cells: s.Cells, SMB1: s.SMB1, Signing: s.Signing,
		},
		Names: []HostName{{Name: e.spec(i), Kind: "target"}, {Name: fmt.Sprintf("SRV%05d", i), Kind: "netbios"}},
	}
	if withDocument {
		r.Document = e.document(i, at, &s)
	}
	return r
}

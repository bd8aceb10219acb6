package cli

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/plan"
)

// evidenceFlags name the files from which plan and what-if start.
type evidenceFlags struct {
	audit, observe, policy, role string
	host, target                 string
	scans, needs, servers, avoid []string
	minDays                      float64
}

func (f *evidenceFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.audit, "audit", "", "what ipcguard audit said of the host (json or jsonl)")
	s.StringVar(&f.host, "host", "", "if that file has several audits, use the one of this host or source")
	s.StringVar(&f.observe, "observe", "", "what ipcguard observe said (json or jsonl), or its directory of days")
	s.StringSliceVar(&f.servers, "server", nil,
		"the host's addresses and names in the observation; needed if it has several servers")
	s.StringSliceVar(&f.needs, "needs", nil,
		"services that must go on working, and pipe:NAME or share:NAME that stay open to strangers")
	s.StringVar(&f.policy, "policy", "", "a YAML file with what is needed and wanted")
	s.StringVar(&f.role, "role", "", "the host's role, if the audit does not say")
	s.Float64Var(&f.minDays, "min-days", 0, "days of observation after which it counts that nothing was seen; 0 is 7")
}

// evidence reads the files.
func (f *evidenceFlags) evidence() (*plan.Evidence, error) {
	if f.audit == "" {
		return nil, hinted{
			usage("--audit is missing"),
			"ipcguard audit SOURCE --format json -o audit.json makes one; for a server that cannot be configured, " +
				"--means gateway makes a policy",
		}
	}
	e := &plan.Evidence{
		Tool: strings.TrimPrefix(buildLine(debug.ReadBuildInfo()), "ipcguard "), By: planner(),
		Made: time.Now().UTC().Truncate(time.Second),
	}
	var err error
	if e.Policy, err = f.wanted(); err != nil {
		return nil, err
	}
	stored, err := readDocuments(f.audit, model.SchemaAudit, func(a *plan.StoredAudit) string { return a.Schema })
	if err != nil {
		return nil, err
	}
	audits := make([]*model.Audit, len(stored))
	for i, s := range stored {
		audits[i] = &s.Audit
	}
	if e.Audit, err = oneAudit(audits, f.host, f.audit); err != nil {
		return nil, err
	}
	for _, name := range f.scans {
		list, err := readScans(name)
		if err != nil {
			return nil, err
		}
		e.Scans = append(e.Scans, list...)
	}
	if f.observe != "" {
		o, err := readObserved(f.observe)
		if err != nil {
			return nil, err
		}
		e.Observed = plan.FromObservation(o)
		e.Observed.Servers = f.servers
		if err := checkServers(e.Observed); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// wanted returns the policy of the file and the flags.
func (f *evidenceFlags) wanted() (p plan.Policy, err error) {
	if f.policy != "" {
		if p, err = readPolicy(f.policy); err != nil {
			return p, err
		}
	}
	p.Needs = append(p.Needs, f.needs...)
	if f.role == "dc" {
		f.role = string(model.DomainController)
	}
	if f.role != "" {
		p.Role = model.Role(f.role)
	}
	if p.Role != "" {
		if err := oneOf("the role", string(p.Role), roles()); err != nil {
			return p, err
		}
	}
	if f.minDays < 0 {
		return p, usage("--min-days: out of range")
	}
	if f.minDays > 0 {
		p.MinDays = f.minDays
	}
	return p, nil
}

// roles returns the names of the roles.
func roles() []string {
	return []string{
		string(model.Workstation), string(model.Member), string(model.Standalone), string(model.DomainController),
	}
}

// oneAudit returns the requested audit.
func oneAudit(list []*model.Audit, host, file string) (*model.Audit, error) {
	var names []string
	for _, a := range list {
		names = append(names, a.Source.Name)
		if host != "" && (strings.EqualFold(a.Host, host) || strings.EqualFold(a.Source.Name, host)) {
			return a, nil
		}
	}
	switch {
	case host != "":
		return nil, hinted{usage("%s has no audit of %s", file, host), "it has " + strings.Join(names, ", ")}
	case len(list) > 1:
		return nil, hinted{
			usage("%s has %d audits", file, len(list)), "--host NAME picks one: " + strings.Join(names, ", "),
		}
	}
	return list[0], nil
}

// readObserved reads a result of observe, or the directory in which it keeps its days.
func readObserved(name string) (*model.Observation, error) {
	agg, cov := observe.NewAggregator(0), &observe.Coverage{}
	if st, err := os.Stat(name); err != nil {
		return nil, err
	} else if st.IsDir() {
		if err := observe.LoadState(name, agg, cov); err != nil {
			return nil, err
		}
		return observe.Result(agg, cov), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = observe.ReadResult(f, func(o *model.Observation) error {
		observe.Merge(agg, cov, o)
		return nil
	})
	if err != nil {
		return nil, usage("%s: %v", name, err)
	}
	return observe.Result(agg, cov), nil
}

// servers lists the servers whose uses were observed.
func servers(uses []model.Use) []string {
	var out []string
	for i := range uses {
		if s := uses[i].Server; s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// checkServers refuses uses of several servers if none was named: uses of other servers say nothing about this host.
func checkServers(o *plan.Observed) error {
	all := servers(o.Uses)
	if len(o.Servers) > 0 {
		if !slices.ContainsFunc(all, func(s string) bool {
			return slices.ContainsFunc(o.Servers, func(n string) bool { return strings.EqualFold(n, s) })
		}) {
			return hinted{
				usage("--server %s: nothing was observed of it", strings.Join(o.Servers, ",")),
				fmt.Sprintf("observed were %s", strings.Join(all[:min(len(all), 20)], ", ")),
			}
		}
		return nil
	}
	if len(all) > 1 {
		return hinted{
			usage("%d servers were observed, and it is not said which of them is this host", len(all)),
			"--server ADDRESS names it: " + strings.Join(all[:min(len(all), 20)], ", "),
		}
	}
	return nil
}

// planner returns who makes a plan, and where.
func planner() string {
	host, err := os.Hostname()
	if err != nil {
		return whoami()
	}
	return whoami() + " on " + host
}

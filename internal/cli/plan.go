package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/plan"
	"ipcguard/internal/report"
)

const planHelp = `Make a plan: the smallest set of changes after which strangers are given nothing, with the exact value before and after,
what each closes, what it would stop, what goes on working, and what stays open. Nothing is changed.

--audit says what the configuration does and is needed. --scan and --observe add what a stranger was really given, and who
really uses IPC$. Where scan and audit contradict each other there are no changes but the question that would settle it.

Strategies:
  restrict  strangers lose what they should not have; those who sign in keep everything
  block     IPC$ itself goes, for everybody (--means says how). It is refused while something in use would stop, or nobody
            has looked, unless --accept-breakage is given

Needs are services of the catalog (sqlserver, print-server, ts-licensing, nt4-trust …; ipcguard explain knows them), or
pipe:NAME and share:NAME, which strangers then keep.

A policy is a YAML file with any of: needs, role, avoid, strategy, means, accept_breakage, checks, min_days. Flags are added
to its lists and win over its single values.

Exit status here: 0 a plan was made, also where nothing is left to change; 1 refused; 4 the evidence contradicts itself.
`

const planExamples = `  ipcguard audit local --format json -o audit.json
  ipcguard plan --audit audit.json
  ipcguard plan --audit audit.json --scan scan.jsonl --observe uses.json --needs sqlserver -o plan.json --format json
  ipcguard plan --audit audit.json --strategy block --means host-firewall --accept-breakage`

// evidenceFlags name the files that plan and what-if start from.
type evidenceFlags struct {
	audit, observe, policy, role string
	host, target                 string
	scans, needs, servers, avoid []string
	minDays                      float64
}

func (f *evidenceFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.audit, "audit", "", "what ipcguard audit said of the host (json or jsonl)")
	s.StringVar(&f.host, "host", "", "of several audits in that file, the one of this host or source")
	s.StringVar(&f.observe, "observe", "", "what ipcguard observe said (json or jsonl), or its directory of days")
	s.StringSliceVar(&f.servers, "server", nil, "the host's own addresses and names in what was observed; needed where several servers are in it")
	s.StringSliceVar(&f.needs, "needs", nil, "services that must go on working, and pipe:NAME or share:NAME that strangers keep")
	s.StringVar(&f.policy, "policy", "", "a YAML file with what is needed and wanted")
	s.StringVar(&f.role, "role", "", "the host's role, where the audit could not tell")
	s.Float64Var(&f.minDays, "min-days", 0, "how many days of observation silence needs to count; 0 is 7")
}

// planFlags are the flags of plan.
type planFlags struct {
	evidenceFlags
	strategy, means, format, output string
	accept, verbose                 bool
}

func (a *app) plan() *cobra.Command {
	f := &planFlags{}
	c := &cobra.Command{
		Use: "plan --audit FILE", Short: "Say what to change, and what it would stop", Long: planHelp, Example: planExamples, Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.runPlan(f) },
	}
	s := c.Flags()
	s.SortFlags = false
	f.register(s)
	s.StringSliceVar(&f.scans, "scan", nil, "what ipcguard scan said of the host (json or jsonl)")
	s.StringSliceVar(&f.avoid, "avoid", nil, "settings not to touch")
	s.StringVar(&f.target, "target", "", "what to call the host in the plan")
	s.StringVar(&f.strategy, "strategy", "", "restrict (the default) or block")
	s.StringVar(&f.means, "means", "", "of block, how: server-service, pipe-firewall, host-firewall, auto-share; Samba: ipc-hosts-deny, no-pipes, encryption, restrict-anonymous, host-firewall")
	s.BoolVar(&f.accept, "accept-breakage", false, "block even though something in use stops")
	s.StringVar(&f.format, "format", "text", strings.Join(report.PlanFormats(), ", "))
	s.StringVarP(&f.output, "output", "o", "", "write the plan to this file")
	s.BoolVarP(&f.verbose, "verbose", "v", false, "show the plan's hash and the host state it was made from")
	return c
}

func (a *app) runPlan(f *planFlags) error {
	if err := oneOf("--format", f.format, report.PlanFormats()); err != nil {
		return err
	}
	e, err := f.evidence()
	if err != nil {
		return err
	}
	p := &e.Policy
	p.Avoid = append(p.Avoid, f.avoid...)
	if f.strategy != "" {
		p.Strategy = f.strategy
	}
	if f.means != "" {
		p.Means = f.means
	}
	p.AcceptBreakage = p.AcceptBreakage || f.accept
	e.Target = f.target
	made, err := plan.Make(*e)
	if err != nil {
		return asUsage(err)
	}
	if made.Target == e.Audit.Source.Name && f.target == "" && len(e.Scans) == 0 && e.Audit.Host == "" {
		a.hint("the audit does not name the host; --target does")
	}
	err = a.writeTo(f.output, func(w io.Writer, color bool) error {
		return report.WritePlan(w, f.format, made, report.Style{Color: color, Verbose: f.verbose}, a.width())
	})
	switch {
	case err != nil:
		return err
	case made.Question != "":
		return outcome{exitPartial}
	case made.Refused != "":
		return outcome{exitFailed}
	}
	return nil
}

// writeTo writes to a file of the caller's own (mode 0600), whole or not at all, or to the standard output.
func (a *app) writeTo(name string, write func(w io.Writer, color bool) error) error {
	if name == "" {
		return write(a.stdout, colorful(a.stdout))
	}
	var b bytes.Buffer
	if err := write(&b, false); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}

// asUsage makes evidence and declarations that cannot be used mistakes of the command line, with the advice they carry.
func asUsage(err error) error {
	var in *plan.InputError
	if !errors.As(err, &in) {
		return err
	}
	if in.Hint == "" {
		return usageError{err}
	}
	return hinted{usageError{err}, in.Hint}
}

// evidence reads the files.
func (f *evidenceFlags) evidence() (*plan.Evidence, error) {
	if f.audit == "" {
		return nil, hinted{usage("--audit is missing"), "ipcguard audit SOURCE --format json -o audit.json makes one"}
	}
	e := &plan.Evidence{Tool: strings.TrimPrefix(buildLine(debug.ReadBuildInfo()), "ipcguard ")}
	var err error
	if f.policy != "" {
		if e.Policy, err = readPolicy(f.policy); err != nil {
			return nil, err
		}
	}
	e.Policy.Needs = append(e.Policy.Needs, f.needs...)
	if f.role == "dc" {
		f.role = string(model.DomainController)
	}
	if f.role != "" {
		e.Policy.Role = model.Role(f.role)
	}
	if r := e.Policy.Role; r != "" {
		roles := []string{string(model.Workstation), string(model.Member), string(model.Standalone), string(model.DomainController)}
		if err := oneOf("the role", string(r), roles); err != nil {
			return nil, err
		}
	}
	if f.minDays < 0 {
		return nil, usage("--min-days: out of range")
	}
	if f.minDays > 0 {
		e.Policy.MinDays = f.minDays
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

// oneAudit picks the audit that is meant.
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
		return nil, hinted{usage("%s has %d audits", file, len(list)), "--host NAME picks one: " + strings.Join(names, ", ")}
	}
	return list[0], nil
}

// readDocuments reads documents of one schema: one, an array of them, or one a line.
func readDocuments[T any](name, schema string, of func(*T) string) ([]*T, error) {
	b, err := readBounded(name, maxScans)
	if err != nil {
		return nil, err
	}
	var out []*T
	d := json.NewDecoder(bytes.NewReader(b))
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		err = d.Decode(&out)
	} else {
		for d.More() && err == nil {
			x := new(T)
			if err = d.Decode(x); err == nil {
				out = append(out, x)
			}
		}
	}
	if err != nil {
		return nil, usage("%s: want %s: %v", name, schema, err)
	}
	for _, x := range out {
		if x == nil || of(x) != schema {
			return nil, usage("%s: want %s in json or jsonl", name, schema)
		}
	}
	if len(out) == 0 {
		return nil, usage("%s: there is nothing in it", name)
	}
	return out, nil
}

func readBounded(name string, most int64) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > most {
		return nil, usage("%s: not a file of results", name)
	}
	return os.ReadFile(name)
}

// readObserved reads a result of observe, or the directory that it writes its days to.
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

// maxPolicy bounds a policy, which is a page at most.
const maxPolicy = 1 << 20

func readPolicy(name string) (plan.Policy, error) {
	var p plan.Policy
	b, err := readBounded(name, maxPolicy)
	if err != nil {
		return p, err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return p, nil
	}
	j, err := yaml.YAMLToJSON(b)
	if err != nil {
		return p, usage("%s: %v", name, err)
	}
	d := json.NewDecoder(bytes.NewReader(j))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, usage("%s: %v", name, err)
	}
	return p, nil
}

// servers lists whose uses were observed.
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

// checkServers refuses uses of several servers where none was named: what others use says nothing of this host.
func checkServers(o *plan.Observed) error {
	all := servers(o.Uses)
	if len(o.Servers) > 0 {
		if !slices.ContainsFunc(all, func(s string) bool {
			return slices.ContainsFunc(o.Servers, func(n string) bool { return strings.EqualFold(n, s) })
		}) {
			return hinted{usage("--server %s: nothing was observed of it", strings.Join(o.Servers, ",")), fmt.Sprintf("observed were %s", strings.Join(all[:min(len(all), 20)], ", "))}
		}
		return nil
	}
	if len(all) > 1 {
		return hinted{usage("%d servers were observed, and it is not said which of them is this host", len(all)), "--server ADDRESS names it: " + strings.Join(all[:min(len(all), 20)], ", ")}
	}
	return nil
}

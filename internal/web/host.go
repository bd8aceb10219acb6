package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/store"
)

// host is everything that is known of one machine.
type host struct {
	store.Host
	Names     []store.HostName
	Same      *store.Host
	Targets   []store.Target
	Cells     []namedCell
	Kinds     []hostKindRow
	Reach     *report.HostView
	Days      *days
	Scan      *model.Scan
	ScanAt    time.Time
	Ladder    *ladder
	Audit     *auditView
	Use       *useView
	Plan      *planView
	Journal   *journalView
	Spans     []spanRow
	Results   []store.Result
	Events    []store.Event
	Changes   int
	MayReplan bool
	Form      *form

	ScanSays, AuditSays, PlanSays string // the sentence that each result comes to

	Audited bool // a run audits it: one of its targets says where
	Stale   bool // it has changed since it was audited
}

type namedCell struct {
	cell
	What model.Disclosure
}

// hostKindRow is all open findings of one kind on a host: scan, audit and each identity are its evidence.
type hostKindRow struct {
	ID, Title, Meaning string
	Fixes              []string // for this system alone
	Severity           model.Severity
	Who                []model.Identity
	Settings           []string
	Since              time.Time
	Excepted           int // how many of Rows an exception covers
	Rows               []findingRow
}

// findingRow is one finding, with the exception that covers it.
type findingRow struct {
	store.HostFinding
	Until  time.Time
	Reason string
}

// How much of each list a host's page shows; the lists themselves have pages of their own.
const (
	mostEvents  = 20
	mostResults = 10
	mostSpans   = 60
)

func (v *visit) hostOf() (store.Host, error) {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return store.Host{}, errNotFound
	}
	h, err := v.store.Host(v.ctx(), id)
	v.site = h.SiteID
	return h, err
}

func hostPage(v *visit) error {
	h, err := v.hostOf()
	if err != nil {
		return err
	}
	return v.showHost(h, newForm(nil), http.StatusOK)
}

func (v *visit) showHost(h store.Host, f *form, status int) error {
	ctx := v.ctx()
	d := host{Host: h, Form: f}
	var err error
	for i, c := range cellsOf(h.Cells) {
		d.Cells = append(d.Cells, namedCell{c, model.Disclosures()[i]})
	}
	if d.Names, err = v.store.HostNames(ctx, h.ID); err != nil {
		return err
	}
	if h.SameAs != 0 {
		if same, err := v.store.Host(ctx, h.SameAs); err == nil {
			d.Same = &same
		}
	}
	if d.Targets, _, err = v.store.Targets(ctx, store.TargetFilter{HostID: h.ID}, store.Page{Size: 20}); err != nil {
		return err
	}
	d.Stale = stale(h)
	d.Audited = slices.ContainsFunc(d.Targets, func(t store.Target) bool { return t.AuditSource != "" })
	if d.Kinds, err = v.findingsOf(h); err != nil {
		return err
	}
	var scan model.Scan
	if d.ScanAt, err = v.document(ctx, h.ID, "scan", &scan); err != nil {
		return err
	} else if !d.ScanAt.IsZero() {
		d.Scan, d.Ladder, d.ScanSays = &scan, newLadder(&scan), report.ScanAnswer(&scan).Says
	}
	if d.Audit, err = v.auditOf(h.ID); err != nil {
		return err
	}
	if d.Use, err = v.useOf(h.ID); err != nil {
		return err
	}
	if d.Plan, err = v.planOf(h, d.Audit); err != nil {
		return err
	}
	if d.Audit != nil {
		d.AuditSays = report.AuditAnswer(d.Audit.Audit).Says
	}
	if d.Plan != nil {
		d.PlanSays = report.PlanAnswer(d.Plan.Plan).Says
	}
	if d.Reach, err = report.NewHostView(v.catalog, brief(h.Name), d.Scan, d.Audit.audit(), d.Plan.plan()); err != nil {
		return err
	}
	if d.Journal, err = v.journalOf(h.ID); err != nil {
		return err
	}
	if d.Spans, d.Days, err = v.spansOf(h.ID); err != nil {
		return err
	}
	if d.Results, _, err = v.store.Results(ctx, h.ID, store.Page{Size: mostResults, Sort: "-at"}); err != nil {
		return err
	}
	if d.Events, d.Changes, err = v.store.Events(ctx, store.EventFilter{HostID: h.ID}, store.Page{Size: mostEvents, Sort: "-at"}); err != nil {
		return err
	}
	return v.renderStatus(status, "host", brief(h.Name), d)
}

// document reads a stored document into what it holds. A host without one, or with one of a later program that cannot be
// read, has none; the time is zero then.
func (v *visit) document(ctx context.Context, hostID int64, kind string, into any) (time.Time, error) {
	b, at, err := v.store.Document(ctx, hostID, kind)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	}
	if err := json.Unmarshal(b, into); err != nil {
		v.log.Warn("a stored document cannot be read", "host", hostID, "kind", kind, "error", err)
		return time.Time{}, nil
	}
	return at, nil
}

// findingsOf lists what is open on a host by kind, the gravest first, with the exceptions that cover it.
func (v *visit) findingsOf(h store.Host) ([]hostKindRow, error) {
	all, err := v.store.HostFindings(v.ctx(), h.ID)
	if err != nil {
		return nil, err
	}
	exceptions, err := v.store.Exceptions(v.ctx(), false)
	if err != nil {
		return nil, err
	}
	var out []hostKindRow
	at := map[string]int{} // in out, by kind
	for _, f := range all {
		if !f.Ended.IsZero() {
			continue
		}
		row := findingRow{HostFinding: f}
		for _, e := range exceptions {
			if e.ID == f.Exception {
				row.Until, row.Reason = e.Until, e.Reason
			}
		}
		kind := report.FindingKind(v.catalog, f.Finding)
		n, known := at[kind]
		if !known {
			n, at[kind] = len(out), len(out)
			out = append(out, hostKindRow{})
		}
		v.addFinding(&out[n], row, h.System)
	}
	slices.SortStableFunc(out, func(a, b hostKindRow) int { return b.Severity.Rank() - a.Severity.Rank() })
	return out, nil
}

// addFinding adds one to those of its kind. The gravest of them gives the kind its name.
func (v *visit) addFinding(k *hostKindRow, f findingRow, system string) {
	c := v.catalog.Finding(f.Finding)
	if f.Severity.Rank() > k.Severity.Rank() || k.Title == "" {
		k.ID, k.Title, k.Severity, k.Meaning = f.Finding, v.findingTitle(f.Finding), f.Severity, ""
		if c != nil {
			k.Meaning = c.Meaning
		}
	}
	if c != nil {
		addOnce(&k.Fixes, v.catalog.Fix(c, model.Platform{System: system, Role: model.UnknownRole}))
	}
	addOnce(&k.Who, f.Identity)
	for _, s := range f.Settings {
		addOnce(&k.Settings, s)
	}
	if k.Since.IsZero() || f.FirstSeen.Before(k.Since) {
		k.Since = f.FirstSeen
	}
	if f.Exception != 0 {
		k.Excepted++
	}
	k.Rows = append(k.Rows, f)
}

// addOnce adds what is not empty and not there yet.
func addOnce[T ~string](list *[]T, s T) {
	if s != "" && !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// retireHost takes the host out of the fleet, and removeHost forgets it.
func retireHost(v *visit) error {
	return v.remove(v.acts.RetireHost, "/hosts/"+v.r.PathValue("id"), "The host is retired: it counts no more, and its targets are switched off.")
}

func removeHost(v *visit) error {
	return v.remove(v.acts.RemoveHost, "/hosts", "The host, its history and the targets that led to it are gone.")
}

// removeResult takes one of the host's results back. With the only one the host is gone.
func removeResult(v *visit) error {
	result, err := strconv.ParseInt(v.r.PathValue("result"), 10, 64)
	if err != nil {
		return errNotFound
	}
	host, err := v.number()
	if err != nil {
		return err
	}
	f, said := newForm(nil), "The result is taken back: everything is as if it had never come."
	switch err := v.acts.RemoveResult(v.ctx(), v.who(), host, result); {
	case f.refused(err):
		said = f.first()
	case err != nil:
		return err
	}
	if _, err := v.store.Host(v.ctx(), host); errors.Is(err, store.ErrNotFound) {
		return v.done("/hosts", said)
	}
	return v.done("/hosts/"+v.r.PathValue("id")+"#history", said)
}

// scanHost starts a run over one host.
func scanHost(v *visit) error {
	h, err := v.hostOf()
	if err != nil {
		return err
	}
	kind := store.RunScan
	if v.r.PostFormValue("kind") == string(store.RunAudit) {
		kind = store.RunAudit
	}
	return v.start(acts.NewRun{Kind: kind, Selector: store.Selector{Hosts: []int64{h.ID}}}, "/hosts/"+strconv.FormatInt(h.ID, 10))
}

// start starts a run, and leads to it; where it is refused, back with the reason.
func (v *visit) start(in acts.NewRun, back string) error {
	f := newForm(nil)
	run, err := v.acts.StartRun(v.ctx(), v.who(), in)
	switch {
	case f.refused(err):
		return v.done(back, "Nothing was started: "+f.first())
	case err != nil:
		return err
	}
	return v.done("/runs/"+strconv.FormatInt(run.ID, 10), "The run begins.")
}

// number is the one in the path.
func (v *visit) number() (int64, error) {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, errNotFound
	}
	return id, nil
}

// remove does away with what the path names, and returns to a list with a word: what was done, or why it was not.
func (v *visit) remove(away func(context.Context, access.Who, int64) error, to, said string) error {
	id, err := v.number()
	if err != nil {
		return err
	}
	f := newForm(nil)
	switch err := away(v.ctx(), v.who(), id); {
	case f.refused(err):
		said = f.first()
	case err != nil:
		return err
	}
	return v.done(to, said)
}

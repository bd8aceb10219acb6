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

// host shows everything known of one host.
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

	ScanSays, AuditSays, PlanSays string // each result's summary

	Audited bool // a run can audit it: one of its targets says how
	Stale   bool // it has changed since its audit
}

type namedCell struct {
	cell
	What model.Disclosure
}

// hostKindRow is all open findings of one kind on a host, with the evidence of scan, audit and each identity.
type hostKindRow struct {
	ID, Title, Meaning string
	Fixes              []string // for this system only
	Severity           model.Severity
	Who                []model.Identity
	Settings           []string
	Since              time.Time
	Excepted           int // the number of excepted rows
	Rows               []findingRow
}

// findingRow is one finding, with the exception that covers it.
type findingRow struct {
	store.HostFinding
	Until  time.Time
	Reason string
}

// The number of rows that a host's page shows of each list; the complete lists have pages of their own.
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

// document decodes a stored document. If there is none, or it is from a later version and cannot be decoded, the time
// is zero.
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

// findingsOf lists the open findings of a host by kind, the most severe first, with their exceptions.
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
	at := map[string]int{} // index in out, by kind
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

// addFinding adds a finding to its kind, which has the name of its most severe one.
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

// addOnce appends what is neither empty nor present yet.
func addOnce[T ~string](list *[]T, s T) {
	if s != "" && !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// retireHost removes the host from the fleet, and removeHost deletes it.
func retireHost(v *visit) error {
	return v.remove(v.acts.RetireHost, "/hosts/"+v.r.PathValue("id"),
		"The host is retired: it counts no more, and its targets are switched off.")
}

func removeHost(v *visit) error {
	return v.remove(v.acts.RemoveHost, "/hosts", "The host, its history and the targets that led to it are gone.")
}

// removeResult deletes one of the host's results. Without any result the host is deleted, too.
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

// scanHost starts a run for one host.
func scanHost(v *visit) error {
	h, err := v.hostOf()
	if err != nil {
		return err
	}
	kind := store.RunScan
	if v.r.PostFormValue("kind") == string(store.RunAudit) {
		kind = store.RunAudit
	}
	return v.start(acts.NewRun{Kind: kind, Selector: store.Selector{Hosts: []int64{h.ID}}},
		"/hosts/"+strconv.FormatInt(h.ID, 10))
}

// start starts a run and redirects to it; if it is refused, back with the reason.
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

// number returns the number in the path.
func (v *visit) number() (int64, error) {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, errNotFound
	}
	return id, nil
}

// remove deletes the object of the path, and redirects to a list with a message: what was done, or why not.
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

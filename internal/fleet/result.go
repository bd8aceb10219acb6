package fleet

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"ipcguard/internal/fleet/drift"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// past is what is known of a host before a result.
type past struct {
	host    *store.Host         // nil: unknown
	last    *store.Snapshot     // of the result's kind; nil: none
	history []store.Snapshot    // oldest first, including last; if last leaves a question open
	open    []store.HostFinding // of the result's kind; if the result leaves a question open
}

// known combines the history.
func (p *past) known() drift.Known {
	if len(p.history) > 0 {
		return drift.Fold(p.history...)
	}
	if p.last != nil {
		return drift.Fold(*p.last)
	}
	return drift.Fold()
}

// shown makes a name from a host safe for one line of text: without characters that move the cursor or break the line.
func shown(name string) string {
	name = strings.Map(plainly, name)
	const most = 255 // more than the longest DNS name
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "")
	}
	return name
}

// plainly returns a question mark for a rune that would not be seen.
func plainly(r rune) rune {
	if r == unicode.ReplacementChar || model.Hidden(r) {
		return '?'
	}
	return r
}

// hostPart returns a target's spec without its port.
func hostPart(spec string) string {
	if a, err := netip.ParseAddrPort(spec); err == nil {
		return a.Addr().String()
	}
	if host, _, err := net.SplitHostPort(spec); err == nil && !strings.HasPrefix(spec, "[") {
		return host
	}
	return spec
}

// identityOf returns what a machine keeps when its address changes: the server's GUID with its DNS name.
func identityOf(s *model.Server) string {
	if s.GUID == "" || s.DNSName == "" {
		return ""
	}
	return shown(s.GUID + "/" + strings.ToLower(s.DNSName))
}

// ofScan turns a scan into a result. now is the scan's snapshot.
func (f *Fleet) ofScan(s *model.Scan, now store.Snapshot, quick bool, names []string, p *past) (*store.Result, error) {
	if quick {
		now = drift.Quick(p.last, now)
	}
	if !drift.Conclusive(now.Verdict) && p.last != nil {
		now.Findings = union(now.Findings, p.known().Findings)
	}
	document, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("fleet: a scan as JSON: %w", err)
	}
	r := &store.Result{
		Kind: store.RunScan, At: f.now(), Verdict: now.Verdict, Reason: s.Reason,
		Partial: s.Partial && !quick, DurationMS: s.DurationMS,
		Requests: s.Stats.Requests, Worker: f.o.Name, Document: document,
		Host: store.Host{
			Address: s.Address, Identity: identityOf(&s.Server), System: s.Server.System,
			OS: shown(s.Server.OS), Cells: now.Cells,
			SMB1: now.SMB1, Signing: s.Server.Signing,
		},
	}
	if s.Verdict == model.Unreachable {
		r.Document = nil // it says no more than the verdict, and would replace a document that does
	}
	switch srv := s.Server; {
	case srv.DNSName != "" && strings.Contains(srv.DNSName, "."):
		r.Host.Name = shown(srv.DNSName)
	case srv.Name != "":
		r.Host.Name = shown(srv.Name)
	case p.host == nil && len(names) > 0:
		r.Host.Name = shown(hostPart(names[0]))
	}
	r.Names = namesOf(s, names)
	severity := map[string]model.Severity{}
	for _, finding := range s.Findings {
		severity[finding.ID] = worse(severity[finding.ID], finding.Severity)
	}
	r.Findings = f.findingsOf(s, quick, &now, p)
	for _, finding := range r.Findings { // a quick and an unclear scan carry some over
		severity[finding.Finding] = worse(severity[finding.Finding], finding.Severity)
		if !slices.Contains(now.Findings, finding.Finding) {
			now.Findings = union(now.Findings, []string{finding.Finding})
		}
	}
	r.Snapshot = now
	r.Events = drift.Compare(p.known(), drift.Look{
		Kind: store.RunScan, Host: f.called(r, p, names), Now: now, Severity: severity, Catalog: f.o.Catalog,
	})
	if h := p.host; h != nil && !h.Retired.IsZero() && s.Verdict != model.Unreachable {
		r.Events = append(r.Events, store.Event{
			Kind: store.EventReturned, Severity: model.Low, Host: f.called(r, p, names),
			Before: "retired", After: string(now.Verdict),
			Text: fmt.Sprintf("%s answers again after it was retired, and is in the fleet: %s.",
				f.called(r, p, names), now.Verdict),
		})
	}
	stamp(r)
	return r, nil
}

// stamp sets the time of a result's events.
func stamp(r *store.Result) {
	for i := range r.Events {
		r.Events[i].At = r.At
	}
}

// called returns the name by which people know a host.
func (f *Fleet) called(r *store.Result, p *past, names []string) string {
	switch {
	case r.Host.Name != "":
		return r.Host.Name
	case p.host != nil && p.host.Name != "":
		return p.host.Name
	case len(names) > 0:
		return shown(hostPart(names[0]))
	}
	return r.Host.Address
}

// findingsOf returns the findings that are open after a scan; nil keeps the open ones.
func (f *Fleet) findingsOf(s *model.Scan, quick bool, now *store.Snapshot, p *past) []store.HostFinding {
	switch {
	case s.Verdict == model.Unreachable:
		return nil
	case quick:
		if p.last != nil && slices.Equal(p.last.Findings, now.Findings) {
			return nil
		}
		if p.last != nil { // findings that depended on the null session end with it
			return slices.DeleteFunc(slices.Clone(p.open), func(o store.HostFinding) bool {
				return !slices.Contains(now.Findings, o.Finding)
			})
		}
	}
	out := []store.HostFinding{}
	for _, x := range s.Findings {
		out = append(out, hostFinding(store.RunScan, x))
	}
	if len(p.open) > 0 {
		kept := drift.Keep(p.open, now, func(id string) model.Disclosure {
			if x := f.o.Catalog.Finding(id); x != nil {
				return x.Discloses
			}
			return ""
		})
		for _, k := range kept {
			if !slices.ContainsFunc(out, func(o store.HostFinding) bool {
				return o.Finding == k.Finding && o.Identity == k.Identity && o.Pipe == k.Pipe
			}) {
				out = append(out, k)
			}
		}
	}
	return out
}

func hostFinding(kind store.RunKind, x model.Finding) store.HostFinding {
	return store.HostFinding{
		Kind: kind, Finding: x.ID, Severity: x.Severity, Identity: x.Identity, Pipe: x.Pipe,
		Evidence: shown(x.Evidence), Settings: x.Settings,
	}
}

// unclear reports whether a scan leaves a question open that open findings of its host may depend on.
func unclear(s *model.Scan, now *store.Snapshot) bool {
	return s.Verdict != model.Unreachable &&
		(!drift.Settled(now) || strings.ContainsRune(string(now.Cells), '?') || s.Partial)
}

// mostTargetNames bounds the names of targets that a result adds to a host: the store keeps a hundred names of a host,
// and those that it says itself have room among them.
const mostTargetNames = 90

// namesOf returns the names of a host after a scan.
func namesOf(s *model.Scan, targets []string) []store.HostName {
	var out []store.HostName
	add := func(kind, name string) {
		if name = shown(strings.TrimSuffix(name, ".")); name != "" &&
			!slices.ContainsFunc(out, func(n store.HostName) bool { return n.Kind == kind && n.Name == name }) {
			out = append(out, store.HostName{Kind: kind, Name: name})
		}
	}
	for _, t := range targets[:min(len(targets), mostTargetNames)] {
		add("target", t)
	}
	add("dns", s.Server.DNSName)
	add("netbios", s.Server.Name)
	add("address", s.Address)
	return out
}

// ofAudit turns an audit into a result.
func (f *Fleet) ofAudit(
	a *model.Audit, address string, names []string, started time.Time, p *past,
) (*store.Result, error) {
	document, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("fleet: an audit as JSON: %w", err)
	}
	now := drift.Audit(a)
	r := &store.Result{
		Kind: store.RunAudit, At: f.now(), Verdict: now.Verdict, Partial: a.Partial,
		Worker: f.o.Name, Document: document,
		DurationMS: f.now().Sub(started).Milliseconds(), Findings: []store.HostFinding{},
		Host: store.Host{Address: address, System: a.Platform.System, OS: shown(a.Platform.Name), Name: shown(a.Host)},
	}
	if len(a.Problems) > 0 {
		r.Reason = shown(a.Problems[0])
	}
	severity := map[string]model.Severity{}
	for _, x := range a.Findings {
		severity[x.ID] = worse(severity[x.ID], x.Severity)
		r.Findings = append(r.Findings, hostFinding(store.RunAudit, x))
	}
	if a.Partial && p.last != nil { // what could not be read ends no finding
		now.Findings = union(now.Findings, p.last.Findings)
	}
	for _, t := range names[:min(len(names), mostTargetNames)] {
		r.Names = append(r.Names, store.HostName{Kind: "target", Name: shown(t)})
	}
	r.Snapshot = now
	r.Events = drift.Compare(p.known(), drift.Look{
		Kind: store.RunAudit, Host: f.called(r, p, names), Now: now, Severity: severity,
		Weak: drift.Weak(a), Catalog: f.o.Catalog,
	})
	if p.host != nil && p.host.Name != "" {
		for i := range r.Events { // people see the name from the scan
			r.Events[i].Text = strings.Replace(r.Events[i].Text, r.Events[i].Host, p.host.Name, 1)
			r.Events[i].Host = p.host.Name
		}
	}
	stamp(r)
	return r, nil
}

// changedSettings reports whether an audit differs from the previous one, so that older ones matter.
func changedSettings(before *store.Snapshot, a *model.Audit) bool {
	return before != nil && !maps.Equal(before.Settings, drift.Audit(a).Settings)
}

func worse(a, b model.Severity) model.Severity {
	if a == "" || b.Rank() > a.Rank() {
		return b
	}
	return a
}

// union merges sorted lists of findings.
func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

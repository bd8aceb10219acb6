package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Imported is the outcome of an import.
type Imported struct {
	Results  int      `json:"results"` // in the file
	Taken    int      `json:"taken"`
	Hosts    []string `json:"hosts,omitempty"` // the first of the hosts that it is about
	Problems []string `json:"problems"`        // the first hundred of the results that were not imported
}

func (i *Imported) problem(format string, args ...any) {
	if len(i.Problems) < maxImportErrors {
		i.Problems = append(i.Problems, shown(fmt.Sprintf(format, args...)))
	}
}

// Import stores results that scan, audit or observe produced elsewhere with --format json or jsonl; kind says which. A
// scan belongs to the host at its address, an audit or an observation to the host whose name or address it contains.
// Results that fit no host are reported. A result older than the last one of its host is refused: it would look like a
// change. may reports whether results of a site are accepted; nil accepts all. note is called in the transaction of
// each stored result with the name of its host; nil is none.
func (f *Fleet) Import(
	ctx context.Context, kind string, r io.Reader, may func(site int64) bool,
	note func(tx *store.Tx, host string) error,
) (Imported, error) {
	if note == nil {
		note = func(*store.Tx, string) error { return nil }
	}
	if may == nil {
		may = func(int64) bool { return true }
	}
	in := importing{f, may, note}
	out := Imported{Problems: []string{}}
	site, err := f.site(ctx)
	if err != nil {
		return out, err
	}
	var take func(b []byte) error
	lines := &model.Observation{Schema: model.SchemaObserve}
	switch kind {
	case "scan":
		take = func(b []byte) error { return in.scan(ctx, site, b) }
	case "audit":
		take = func(b []byte) error { return in.audit(ctx, b) }
	case "observe":
		take = func(b []byte) error { return in.observed(ctx, b, lines, &out) }
	default:
		return out, fmt.Errorf("fleet: %q is no kind of result: scan, audit or observe", kind)
	}
	var ours error // not the file's fault
	limits := model.DocumentLimits{Document: wire.MaxResult}
	if kind == "observe" {
		limits.Document = model.MaxResult // of many hosts
	}
	err = model.ReadDocuments(r, limits, func(b []byte) error {
		out.Results++
		err := f.decoding(ctx, func() error { return take(b) })
		var no refusal
		switch {
		case err == nil, errors.Is(err, ErrLooked):
			out.Taken++
		case errors.As(err, &no):
			out.problem("result %d: %v", out.Results, no)
		default:
			ours = err
			return err
		}
		return nil
	})
	if err != nil && ours == nil {
		err = fmt.Errorf("fleet: not a result in json or jsonl: %w", err)
	}
	if len(lines.Uses) > 0 {
		if kept := in.keepObserved(ctx, lines, &out); err == nil {
			err = kept
		}
	}
	return out, err
}

// importsAtOnce bounds the documents of uploads that are decoded and stored at a time, over all uploads: decoded, each
// may have some ten times its size, see model.CheckDocument.
const importsAtOnce = 4

// decoding waits for one of these places.
func (f *Fleet) decoding(ctx context.Context, do func() error) error {
	select {
	case f.imports <- struct{}{}:
		defer func() { <-f.imports }()
		return do()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ErrLooked is returned by note for a dry run: the import continues as if the result had been stored, and rolls it
// back.
var ErrLooked = errors.New("fleet: looked at, and taken back")

// importing stores results, each in a transaction of its own.
type importing struct {
	*Fleet
	may  func(site int64) bool
	note func(tx *store.Tx, host string) error
}

// earliest is the year before which no scan can have happened: SMB moved to port 445 with Windows 2000.
const earliest = 2000

// refusal is the error for a result that is refused while the others are stored.
type refusal struct{ why string }

// Error implements error.
func (r refusal) Error() string { return r.why }

func refuse(format string, args ...any) error { return refusal{fmt.Sprintf(format, args...)} }

func (f importing) scan(ctx context.Context, site store.Site, b []byte) error {
	s, err := f.decodeScan(b)
	if err != nil {
		return err
	}
	t, err := f.targetOf(ctx, site, s)
	if err != nil {
		return err
	}
	if !f.may(site.ID) {
		return refuse("%s: your role takes no results for the site %s", s.Target, site.Name)
	}
	p, err := f.pastOf(ctx, site, s)
	if err != nil {
		return err
	}
	r, err := f.ofScan(s, f.reach.Scan(s), quickly(s), append([]string{s.Target}, s.Aliases...), p)
	if err != nil {
		return err
	}
	r.At, r.Host.SiteID, r.Worker = s.Started.UTC(), site.ID, "import"
	stamp(r)
	if err := f.excuse(ctx, r, p.host); err != nil {
		return err
	}
	isNew := t.ID == 0
	return f.take(ctx, r, p.host, func(tx *store.Tx) error {
		if isNew {
			t.ID = 0 // also when the transaction is tried again
			if _, _, err := tx.SaveTargets(ctx, []store.Target{t}); err != nil {
				return err
			}
			made, err := tx.TargetBySpec(ctx, t.SiteID, t.Spec)
			if err != nil {
				return err
			}
			t.ID = made.ID
		}
		r.TargetID = t.ID
		return nil
	})
}

// decodeScan reads a scan, and refuses one that is not whole, contradicts itself or has an impossible date.
func (f importing) decodeScan(b []byte) (*model.Scan, error) {
	s := &model.Scan{}
	if err := json.Unmarshal(b, s); err != nil || s.Schema != model.SchemaScan {
		return nil, refuse("want %s", model.SchemaScan)
	}
	a, err := netip.ParseAddrPort(s.Address)
	if err != nil || s.Started.IsZero() || len(s.Address) > longestName { // a zone has any length
		return nil, refuse("%s has no address or no time", s.Target)
	}
	if why := unfit(s); why != "" {
		return nil, refuse("%s: %s", s.Target, why)
	}
	now := f.now()
	switch {
	case s.Started.After(now.Add(clockSlack)):
		return nil, refuse("%s is dated %s, and it is %s now: a result of the future would stand before all that come",
			s.Target, s.Started.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case s.Started.After(now):
		s.Started = now // clocks differ a little
	case s.Started.Year() < earliest:
		return nil, refuse("%s is dated %s: the clock of that machine was not set",
			s.Target, s.Started.UTC().Format(time.RFC3339))
	}
	s.Address = netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
	return s, nil
}

// targetOf returns the site's target that a scan is of. A new one has no ID.
func (f importing) targetOf(ctx context.Context, site store.Site, s *model.Scan) (store.Target, error) {
	t := store.Target{SiteID: site.ID, Spec: s.Target, Enabled: true, Note: "imported"}
	if CheckTarget(&t) != nil || t.Kind == store.TargetRange {
		t.Spec = s.Address
		if err := CheckTarget(&t); err != nil {
			return t, refuse("%s: %v", s.Address, err)
		}
	}
	known, err := f.st.TargetBySpec(ctx, site.ID, t.Spec)
	if errors.Is(err, store.ErrNotFound) {
		return t, nil
	}
	return known, err
}

// pastOf returns what is known of the host of a scan.
func (f importing) pastOf(ctx context.Context, site store.Site, s *model.Scan) (*past, error) {
	p := &past{}
	h, err := f.st.HostByAddress(ctx, site.ID, s.Address)
	if errors.Is(err, store.ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.host = &h
	if p.last, err = f.lastSnapshot(ctx, &h, store.RunScan, s.Started); err != nil {
		return nil, err
	}
	spans, err := f.st.Spans(ctx, h.ID, store.RunScan)
	if err != nil {
		return nil, err
	}
	for _, x := range spans {
		p.history = append(p.history, x.Snapshot)
	}
	return p, nil
}

// quickly reports whether a scan asked only the null-session question.
func quickly(s *model.Scan) bool {
	return s.Partial && len(s.Identities) == 1 && s.Identities[0].Identity == model.Anonymous &&
		len(s.Identities[0].Pipes) <= 1
}

// take stores a result of a host, nil if it is new, with what before and note do, in one transaction.
func (f importing) take(ctx context.Context, r *store.Result, host *store.Host, before func(*store.Tx) error) error {
	name := r.Host.Name // of a known host only if the result has another
	if name == "" && host != nil {
		name = host.Name
	}
	return f.st.InTx(ctx, func(tx *store.Tx) error {
		if err := before(tx); err != nil {
			return err
		}
		once := *r // storing fills in fields that a retry must not find
		once.Events = slices.Clone(r.Events)
		recorded, err := tx.RecordResult(ctx, &once)
		if err != nil {
			return err
		}
		if !recorded {
			return refuse("%s: this result is there already", r.Host.Address)
		}
		return f.note(tx, cmp.Or(name, once.Host.Name, r.Host.Address))
	})
}

// lastSnapshot returns the last snapshot of a kind, or a refusal if it is newer than the imported result.
func (f *Fleet) lastSnapshot(
	ctx context.Context, h *store.Host, kind store.RunKind, at time.Time,
) (*store.Snapshot, error) {
	s, last, err := f.st.LastSnapshot(ctx, h.ID, kind)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if at.Before(last) {
		return nil, refuse("%s: there is a newer result, of %s", h.Name, last.UTC().Format(time.RFC3339))
	}
	return &s, nil
}

func (f importing) audit(ctx context.Context, b []byte) error {
	a := &model.Audit{}
	if err := json.Unmarshal(b, a); err != nil || a.Schema != model.SchemaAudit {
		return refuse("want %s", model.SchemaAudit)
	}
	if why := unfitAudit(a); why != "" {
		return refuse("%s: %s", a.Source.Name, why)
	}
	host, err := f.hostOfAudit(ctx, a)
	if errors.Is(err, errSeveral) {
		return refuse("%s: several hosts are called %q, and it does not say which one it is of", a.Source.Name, a.Host)
	}
	if err != nil {
		return err
	}
	if host == nil {
		return refuse("%s: no host is called %q; scan it first, or give the audit its name", a.Source.Name, a.Host)
	}
	p := past{host: host}
	if err := f.recallAudit(ctx, &p, a); err != nil {
		return err
	}
	r, err := f.ofAudit(a, host.Address, nil, f.now(), &p)
	if err != nil {
		return err
	}
	r.Host.SiteID, r.Worker = host.SiteID, "import"
	if err := f.excuse(ctx, r, host); err != nil {
		return err
	}
	return f.take(ctx, r, host, func(*store.Tx) error { return nil })
}

// errSeveral says that a name is that of several hosts.
var errSeveral = errors.New("fleet: several hosts have this name")

// hostNamed returns the host that an address or a name means, nil for none. Only hosts of the sites whose results are
// accepted count: a host of another site may call itself as it likes, and nothing is revealed about it. A retired host
// counts as long as none in the fleet is meant: a new machine often has the name of the one that it replaces.
func (f importing) hostNamed(ctx context.Context, name string) (*store.Host, error) {
	found, err := f.hostsNamed(ctx, name)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(h store.Host) bool { return !f.may(h.SiteID) })
	retired := func(h store.Host) bool { return !h.Retired.IsZero() }
	if slices.ContainsFunc(found, func(h store.Host) bool { return !retired(h) }) {
		found = slices.DeleteFunc(found, retired)
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return &found[0], nil
	}
	return nil, errSeveral
}

// hostOfAudit finds the host by the name in the configuration, else by the source's. If neither says which one it is,
// and one is the name of several hosts, it returns errSeveral.
func (f importing) hostOfAudit(ctx context.Context, a *model.Audit) (*store.Host, error) {
	var several error
	for _, name := range []string{a.Host, hostPart(strings.TrimPrefix(a.Source.Name, "winreg://"))} {
		if name == "" || strings.ContainsAny(name, "/\\") {
			continue
		}
		h, err := f.hostNamed(ctx, name)
		if errors.Is(err, errSeveral) {
			several = err
			continue
		}
		if err != nil || h != nil {
			return h, err
		}
	}
	return nil, several
}

// maxUses bounds the uses of a file with one use a line: a large network's week.
const maxUses = 1_000_000

// observed reads an observation, or one line of uses: those of a file are stored together at its end.
func (f importing) observed(ctx context.Context, b []byte, lines *model.Observation, out *Imported) error {
	o := &model.Observation{}
	if err := json.Unmarshal(b, o); err != nil {
		return refuse("want %s", model.SchemaObserve)
	}
	switch o.Schema {
	case model.SchemaObserve:
		if err := f.ahead(o.Coverage.To, o.Uses...); err != nil {
			return err
		}
		return f.keepObserved(ctx, o, out)
	case model.SchemaUse:
		var u model.Use
		if err := json.Unmarshal(b, &u); err != nil || len(lines.Uses) >= maxUses {
			return refuse("want %s, and at most %d of them", model.SchemaUse, maxUses)
		}
		if err := f.ahead(time.Time{}, u); err != nil {
			return err
		}
		c := &lines.Coverage
		if c.From.IsZero() || u.First.Before(c.From) {
			c.From = u.First
		}
		if u.Last.After(c.To) {
			c.To = u.Last
		}
		lines.Uses = append(lines.Uses, u)
		return nil
	}
	return refuse("want %s", model.SchemaObserve)
}

// ahead returns a refusal if an observation goes on into the future: it would cover days on which nobody looked.
func (f importing) ahead(to time.Time, uses ...model.Use) error {
	now := f.now()
	for _, u := range uses {
		for _, at := range []time.Time{u.First, u.Last} {
			if at.After(to) {
				to = at
			}
		}
	}
	if to.After(now.Add(clockSlack)) {
		return refuse("the observation goes on to %s, and it is %s now: a clock was wrong",
			to.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// keepObserved stores the observed uses of each server.
func (f importing) keepObserved(ctx context.Context, o *model.Observation, out *Imported) error {
	byServer := map[string][]model.Use{}
	for _, u := range o.Uses {
		byServer[u.Server] = append(byServer[u.Server], u)
	}
	byHost, hosts := map[int64]*model.Observation{}, map[int64]*store.Host{}
	for _, name := range slices.Sorted(maps.Keys(byServer)) {
		h, err := f.hostNamed(ctx, name)
		if errors.Is(err, errSeveral) {
			out.problem("%s was observed, and is the name of several hosts", name)
			continue
		}
		if err != nil {
			return err
		}
		if h == nil {
			out.problem("%s was observed, and is no host that is known", name)
			continue
		}
		one := byHost[h.ID]
		if one == nil {
			one = &model.Observation{Schema: o.Schema, Coverage: o.Coverage}
			byHost[h.ID], hosts[h.ID] = one, h
		}
		one.Uses = append(one.Uses, byServer[name]...)
	}
	if len(byHost) == 0 {
		return refuse("none of %d servers that were observed is known", len(byServer))
	}
	for _, id := range slices.Sorted(maps.Keys(byHost)) {
		body, err := json.Marshal(byHost[id])
		if err != nil {
			return fmt.Errorf("fleet: an observation as JSON: %w", err)
		}
		at := o.Coverage.To
		if now := f.now(); at.IsZero() || at.After(now) {
			at = now
		}
		err = f.st.InTx(ctx, func(tx *store.Tx) error {
			before, _, err := tx.Document(ctx, id, DocumentObserve)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			events, err := newWeakClients(hosts[id], before, byHost[id], f.now())
			if err != nil {
				return err
			}
			if err := tx.SaveDocument(ctx, id, DocumentObserve, at, body); err != nil {
				return err
			}
			if err := f.note(tx, hosts[id].Name); err != nil {
				return err
			}
			return tx.AddEvents(ctx, events) // must be last
		})
		if errors.Is(err, ErrLooked) {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

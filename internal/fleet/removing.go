package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ipcguard/internal/fleet/drift"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// RemoveResult removes a result, see [store.Queries.RemoveResult], and recomputes the events of later results: events
// that only this result caused are deleted, and events that it hid are added. The times of the host's names are those
// of the results whose documents are stored, and else of the one before.
func (f *Fleet) RemoveResult(ctx context.Context, tx *store.Tx, id int64) (store.Removed, error) {
	out, err := tx.RemoveResult(ctx, id)
	if err != nil || out.Gone {
		return out, err
	}
	if err := seeNames(ctx, tx, out.Host.ID); err != nil {
		return out, err
	}
	severity := map[string]model.Severity{}
	findings, err := tx.HostFindings(ctx, out.Host.ID)
	if err != nil {
		return out, err
	}
	for _, x := range findings {
		severity[x.Finding] = worse(severity[x.Finding], x.Severity)
	}
	var with, without drift.Known // what was known with the result, and what is known without it
	with, without = drift.Fold(out.Before...), drift.Fold(out.Before...)
	with.Add(&out.Result.Snapshot)
	for i := range out.After {
		r := &out.After[i]
		if alike(&with, &without) {
			break
		}
		look := drift.Look{
			Kind:     r.Kind,
			Host:     out.Host.Name,
			Now:      r.Snapshot,
			Severity: map[string]model.Severity{},
			Catalog:  f.o.Catalog,
		}
		for _, id := range r.Snapshot.Findings {
			look.Severity[id] = severity[id]
		}
		if look.Weak, err = weakOf(ctx, tx, r); err != nil {
			return out, err
		}
		if err := changeEvents(ctx, tx, out.Host, r, drift.Compare(with, look),
			drift.Compare(without, look)); err != nil {
			return out, err
		}
		with.Add(&r.Snapshot)
		without.Add(&r.Snapshot)
	}
	return out, nil
}

// seeNames records the names in the stored scans of a host. The store does not write a name with each result that
// reports it, and without the one that it was written with the others count.
func seeNames(ctx context.Context, tx *store.Tx, host int64) error {
	for _, read := range []func(context.Context, int64, string) ([]byte, time.Time, error){
		tx.Document, tx.PreviousDocument,
	} {
		b, at, err := read(ctx, host, string(store.RunScan))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		var s model.Scan
		if err := json.Unmarshal(b, &s); err != nil {
			return fmt.Errorf("fleet: a stored scan: %w", err)
		}
		if err := tx.SeeNames(ctx, host, at, namesOf(&s, append([]string{s.Target}, s.Aliases...))); err != nil {
			return err
		}
	}
	return nil
}

// alike reports whether two lead to the same events for every later result.
func alike(a, b *drift.Known) bool {
	if (a.SMB1 == nil) != (b.SMB1 == nil) || a.SMB1 != nil && *a.SMB1 != *b.SMB1 {
		return false
	}
	return a.Seen == b.Seen && a.Answered == b.Answered && a.Last == b.Last && a.Verdict == b.Verdict &&
		maps.Equal(a.Pipes, b.Pipes) &&
		maps.Equal(a.Settings, b.Settings) && slices.Equal(a.Findings, b.Findings) &&
		maps.EqualFunc(a.Earlier, b.Earlier, slices.Equal)
}

// weakOf returns the settings that an audit judged weak, as long as its document is stored.
func weakOf(ctx context.Context, tx *store.Tx, r *store.Result) (map[string]bool, error) {
	if r.Kind != store.RunAudit {
		return nil, nil
	}
	for _, read := range []func(context.Context, int64, string) ([]byte, time.Time, error){
		tx.Document, tx.PreviousDocument,
	} {
		b, at, err := read(ctx, r.HostID, string(store.RunAudit))
		if errors.Is(err, store.ErrNotFound) || err == nil && !at.Equal(r.At) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var a model.Audit
		if err := json.Unmarshal(b, &a); err != nil {
			return nil, fmt.Errorf("fleet: a stored audit: %w", err)
		}
		return drift.Weak(&a), nil
	}
	return nil, nil
}

// changeEvents deletes events of a result that are no longer true and adds new ones.
func changeEvents(ctx context.Context, tx *store.Tx, h store.Host, r *store.Result, was, is []store.Event) error {
	same := func(a, b store.Event) bool {
		return a.Kind == b.Kind && a.Subject == b.Subject && a.Before == b.Before && a.After == b.After
	}
	in := func(list []store.Event, e store.Event) bool {
		return slices.ContainsFunc(list, func(x store.Event) bool { return same(x, e) })
	}
	for _, e := range was {
		if in(is, e) {
			continue
		}
		e.HostID, e.RunID, e.At = h.ID, r.RunID, r.At
		if err := tx.RemoveEvent(ctx, e); err != nil {
			return err
		}
	}
	var more []store.Event
	for _, e := range is {
		if !in(was, e) {
			e.HostID, e.RunID, e.At, e.Site = h.ID, r.RunID, r.At, h.Site
			more = append(more, e)
		}
	}
	return tx.AddEvents(ctx, more)
}

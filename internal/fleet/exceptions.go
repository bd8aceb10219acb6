package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// exceptionAge is how long the active exceptions are cached.
const exceptionAge = 5 * time.Second

// exceptions are the active exceptions as last read.
type exceptions struct {
	lock sync.Mutex
	read time.Time
	all  []store.Exception
}

func (x *exceptions) list(ctx context.Context, st *store.Store) ([]store.Exception, error) {
	x.lock.Lock()
	defer x.lock.Unlock()
	if !x.read.IsZero() && time.Since(x.read) < exceptionAge {
		return x.all, nil
	}
	all, err := st.Exceptions(ctx, false)
	if err != nil {
		return nil, err
	}
	x.all, x.read = all, time.Now()
	return all, nil
}

// covers reports whether an exception is active and applies to a finding of a host.
func covers(e *store.Exception, finding string, h *store.Host, now time.Time) bool {
	switch {
	case e.Finding == "" || e.Finding != finding || !e.Withdrew.IsZero() || !now.Before(e.Until):
		return false
	case e.HostID != 0:
		return h != nil && e.HostID == h.ID
	case e.Tag != "":
		return h != nil && slices.Contains(h.Tags, e.Tag)
	}
	return true
}

// excuse marks the events of a result that exceptions cover: a new finding by its own name, and becoming exposed if
// every exposure was accepted. It hides no event, and none of another kind.
func (f *Fleet) excuse(ctx context.Context, r *store.Result, h *store.Host) error {
	if len(r.Events) == 0 {
		return nil
	}
	all, err := f.exceptions.list(ctx, f.st)
	if err != nil || len(all) == 0 {
		return err
	}
	now := f.now()
	by := func(finding string) int64 {
		for i := range all {
			if covers(&all[i], finding, h, now) {
				return all[i].ID
			}
		}
		return 0
	}
	for i := range r.Events {
		switch e := &r.Events[i]; e.Kind {
		case store.EventNewFinding, store.EventFindingEnded:
			e.Exception = by(e.Subject)
			e.Excepted = e.Exception != 0
		case store.EventBecameExposed:
			exposures := 0
			e.Excepted = true
			for _, x := range r.Findings {
				if x.Identity == "" || x.Identity == model.User {
					continue
				}
				exposures++
				id := by(x.Finding)
				if id == 0 {
					e.Excepted = false
				} else if e.Exception == 0 {
					e.Exception = id
				}
			}
			if e.Excepted = e.Excepted && exposures > 0; !e.Excepted {
				e.Exception = 0
			}
		}
	}
	return nil
}

// expire reports exceptions that have ended.
func (f *Fleet) expire(ctx context.Context) error {
	return f.st.InTx(ctx, func(tx *store.Tx) error {
		ended, err := tx.ExpireExceptions(ctx, f.now())
		if err != nil || len(ended) == 0 {
			return err
		}
		var events []store.Event
		for _, e := range ended {
			ev := store.Event{
				At: f.now(), Kind: store.EventExceptionEnded, Severity: model.Medium,
				Subject: e.Finding, Exception: e.ID, HostID: e.HostID,
			}
			where := "all hosts"
			switch {
			case e.HostID != 0:
				h, err := tx.Host(ctx, e.HostID)
				if err == nil {
					ev.Host, ev.Site, where = h.Name, h.Site, h.Name
				}
			case e.Tag != "":
				where = "hosts tagged " + e.Tag
			}
			ev.Text = fmt.Sprintf("The exception for %s on %s, owned by %s, has ended: the finding counts again.",
				e.Finding, where, e.Owner)
			events = append(events, ev)
		}
		return tx.AddEvents(ctx, events)
	})
}

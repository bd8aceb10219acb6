package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// The server watches itself: a problem of the server or its workers is an event when it begins and when it ends, and is
// stored for /readyz and /metrics meanwhile.

// Problem is a problem of the fleet itself.
type Problem struct {
	Kind store.EventKind `json:"kind"`
	// The worker, channel or directory; together with Kind it identifies the problem.
	About string    `json:"about,omitempty"`
	Text  string    `json:"text"` // one sentence
	Site  string    `json:"site,omitempty"`
	Since time.Time `json:"since"`
}

func (p *Problem) key() string { return string(p.Kind) + " " + p.About }

const (
	problemsKey = "watch.problems"
	// watchEvery is the interval of the checks, and settleAfter how long a problem lasts before it is reported: a
	// restarted worker and a retried message are no news.
	watchEvery  = 30 * time.Second
	settleAfter = 2 * time.Minute
	// self is the host of the server's own events.
	self = "ipcguard"
)

// Problems returns the reported problems that persist.
func Problems(ctx context.Context, st interface {
	Meta(ctx context.Context, key string) (string, error)
},
) ([]Problem, error) {
	text, err := st.Meta(ctx, problemsKey)
	if errors.Is(err, store.ErrNotFound) || err == nil && text == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Problem
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("fleet: problems: %w", err)
	}
	return all, nil
}

// watch checks the fleet itself and reports new and ended problems.
func (f *Fleet) watch(ctx context.Context) error {
	found, err := f.wrong(ctx)
	if err != nil {
		return err
	}
	now := f.now()
	open := map[string]Problem{}
	for _, p := range found {
		k := p.key()
		if p.Since.IsZero() {
			if p.Since = f.watched[k]; p.Since.IsZero() {
				p.Since = now
			}
		}
		open[k] = p
	}
	f.watched = map[string]time.Time{}
	for k, p := range open {
		f.watched[k] = p.Since
	}
	return f.st.InTx(ctx, func(tx *store.Tx) error {
		told, err := Problems(ctx, tx)
		if err != nil {
			return err
		}
		kept, events := compare(told, open, now)
		if len(events) == 0 {
			return nil
		}
		for _, e := range events {
			f.o.Log.Warn("about the server itself", "kind", e.Kind, "text", e.Text)
		}
		b, err := json.Marshal(kept)
		if err != nil {
			return fmt.Errorf("fleet: problems: %w", err)
		}
		if err := tx.SetMeta(ctx, problemsKey, string(b)); err != nil {
			return err
		}
		return tx.AddEvents(ctx, events)
	})
}

// compare returns the open problems that have lasted long enough to be reported, and an event for each that is new or
// that has ended since the reported ones.
func compare(reported []Problem, open map[string]Problem, now time.Time) (kept []Problem, events []store.Event) {
	was := map[string]Problem{}
	for _, p := range reported {
		was[p.key()] = p
	}
	for _, k := range slices.Sorted(maps.Keys(open)) {
		p := open[k]
		if old, known := was[k]; known {
			p.Since = old.Since
		} else if now.Sub(p.Since) < settleAfter {
			continue
		} else {
			events = append(events, store.Event{
				At: now, Kind: p.Kind, Severity: model.High, Host: self, Site: p.Site, Subject: p.About, Text: p.Text,
			})
		}
		kept = append(kept, p)
	}
	for _, k := range slices.Sorted(maps.Keys(was)) {
		if _, on := open[k]; on {
			continue
		}
		p := was[k]
		events = append(events, store.Event{
			At: now, Kind: store.EventProblemEnded, Severity: model.Info, Host: self, Site: p.Site, Subject: p.About,
			Text: "It is over, since " + p.Since.UTC().Format(time.RFC3339) + " it was: " + p.Text,
		})
	}
	return kept, events
}

// wrong returns the current problems.
func (f *Fleet) wrong(ctx context.Context) ([]Problem, error) {
	var out []Problem
	if f.o.Watch != nil {
		out = f.o.Watch(ctx)
	}
	enrolled, err := f.st.EnrolledWorkers(ctx)
	if err != nil {
		return nil, err
	}
	alive, err := f.st.Workers(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range enrolled {
		lives := slices.ContainsFunc(alive, func(w store.Worker) bool { return w.Name == e.Name && !f.silent(w) })
		if lives || !e.Revoked.IsZero() {
			continue
		}
		out = append(out, Problem{
			Kind: store.EventWorkerSilent, About: e.Name, Site: e.Site,
			Text: fmt.Sprintf("The worker %s of the site %s is silent: its hosts wait for another worker of the site.",
				e.Name, e.Site),
		})
	}
	channels, err := f.st.Channels(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range channels {
		if c.Enabled && c.LastFail != "" {
			out = append(out, Problem{
				Kind: store.EventChannelFailing, About: c.Name,
				Text: fmt.Sprintf("Messages of the channel %s do not arrive: %s.", c.Name, shown(c.LastFail)),
			})
		}
	}
	return out, nil
}

// failed returns an event for a run that failed for most of its targets.
func (f *Fleet) failed(r store.Run) []store.Event {
	if r.Failed == 0 || 2*r.Failed < r.Total {
		return nil
	}
	return []store.Event{{
		At: f.now(), Kind: store.EventRunFailed, Severity: model.Medium, Host: self, RunID: r.ID,
		Text: fmt.Sprintf("The %s %d of %s failed for %d of %d targets; its page says why.",
			r.Kind, r.ID, r.By, r.Failed, r.Total),
	}}
}

package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ipcguard/internal/fleet/when"
	"ipcguard/internal/store"
)

// perRound bounds the events that one round looks at for a channel; what is left comes in the next, seconds later.
const perRound = 20_000

// progress is how far a channel has been told: all events up to Low. The store sees to it that an event with a lower number
// cannot appear after one with a higher.
type progress struct {
	Low  int64  `json:"low"`
	Next int64  `json:"next,omitempty"` // Unix seconds: when a digest is due
	Cron string `json:"cron,omitempty"` // what Next was reckoned by
}

func progressKey(channel int64) string { return "notify.channel." + strconv.FormatInt(channel, 10) }

// Begin has a channel told of what happens from now on, and of nothing before. It belongs into the transaction that
// switches the channel on: a round of the service may be seconds away.
func Begin(ctx context.Context, tx *store.Tx, channel int64) error {
	low, err := lastEvent(ctx, tx)
	if err != nil {
		return err
	}
	b, err := json.Marshal(progress{Low: low})
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return tx.SetMeta(ctx, progressKey(channel), string(b))
}

// gather makes deliveries of the events that a channel was not told of yet. What it has dealt with is kept in the same
// transaction.
func (s *Service) gather(ctx context.Context, c *store.Channel) error {
	key := progressKey(c.ID)
	now := s.now()
	if stuck, err := s.stuck(ctx, c); err != nil || stuck {
		return err
	}
	return s.st.InTx(ctx, func(tx *store.Tx) error {
		kept, err := tx.Meta(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		var p progress
		if kept != "" {
			if err := json.Unmarshal([]byte(kept), &p); err != nil {
				return fmt.Errorf("notify: progress of channel %d: %w", c.ID, err)
			}
		}
		switch {
		case !c.Enabled && kept == "":
			return nil
		case !c.Enabled: // what happens meanwhile is not told when it is switched on again
			return tx.SetMeta(ctx, key, "")
		case kept == "": // switched on by other ways than Begin, such as a restored copy
			if p.Low, err = lastEvent(ctx, tx); err != nil {
				return err
			}
		}
		due, err := p.due(c, now)
		if err != nil {
			return err
		}
		if due {
			if err := s.gatherInto(ctx, tx, c, &p, now); err != nil {
				return err
			}
		}
		b, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("notify: %w", err)
		}
		if string(b) == kept {
			return nil // an idle service writes nothing
		}
		return tx.SetMeta(ctx, key, string(b))
	})
}

// stuck tells whether a channel's last message is still to be tried again. Until then no more are made: the events stay
// where they are, and are told together, rather than as a thousand messages of a night.
func (s *Service) stuck(ctx context.Context, c *store.Channel) (bool, error) {
	if c.LastFail == "" || !c.Enabled {
		return false, nil
	}
	last, _, err := s.st.Deliveries(ctx, c.ID, store.Page{Size: 1})
	if err != nil || len(last) == 0 {
		return false, err
	}
	return last[0].Sent.IsZero() && last[0].Tries < store.MaxTries, nil
}

func lastEvent(ctx context.Context, tx *store.Tx) (int64, error) {
	last, _, err := tx.Events(ctx, store.EventFilter{}, store.Page{Size: 1, Sort: "-id"})
	if err != nil || len(last) == 0 {
		return 0, err
	}
	return last[0].ID, nil
}

// due tells whether a channel is to be told now: always, or where it has a digest when that is due. It reckons the next.
func (p *progress) due(c *store.Channel, now time.Time) (bool, error) {
	if c.Digest == "" {
		p.Next, p.Cron = 0, ""
		return true, nil
	}
	schedule, err := when.ParseSchedule(c.Digest, "")
	if err != nil {
		return false, fmt.Errorf("notify: channel %d: %w", c.ID, err)
	}
	if p.Cron != c.Digest { // new, or another one
		p.Next, p.Cron = schedule.Next(now).Unix(), c.Digest
		return false, nil
	}
	return now.Unix() >= p.Next, nil
}

// gatherInto makes the deliveries.
func (s *Service) gatherInto(ctx context.Context, tx *store.Tx, c *store.Channel, p *progress, now time.Time) error {
	var ids []int64
	looked := 0
	for looked < perRound {
		events, _, err := tx.Events(ctx, store.EventFilter{AfterID: p.Low}, store.Page{Size: store.MaxPage, Sort: "id"})
		if err != nil {
			return err
		}
		for i := range events {
			p.Low = max(p.Low, events[i].ID)
			if wants(c, &events[i]) {
				ids = append(ids, events[i].ID)
			}
		}
		looked += len(events)
		if len(events) < store.MaxPage {
			break
		}
	}
	at := now
	name := func(part []int64) string { return fmt.Sprintf("event:%d+%d", part[0], len(part)) }
	if c.Digest != "" {
		at = time.Unix(p.Next, 0).UTC()
		name = func(part []int64) string {
			return fmt.Sprintf("digest:%s:%d", at.Format("2006-01-02T15:04Z"), part[0])
		}
		if looked < perRound { // else the rest belongs to this digest too, and comes with the next round
			schedule, err := when.ParseSchedule(c.Digest, "")
			if err != nil {
				return err
			}
			p.Next = schedule.Next(now).Unix()
		}
	}
	for part := range slices.Chunk(ids, perDelivery) {
		d := store.Delivery{Channel: c.ID, Key: name(part), Events: part, Due: now}
		if err := tx.AddDelivery(ctx, &d); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

// wants tells whether a channel is told of an event. What an exception covers was accepted by somebody: that it ends is
// told again.
func wants(c *store.Channel, e *store.Event) bool {
	return !e.Excepted && e.Severity.Rank() >= c.Least.Rank() && (len(c.Kinds) == 0 || slices.Contains(c.Kinds, e.Kind))
}

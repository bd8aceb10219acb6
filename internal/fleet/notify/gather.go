package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet/when"
	"ipcguard/internal/store"
)

// perRound bounds the events that one round reads for a channel; the next round, seconds later, reads the rest.
const perRound = 20_000

// progress is how far a channel has been notified: of all events up to Low and all acts up to Acts. The store
// guarantees that no event or act appears after one with a higher id.
type progress struct {
	Low  int64  `json:"low"`
	Acts int64  `json:"acts,omitempty"`
	Next int64  `json:"next,omitempty"` // Unix seconds: when a digest is due
	Cron string `json:"cron,omitempty"` // the cron line that Next was computed from
}

func progressKey(channel int64) string { return "notify.channel." + strconv.FormatInt(channel, 10) }

// Begin starts a channel's notifications with what happens from now on, if it got none of that kind before: was is the
// channel before the change, the zero value for a new one. Call Begin in the transaction that changes the channel: the
// service may run a round seconds later.
func Begin(ctx context.Context, tx *store.Tx, was, is *store.Channel) error {
	p, _, err := readProgress(ctx, tx, is.ID)
	if err != nil {
		return err
	}
	if is.OfEvents() && !was.OfEvents() {
		if p.Low, err = lastEvent(ctx, tx); err != nil {
			return err
		}
	}
	if is.OfActs() && !was.OfActs() {
		if p.Acts, err = lastAct(ctx, tx); err != nil {
			return err
		}
	}
	return p.write(ctx, tx, is.ID)
}

// readProgress also returns the stored text, empty if there is none.
func readProgress(ctx context.Context, tx *store.Tx, channel int64) (p progress, kept string, err error) {
	kept, err = tx.Meta(ctx, progressKey(channel))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return p, "", err
	}
	if kept != "" {
		if err := json.Unmarshal([]byte(kept), &p); err != nil {
			return p, kept, fmt.Errorf("notify: progress of channel %d: %w", channel, err)
		}
	}
	return p, kept, nil
}

func (p *progress) write(ctx context.Context, tx *store.Tx, channel int64) error {
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return tx.SetMeta(ctx, progressKey(channel), string(b))
}

// gather creates deliveries of new events and acts for a channel. It stores its progress in the same transaction.
func (s *Service) gather(ctx context.Context, c *store.Channel) error {
	now := s.now()
	if stuck, err := s.stuck(ctx, c); err != nil || stuck {
		return err
	}
	return s.st.InTx(ctx, func(tx *store.Tx) error {
		p, kept, err := readProgress(ctx, tx, c.ID)
		if err != nil {
			return err
		}
		switch {
		case !c.Enabled && kept == "":
			return nil
		case !c.Enabled: // what happens meanwhile is not reported when it is enabled again
			return tx.SetMeta(ctx, progressKey(c.ID), "")
		case kept == "": // enabled without Begin, such as by a restored backup
			if p.Low, err = lastEvent(ctx, tx); err != nil {
				return err
			}
			if p.Acts, err = lastAct(ctx, tx); err != nil {
				return err
			}
		}
		before := p
		due, err := p.due(c, now)
		if err != nil {
			return err
		}
		if due {
			if err := s.gatherInto(ctx, tx, c, &p, now); err != nil {
				return err
			}
		}
		if kept != "" && p == before {
			return nil // an idle service writes nothing
		}
		return p.write(ctx, tx, c.ID)
	})
}

// stuck reports whether a channel's last message waits for a retry. Until then no more are created: the events stay in
// the store and are sent together later, instead of as a thousand messages of one night.
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

func lastAct(ctx context.Context, tx *store.Tx) (int64, error) {
	last, _, err := tx.Acts(ctx, "", store.Page{Size: 1})
	if err != nil || len(last) == 0 {
		return 0, err
	}
	return last[0].ID, nil
}

// due reports whether it is time to notify a channel: always, or, with a digest, when that is due. It computes the next
// time.
func (p *progress) due(c *store.Channel, now time.Time) (bool, error) {
	if c.Digest == "" {
		p.Next, p.Cron = 0, ""
		return true, nil
	}
	schedule, err := when.ParseSchedule(c.Digest, c.Zone)
	if err != nil {
		return false, fmt.Errorf("notify: channel %d: %w", c.ID, err)
	}
	if by := strings.TrimSpace(c.Digest + " " + c.Zone); p.Cron != by { // new or changed
		p.Next, p.Cron = schedule.Next(now).Unix(), by
		return false, nil
	}
	if hushed, err := hushed(c, now); err != nil || hushed {
		return false, err // it stays due
	}
	return now.Unix() >= p.Next, nil
}

// hushed reports whether a channel is in its quiet hours. What waits stays among its new events or its deliveries, both
// of which the store keeps.
func hushed(c *store.Channel, now time.Time) (bool, error) {
	if c.Quiet == "" {
		return false, nil
	}
	w, err := when.ParseWindow(c.Quiet, c.Zone)
	if err != nil {
		return false, fmt.Errorf("notify: channel %d: %w", c.ID, err)
	}
	return w.Open(now), nil
}

// gatherInto creates the deliveries.
func (s *Service) gatherInto(ctx context.Context, tx *store.Tx, c *store.Channel, p *progress, now time.Time) error {
	quiet, err := hushed(c, now)
	if err != nil {
		return err
	}
	var heard []heard
	more := false
	if !quiet {
		if heard, more, err = s.events(ctx, tx, c, p); err != nil {
			return err
		}
	}
	acts, moreActs, err := s.acts(ctx, tx, c, p)
	if err != nil {
		return err
	}
	name := func(part []int64) string { return fmt.Sprintf("event:%d+%d", part[0], len(part)) }
	if c.Digest != "" {
		at := time.Unix(p.Next, 0).UTC()
		name = func(part []int64) string {
			return fmt.Sprintf("digest:%s:%d", at.Format("2006-01-02T15:04Z"), part[0])
		}
		if !more && !moreActs { // else the rest belongs to this digest too and comes with the next round
			schedule, err := when.ParseSchedule(c.Digest, c.Zone)
			if err != nil {
				return err
			}
			p.Next = schedule.Next(now).Unix()
		}
	}
	for _, part := range messages(c, heard) {
		d := store.Delivery{Channel: c.ID, Key: name(part), Events: part, Due: now}
		if err := tx.AddDelivery(ctx, &d); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	for part := range slices.Chunk(acts, perDelivery) {
		d := store.Delivery{Channel: c.ID, Key: fmt.Sprintf("act:%d+%d", part[0], len(part)), Acts: part, Due: now}
		if err := tx.AddDelivery(ctx, &d); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

// events returns new events that the channel wants; more says that this round does not read all of them.
func (s *Service) events(
	ctx context.Context, tx *store.Tx, c *store.Channel, p *progress,
) (all []heard, more bool, err error) {
	if !c.OfEvents() {
		return nil, false, nil
	}
	for range perRound / store.MaxPage {
		events, _, err := tx.Events(ctx, store.EventFilter{AfterID: p.Low}, store.Page{Size: store.MaxPage, Sort: "id"})
		if err != nil {
			return nil, false, err
		}
		for i := range events {
			p.Low = max(p.Low, events[i].ID)
			if wants(c, &events[i]) {
				all = append(all, heard{events[i].ID, subjectOf(&events[i])})
			}
		}
		if len(events) < store.MaxPage {
			return all, false, nil
		}
	}
	return all, true, nil
}

// heard is an event for a channel, and its topic.
type heard struct {
	id int64
	of subject
}

// maxAlone is the number of hosts changed at once that get a message each. More are combined into one: chat programs
// accept about a message a second, and nobody reads a hundred.
const maxAlone = 5

// messages divides events into messages: one for each host and run, unless many changed at once or there is a digest. A
// syslog channel needs no division.
func messages(c *store.Channel, all []heard) [][]int64 {
	groups := [][]int64{nil}
	at := map[subject]int{}
	if c.Digest == "" && c.Kind != KindSyslog {
		for _, h := range all {
			if _, known := at[h.of]; !known {
				at[h.of] = len(at)
			}
		}
	}
	if len(at) <= 1 || len(at) > maxAlone {
		at = nil
	} else {
		groups = make([][]int64, len(at))
	}
	for _, h := range all {
		groups[at[h.of]] = append(groups[at[h.of]], h.id)
	}
	var out [][]int64
	for _, g := range groups {
		out = slices.AppendSeq(out, slices.Chunk(g, perDelivery))
	}
	return out
}

// acts returns new acts for the channel, as events does.
func (s *Service) acts(
	ctx context.Context, tx *store.Tx, c *store.Channel, p *progress,
) (ids []int64, more bool, err error) {
	if !c.OfActs() {
		return nil, false, nil
	}
	for range perRound / store.MaxPage {
		acts, err := tx.ActsAfter(ctx, p.Acts)
		if err != nil {
			return nil, false, err
		}
		for i := range acts {
			p.Acts = acts[i].ID
			ids = append(ids, acts[i].ID)
		}
		if len(acts) < store.MaxPage {
			return ids, false, nil
		}
	}
	return ids, true, nil
}

// wants reports whether a channel wants an event. Events that an exception covers are left out; the end of an exception
// is reported again.
func wants(c *store.Channel, e *store.Event) bool {
	return !e.Excepted && e.Severity.Rank() >= c.Least.Rank() && (len(c.Kinds) == 0 || slices.Contains(c.Kinds, e.Kind))
}

package store

import (
	"context"
	"time"
)

const scheduleColumns = `SELECT id, name, kind, cron, zone, open_hours, selector, quick, enabled, next_at, last_at,
	created FROM schedules`

func scanSchedule(r row, s *Schedule) error {
	return r.Scan(&s.ID, &s.Name, &s.Kind, &s.Cron, &s.Zone, &s.Window, &s.Selector, &s.Quick, &s.Enabled, &s.Next,
		&s.Last, &s.Created)
}

// Schedules returns all schedules by name.
func (q *Queries) Schedules(ctx context.Context) ([]Schedule, error) {
	return list(ctx, q, scanSchedule, scheduleColumns+` ORDER BY name`)
}

// Schedule returns a schedule.
func (q *Queries) Schedule(ctx context.Context, id int64) (Schedule, error) {
	return get(ctx, q, scanSchedule, scheduleColumns+` WHERE id = $1`, id)
}

// SaveSchedule creates a schedule if its ID is 0, or updates it. Its name must be unique.
func (q *Queries) SaveSchedule(ctx context.Context, s *Schedule) error {
	if s.ID != 0 {
		return q.must(ctx,
			`UPDATE schedules SET name = $2, kind = $3, cron = $4, zone = $5, open_hours = $6, selector = $7,
				quick = $8, enabled = $9, next_at = $10, last_at = $11 WHERE id = $1`,
			s.ID, s.Name, s.Kind, s.Cron, s.Zone, s.Window, s.Selector, s.Quick, s.Enabled, s.Next, s.Last)
	}
	if s.Created.IsZero() {
		s.Created = q.now()
	}
	return q.insert(ctx, &s.ID,
		`INSERT INTO schedules (name, kind, cron, zone, open_hours, selector, quick, enabled, next_at, last_at, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING id`,
		s.Name, s.Kind, s.Cron, s.Zone, s.Window, s.Selector, s.Quick, s.Enabled, s.Next, s.Last, s.Created)
}

// DeleteSchedule deletes a schedule; its runs stay.
func (q *Queries) DeleteSchedule(ctx context.Context, id int64) error {
	return q.must(ctx, `DELETE FROM schedules WHERE id = $1`, id)
}

// SetScheduleNext records when a schedule last started a run and when it will start the next.
func (q *Queries) SetScheduleNext(ctx context.Context, id int64, last, next time.Time) error {
	return q.must(ctx, `UPDATE schedules SET last_at = $2, next_at = $3 WHERE id = $1`, id, last, next)
}

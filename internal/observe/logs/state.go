package logs

import (
	"context"
	"errors"
	"time"

	"ipcguard/internal/observe"
)

// LocalState adds what is new in the event logs of this host to a state directory: to today's result, after the marks
// of the last run, or at first what is not older than since (0 is everything). It ends the Reader.
func (l *Reader) LocalState(ctx context.Context, dir string, since time.Duration, now time.Time) error {
	return l.intoState(dir, now, func(after observe.Marks) (observe.Marks,
		error,
	) {
		return l.ReadLocal(ctx, since, after)
	})
}

func (l *Reader) intoState(dir string, now time.Time, read func(observe.Marks) (observe.Marks, error)) (err error) {
	s, err := observe.OpenState(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	after, err := s.Marks()
	if err != nil {
		return err
	}
	day := observe.Today(now)
	o, err := s.Load(day)
	if err != nil {
		return err
	}
	if o != nil {
		observe.Merge(l.agg, l.cov, o)
	}
	marks, err := read(after)
	if err != nil {
		return err
	}
	l.Close() // uses that still wait are emitted now: their logon's event is before the mark
	if err := s.SaveMarked(day, observe.Result(l.agg, l.cov), marks); err != nil {
		return err
	}
	return s.Expire()
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/durable"
	"ipcguard/internal/apply/private"
	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/model"
)

// Engine applies and undoes changes, with one state directory. It is not safe for concurrent use. Several engines in
// several processes may share a state directory: one writes at a time.
type Engine struct {
	State string // directory
	// Open opens the target that a journal names.
	Open  func(ctx context.Context, spec string) (apply.Target, error)
	Clock Clock  // nil is SystemClock
	Who   string // for records
	// Log receives each step in words; it may be nil.
	Log func(format string, args ...any)
	// Fault is called at every point at which a process may be killed. Tests end the process, or unwind, there.
	Fault func(point string)
}

// Request describes one apply.
type Request struct {
	Plan  model.Plan
	Bytes []byte // the plan as it was read
	// Changes are the plan's checked changes; if nil, Apply checks them.
	Changes []*change.Change
	Target  apply.Target
	// Within arms the dead-man guard: unless Confirm comes within that time, everything is undone. Zero is no guard.
	Within time.Duration
	// Arm starts the guard of an apply and returns when it watches. It is called before the first write.
	Arm func(ctx context.Context, j *Journal) error
	// Verify proves the result from outside. Without proof everything is undone. It is nil only in tests of lower
	// layers.
	Verify func(ctx context.Context) (apply.Evidence, error)
}

// MaxWithin bounds the wait for a confirmation: a host that is unattended for a day is not one to experiment on.
const MaxWithin = 24 * time.Hour

func (e *Engine) journals() string { return filepath.Join(e.State, "journal") }

// ErrBusy means that another process is writing with this state directory.
var ErrBusy = errors.New("apply: another apply, rollback or recovery is at work with this state directory")

// lock locks the state directory for this process. The system releases the lock when the process ends in any way.
func (e *Engine) lock() (unlock func(), err error) {
	if err := private.Make(e.State); err != nil {
		return nil, fmt.Errorf("apply: state directory: %w", err)
	}
	unlock, err = private.LockWithin(filepath.Join(e.State, "lock"), probeTime)
	if errors.Is(err, durable.ErrLocked) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, fmt.Errorf("apply: lock: %w", err)
	}
	return unlock, nil
}

// ErrTargetBusy means that another process is writing to the same target with another state directory.
var ErrTargetBusy = errors.New("apply: another apply, rollback or recovery is at work on this target")

// hold locks a target for this process.
func hold(t apply.Target) (done func(), err error) {
	done, err = t.Lock()
	if errors.Is(err, durable.ErrLocked) {
		return nil, ErrTargetBusy
	}
	if err != nil {
		return nil, fmt.Errorf("apply: lock: %w", err)
	}
	return done, nil
}

func (e *Engine) fault(point string) {
	if e.Fault != nil {
		e.Fault(point)
	}
}

func (e *Engine) now() Instant {
	if e.Clock != nil {
		return e.Clock()
	}
	return SystemClock()
}

func (e *Engine) log(format string, args ...any) {
	if e.Log != nil {
		e.Log(format, args...)
	}
}

func (e *Engine) step(j *Journal, s Step) error {
	s.Time = e.now().Wall
	return j.append(s)
}

// RolledBackError means that an apply failed and that the host is as it was before.
type RolledBackError struct {
	ID    string
	Cause error
}

func (e *RolledBackError) Error() string {
	var stale *apply.StaleError
	if errors.As(e.Cause, &stale) {
		return fmt.Sprintf("apply: %s; everything was rolled back, and what somebody else wrote stays (%s)",
			apply.Bare(e.Cause), e.ID)
	}
	return fmt.Sprintf("apply: %s; everything was rolled back, the host is as before (%s)", apply.Bare(e.Cause), e.ID)
}

func (e *RolledBackError) Unwrap() error { return e.Cause }

// Apply applies a plan. If anything fails after the first write, everything written is undone: the error is a
// *RolledBackError, or says what could not be undone. A canceled context is a failure like any other.
func (e *Engine) Apply(ctx context.Context, r Request) (*Journal, error) {
	unlock, err := e.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := e.unfinished(r.Target.Spec()); err != nil {
		return nil, err
	}
	done, err := hold(r.Target)
	if err != nil {
		return nil, err
	}
	defer done()
	changes := r.Changes
	if changes == nil {
		c, err := catalog.Load()
		if err != nil {
			return nil, err
		}
		if changes, err = change.All(c, &r.Plan); err != nil {
			return nil, fmt.Errorf("apply: %w", err)
		}
	}
	writes, err := r.Target.Resolve(ctx, changes)
	if err != nil {
		return nil, err
	}
	if len(writes) == 0 {
		return nil, apply.ErrNothing
	}
	for _, w := range writes {
		if err := r.Target.Owns(w.Place); err != nil {
			return nil, err
		}
	}
	host, err := r.Target.Host(ctx)
	if err != nil {
		return nil, err
	}
	if r.Within < 0 || r.Within > MaxWithin {
		return nil, fmt.Errorf("apply: a wait of %v for the confirmation: at most %v", r.Within, MaxWithin)
	}
	now := e.now()
	id, err := newID(now.Wall)
	if err != nil {
		return nil, err
	}
	j, err := e.createJournal(Before{
		Schema: schemaJournal, ID: id, Target: r.Target.Spec(), Host: host, PlanHash: r.Plan.Hash,
		Started: now.Wall, Who: e.Who, Within: Duration(r.Within), Writes: writes,
	}, r.Bytes, r.Plan)
	if err != nil {
		return nil, err
	}
	if err := e.carryOut(ctx, j, r); err != nil {
		return j, e.takeBack(ctx, j, r.Target, err)
	}
	return j, nil
}

// unfinished refuses a second apply to a target whose first apply is not finished.
func (e *Engine) unfinished(spec string) error {
	if err := e.dropDrafts(); err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	all, err := e.History()
	if err != nil {
		return fmt.Errorf("%w; nothing is written while a journal cannot be read", err)
	}
	for _, j := range all {
		if p := j.Phase(); j.Target == spec && p != PhaseKept && p != PhaseUndone {
			return &UnfinishedError{j.ID, p}
		}
	}
	return nil
}

// UnfinishedError means that an earlier apply to the same target is not finished.
type UnfinishedError struct {
	ID    string
	Phase Phase
}

func (e *UnfinishedError) Error() string {
	switch e.Phase {
	case PhaseWaiting:
		return fmt.Sprintf("apply: %s on this target waits for its confirmation", e.ID)
	case PhaseConflict:
		return fmt.Sprintf("apply: %s on this target could not be rolled back: somebody else changed what it wrote",
			e.ID)
	}
	return fmt.Sprintf("apply: %s on this target is not finished (%s)", e.ID, e.Phase)
}

// carryOut does everything after the journal exists.
func (e *Engine) carryOut(ctx context.Context, j *Journal, r Request) error {
	if r.Within > 0 {
		// The deadline is on disk before the guard starts, because the guard reads it.
		d := &Deadline{Set: e.now(), Within: Duration(r.Within)}
		if err := e.step(j, Step{Event: Armed, Deadline: d}); err != nil {
			return err
		}
		if r.Arm != nil {
			if err := r.Arm(ctx, j); err != nil {
				return fmt.Errorf("the guard could not be armed: %w", err)
			}
			// The wait begins when the guard watches: starting a system service may have taken its time.
			d = &Deadline{Set: e.now(), Within: Duration(r.Within)}
			if err := e.step(j, Step{Event: Armed, Deadline: d}); err != nil {
				return err
			}
		}
		e.fault("armed")
		e.log("guard armed: everything goes back at %s unless confirmed", d.At().Local().Format(time.DateTime))
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Within)
		defer cancel()
	}
	for i, w := range j.Writes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.step(j, Step{Event: Writing, Write: &i}); err != nil {
			return err
		}
		if err := e.write(ctx, r.Target, w.Place, w.After, w.Before); err != nil {
			var stale *apply.StaleError
			if errors.As(err, &stale) {
				err = errors.Join(err, e.step(j, Step{Event: Left, Write: &i, Why: stale.Error()}))
			}
			return err
		}
		if err := e.step(j, Step{Event: Wrote, Write: &i}); err != nil {
			return err
		}
		e.log("wrote %s", w.Place)
	}
	notes, err := r.Target.Settle(ctx, j.Writes)
	if err != nil {
		return err
	}
	e.fault("settled")
	at := e.now()
	if err := e.step(j, Step{Event: Settled, Notes: notes, At: &at}); err != nil {
		return err
	}
	for _, n := range notes {
		e.log("note: %s", n)
	}
	return e.prove(ctx, j, r)
}

// prove verifies, and records the result in the journal.
func (e *Engine) prove(ctx context.Context, j *Journal, r Request) error {
	if r.Verify != nil {
		proof, err := r.Verify(ctx)
		if proof != nil {
			if serr := e.saveProof(j, proof); serr != nil {
				return errors.Join(err, serr)
			}
		}
		if err != nil {
			return fmt.Errorf("verification could not be done: %w", err)
		}
		if !proof.Proves() {
			return fmt.Errorf("verification failed: %s", proof.Failures())
		}
	}
	e.fault("verified")
	if d := j.Deadline(); d != nil && d.Passed(e.now()) {
		return errors.New("the time for the confirmation passed before verification ended")
	}
	// The record comes first, so that every change that stays has one.
	if err := e.record(j, "applied", PhaseOf(j)); err != nil {
		return err
	}
	return e.step(j, Step{Event: Verified})
}

// PhaseOf returns the phase of an apply once it is verified.
func PhaseOf(j *Journal) Phase {
	if j.Within > 0 {
		return PhaseWaiting
	}
	return PhaseKept
}

// write changes one place from one state to another, only if it still holds the first one, and reads it back.
func (e *Engine) write(ctx context.Context, t apply.Target, p apply.Place, to, from apply.State) error {
	have, err := t.Read(ctx, p)
	if err != nil {
		return err
	}
	if !have.Same(from) {
		return &apply.StaleError{Where: p.String(), Want: from.String(), Have: have.String()}
	}
	e.fault("write:before")
	if err := t.Write(ctx, p, to, from); err != nil {
		return apply.While("writing "+p.String(), err)
	}
	e.fault("write:after")
	return e.readBack(ctx, t, p, to)
}

func (e *Engine) readBack(ctx context.Context, t apply.Target, p apply.Place, want apply.State) error {
	have, err := t.Read(ctx, p)
	if err != nil {
		return apply.While("reading "+p.String()+" back", err)
	}
	if !have.Same(want) {
		return fmt.Errorf("apply: %s was written as %s and reads back as %s", p, want, have)
	}
	return nil
}

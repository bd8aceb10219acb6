package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ipcguard/internal/apply"
)

// takeBack undoes a failed apply, even if its context has ended, and returns why.
func (e *Engine) takeBack(ctx context.Context, j *Journal, t apply.Target, cause error) error {
	e.log("rolling back: %v", cause)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if err := e.undo(ctx, j, t, cause.Error(), false); err != nil {
		return fmt.Errorf("%w; and rolling back failed: %w", cause, err)
	}
	return &RolledBackError{j.ID, cause}
}

// undoTime bounds an undo: a few writes, a reload, and reading everything again, also over a slow network.
const undoTime = 5 * time.Minute

// undo restores every written place in reverse order, reads all of them again, and makes the host use them. If a place
// holds neither the state before nor what was written, undo stops before it changes anything, unless force is set.
func (e *Engine) undo(ctx context.Context, j *Journal, t apply.Target, why string, force bool) error {
	if err := mayRestore(j, t); err != nil {
		return err
	}
	host, err := t.Host(ctx)
	if err != nil {
		return err
	}
	if !host.Same(j.Host) {
		return fmt.Errorf("apply: %s was made on %s, and this is %s: nothing was touched", j.ID, j.Host, host)
	}
	if s := j.Steps[len(j.Steps)-1]; s.Event != Undoing {
		if err := e.step(j, Step{Event: Undoing, Why: why}); err != nil {
			return err
		}
	}
	states, err := e.states(ctx, j, t)
	var conflict *apply.ConflictError
	if errors.As(err, &conflict) && !force {
		if err := e.step(j, Step{Event: Conflict, Diffs: conflict.Diffs}); err != nil {
			return err
		}
		return conflict
	}
	if err != nil && conflict == nil {
		return err
	}
	n := len(states)
	if err := e.restore(ctx, j, t, states); err != nil {
		return err
	}
	var notes []string
	if n > 0 {
		if notes, err = t.Settle(ctx, reversed(j.Writes[:n])); err != nil {
			// The configuration is right, but what runs may not use it yet. That is reported, and is no reason to leave
			// the journal open: there is nothing left to restore.
			notes = append(notes, err.Error())
		}
	}
	e.fault("undo:settled")
	for _, note := range notes {
		e.log("note: %s", note)
	}
	if err := e.record(j, "rolled-back", PhaseUndone); err != nil {
		notes = append(notes, err.Error()) // a full disk must not keep the host from being restored
	}
	if err := e.step(j, Step{Event: Undone, Notes: notes}); err != nil {
		return err
	}
	j.release() // the space is no longer needed
	return nil
}

// restore writes the states before to the places with the given states, the last write first, and reads all of them
// again.
func (e *Engine) restore(ctx context.Context, j *Journal, t apply.Target, states []apply.State) error {
	for i := len(states) - 1; i >= 0; i-- {
		w := j.Writes[i]
		if states[i].Equal(w.Before) {
			continue
		}
		if err := e.step(j, Step{Event: Restoring, Write: &i}); err != nil {
			return err
		}
		if err := e.write(ctx, t, w.Place, w.Before, states[i]); err != nil {
			return err
		}
		if err := e.step(j, Step{Event: Restored, Write: &i}); err != nil {
			return err
		}
		e.log("restored %s", w.Place)
	}
	for _, w := range j.Writes[:len(states)] { // the proof from after the last write
		if err := e.readBack(ctx, t, w.Place, w.Before); err != nil {
			return err
		}
	}
	return nil
}

// undoOpened opens the target of a journal and undoes it there.
func (e *Engine) undoOpened(ctx context.Context, j *Journal, why string) error {
	t, err := e.Open(ctx, j.Target)
	if err != nil {
		return err
	}
	defer t.Close()
	done, err := hold(t)
	if err != nil {
		return err
	}
	defer done()
	return e.undo(ctx, j, t, why, false)
}

// mayRestore refuses unauthenticated journals, and places that the target does not write, whatever the journal says.
func mayRestore(j *Journal, t apply.Target) error {
	if !j.Sealed {
		return &UnsealedError{j.ID}
	}
	for _, w := range j.Writes {
		if err := t.Owns(w.Place); err != nil {
			return apply.While(j.ID+": nothing was touched", err)
		}
	}
	return nil
}

// reversed returns writes as an undo makes them.
func reversed(writes []apply.Write) []apply.Write {
	out := slices.Clone(writes)
	slices.Reverse(out)
	for i := range out {
		out[i].Before, out[i].After = out[i].After, out[i].Before
	}
	return out
}

// withJournal runs f on one apply's journal while no other process uses the journals. It returns the journal, also if f
// fails.
func (e *Engine) withJournal(id string, f func(j *Journal) error) (*Journal, error) {
	unlock, err := e.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	j, err := e.open(id)
	if err != nil {
		return nil, err
	}
	return j, f(j)
}

// Rollback restores the exact state before an apply, at any later time.
func (e *Engine) Rollback(ctx context.Context, id string, force bool) (*Journal, error) {
	return e.withJournal(id, func(j *Journal) error { return e.rollback(ctx, j, force) })
}

func (e *Engine) rollback(ctx context.Context, j *Journal, force bool) error {
	if !j.Sealed {
		return &UnsealedError{j.ID}
	}
	if j.Phase() == PhaseUndone {
		return fmt.Errorf("apply: %s was rolled back already, at %s", j.ID, j.Ended().Local().Format(time.DateTime))
	}
	t, err := e.Open(ctx, j.Target)
	if err != nil {
		return err
	}
	defer t.Close()
	done, err := hold(t)
	if err != nil {
		return err
	}
	defer done()
	if j.Phase() == PhaseConflict || j.Phase() == PhaseKept {
		// Check first: a refusal must not turn a kept apply into one that is half undone.
		if _, err := e.states(ctx, j, t); err != nil && !force {
			return err
		}
	}
	return e.undo(ctx, j, t, "asked for by "+e.Who, force)
}

// states reads the written places. If one of them holds neither the state before nor what was written, the error is an
// [apply.ConflictError], beside the states.
func (e *Engine) states(ctx context.Context, j *Journal, t apply.Target) ([]apply.State, error) {
	states := make([]apply.State, j.attempted())
	var diffs []string
	for i, w := range j.Writes[:len(states)] {
		var err error
		if states[i], err = t.Read(ctx, w.Place); err != nil {
			return nil, err
		}
		if !states[i].Same(w.After) && !states[i].Same(w.Before) {
			diffs = append(diffs, apply.Diff(w.Place, w.After, states[i]))
		}
	}
	if len(diffs) > 0 {
		return states, &apply.ConflictError{ID: j.ID, Diffs: diffs}
	}
	return states, nil
}

// LateError means that a confirmation came too late.
type LateError struct {
	ID   string
	By   time.Duration
	Back error // nil if the host is now as before
}

func (e *LateError) Error() string {
	s := fmt.Sprintf("apply: the confirmation of %s comes %v too late", e.ID, max(e.By, 0).Round(time.Second))
	if e.Back != nil {
		return s + ", and rolling back failed: " + e.Back.Error()
	}
	return s + ": everything was rolled back, the host is as before"
}

// Confirm keeps an apply that awaits it. A late confirmation is refused, and the apply is undone if the guard has not
// done so.
func (e *Engine) Confirm(ctx context.Context, id string) (*Journal, error) {
	return e.withJournal(id, func(j *Journal) error { return e.confirm(ctx, j) })
}

func (e *Engine) confirm(ctx context.Context, j *Journal) error {
	if !j.Sealed {
		return &UnsealedError{j.ID}
	}
	switch j.Phase() {
	case PhaseKept:
		return fmt.Errorf("apply: %s needs no confirmation: it stays since %s", j.ID,
			j.Ended().Local().Format(time.DateTime))
	case PhaseUndone, PhaseUndoing, PhaseConflict:
		if d := j.Deadline(); d != nil && d.Passed(e.now()) {
			return &LateError{ID: j.ID, By: -d.Left(e.now())}
		}
		return fmt.Errorf("apply: %s cannot be confirmed: it was rolled back: %s", j.ID, j.Why())
	case PhaseWriting:
		return fmt.Errorf("apply: %s cannot be confirmed: it was not verified", j.ID)
	}
	if d := j.Deadline(); d == nil || d.Passed(e.now()) {
		late := &LateError{ID: j.ID}
		if d != nil {
			late.By = -d.Left(e.now())
		}
		late.Back = e.undoOpened(ctx, j, "no confirmation came in time")
		return late
	}
	if err := e.record(j, "confirmed", PhaseKept); err != nil {
		return err
	}
	return e.step(j, Step{Event: Confirmed})
}

// Recovered is what recovery found and did about one apply.
type Recovered struct {
	ID     string
	Target string
	Phase  Phase         // now
	Did    string        // what was done, empty for nothing
	Host   string        // before, after, or changed: according to the places
	Left   time.Duration // until the deadline of the confirmation
	Err    error
}

// Recover finishes what a killed process, a power cut or a missing confirmation left: everything that must not stay is
// undone, newest first. Only targets with unfinished journals are touched.
func (e *Engine) Recover(ctx context.Context) ([]Recovered, error) {
	return e.recover(ctx, func(*Journal) bool { return true })
}

func (e *Engine) recover(ctx context.Context, wanted func(*Journal) bool) ([]Recovered, error) {
	unlock, err := e.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := e.dropDrafts(); err != nil {
		return nil, fmt.Errorf("apply: journal: %w", err)
	}
	all, damage := e.History()
	var out []Recovered
	for i := len(all) - 1; i >= 0; i-- {
		if j := all[i]; wanted(j) {
			out = append(out, e.recoverOne(ctx, j))
		}
	}
	return out, damage
}

func (e *Engine) recoverOne(ctx context.Context, j *Journal) Recovered {
	r := Recovered{ID: j.ID, Target: j.Target}
	why := ""
	switch j.Phase() {
	case PhaseWriting:
		why = "it was cut short before it was verified"
	case PhaseUndoing:
		why = "rolling back was cut short"
	case PhaseWaiting:
		d := j.Deadline()
		if d != nil && !d.Passed(e.now()) {
			r.Left = d.Left(e.now())
			break
		}
		why = "no confirmation came in time"
	}
	if why == "" {
		r.Phase = j.Phase()
		if !j.Sealed {
			return r // it is not authenticated
		}
		switch r.Phase {
		case PhaseKept, PhaseWaiting:
			r.Host = "after"
		case PhaseUndone:
			r.Host = "before"
		case PhaseConflict:
			r.Host = "changed"
		}
		return r
	}
	if !j.Sealed {
		r.Phase, r.Err = j.Phase(), &UnsealedError{j.ID}
		return r
	}
	err := e.undoOpened(ctx, j, why)
	r.Phase, r.Err = j.Phase(), err
	var conflict *apply.ConflictError
	switch {
	case err == nil:
		r.Host, r.Did = "before", "rolled back: "+why
	case errors.As(err, &conflict):
		r.Host = "changed"
	}
	return r
}

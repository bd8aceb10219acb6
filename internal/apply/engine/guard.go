package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/durable"
	"ipcguard/internal/apply/private"
)

// The guard is a dead man's switch: a separate process that waits until an apply is confirmed or undone, and undoes it
// when the time is up or when the applying process has died. It holds a lock next to the journals while it watches,
// which is how other processes know that it runs.

const (
	// guardStart bounds how long a guard may take to start: a system service on a busy machine.
	guardStart = 20 * time.Second
	// probeTime is how long to try a lock that others may hold briefly, to see whether it is held.
	probeTime = 250 * time.Millisecond
	// guardPoll is how late a guard may act.
	guardPoll = time.Second
	// guardRetry is the pause before another attempt to undo, such as after a network failure.
	guardRetry = 10 * time.Second
)

// Watch guards one apply until it is over. A failed undo is retried.
func (e *Engine) Watch(ctx context.Context, id string) error {
	j, err := e.open(id)
	if err != nil {
		return err
	}
	if err := private.Make(e.guards()); err != nil {
		return fmt.Errorf("apply: guard: %w", err)
	}
	unlock, err := private.LockWithin(e.guardFile(j.ID, ".lock"), probeTime)
	if errors.Is(err, durable.ErrLocked) {
		return fmt.Errorf("apply: %s has a guard already", id)
	}
	if err != nil {
		return err
	}
	defer unlock()
	said := ""
	for {
		wait, done, err := e.watchOnce(ctx, id)
		if done {
			return err
		}
		if err != nil && err.Error() != said { // a line every ten seconds would fill the disk
			said = err.Error()
			e.log("%v", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Outlook is the expected outcome of an apply that is not over.
type Outlook struct {
	// Deadline of the confirmation, by the wall clock; zero if none is awaited.
	Until   time.Time `json:"until,omitzero"`
	Overdue bool      `json:"overdue"` // the deadline has passed
	Guarded bool      `json:"guarded"` // a guard watches it, or a process is working on it
}

func (o Outlook) String() string { return o.Words("ipcguard recover") }

// Words says what is expected. recover is the command that takes the apply back where nobody else does.
func (o Outlook) Words(recover string) string {
	switch {
	case o.Until.IsZero() && o.Guarded:
		return "it is under way"
	case o.Until.IsZero():
		return "it was cut short, and nobody is at work on it: " + recover + " takes it back"
	case o.Overdue && o.Guarded:
		return "its time passed at " + shown(o.Until) + "; the guard takes it back"
	case o.Overdue:
		return "its time passed at " + shown(o.Until) + ", and nobody watches: " + recover + " takes it back"
	case o.Guarded:
		return "it goes back at " + shown(o.Until) + " unless it is confirmed"
	}
	return "it is to go back at " + shown(o.Until) +
		" unless it is confirmed, and nobody watches: then " + recover + " takes it back"
}

// Outlook returns the expected outcome of an apply, or nil if it is over.
func (e *Engine) Outlook(j *Journal) (*Outlook, error) {
	switch j.Phase() {
	case PhaseKept, PhaseUndone, PhaseConflict:
		return nil, nil
	}
	o := &Outlook{}
	if d := j.Deadline(); d != nil {
		o.Until, o.Overdue = d.At(), d.Passed(e.now())
	}
	for _, lock := range []string{e.guardFile(j.ID, ".lock"), filepath.Join(e.State, "lock")} {
		if _, err := os.Lstat(lock); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		unlock, err := private.Lock(lock)
		switch {
		case err == nil:
			unlock()
		case errors.Is(err, durable.ErrLocked):
			o.Guarded = true
		default:
			return nil, fmt.Errorf("apply: guard: %w", err)
		}
	}
	return o, nil
}

// watchOnce checks once, and returns how long to wait until the next check.
func (e *Engine) watchOnce(ctx context.Context, id string) (wait time.Duration, done bool, err error) {
	j, err := e.open(id)
	if err != nil {
		return guardRetry, false, err
	}
	switch j.Phase() {
	case PhaseKept, PhaseUndone:
		return 0, true, nil
	case PhaseConflict:
		return 0, true, &apply.ConflictError{ID: id}
	case PhaseWaiting:
		if d := j.Deadline(); d != nil && !d.Passed(e.now()) {
			return min(guardPoll, d.Left(e.now())), false, nil
		}
	}
	// A process that applies, confirms or rolls back holds the lock throughout, so holding it here means that none is
	// running.
	found, err := e.recover(ctx, func(j *Journal) bool { return j.ID == id })
	if errors.Is(err, ErrBusy) {
		return guardPoll, false, nil
	}
	for _, r := range found {
		if r.Did != "" {
			e.log("%s: %s", id, r.Did)
		}
		if errors.Is(r.Err, ErrTargetBusy) {
			return guardPoll, false, nil
		}
		if r.Err != nil {
			return guardRetry, false, r.Err
		}
	}
	return 0, false, nil // the next check finds out whether it is over
}

// Guard starts a guard for an apply, and returns when it watches. secret, if any, is what the guard needs to reach a
// remote host; it goes through a pipe and is stored nowhere. words say what the guard survives.
func (e *Engine) Guard(ctx context.Context, j *Journal, secret []byte) (words string, err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	state, err := filepath.Abs(e.State)
	if err != nil {
		return "", err
	}
	if err := private.Make(e.guards()); err != nil {
		return "", fmt.Errorf("apply: guard: %w", err)
	}
	args := []string{"recover", "--state", state, "--guard", j.ID}
	if secret == nil {
		words, err = guardService(ctx, exe, args, j)
		if err == nil && words != "" {
			if err = e.awaitGuard(ctx, j); err == nil {
				return words, nil
			}
		}
		if err != nil {
			if rerr := removeService(ctx, j.ID); rerr != nil {
				e.log("note: %v", rerr)
			}
			e.log("note: no system service for the guard (%v): a process of its own instead", err)
		}
	}
	if err := e.guardProcess(exe, args, j, secret); err != nil {
		return "", err
	}
	if err := e.awaitGuard(ctx, j); err != nil {
		return "", err
	}
	return "a process of its own; it outlives this terminal and not a reboot, after which ipcguard recover does its " +
		"work", nil
}

// awaitGuard waits until the guard holds its lock.
func (e *Engine) awaitGuard(ctx context.Context, j *Journal) error {
	if err := private.Make(e.guards()); err != nil {
		return fmt.Errorf("apply: guard: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, guardStart)
	defer cancel()
	for {
		unlock, err := private.Lock(e.guardFile(j.ID, ".lock"))
		if errors.Is(err, durable.ErrLocked) {
			return nil
		}
		if err != nil {
			return err
		}
		unlock()
		select {
		case <-ctx.Done():
			log, _ := private.Read(e.guardFile(j.ID, ".log"), maxGuardLog) // its last words, if any
			return fmt.Errorf("it did not start within %v %s", guardStart, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Disarm removes what Guard has left in the system for a finished apply.
func Disarm(ctx context.Context, id string) error { return removeService(ctx, id) }

// maxGuardLog is the log size of a guard that retried for a day.
const maxGuardLog = 4 << 20

func (e *Engine) guards() string { return filepath.Join(e.State, "guard") }

// guardFile returns the path of a guard's file: its lock or its log.
func (e *Engine) guardFile(id, kind string) string { return filepath.Join(e.guards(), id+kind) }

// guardLog opens the log of a guard without a terminal.
func (e *Engine) guardLog(id string) (*os.File, error) {
	return private.Open(e.guardFile(id, ".log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND)
}

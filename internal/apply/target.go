package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/change"
	"ipcguard/internal/model"
)

// Target is a host that can be changed. Each implementation is one file, and all pass the same tests.
type Target interface {
	// Spec names the target so that it can be opened again from a journal: samba:/etc/samba/smb.conf, windows:,
	// winreg://host:445.
	Spec() string
	// System is the plan's name of the system: samba, ksmbd or windows.
	System() string
	// Host identifies the host, so that a journal is never applied to another.
	Host(ctx context.Context) (Host, error)
	// Resolve turns changes into writes, in the order in which they are to be made. It only reads. A place whose
	// content differs from the change's start is a *StaleError; a change that this target cannot make is a
	// *RefusedError.
	Resolve(ctx context.Context, changes []*change.Change) ([]Write, error)
	// StillTrue checks that the facts on which a plan is based, besides what it changes, still hold; otherwise it
	// returns a *StaleError. It skips facts that this kind of target does not hold and an audit knows from elsewhere.
	StillTrue(ctx context.Context, facts ...model.Fact) error
	// Address is where the host serves SMB, HOST or HOST:PORT, for a probe from this machine.
	Address(ctx context.Context) (string, error)
	// Owns refuses places that this target does not write, whoever asks: only places that a plan may write are
	// restored.
	Owns(p Place) error
	// Read returns the exact content of a place.
	Read(ctx context.Context, p Place) (State, error)
	// Write changes a place from one state to another, atomically and durably. On failure the place must be unchanged.
	// If others may write at the same moment, it checks again: what they wrote is a *StaleError, and stays.
	Write(ctx context.Context, p Place, to, from State) error
	// Lock keeps every other apply on this machine off the target, whatever its state directory, until unlock is
	// called.
	Lock() (unlock func(), err error)
	// Settle makes the host use what was written: it checks and reloads the configuration and closes old connections of
	// strangers. For an undo the writes come reversed. Notes say what it could not do, such as a restart.
	Settle(ctx context.Context, writes []Write) (notes []string, err error)
	Close() error
}

// Host identifies a machine.
type Host struct {
	Name string `json:"name"`
	ID   string `json:"id,omitempty"` // machine-id, MachineGuid; empty if the system has none
}

// Same reports whether two fingerprints are of one machine.
func (h Host) Same(o Host) bool {
	if h.ID != "" && o.ID != "" {
		return h.ID == o.ID
	}
	return h.Name == o.Name
}

func (h Host) String() string {
	if h.ID == "" {
		return h.Name
	}
	return fmt.Sprintf("%s (%s)", h.Name, h.ID)
}

// prefix begins the errors of these rooms, once.
const prefix = "apply: "

// Bare returns the text of an error without the prefix, for one that begins with it.
func Bare(err error) string { return strings.TrimPrefix(err.Error(), prefix) }

// While adds to an error what it interrupted.
func While(what string, err error) error { return &whileError{what, err} }

type whileError struct {
	what string
	err  error
}

func (e *whileError) Error() string {
	return prefix + e.what + ": " + Bare(e.err)
}

func (e *whileError) Unwrap() error { return e.err }

// StaleError means that a host has changed since the plan was made.
type StaleError struct {
	Where      string
	Want, Have string
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("apply: the host has changed since the plan was made: %s is %s, the plan starts from %s",
		e.Where, e.Have, e.Want)
}

// RefusedError means that a change cannot be made this way, and says what to do instead.
type RefusedError struct {
	Where, Why, Instead string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("apply: %s: %s", e.Where, e.Why)
}

// ConflictError means that places hold neither the state before nor what was written.
type ConflictError struct {
	ID    string
	Diffs []string // from what was written to the current content
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("apply: %s: %d place(s) were changed by somebody else since; nothing was overwritten", e.ID,
		len(e.Diffs))
}

// ErrNothing means that the host already is as the plan wants it.
var ErrNothing = errors.New("apply: the plan has no changes to make")

// Evidence is the result of a verification. It is stored as JSON in the journal.
type Evidence interface {
	Proves() bool     // something was checked, and every check passed
	Failures() string // the failures, on one line
}

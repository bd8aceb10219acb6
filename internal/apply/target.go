package apply

import (
	"context"
	"errors"
	"fmt"

	"ipcguard/internal/change"
	"ipcguard/internal/model"
)

// Target is a host that changes are made on. One file implements one, and all hold to the same tests.
type Target interface {
	// Spec names the target so that it can be opened again from a journal: samba:/etc/samba/smb.conf, windows:,
	// winreg://host:445.
	Spec() string
	// System is the plan's word for it: samba or windows.
	System() string
	// Host says which host this is, so that a journal is never played back on another.
	Host(ctx context.Context) (Host, error)
	// Resolve turns changes into writes, in the order in which they are to be made. It reads alone. A place that does not
	// hold what the change starts from is a *StaleError; a change that this target cannot make is a *RefusedError.
	Resolve(ctx context.Context, changes []*change.Change) ([]Write, error)
	// StillTrue tells whether what a plan rests on, beside what it changes, is still as it was: else a *StaleError. A fact
	// that this kind of target does not hold, which an audit knows from elsewhere, is left out.
	StillTrue(ctx context.Context, facts ...model.Fact) error
	// Address is where the host answers over SMB, HOST or HOST:PORT, for a probe from this machine.
	Address(ctx context.Context) (string, error)
	// Owns refuses places that this target does not write, whoever asks: what is restored lies where a plan may write.
	Owns(p Place) error
	// Read gives the exact content of a place.
	Read(ctx context.Context, p Place) (State, error)
	// Write makes a place go from one state to another, in one step and durably. It must leave the place as it was when it
	// fails. Where others may write at the same moment, it looks once more: what they wrote is a *StaleError, and stays.
	Write(ctx context.Context, p Place, to, from State) error
	// Lock keeps every other apply on this machine off the target, whatever its state directory, until unlock is called.
	Lock() (unlock func(), err error)
	// Settle makes what runs on the host use what is written now: configuration is checked and read again, old
	// connections of strangers are cut. On the way back the writes come reversed. Notes say what it could not do by itself,
	// such as a restart.
	Settle(ctx context.Context, writes []Write) (notes []string, err error)
	Close() error
}

// Host is the fingerprint of a machine.
type Host struct {
	Name string `json:"name"`
	ID   string `json:"id,omitempty"` // machine-id, MachineGuid; empty where the system tells none
}

// Same tells whether two fingerprints are of one machine.
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

// StaleError says that a host is no longer as the plan found it.
type StaleError struct {
	Where      string
	Want, Have string
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("apply: the host has changed since the plan was made: %s is %s, the plan starts from %s", e.Where, e.Have, e.Want)
}

// RefusedError says that a change cannot be made this way, and what to do instead.
type RefusedError struct {
	Where, Why, Instead string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("apply: %s: %s", e.Where, e.Why)
}

// ConflictError says that places hold neither what was there before nor what was written.
type ConflictError struct {
	ID    string
	Diffs []string // from what was written to what is there now
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("apply: %s: %d place(s) were changed by somebody else since; nothing was overwritten", e.ID, len(e.Diffs))
}

// ErrNothing says that the host already is as the plan wants it.
var ErrNothing = errors.New("apply: the plan has no changes to make")

// Evidence is what a verification found. It is kept as JSON beside the journal.
type Evidence interface {
	Proves() bool     // something was checked, and all that was checked passed
	Failures() string // what did not, on one line
}

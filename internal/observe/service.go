package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// saveEvery is how often a running observation is saved: as much as a power failure may lose.
const saveEvery = 10 * time.Second

// LiveOptions say how to observe the network.
type LiveOptions struct {
	Interfaces []string
	State      string // a directory for results, "" for none
	// Memory is the size of the buffer of unread packets in bytes, in addition to the Traffic's own; DefaultRing if 0.
	Memory int
	// Ready, if not nil, is called once the sockets capture.
	Ready func()
}

// DefaultRing is the default size of the buffer of unread packets, in bytes.
const DefaultRing = 96 << 20

// Live observes interfaces until the context ends. With a state directory the result is saved every few seconds and at
// the end, one a day, and today's is continued; without one all of it is in the Traffic's Aggregator. The end of the
// context is not an error.
func (t *Traffic) Live(ctx context.Context, o LiveOptions) error {
	keeper, err := t.keeper(o.State)
	if err != nil {
		return err
	}
	if len(o.Interfaces) == 0 {
		return errors.New("live: no interface named")
	}
	wire, err := listen(o.Interfaces, t.watched(), cmp.Or(o.Memory, DefaultRing))
	if err != nil {
		return err
	}
	defer wire.close()
	if o.Ready != nil {
		o.Ready()
	}
	defer hurry()()
	for ctx.Err() == nil {
		if err := wire.read(t); err != nil {
			return err
		}
		if err := keeper.tick(t, time.Now()); err != nil {
			return err
		}
	}
	if err := wire.drain(t); err != nil { // what the kernel has already captured
		return err
	}
	if keeper != nil {
		keeper.memory = t.known(time.Now())
	}
	t.Close()
	return keeper.end(t)
}

// Fullest returns the largest used part of the kernel's packet buffer during Live, from 0 to 1; at 1 packets may have
// been lost, and the coverage counts them.
func (t *Traffic) Fullest() float64 { return t.fullest }

// watched returns the ports whose packets are captured: those of SMB servers, and Kerberos' for its names.
func (t *Traffic) watched() []uint16 { return append(t.servers(), kerberosPort) }

// servers returns the ports of SMB servers, sorted.
func (t *Traffic) servers() (ports []uint16) {
	for p, ok := range t.ports {
		if ok {
			ports = append(ports, uint16(p))
		}
	}
	return ports
}

// keeper saves what a run finds. A nil one does nothing.
type keeper struct {
	state  *State
	day    time.Time
	saved  time.Time
	memory *memory // from the end, when no connection is open any more
}

func (t *Traffic) keeper(dir string) (*keeper, error) {
	if dir == "" {
		return nil, nil
	}
	s, err := OpenState(dir)
	if err != nil {
		return nil, err
	}
	k := &keeper{state: s, day: Today(time.Now()), saved: time.Now()}
	o, err := s.Load(k.day)
	if err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("the state directory: %w", err)
	}
	if o != nil {
		Merge(t.agg, t.cov, o)
	}
	if err := s.Expire(); err != nil {
		_ = s.Close()
		return nil, err
	}
	m, err := s.loadMemory()
	if err != nil {
		t.cov.Note("what was known of open connections before a restart could not be read; their sessions are unknown")
	}
	t.resume(m, time.Now())
	return k, nil
}

// Today returns the day of a time in UTC, under which results are saved.
func Today(now time.Time) time.Time { return now.UTC().Truncate(24 * time.Hour) }

// tick saves when it is time, and begins a new result each day.
func (k *keeper) tick(t *Traffic, now time.Time) error {
	if k == nil || now.Sub(k.saved) < saveEvery && Today(now).Equal(k.day) {
		return nil
	}
	k.saved = now
	if err := k.save(t); err != nil {
		return err
	}
	if d := Today(now); !d.Equal(k.day) {
		k.day = d
		t.agg.Reset()
		*t.cov = Coverage{}
		clear(t.unread)
		return k.state.Expire()
	}
	return nil
}

func (k *keeper) save(t *Traffic) error {
	t.Settle()
	o := Result(t.agg, t.cov)
	if note := t.unread.note(t.servers()); note != "" && !slices.Contains(o.Coverage.Notes, note) {
		o.Coverage.Notes = append(o.Coverage.Notes, note) // the ports so far; Close completes them
	}
	if err := k.state.Save(k.day, o); err != nil {
		return err
	}
	m := k.memory
	if m == nil {
		m = t.known(time.Now())
	}
	return k.state.saveMemory(m)
}

func (k *keeper) end(t *Traffic) error {
	if k == nil {
		return nil
	}
	err := k.save(t)
	if cerr := k.state.Close(); err == nil {
		err = cerr
	}
	return err
}

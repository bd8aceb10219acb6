package smbtest

import (
	"crypto/rand"
	"net"
	"time"

	"ipcguard/internal/smb/nbss"
)

// Stage is the response to which a fault applies.
type Stage string

// The stages: the connection itself, then the response to a request of that kind.
const (
	AtConnect   Stage = "connect"
	AtNegotiate Stage = "negotiate"
	AtSession   Stage = "session"
	AtTree      Stage = "tree"
	AtOpen      Stage = "open"
	AtPipe      Stage = "pipe" // transact, write, read
	AtOther     Stage = "other"
)

// Action is the kind of a fault.
type Action string

// The actions.
const (
	Delay     Action = "delay"     // answer after Wait
	Drop      Action = "drop"      // send After bytes of the answer, then close
	Silence   Action = "silence"   // never answer
	Garbage   Action = "garbage"   // a frame of random bytes instead
	Drip      Action = "drip"      // one byte every Wait
	Pending   Action = "pending"   // STATUS_PENDING every Wait, for ever
	Huge      Action = "huge"      // a frame header that announces 16 MiB
	WrongID   Action = "wrong-id"  // the response has another MessageId
	LoopChain Action = "loop"      // NextCommand (or AndXOffset) points backwards
	Speak     Action = "speak"     // send Text and close, as another protocol's server would
	Endless   Action = "endless"   // at AtPipe: fragments of a response that never ends
	BadCount  Action = "bad-count" // at AtPipe: counts in the stub that do not match the data
)

// Fault is one deliberate fault.
type Fault struct {
	At    Stage
	Do    Action
	Wait  time.Duration
	After int
	Text  string
	Times int // how often, on one connection; 0 is always
}

// faulty sends frames, with the faults of a host.
type faulty struct {
	nc     net.Conn
	faults []Fault
	struck []int
}

func newFaulty(nc net.Conn, faults []Fault) *faulty {
	return &faulty{nc: nc, faults: faults, struck: make([]int, len(faults))}
}

// strike returns the fault for a stage, if one is due.
func (f *faulty) strike(at Stage, only ...Action) *Fault {
	for i := range f.faults {
		fault := &f.faults[i]
		if fault.At != at || fault.Times > 0 && f.struck[i] >= fault.Times {
			continue
		}
		for _, a := range only {
			if fault.Do == a {
				f.struck[i]++
				return fault
			}
		}
	}
	return nil
}

// maxDrip bounds a response that is sent byte by byte: no test waits longer.
const maxDrip = time.Minute

// send sends a frame that starts with its header. interim returns the frame that a Pending fault repeats. False means
// that the connection must be closed.
func (f *faulty) send(at Stage, frame []byte, interim func() []byte) bool {
	nbss.PutHeader(frame)
	fault := f.strike(at, Delay, Drop, Silence, Garbage, Drip, Pending, Huge)
	if fault == nil {
		_, err := f.nc.Write(frame)
		return err == nil
	}
	switch fault.Do {
	case Delay:
		time.Sleep(fault.Wait)
		_, err := f.nc.Write(frame)
		return err == nil
	case Drop:
		f.nc.Write(frame[:min(fault.After, len(frame))])
		return false
	case Silence:
		return true
	case Garbage:
		rand.Read(frame[nbss.HeaderLen:])
		_, err := f.nc.Write(frame)
		return err == nil
	case Huge:
		_, err := f.nc.Write([]byte{0, 0xFF, 0xFF, 0xFF, 0xFE, 'S', 'M', 'B'})
		return err == nil
	case Drip:
		return f.repeat(fault.Wait, func() bool {
			_, err := f.nc.Write(frame[:1])
			frame = frame[1:]
			return err == nil && len(frame) > 0
		}) && len(frame) == 0
	case Pending:
		return f.repeat(fault.Wait, func() bool {
			b := interim()
			if b == nil {
				return false
			}
			nbss.PutHeader(b)
			_, err := f.nc.Write(b)
			return err == nil
		})
	}
	return false
}

// repeat calls a function every wait until it returns false.
func (f *faulty) repeat(wait time.Duration, do func() bool) bool {
	for end := time.Now().Add(maxDrip); time.Now().Before(end); time.Sleep(wait) {
		if !do() {
			return true
		}
	}
	return false
}

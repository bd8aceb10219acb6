package logs

import (
	"container/list"
	"fmt"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
)

const (
	// maxLogons bounds the remembered logons of all hosts: a busy file server has a few thousand open sessions. An
	// entry takes about 1 KiB, and at most 2 KiB with the longest names.
	maxLogons = 1 << 15

	// maxPending bounds the uses that wait for one logon's event, and maxWaiting those of all. Further ones are
	// reported at once, as unknown.
	maxPending = 64
	maxWaiting = 1 << 14

	// logonWindow is the longest time between a logon's event and its use: a session rarely lasts longer than a day,
	// and a restarted host may reuse a logon ID.
	logonWindow = 24 * time.Hour
)

// logonKey identifies a logon: an ID is unique on its host until it restarts.
type logonKey struct {
	host string
	id   uint64
}

// logon is one logon, or uses of IPC$ whose logon was not seen yet.
type logon struct {
	key         logonKey
	at          time.Time
	seen        bool
	session     model.Use // the row of the logon itself
	told        bool      // the row was emitted
	used        bool      // IPC$ was used by it
	workstation string
	account     string // as its uses name it: a logon's event may write the domain differently
	pending     []model.Use
}

// logonJoin joins logon events with what the logon did, in any order within logonWindow.
type logonJoin struct {
	emit     func(model.Use)
	entries  map[logonKey]*list.Element
	order    *list.List // of *logon, least recently touched first
	waiting  int        // uses in all entries
	unjoined int64      // uses whose logon was not seen
}

func newLogonJoin(emit func(model.Use)) *logonJoin {
	return &logonJoin{emit: emit, entries: make(map[logonKey]*list.Element), order: list.New()}
}

func (j *logonJoin) entry(key logonKey, at time.Time) *logon {
	for e := j.order.Front(); e != nil; e = j.order.Front() {
		old := e.Value.(*logon)
		age := at.Sub(old.at)
		if j.order.Len() < maxLogons && age <= logonWindow && age >= -logonWindow {
			break
		}
		j.drop(e)
	}
	if e, ok := j.entries[key]; ok {
		l := e.Value.(*logon)
		l.at = at
		j.order.MoveToBack(e)
		return l
	}
	l := &logon{key: key, at: at}
	j.entries[key] = j.order.PushBack(l)
	return l
}

func (j *logonJoin) drop(e *list.Element) {
	l := e.Value.(*logon)
	j.order.Remove(e)
	delete(j.entries, l.key)
	j.waiting -= len(l.pending)
	for _, u := range l.pending {
		j.unknown(u, l.key)
	}
}

// unknown emits a use whose logon was not seen.
func (j *logonJoin) unknown(u model.Use, key logonKey) {
	if u.Identity == "" {
		u.Identity = model.Unknown
		u.Basis = fmt.Sprintf("%s; its logon 0x%x was not seen", u.Basis, key.id)
	}
	j.unjoined++
	j.emit(u)
}

// logon handles a logon event's row. always means that the row is emitted even if the logon never uses IPC$.
func (j *logonJoin) logon(key logonKey, session model.Use, workstation string, always bool) {
	l := j.entry(key, session.Last)
	if l.seen {
		return
	}
	observe.ClipUse(&session)
	l.seen, l.session, l.workstation = true, session, observe.Clip(workstation)
	for _, u := range l.pending {
		j.emit(l.complete(u))
	}
	j.waiting -= len(l.pending)
	l.pending = nil
	if always || l.used {
		j.tell(l)
	}
}

// use handles a use of IPC$ by a logon. Its Identity is "" if the event itself does not say it.
func (j *logonJoin) use(key logonKey, u model.Use) {
	observe.ClipUse(&u)
	l := j.entry(key, u.Last)
	l.used = true
	if l.account == "" {
		l.account = u.Account
	}
	switch {
	case l.seen:
		j.tell(l)
		j.emit(l.complete(u))
	case u.Identity != "" && u.Client != "":
		j.emit(u)
	case len(l.pending) >= maxPending || j.waiting >= maxWaiting:
		j.unknown(u, key)
	default:
		j.waiting++
		l.pending = append(l.pending, u)
	}
}

func (j *logonJoin) tell(l *logon) {
	if !l.told {
		l.told = true
		if l.account != "" {
			l.session.Account = l.account
		}
		j.emit(l.session)
	}
}

// complete adds what the use's own event does not say.
func (l *logon) complete(u model.Use) model.Use {
	if u.Identity == "" {
		u.Identity, u.Account = l.session.Identity, l.session.Account
		u.Basis += "; its logon: " + l.session.Basis
	}
	if u.Client == "" {
		u.Client = l.session.Client
	}
	if u.Client == "" {
		u.Client = l.workstation
	}
	return u
}

// close emits everything that still waits.
func (j *logonJoin) close() {
	for e := j.order.Front(); e != nil; e = j.order.Front() {
		j.drop(e)
	}
}

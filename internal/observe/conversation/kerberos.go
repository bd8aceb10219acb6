package conversation

import (
	"container/list"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"time"

	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/observe/flow"
)

// The name of a Kerberos client is inside its ticket, which only the server can open. But whoever sees the ticket being
// issued sees the name beside it, in clear, and knows the ticket again by its bytes.
//
//	KDC, port 88     ──► AS-REP, TGS-REP: crealm [3], cname [4], ticket [5]     RFC 4120 5.4.2
//	session setup    ──► AP-REQ: ticket [3]                                     RFC 4120 5.5.1

const (
	// maxTickets is how many are remembered, the newest: tickets live ten hours and a client has some dozens.
	maxTickets = 16384
	costTicket = 384
	// maxReply is the longest answer of a KDC that is read: tickets with many groups end at 64 KiB.
	maxReply = 96 << 10
)

type ticketKey [16]byte

type ticket struct {
	key  ticketKey
	name string
}

// ticketTable remembers who tickets were issued to.
type ticketTable struct {
	byKey map[ticketKey]*list.Element
	order list.List
}

func keyOf(ticket []byte) ticketKey {
	sum := sha256.Sum256(ticket)
	return ticketKey(sum[:16])
}

func (f *Follower) issued(t ticket) {
	k := &f.tickets
	if k.byKey == nil {
		k.byKey = make(map[ticketKey]*list.Element)
	}
	if _, ok := k.byKey[t.key]; ok {
		return
	}
	k.byKey[t.key] = k.order.PushBack(t)
	f.used += costTicket
	if k.order.Len() > maxTickets {
		f.expire()
	}
}

// expire forgets the oldest ticket.
func (f *Follower) expire() {
	oldest := f.tickets.order.Front()
	delete(f.tickets.byKey, f.tickets.order.Remove(oldest).(ticket).key)
	f.used -= costTicket
}

// token takes a token of a logon, and names its ticket's owner where that is known.
func (f *Follower) token(l *logon, blob []byte) {
	l.token(blob)
	if !l.kerberos {
		return
	}
	if key, ok := ticketOf(blob); ok {
		if e, ok := f.tickets.byKey[key]; ok {
			l.principal = e.Value.(ticket).name
		}
	}
}

// ticketOf finds the ticket of an AP-REQ in a token.
func ticketOf(blob []byte) (ticketKey, bool) {
	t, err := spnego.Parse(blob)
	if err != nil {
		return ticketKey{}, false
	}
	_, inner, err := spnego.Unframe(t.MechToken())
	if err != nil || len(inner) < 2 || inner[0] != 1 || inner[1] != 0 { // KRB_AP_REQ, RFC 4121 4.1
		return ticketKey{}, false
	}
	fields, ok := application(inner[2:], 14)
	if !ok || fields[3] == nil {
		return ticketKey{}, false
	}
	return keyOf(fields[3]), true
}

// maxFields is more than any of the messages has.
const maxFields = 16

// application reads a message of an application tag: the contents of its sequence's elements by their context tags.
func application(b []byte, tag int) (fields [maxFields][]byte, ok bool) {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(b, &outer); err != nil || outer.Class != asn1.ClassApplication || outer.Tag != tag {
		return fields, false
	}
	return sequence(outer.Bytes)
}

func sequence(b []byte) (fields [maxFields][]byte, ok bool) {
	var seq asn1.RawValue
	if _, err := asn1.Unmarshal(b, &seq); err != nil || seq.Class != asn1.ClassUniversal || seq.Tag != asn1.TagSequence {
		return fields, false
	}
	for rest := seq.Bytes; len(rest) > 0; {
		var e asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &e); err != nil {
			return fields, false
		}
		if e.Class == asn1.ClassContextSpecific && e.Tag < maxFields {
			fields[e.Tag] = e.Bytes
		}
	}
	return fields, true
}

// reply reads an AS-REP or TGS-REP.
func reply(b []byte) (ticket, bool) {
	fields, ok := application(b, 13)
	if !ok {
		if fields, ok = application(b, 11); !ok {
			return ticket{}, false
		}
	}
	name, ok := sequence(fields[4])
	if !ok || fields[5] == nil {
		return ticket{}, false
	}
	var realm asn1.RawValue
	if _, err := asn1.Unmarshal(fields[3], &realm); err != nil {
		return ticket{}, false
	}
	var parts, first asn1.RawValue
	if _, err := asn1.Unmarshal(name[1], &parts); err != nil {
		return ticket{}, false
	}
	if _, err := asn1.Unmarshal(parts.Bytes, &first); err != nil || len(first.Bytes) == 0 {
		return ticket{}, false
	}
	const longest = 256
	return ticket{keyOf(fields[5]), account(string(realm.Bytes[:min(len(realm.Bytes), longest)]), string(first.Bytes[:min(len(first.Bytes), longest)]))}, true
}

// OpenKDC is the constructor of streams for port 88: it learns names and gives no rows.
func (f *Follower) OpenKDC(flow.Conn, time.Time) flow.Stream { return &kdc{f: f} }

// kdc is a connection to a key distribution center. Each message has its length in front. See RFC 4120 7.2.2.
type kdc struct {
	f   *Follower
	buf []byte
	bad bool // the borders of messages are lost
}

// Data implements flow.Stream.
func (k *kdc) Data(d flow.Direction, b []byte, _ time.Time) {
	if d != flow.ToClient || k.bad {
		return
	}
	k.buf = append(k.buf, b...)
	k.f.used += len(b)
	for len(k.buf) >= 4 && !k.bad {
		n := int64(binary.BigEndian.Uint32(k.buf))
		if n > maxReply {
			k.give()
			return
		}
		if int64(len(k.buf)) < 4+n {
			return
		}
		if t, ok := reply(k.buf[4 : 4+n]); ok {
			k.f.issued(t)
		}
		k.buf = k.buf[4+n:]
		k.f.used -= int(4 + n)
	}
}

// give gives the stream up.
func (k *kdc) give() {
	k.f.used -= len(k.buf)
	k.buf, k.bad = nil, true
}

// Gap implements flow.Stream.
func (k *kdc) Gap(d flow.Direction, _ int, _ time.Time) {
	if d == flow.ToClient {
		k.give()
	}
}

// Close implements flow.Stream.
func (k *kdc) Close(time.Time) { k.give() }

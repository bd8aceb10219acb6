package conversation

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/observe/clip"
	"ipcguard/internal/observe/flow"
)

// The name of a Kerberos client is inside its ticket, which only the server can decrypt. But when the ticket is issued,
// the name stands beside it in clear text, and the ticket is recognized later by its bytes.
//
//	KDC, port 88     ──► AS-REP, TGS-REP: crealm [3], cname [4], ticket [5]     RFC 4120 5.4.2
//	session setup    ──► AP-REQ: ticket [3]                                     RFC 4120 5.5.1

const (
	// maxTickets bounds the remembered tickets, the newest: tickets live ten hours and a client has a few dozen.
	maxTickets = 16384
	costTicket = 384 // without its texts
	// maxReply is the maximum length of a KDC's answer: tickets with many groups have up to 64 KiB.
	maxReply = 96 << 10
)

type ticketKey [16]byte

// ticket is a ticket whose issue was seen, and its client.
type ticket struct {
	key   ticketKey
	owner identity
}

// ticketTable remembers the clients of tickets.
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
	f.used += costTicket + t.owner.size()
	if k.order.Len() > maxTickets {
		f.expire()
	}
}

// expire forgets the oldest ticket.
func (f *Follower) expire() {
	oldest := f.tickets.order.Remove(f.tickets.order.Front()).(ticket)
	delete(f.tickets.byKey, oldest.key)
	f.used -= costTicket + oldest.owner.size()
}

// token parses a token of a logon, and sets its ticket's owner if that is known.
func (f *Follower) token(l *logon, blob []byte) {
	l.token(blob)
	if !l.kerberos {
		return
	}
	if key, spn, ok := ticketOf(blob); ok {
		l.spn = spn
		if e, ok := f.tickets.byKey[key]; ok {
			l.owner = e.Value.(ticket).owner
		}
	}
}

// Token identifiers before a message. See RFC 4121 4.1 and draft-ietf-kitten-iakerb 4.
var (
	tokenRequest = []byte{1, 0} // KRB_AP_REQ
	tokenProxy   = []byte{5, 1} // IAKERB_PROXY
)

// ticketOf finds the ticket of an AP-REQ in a token, and its service.
func ticketOf(blob []byte) (key ticketKey, spn string, ok bool) {
	t, err := spnego.Parse(blob)
	if err != nil {
		return key, "", false
	}
	_, inner, err := spnego.Unframe(t.MechToken())
	if err != nil || !bytes.HasPrefix(inner, tokenRequest) {
		return key, "", false
	}
	fields, ok := application(inner[2:], 14)
	if !ok || fields[3] == nil {
		return key, "", false
	}
	if inside, ok := application(fields[3], 1); ok {
		spn, _ = principal(inside[2])
	}
	return keyOf(fields[3]), clip.Text(spn), true
}

// proxied parses a server's token in a logon: with IAKERB it passes on the answers of a Kerberos server in clear text.
func (f *Follower) proxied(blob []byte) {
	if len(blob) == 0 {
		return
	}
	t, err := spnego.Parse(blob)
	if err != nil {
		return
	}
	oid, inner, err := spnego.Unframe(t.MechToken())
	if err != nil || !oid.Equal(spnego.OIDIAKERB) || !bytes.HasPrefix(inner, tokenProxy) {
		return
	}
	if t, ok := reply(unproxied(inner)); ok {
		f.issued(t)
	}
}

// unproxied returns the Kerberos message after IAKERB's own header.
func unproxied(inner []byte) []byte {
	var header asn1.RawValue
	rest, err := asn1.Unmarshal(inner[len(tokenProxy):], &header)
	if err != nil {
		return nil
	}
	return rest
}

// maxFields is more than any of the messages has.
const maxFields = 16

// application parses a message with an application tag, and returns the contents of its sequence's elements by their
// context tags.
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

// reply parses an AS-REP or TGS-REP.
func reply(b []byte) (ticket, bool) {
	fields, ok := application(b, 13)
	if !ok {
		if fields, ok = application(b, 11); !ok {
			return ticket{}, false
		}
	}
	name, ok := principal(fields[4])
	if !ok || fields[5] == nil {
		return ticket{}, false
	}
	var realm asn1.RawValue
	if _, err := asn1.Unmarshal(fields[3], &realm); err != nil {
		return ticket{}, false
	}
	return ticket{keyOf(fields[5]), owner(string(realm.Bytes), name, fields[2])}, true
}

// principal parses a PrincipalName: its parts joined with slashes.
func principal(b []byte) (string, bool) {
	fields, ok := sequence(b)
	if !ok {
		return "", false
	}
	var list asn1.RawValue
	if _, err := asn1.Unmarshal(fields[1], &list); err != nil {
		return "", false
	}
	var parts []string
	for rest := list.Bytes; len(rest) > 0 && len(parts) < maxFields; {
		var part asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &part); err != nil {
			return "", false
		}
		parts = append(parts, string(part.Bytes))
	}
	return strings.Join(parts, "/"), true
}

// requested returns the client of an AS-REQ; empty if it is hidden. See RFC 4120 5.4.1. ok is false if b is no AS-REQ.
// Under FAST the request that counts is encrypted, and the one in clear text is ignored: it may have any name. See RFC
// 6113 5.4.2.
func requested(b []byte) (client string, ok bool) {
	fields, ok := application(b, 10)
	if !ok {
		return "", false
	}
	kinds := padataKinds(fields[3])
	body, ok := sequence(fields[4])
	if !ok || slices.Contains(kinds, paFXFast) || len(kinds) == maxFields { // then not all were looked at
		return "", true
	}
	name, ok := principal(body[1])
	var realm asn1.RawValue
	if _, err := asn1.Unmarshal(body[2], &realm); err != nil || !ok || name == "" || name == hiddenName {
		return "", true
	}
	return account(string(realm.Bytes), name), true
}

// hiddenName stands in place of a client's name if that is hidden: for an anonymous ticket, RFC 8062 3, or because the
// client has asked for it under FAST, RFC 6113 5.4.
const hiddenName = "WELLKNOWN/ANONYMOUS"

// The types of PA-DATA in an answer. See RFC 4120 7.5.2, RFC 4556 3.2.3 and RFC 6113 5.4.
const (
	paPKASRep = 17
	paFXFast  = 136
)

// owner returns the client of a ticket.
func owner(realm, name string, padata []byte) identity {
	if name == hiddenName || name == "" {
		switch kinds := padataKinds(padata); {
		case slices.Contains(kinds, paFXFast):
			return identity{kind: model.Unknown, basis: "Kerberos logon; the name is hidden by FAST"}
		case slices.Contains(kinds, paPKASRep):
			return identity{kind: model.Anonymous, basis: "Kerberos logon with an anonymous ticket (PKINIT)"}
		}
		return identity{kind: model.Unknown, basis: "Kerberos logon; the name is hidden, or the ticket is anonymous"}
	}
	return named(account(realm, name), "Kerberos logon; its ticket was seen being issued")
}

// padataKinds returns the types in a SEQUENCE OF PA-DATA.
func padataKinds(b []byte) (kinds []int) {
	var list asn1.RawValue
	if _, err := asn1.Unmarshal(b, &list); err != nil {
		return nil
	}
	for rest := list.Bytes; len(rest) > 0 && len(kinds) < maxFields; {
		var one asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &one); err != nil {
			return kinds
		}
		fields, ok := sequence(one.FullBytes)
		var kind int
		if _, err := asn1.Unmarshal(fields[1], &kind); ok && err == nil {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// OpenKDC returns the stream of a connection to port 88: it learns names and makes no rows.
func (f *Follower) OpenKDC(flow.Conn, time.Time) flow.Stream { return &kdc{f: f} }

// kdc is a connection to a key distribution center. Each message has its length before it. See RFC 4120 7.2.2.
type kdc struct {
	f   *Follower
	buf []byte
	bad bool // the message boundaries are lost
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

// give drops the stream.
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

package conversation

import (
	"encoding/hex"
	"math"
	"net/netip"
	"strings"
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/observe/clip"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/observe/packet"
	"ipcguard/internal/smb/smb2"
)

// After a restart the position in a connection's bytes is found again at the next frame, but its sessions' identities
// are lost. So those are saved by connection, because another connection may reuse the number of a session.

// Known is what one observation knows of an open connection and the next one needs. It contains no key: the next one
// does not decrypt null sessions of this one.
type Known struct {
	Client   netip.AddrPort `json:"client"`
	Server   netip.AddrPort `json:"server"`
	SMB1     bool           `json:"smb1,omitempty"`
	Dialect  uint16         `json:"dialect,omitempty"`
	Offer    Offer          `json:"offer,omitzero"`
	Trees    []uint32       `json:"trees,omitempty"` // SMB1's that are IPC$
	Sessions []KnownSession `json:"sessions"`
}

// KnownSession is a logon.
type KnownSession struct {
	ID       uint64         `json:"id"`
	Identity model.Identity `json:"identity"`
	Account  string         `json:"account,omitempty"`
	Basis    string         `json:"basis"`
	Trees    []uint32       `json:"trees,omitempty"` // those that are IPC$
	Pipes    []KnownPipe    `json:"pipes,omitempty"`
	Sealed   bool           `json:"sealed,omitempty"` // its frames are encrypted, which has been reported

	KnownLogon
}

// textSize is the length of a session's texts in bytes, and size that of a pipe's and of its contexts.
func (k *KnownSession) textSize() int {
	return len(k.Account) + len(k.Basis) + len(k.SPN) + len(k.Agent)
}

func (k *KnownPipe) size() int {
	return len(k.Name) + len(k.Account) + len(k.Basis) + len(k.SPN) + len(k.Agent) + len(k.Contexts)*costContext
}

// KnownLogon is how a logon was made, in the terms of model.Use.
type KnownLogon struct {
	Package string         `json:"package,omitempty"`
	SPN     string         `json:"spn,omitempty"`
	MIC     model.Tristate `json:"mic,omitzero"`
	Raw     model.Tristate `json:"raw,omitzero"`
	Binding model.Tristate `json:"channel_binding,omitzero"`
	Agent   string         `json:"agent,omitempty"`
}

func knownLogon(m made) KnownLogon {
	return KnownLogon{m.with, m.spn, m.mic, m.raw, m.binding, m.agent}
}

func (k KnownLogon) made() made { return made{k.Package, k.SPN, k.MIC, k.Raw, k.Binding, k.Agent} }

// KnownPipe is an open pipe with its bound interfaces. SMB1 has none, because it reuses the numbers of opens at once.
type KnownPipe struct {
	File     string         `json:"file"`
	Name     string         `json:"name"`
	Contexts []KnownContext `json:"contexts,omitempty"`

	// The logon inside RPC; Identity is empty if there is none.
	Identity model.Identity `json:"identity,omitempty"`
	Account  string         `json:"account,omitempty"`
	Basis    string         `json:"basis,omitempty"`

	KnownLogon
}

// KnownContext is an interface on a pipe.
type KnownContext struct {
	ID    uint16 `json:"id"`
	UUID  string `json:"uuid"`
	Major uint16 `json:"major"`
	Minor uint16 `json:"minor"`
}

// Known returns what is known of the connection; nil if nothing is worth saving.
func (c *Conversation) Known() *Known {
	if c.st == nil {
		return nil
	}
	k := &Known{Client: addrPort(c.conn.Client), Server: addrPort(c.conn.Server), Offer: c.st.offer}
	for p := range c.st.spoken {
		p.known(k)
		break // SMB2 if both were spoken: SMB1 had only the NEGOTIATE
	}
	if len(k.Sessions) == 0 && k.Dialect == 0 && k.Offer == (Offer{}) {
		return nil
	}
	return k
}

func (c *smb2Conn) known(k *Known) {
	k.Dialect = c.dialect
	for id, s := range c.sessions {
		if s.who != notSeen || s.sealed > 0 || len(s.opens) > 0 {
			k.Sessions = append(k.Sessions, knownSession(id, s))
		}
	}
}

func (c *smb1Conn) known(k *Known) {
	k.SMB1 = true
	for uid, s := range c.sessions {
		if s.who != notSeen {
			k.Sessions = append(k.Sessions, knownSession(uint64(uid), s))
		}
	}
	for tid, t := range c.trees {
		if t.ipc {
			k.Trees = append(k.Trees, tid)
		}
	}
}

func knownSession(id uint64, s *session) KnownSession {
	k := KnownSession{
		ID: id, Identity: s.who.kind, Account: s.who.account, Basis: s.who.basis, Sealed: s.sealed > 0,
		KnownLogon: knownLogon(s.who.logon),
	}
	for tid, t := range s.trees {
		if t.ipc {
			k.Trees = append(k.Trees, tid)
		}
	}
	for file, p := range s.opens {
		if p.unseen || p.unnamed {
			continue
		}
		x := KnownPipe{
			File: hex.EncodeToString(file[:]), Name: p.name, Identity: p.who.kind, Account: p.who.account,
			Basis: p.who.basis, KnownLogon: knownLogon(p.who.logon),
		}
		for _, y := range p.contexts {
			x.Contexts = append(x.Contexts, KnownContext{y.id, y.uuid, y.syntax.Major, y.syntax.Minor})
		}
		k.Pipes = append(k.Pipes, x)
	}
	return k
}

func addrPort(e packet.Endpoint) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.IP), e.Port)
}

// KnownTicket is a Kerberos ticket, by its hash, and its client.
type KnownTicket struct {
	Hash string `json:"hash"`
	Name string `json:"name"`

	// For a ticket whose client its name does not tell: one without a name, or a computer whose long name was cut and
	// has lost its dollar sign. Otherwise Identity is empty.
	Identity model.Identity `json:"identity,omitempty"`
	Basis    string         `json:"basis,omitempty"`
}

// Tickets returns the tickets whose issue was seen, oldest first.
func (f *Follower) Tickets() []KnownTicket {
	out := make([]KnownTicket, 0, f.tickets.order.Len())
	for e := f.tickets.order.Front(); e != nil; e = e.Next() {
		t := e.Value.(ticket)
		k := KnownTicket{Hash: hex.EncodeToString(t.key[:]), Name: t.owner.account}
		if k.Name == "" || named(k.Name, "").kind != t.owner.kind {
			k.Identity, k.Basis = t.owner.kind, t.owner.basis
		}
		out = append(out, k)
	}
	return out
}

// ResumeTickets adds tickets that an earlier run saw.
func (f *Follower) ResumeTickets(known []KnownTicket) {
	for _, k := range known {
		t := ticket{owner: named(k.Name, "Kerberos logon; its ticket was seen being issued")}
		if k.Identity != "" {
			t.owner = identity{kind: k.Identity, account: clip.Text(k.Name), basis: clip.Text(k.Basis)}
		}
		if len(k.Hash) != 2*len(t.key) || k.Name == "" && k.Identity == "" {
			continue
		}
		if _, err := hex.Decode(t.key[:], []byte(k.Hash)); err == nil {
			f.issued(t)
		}
	}
}

// ends identifies a connection by its two ends.
type ends struct{ client, server netip.AddrPort }

// resumeTable holds what an earlier observation knew of open connections until they appear again.
type resumeTable struct {
	byEnds map[ends]*Known
	until  time.Time
	cost   int
}

// Resume adds what an earlier run knew of connections. It is used until that time; later the same ends may be another
// connection.
func (f *Follower) Resume(known []Known, until time.Time) {
	f.forgetKnown()
	f.resume = resumeTable{byEnds: make(map[ends]*Known), until: until}
	for i := range known {
		k := &known[i]
		cost := costState
		for _, s := range k.Sessions {
			cost += costSession + len(s.Trees)*costTree + s.textSize()
			for i := range s.Pipes {
				cost += costPipe + s.Pipes[i].size()
			}
		}
		f.resume.byEnds[ends{k.Client, k.Server}] = k
		f.resume.cost += cost
		f.used += cost
	}
}

// forgetKnown drops all connections that did not appear again. It returns false if there were none.
func (f *Follower) forgetKnown() bool {
	had := f.resume.cost > 0
	f.used -= f.resume.cost
	f.resume = resumeTable{}
	return had
}

// knownOf returns and removes what was known of a connection.
func (f *Follower) knownOf(conn flow.Conn, at time.Time) *Known {
	if f.resume.byEnds == nil {
		return nil
	}
	if at.After(f.resume.until) {
		f.forgetKnown()
		return nil
	}
	key := ends{addrPort(conn.Client), addrPort(conn.Server)}
	k := f.resume.byEnds[key]
	delete(f.resume.byEnds, key)
	if !conn.Midstream { // another connection between the same ends
		return nil
	}
	return k
}

// before marks an identity as known before a restart.
const before = ", before a restart of the observation"

// restore takes over what was known.
func (c *Conversation) restore(k *Known) {
	c.st.offer = k.Offer
	if k.SMB1 {
		c.legacy().restore(k)
	} else {
		c.modern().restore(k)
	}
}

func (c *smb1Conn) restore(k *Known) {
	for _, s := range k.Sessions[:min(len(k.Sessions), maxSessions)] {
		if s.ID <= math.MaxUint16 {
			c.setSession(uint16(s.ID), &session{id: s.ID, who: s.identity()})
		}
	}
	for _, tid := range k.Trees[:min(len(k.Trees), maxTrees)] {
		if tid <= math.MaxUint16 {
			c.setTree(c.Conversation, tid, &tree{ipc: true})
		}
	}
}

func (c *smb2Conn) restore(k *Known) {
	c.dialect = k.Dialect
	for i := range k.Sessions[:min(len(k.Sessions), maxSessions)] {
		c.restoreSession(&k.Sessions[i])
	}
}

func (k *KnownSession) identity() identity {
	if k.Identity == model.Unknown && k.Basis == notSeen.basis {
		return notSeen
	}
	return knownBefore(k.Identity, k.Account, k.Basis, k.KnownLogon)
}

// knownBefore marks identities as known before a restart.
func knownBefore(kind model.Identity, account, basis string, logon KnownLogon) identity {
	m := logon.made()
	m.spn, m.agent = clip.Text(m.spn), clip.Text(m.agent)
	return identity{
		kind: kind, account: clip.Text(account), basis: clip.Text(strings.TrimSuffix(basis, before)) + before, logon: m,
	}
}

func (c *smb2Conn) restoreSession(k *KnownSession) {
	if e, ok := c.f.recall(c.boundKey(k.ID)); ok { // another of its channels came first
		c.addSession(k.ID, e.s)
		return
	}
	s := &session{id: k.ID, who: k.identity()}
	if k.Sealed {
		s.sealed, s.touched = 1, c.st.now
	}
	c.addSession(k.ID, s)
	for _, tid := range k.Trees[:min(len(k.Trees), maxTrees)] {
		s.setTree(c.Conversation, tid, &tree{ipc: true})
	}
	for _, x := range k.Pipes[:min(len(k.Pipes), maxOpens)] {
		var file smb2.FileID
		if len(x.File) != 2*len(file) || len(x.Name) > maxPipeName {
			continue
		}
		if _, err := hex.Decode(file[:], []byte(x.File)); err != nil {
			continue
		}
		p := c.newPipe(s, x.Name)
		p.told = true
		if x.Identity != "" {
			p.who = knownBefore(x.Identity, x.Account, x.Basis, x.KnownLogon)
			c.grow(p, p.who.size())
		}
		for _, y := range x.Contexts {
			if id, err := dcerpc.ParseUUID(y.UUID); err == nil {
				c.setContext(p, newContext(y.ID, dcerpc.SyntaxID{UUID: id, Major: y.Major, Minor: y.Minor}))
			}
		}
		s.setOpen(c.Conversation, file, p)
	}
	c.f.remember(c.boundKey(k.ID), c.conn.Client, s)
}

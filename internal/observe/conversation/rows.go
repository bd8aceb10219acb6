package conversation

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/status"
)

// The rows that both protocols emit, and the names in them.

const ipcShare = "IPC$"

// use returns a row with the facts of the connection and the logon.
func (c *Conversation) use(id identity, layer model.Layer, at time.Time) model.Use {
	return model.Use{
		Client: c.st.client, Server: c.st.server, Identity: id.kind, Basis: id.basis, Account: id.account, Layer: layer,
		Opnum: -1, Count: 1, First: at, Last: at, Source: c.f.Source,
		Dialect: c.st.dialect, Package: id.logon.with, SPN: id.logon.spn, MIC: id.logon.mic, Raw: id.logon.raw,
		Binding: id.logon.binding, Agent: id.logon.agent,
		Offers: c.st.offer.Newest, Signing: c.st.offer.Signing, CanEncrypt: c.st.offer.Encryption,
	}
}

// useIn returns a row of what an identity did in a session.
func (c *Conversation) useIn(s *session, id identity, layer model.Layer, at time.Time) model.Use {
	u := c.use(id, layer, at)
	u.Signed, u.Encrypted, u.Encryption = s.signed, s.encrypted, s.encryption
	return u
}

// unanswered returns the row of a request without an answer.
func unanswered(u model.Use) model.Use {
	u.Outcome, u.Status = model.Inconclusive, ""
	u.Basis += "; no answer was seen"
	return u
}

// isIPC reports whether a path such as \\server\IPC$ names the share.
func isIPC(path string) bool {
	return strings.EqualFold(path[strings.LastIndexByte(path, '\\')+1:], ipcShare)
}

// pipeName returns a pipe's name without its path, in lower case: Windows does not distinguish \PIPE\Samr from samr.
func pipeName(s string) string {
	s = strings.ToLower(strings.Trim(strings.TrimRight(s, "\x00"), `\`))
	return strings.TrimPrefix(s, strings.ToLower(strings.Trim(smb1.PipePrefix, `\`))+`\`)
}

// tellLogon emits the row of an answered logon. who is what the client and, if it was let in, the server say.
func (c *Conversation) tellLogon(who identity, at time.Time, st status.NTStatus) {
	if st == status.NoSuchUser && who.kind == model.User {
		who.kind = model.UnknownUser
	}
	u := c.use(who, model.LayerSession, at)
	u.Outcome, u.Status = smbOutcome(model.LayerSession, st), st.String()
	c.f.sink.Add(u)
	if c.f.Met != nil {
		c.f.Met(netip.AddrPortFrom(netip.AddrFrom16(c.conn.Client.IP).Unmap(), c.conn.Client.Port), at)
	}
}

func (c *Conversation) treeUse(s *session, at time.Time) model.Use {
	u := c.useIn(s, s.who, model.LayerTree, at)
	u.Share = ipcShare
	return u
}

// tellTree emits the row of an answered tree connect to IPC$.
func (c *Conversation) tellTree(s *session, at time.Time, st status.NTStatus) {
	u := c.treeUse(s, at)
	u.Outcome, u.Status = smbOutcome(model.LayerTree, st), st.String()
	c.f.sink.Add(u)
}

// tellOpen emits the row of an open, once.
func (c *Conversation) tellOpen(p *pipe) {
	if p.told || !p.answered {
		return
	}
	p.told = true
	u := c.openUse(p, p.opened)
	u.Outcome, u.Status = smbOutcome(model.LayerOpen, p.status), p.status.String()
	c.f.sink.Add(u)
}

func (c *Conversation) openUse(p *pipe, at time.Time) model.Use {
	u := c.useIn(p.s, p.s.who, model.LayerOpen, at)
	u.Share, u.Pipe = ipcShare, p.name
	if p.guessed {
		u.Basis += "; the tree connect was not seen"
	}
	return u
}

// knownPipes are the names that identify a pipe if its tree connect was not seen.
var knownPipes = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{"lsass": true, "protected_storage": true, "ntsvcs": true, "browser": true}
	for _, i := range dcerpc.Interfaces() {
		for _, p := range i.Pipes {
			m[strings.ToLower(p)] = true
		}
	}
	return m
})

// maxPipeName is longer than any pipe's name, which has at most 256 characters.
const maxPipeName = 256

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

// Rows that both protocols give, and the names in them.

const ipcShare = "IPC$"

// use is a row with what the connection and the logon tell.
func (c *Conversation) use(id identity, layer model.Layer, at time.Time) model.Use {
	return model.Use{
		Client: c.st.client, Server: c.st.server, Identity: id.kind, Basis: id.basis, Account: id.account, Layer: layer,
		Opnum: -1, Count: 1, First: at, Last: at, Source: c.f.Source,
		Dialect: c.st.dialect, Package: id.logon.with, SPN: id.logon.spn, MIC: id.logon.mic, Raw: id.logon.raw, Binding: id.logon.binding, Agent: id.logon.agent,
		Offers: c.st.offer.Newest, Signing: c.st.offer.Signing, CanEncrypt: c.st.offer.Encryption,
	}
}

// useIn is a row of what was done in a session, by whom id says.
func (c *Conversation) useIn(s *session, id identity, layer model.Layer, at time.Time) model.Use {
	u := c.use(id, layer, at)
	u.Signed, u.Encrypted, u.Encryption = s.signed, s.encrypted, s.encryption
	return u
}

// unanswered is the row of a request whose answer did not come.
func unanswered(u model.Use) model.Use {
	u.Outcome, u.Status = model.Inconclusive, ""
	u.Basis += "; no answer was seen"
	return u
}

// isIPC tells whether a path such as \\server\IPC$ names the share.
func isIPC(path string) bool {
	return strings.EqualFold(path[strings.LastIndexByte(path, '\\')+1:], ipcShare)
}

// pipeName is a pipe's name without its path, in lower case: Windows does not tell \PIPE\Samr from samr.
func pipeName(s string) string {
	s = strings.ToLower(strings.Trim(strings.TrimRight(s, "\x00"), `\`))
	return strings.TrimPrefix(s, strings.ToLower(strings.Trim(smb1.PipePrefix, `\`))+`\`)
}

// tellLogon gives the row of a logon that was answered. who is what the client and, where it was let in, the server say.
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

// tellTree gives the row of a tree connect to IPC$ that was answered.
func (c *Conversation) tellTree(s *session, at time.Time, st status.NTStatus) {
	u := c.treeUse(s, at)
	u.Outcome, u.Status = smbOutcome(model.LayerTree, st), st.String()
	c.f.sink.Add(u)
}

// tellOpen gives the row of an open, once.
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

// knownPipes are the names by which a pipe is told where its tree connect was not seen.
var knownPipes = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{"lsass": true, "protected_storage": true, "ntsvcs": true, "browser": true}
	for _, i := range dcerpc.Interfaces() {
		for _, p := range i.Pipes {
			m[strings.ToLower(p)] = true
		}
	}
	return m
})

// maxPipeName is longer than the name of any pipe, which ends at 256 characters.
const maxPipeName = 256

package smbtest

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

const (
	// idle ends a silent connection: clients send an echo every minute or two.
	idle = 5 * time.Minute
	// maxFrame bounds a client's message: 64 KiB of data, as in MaxWrite, and headers.
	maxFrame = 128 << 10
	// maxSessions, maxTrees and maxOpens bound what one connection may have open.
	maxSessions = 64
	maxTrees    = 256
	maxOpens    = 1024
)

// conn is one connection, in any dialect.
type conn struct {
	*faulty
	host     *Host
	guid     [16]byte
	two      *smb2Conn
	one      *smb1Conn
	sessions map[uint64]*session
	next     uint64
}

// session is one logon, valid once who is set.
type session struct {
	id       uint64
	logon    *logon
	who      model.Identity
	account  string
	trees    map[uint32]*tree
	nextTree uint32

	groups     map[uint32]handles // by association group
	nextHandle uint64

	// of SMB 2 and 3
	preauth smbcrypt.Preauth
	secret  *secret // nil for a guest
	encrypt bool    // the server requires it
}

// tree is a connected share.
type tree struct {
	id    uint32
	share *Share
}

// opened is an open pipe or folder.
type opened struct {
	tree   *tree
	pipe   pipeEnd // nil for a folder
	name   string
	listed bool
	caller *caller
}

// serve serves one client until either side ends the connection.
func serve(nc net.Conn, h *Host) {
	c := &conn{faulty: newFaulty(nc, h.Faults), host: h, sessions: map[uint64]*session{}, next: 0x1000}
	copy(c.guid[:], h.World.Name)
	if f := c.strike(AtConnect, Delay, Drop, Silence, Speak, Garbage, Huge); f != nil && !c.atConnect(f) {
		return
	}
	r := bufio.NewReaderSize(nc, 2048)
	var waits time.Time // the start of the wait that the connection is bound to
	for {
		if now := time.Now(); now.Sub(waits) > idle/100 {
			if err := nc.SetReadDeadline(now.Add(idle)); err != nil {
				return
			}
			waits = now
		}
		typ, frame, err := nbss.ReadFrame(r, nil, maxFrame)
		if err != nil {
			return
		}
		switch typ {
		case nbss.SessionRequest:
			if _, err := nc.Write(nbss.AppendCallResponse(nil, 0)); err != nil {
				return
			}
			continue
		case nbss.KeepAlive:
			continue
		case nbss.SessionMessage:
		default:
			return
		}
		if !c.receive(frame) {
			return
		}
	}
}

// atConnect applies the faults before the first byte; false ends the connection.
func (c *conn) atConnect(f *Fault) bool {
	switch f.Do {
	case Delay:
		time.Sleep(f.Wait)
		return true
	case Speak:
		c.nc.Write([]byte(f.Text))
	case Garbage:
		b := make([]byte, 256)
		rand.Read(b)
		c.nc.Write(b)
	case Huge:
		c.nc.Write([]byte{0, 0xFF, 0xFF, 0xFF, 0xFE, 'S', 'M', 'B'})
	case Silence:
		c.nc.SetReadDeadline(time.Now().Add(maxDrip))
		var b [512]byte
		for {
			if _, err := c.nc.Read(b[:]); err != nil {
				return false
			}
		}
	}
	return false
}

func (c *conn) receive(frame []byte) bool {
	switch smb2.KindOf(frame) {
	case smb2.KindSMB1:
		if c.two != nil {
			return false
		}
		return c.receive1(frame)
	case smb2.KindPlain, smb2.KindEncrypted:
		if c.one != nil {
			return false
		}
		return c.receive2(frame)
	}
	return false
}

// receive1 answers the negotiation, in whichever family it ends, and passes the rest to SMB1.
func (c *conn) receive1(frame []byte) bool {
	m, err := smb1.Parse(frame)
	if err != nil {
		return false
	}
	if c.one == nil {
		if m.Command != smb1.Negotiate || len(m.Blocks) != 1 {
			return false
		}
		body, err := m.Decode(0)
		q, ok := body.(*smb1.NegotiateRequest)
		if err != nil || !ok {
			return false
		}
		if dialect := c.host.Profile.multi(q.Dialects); dialect != 0 {
			return c.negotiateMulti(dialect)
		}
		c.one = &smb1Conn{conn: c, opens: map[uint16]*opened{}, pending: map[uint32]*partial{}}
		return c.one.negotiate(m, q)
	}
	return c.one.receive(m)
}

func (c *conn) newSession() *session {
	if len(c.sessions) >= maxSessions {
		return nil
	}
	c.next++
	s := &session{id: c.next, trees: map[uint32]*tree{}, nextTree: 0}
	s.logon = newLogon(c.host)
	c.sessions[s.id] = s
	return s
}

// connect connects a share, by its path or name.
func (s *session) connect(h *Host, path string) (*tree, status.NTStatus) {
	share := h.World.share(lastPart(path))
	switch {
	case share == nil:
		return nil, status.BadNetworkName
	case !h.Profile.tree(s.who, share):
		return nil, status.AccessDenied
	case len(s.trees) >= maxTrees:
		return nil, status.InsufficientResources
	}
	s.nextTree++
	t := &tree{s.nextTree, share}
	s.trees[t.id] = t
	return t, status.Success
}

func lastPart(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '\\' {
			return path[i+1:]
		}
	}
	return path
}

// open opens a pipe by its name without \pipe\, or a share's folder.
func (s *session) open(h *Host, t *tree, name string) (*opened, status.NTStatus) {
	if t.share.Type&^shareSpecial != shareIPC {
		if name == "" || name == "." {
			return &opened{tree: t}, status.Success
		}
		return nil, status.ObjectNameNotFound
	}
	p := h.Profile
	switch {
	case p.Windows && !p.pipe(s.who, name): // [MS-SMB2] 3.3.5.9: the list is checked first
		return nil, status.AccessDenied
	case !p.has(name):
		return nil, status.ObjectNameNotFound
	case !p.pipe(s.who, name):
		return nil, status.AccessDenied
	}
	c := &caller{host: h, session: s, who: s.who, account: s.account, handles: handles{}}
	o := &opened{tree: t, name: name, caller: c}
	if equalFold(name, sqlPipe) {
		o.pipe = &sql{}
	} else {
		o.pipe = h.endpoint(name, c).NewServer()
	}
	return o, status.Success
}

// ntStatus returns the status in an error, or a default.
func ntStatus(err error, other status.NTStatus) status.NTStatus {
	var s status.NTStatus
	if errors.As(err, &s) {
		return s
	}
	return other
}

// fragment is an RPC response PDU that is never the last: the Endless fault.
func fragment(callID uint32) []byte {
	b := make([]byte, 24+64)
	copy(b, []byte{5, 0, 2, 0, 0x10})
	binary.LittleEndian.PutUint16(b[8:], uint16(len(b)))
	binary.LittleEndian.PutUint32(b[12:], callID)
	return b
}

// version is the version of an NTLM challenge.
func (p *Profile) version() ntlm.Version {
	return ntlm.Version{Major: byte(p.Version[0]), Minor: byte(p.Version[1]), Build: uint16(p.Version[2]), Revision: 15}
}

package smbtest

import (
	"encoding/binary"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// caller is the identity that has a pipe open, and the handles opened through it.
type caller struct {
	host    *Host
	session *session
	who     model.Identity
	account string // as the server knows the caller
	handles handles
}

// handles are those of an association group: what one pipe opened is good on every pipe of the group.
type handles map[dcerpc.Handle]object

// maxGroups bounds the association groups of a session: far more than any client has pipes.
const maxGroups = 1024

// join puts the caller's pipe into an association group of its session, or into a new one. See [MS-RPCE] 3.3.1.5.4.
func (c *caller) join(group uint32) uint32 {
	if known := c.session.groups[group]; known != nil {
		c.handles = known
		return group
	}
	group = 0x53F0 + uint32(len(c.session.groups))
	if c.session.groups == nil {
		c.session.groups = map[uint32]handles{}
	}
	if len(c.session.groups) < maxGroups {
		c.session.groups[group] = c.handles
	}
	return group
}

// object is what a handle refers to.
type object struct {
	kind string
	name string // the domain or registry key
	rid  uint32
}

// maxHandles bounds the open handles of a group.
const maxHandles = 1024

func (c *caller) open(o object) dcerpc.Handle {
	c.session.nextHandle++
	var h dcerpc.Handle
	binary.LittleEndian.PutUint64(h[4:], c.session.nextHandle)
	copy(h[12:], "practice")
	if len(c.handles) < maxHandles {
		c.handles[h] = o
	}
	return h
}

func (c *caller) get(h dcerpc.Handle, kind string) (object, bool) {
	o, ok := c.handles[h]
	return o, ok && o.kind == kind
}

// may reports whether the caller is given a kind of data.
func (c *caller) may(d model.Disclosure) bool { return c.host.Profile.discloses(c.who, d) }

// op carries out one call.
type op func(c *caller, stub []byte) ([]byte, error)

// on returns an op for a function on the decoded request.
func on[Q any, P interface {
	*Q
	dcerpc.Message
}](f func(c *caller, q P) dcerpc.Message,
) op {
	return func(c *caller, stub []byte) ([]byte, error) {
		q := P(new(Q))
		if err := dcerpc.UnmarshalNDR(stub, false, q); err != nil {
			return nil, err
		}
		return dcerpc.AppendNDR(nil, f(c, q)), nil
	}
}

// opsOf returns the calls of an interface. One without is known to the endpoint mapper and binds, and has no call that
// the probes may use.
func opsOf(id dcerpc.SyntaxID) (ops map[uint16]op, known bool) {
	switch id {
	case dcerpc.SAMR:
		return samrOps, true
	case dcerpc.LSARPC:
		return lsaOps, true
	case dcerpc.NETLOGON:
		return netlogonOps, true
	case dcerpc.SRVSVC:
		return srvsvcOps, true
	case dcerpc.WKSSVC:
		return wkssvcOps, true
	case dcerpc.DSSETUP:
		return dssetupOps, true
	case dcerpc.SPOOLSS:
		return spoolssOps, true
	case dcerpc.SVCCTL:
		return svcctlOps, true
	case dcerpc.WINREG:
		return winregOps, true
	case dcerpc.ATSVC:
		return atsvcOps, true
	case dcerpc.NETDFS:
		return netdfsOps, true
	case dcerpc.EVENTLOG:
		return eventlogOps, true
	case dcerpc.EPMAPPER:
		return epmapperOps, true
	case dcerpc.PLUGPLAY:
		return plugplayOps, true
	case dcerpc.BROWSER, dcerpc.INITSHUTDOWN, dcerpc.EFSRPC, dcerpc.EFSRPCLsa, dcerpc.DRSUAPI, dcerpc.BACKUPKEY,
		dcerpc.DNSSERVER, dcerpc.FSRVP:
		return nil, true
	}
	return nil, false
}

// endpoint returns the server's end of a pipe for one caller.
func (h *Host) endpoint(pipe string, c *caller) *dcerpc.Endpoint {
	e := &dcerpc.Endpoint{
		Secondary: `\PIPE\` + h.Profile.secondary(pipe),
		Handlers:  map[dcerpc.SyntaxID]dcerpc.Handler{},
		Group:     c.join,
	}
	for _, id := range h.Profile.behind(pipe) {
		table, _ := opsOf(id)
		e.Handlers[id] = func(opnum uint16, stub []byte) ([]byte, error) {
			f := table[opnum]
			if f == nil {
				return nil, status.FaultOpRangeError
			}
			return f(c, stub)
		}
	}
	return e
}

package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// Pipe is one pipe that strangers may open, and what they may do on it.
type Pipe struct {
	Pipe string `json:"pipe"` // such as spoolss
	// Empty allows the interfaces that are known on this pipe.
	Interfaces []Interface `json:"interfaces,omitempty"`
}

// Interface is one RPC interface and its allowed calls.
type Interface struct {
	Interface string `json:"interface"`       // a name such as srvsvc, or a UUID
	Calls     Calls  `json:"calls,omitempty"` // empty is every call
}

// Calls are names or numbers of an interface's calls. A policy may write numbers with or without quotes.
type Calls []string

// UnmarshalJSON accepts strings and numbers.
func (c *Calls) UnmarshalJSON(b []byte) error {
	var list []any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&list) != nil {
		return errors.New("calls: not a list of names and numbers")
	}
	*c = nil
	for _, v := range list {
		switch v := v.(type) {
		case string:
			*c = append(*c, v)
		case json.Number:
			*c = append(*c, v.String())
		default:
			return fmt.Errorf("calls: %v is neither a name nor a number", v)
		}
	}
	return nil
}

// rules are the pipes that a stranger may open, by lower-case name.
type rules map[string]interfaces

// interfaces are the interfaces that may be bound on a pipe.
type interfaces map[dcerpc.UUID]calls

// calls are the allowed calls by number; nil is every call.
type calls map[uint16]bool

// compile translates the names of a policy to the protocol's numbers and UUIDs.
func compile(pipes []Pipe) (rules, error) {
	r := rules{}
	for _, p := range pipes {
		name := pipeName(p.Pipe)
		if name == "" {
			return nil, fmt.Errorf("%q is no pipe", p.Pipe)
		}
		if _, twice := r[name]; twice {
			return nil, fmt.Errorf("pipe %s: twice", name)
		}
		allowed := interfaces{}
		for _, i := range p.Interfaces {
			id, known, err := interfaceOf(i.Interface)
			if err == nil {
				allowed[id], err = callsOf(known, i.Calls)
			}
			if err != nil {
				return nil, fmt.Errorf("pipe %s: %w", name, err)
			}
		}
		if len(p.Interfaces) == 0 {
			for _, i := range dcerpc.Interfaces() {
				for _, on := range i.Pipes {
					if strings.EqualFold(on, name) {
						allowed[i.Syntax.UUID] = nil
					}
				}
			}
		}
		if len(allowed) == 0 {
			return nil, fmt.Errorf("pipe %s: no interface is known to live there: name those that may be bound", name)
		}
		r[name] = allowed
	}
	return r, nil
}

func interfaceOf(name string) (dcerpc.UUID, *dcerpc.Interface, error) {
	id, err := dcerpc.ParseUUID(name)
	for _, i := range dcerpc.Interfaces() {
		if err == nil && i.Syntax.UUID == id || err != nil && strings.EqualFold(i.Name, name) {
			return i.Syntax.UUID, i, nil
		}
	}
	if err != nil {
		return id, nil, fmt.Errorf("interface %q is not known: give its UUID", name)
	}
	return id, nil, nil
}

func callsOf(i *dcerpc.Interface, names []string) (calls, error) {
	if len(names) == 0 {
		return nil, nil
	}
	out := calls{}
	for _, name := range names {
		n, err := opnumOf(i, name)
		if err != nil {
			return nil, err
		}
		out[n] = true
	}
	return out, nil
}

func opnumOf(i *dcerpc.Interface, name string) (uint16, error) {
	if n, err := strconv.ParseUint(name, 10, 16); err == nil {
		return uint16(n), nil
	}
	if i != nil {
		for n, op := range i.Ops {
			if strings.EqualFold(op.Name, name) {
				return uint16(n), nil
			}
		}
	}
	return 0, fmt.Errorf("call %q is not known: give its number", name)
}

// pipeName normalizes a pipe's name; empty is a name that is not allowed. Variants that servers accept, such as a
// leading \pipe\, are refused: no client needs them.
func pipeName(s string) string {
	s = lower(strings.TrimPrefix(s, `\`))
	if s == "" || strings.ContainsAny(s, "\\/:\x00") || strings.TrimSpace(s) != s {
		return ""
	}
	return s
}

// lower folds the case of ASCII letters alone: servers fold others differently, and the Kelvin sign is a k only to
// some.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// join adds the rules of another exception.
func (r rules) join(more rules) rules {
	out := rules{}
	for _, one := range []rules{r, more} {
		for name, allowed := range one {
			if out[name] == nil {
				out[name] = interfaces{}
			}
			for id, may := range allowed {
				if had, ok := out[name][id]; ok {
					may = had.join(may)
				}
				out[name][id] = may
			}
		}
	}
	return out
}

func (c calls) join(more calls) calls {
	if c == nil || more == nil {
		return nil
	}
	out := calls{}
	for _, one := range []calls{c, more} {
		for n := range one {
			out[n] = true
		}
	}
	return out
}

const (
	// maxOpens bounds a stranger's open pipes, and maxTrees its connections to IPC$: clients need one or two.
	maxOpens = 64
	maxTrees = 16

	// maxContexts bounds the interfaces bound on a pipe.
	maxContexts = 32
)

// conversation is the state of a stranger's session.
type conversation struct {
	rules rules

	mu    sync.Mutex
	trees map[uint32]bool
	opens map[smb2.FileID]*open
}

// open is a pipe that a stranger has open.
type open struct {
	reading
	allowed  interfaces
	contexts map[uint16]dcerpc.UUID
	shut     bool // something was refused: the server's state of the pipe is unknown
}

// See [MS-FSCC] 2.3 and [MS-SMB2] 2.2.31.
const (
	fsctlPipeTransceive    = 0x0011C017
	fsctlValidateNegotiate = 0x00140204
)

// stranger judges a request of a stranger who may use some pipes.
func (c *conn) stranger(h *smb2.Header, s *session, n int) error {
	if n+nbss.HeaderLen > roomLen {
		return refusal{ReasonTooMuch, fmt.Sprintf("a stranger's %v of %d bytes", h.Command, n)}
	}
	if err := c.up.fill(nbss.HeaderLen + n); err != nil {
		return unexpected(err)
	}
	msg := c.up.unread()[nbss.HeaderLen:][:n]
	wait, why := s.open.judge(h, msg)
	if why != nil && why.follows && c.observing() {
		return c.up.passRest()
	}
	if why != nil {
		c.rowAt(s.caller, why)
		no := refusal{ReasonPipe, why.String()}
		if h.IsSigned() && !c.observing() {
			// The client would drop a response without a signature, and wait for ever.
			return no
		}
		r := &refused{request: *h, status: status.AccessDenied}
		if why.fault != nil && h.Command == smb2.IOCTL {
			r.status, r.body = status.Success, why.fault
		}
		return c.refuse(r, no)
	}
	if wait != nil {
		if err := c.table.wait(h.MessageID, *wait); err != nil {
			return err
		}
	}
	return c.up.passRest()
}

// denial is a refused request.
type denial struct {
	layer model.Layer
	pipe  string
	uuid  string // of the interface
	what  string
	fault *smb2.IOCTLResponse // a response that RPC clients understand, if possible

	// follows is set if there is no such request once an earlier one is refused. It is not counted where that one is
	// only counted.
	follows bool
}

func (d *denial) String() string {
	if d.pipe == "" {
		return d.what
	}
	return d.pipe + ": " + d.what
}

// judge returns what of the response must be seen, or why the request is refused.
func (v *conversation) judge(h *smb2.Header, msg []byte) (*waiting, *denial) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch h.Command {
	case smb2.TreeConnect:
		return v.treeConnect(msg)
	case smb2.Echo, smb2.Cancel:
		return nil, nil
	case smb2.Logoff:
		return &waiting{logoff: h.SessionID}, nil
	}
	if h.IsAsync() || !v.trees[h.TreeID] {
		return nil, &denial{layer: model.LayerTree, what: h.Command.String() + " outside of IPC$", follows: true}
	}
	switch h.Command {
	case smb2.TreeDisconnect:
		delete(v.trees, h.TreeID)
		return nil, nil
	case smb2.Create:
		return v.create(msg)
	case smb2.IOCTL:
		return v.ioctl(msg)
	case smb2.Write:
		id, data, err := written(msg)
		if err != nil {
			return nil, &denial{layer: model.LayerCall, what: err.Error()}
		}
		return nil, v.data(id, data)
	case smb2.Close:
		var r smb2.CloseRequest
		if _, err := r.Unmarshal(msg); err != nil {
			return nil, &denial{layer: model.LayerOpen, what: err.Error()}
		}
		delete(v.opens, r.FileID)
		return nil, nil
	case smb2.Read, smb2.Flush, smb2.QueryInfo: // of an open that was allowed
		return nil, nil
	}
	return nil, &denial{layer: model.LayerCall, what: h.Command.String()}
}

// treeConnect allows only IPC$.
func (v *conversation) treeConnect(msg []byte) (*waiting, *denial) {
	var r smb2.TreeConnectRequest
	if _, err := r.Unmarshal(msg); err != nil || r.Flags&smb2.TreeExtensionPresent != 0 {
		return nil, &denial{layer: model.LayerTree, what: "a TREE_CONNECT of no simple form"}
	}
	// A path at any other offset is interpreted differently by different servers.
	const fixed = smb2.HeaderLen + 8
	if r.PathOffset != fixed {
		return nil, &denial{layer: model.LayerTree, what: "a path that lies elsewhere"}
	}
	path := r.Path.String()
	if share := path[strings.LastIndexByte(path, '\\')+1:]; !strings.EqualFold(share, "IPC$") ||
		len(v.trees) >= maxTrees {
		return nil, &denial{layer: model.LayerTree, what: "another share than IPC$"}
	}
	return &waiting{connected: v.connected}, nil
}

// connected records a tree, which must be one of pipes.
func (v *conversation) connected(tree uint32, pipes bool) error {
	if !pipes {
		return errors.New("IPC$ is no share of pipes")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trees[tree] = true
	return nil
}

// create allows the pipes of the policy.
func (v *conversation) create(msg []byte) (*waiting, *denial) {
	var r smb2.CreateRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return nil, &denial{layer: model.LayerOpen, what: err.Error()}
	}
	name := pipeName(r.Name.String())
	allowed, ok := v.rules[name]
	if len(r.Name)%2 != 0 || r.NameOffset != smb2.HeaderLen+56 || !ok || len(v.opens) >= maxOpens {
		return nil, &denial{
			layer: model.LayerOpen,
			pipe:  r.Name.String(),
			what:  "not one of the pipes that may be opened",
		}
	}
	o := &open{reading: newReading(name), allowed: allowed, contexts: map[uint16]dcerpc.UUID{}}
	return &waiting{opened: func(id smb2.FileID) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.opens[id] = o
	}}, nil
}

func (v *conversation) ioctl(msg []byte) (*waiting, *denial) {
	var r smb2.IOCTLRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return nil, &denial{layer: model.LayerCall, what: err.Error()}
	}
	switch r.CtlCode {
	case fsctlValidateNegotiate:
		return nil, nil
	case fsctlPipeTransceive:
		data, err := transceived(&r)
		if err != nil {
			return nil, &denial{layer: model.LayerCall, what: err.Error()}
		}
		why := v.data(r.FileID, data)
		if why != nil && why.fault != nil {
			why.fault.CtlCode, why.fault.FileID = r.CtlCode, r.FileID
		}
		return nil, why
	}
	return nil, &denial{layer: model.LayerCall, what: fmt.Sprintf("FSCTL 0x%08X", r.CtlCode)}
}

// Servers look for data in different bytes if they do not lie where all clients put them, or have others beside them:
// some take the offset, others expect the data behind the fixed part.
const (
	writeFixed = smb2.HeaderLen + 48
	ioctlFixed = smb2.HeaderLen + 56
)

var errElsewhere = errors.New("data for a pipe that servers may look for elsewhere")

// written returns what a WRITE sends to a pipe.
func written(msg []byte) (smb2.FileID, []byte, error) {
	var r smb2.WriteRequest
	_, err := r.Unmarshal(msg)
	if err == nil && (r.Channel != 0 || r.ChannelOffset != 0 || len(r.ChannelInfo) > 0 ||
		len(r.Data) > 0 && r.DataOffset != writeFixed) {
		err = errElsewhere
	}
	return r.FileID, r.Data, err
}

// transceived returns what an FSCTL_PIPE_TRANSCEIVE sends to a pipe.
func transceived(r *smb2.IOCTLRequest) ([]byte, error) {
	if len(r.Output) > 0 || len(r.Input) > 0 && r.InputOffset != ioctlFixed {
		return nil, errElsewhere
	}
	return r.Input, nil
}

// data judges data for a pipe, which must be whole packets: of a packet in pieces, a server that takes each write for a
// message sees other packets than one that takes them for a stream. A server acts only on whole packets, so the last
// piece of a refused one never reaches it, and the pipe is closed to further data. A refused call in a single packet
// leaves nothing at the server, and the pipe stays usable.
func (v *conversation) data(id smb2.FileID, b []byte) *denial {
	o := v.opens[id]
	switch {
	case o == nil:
		return &denial{layer: model.LayerCall, what: "data for a pipe that is not open", follows: true}
	case o.shut:
		why := o.deny("data behind something that was refused")
		why.follows = true
		return why
	}
	const whole = dcerpc.FlagFirst | dcerpc.FlagLast
	alone := true
	why := o.take(b, func(p *dcerpc.PDU) *denial {
		why := rpcJudge{o.bind, o.call}.packet(p)
		if why != nil && alone && p.Type == dcerpc.TypeRequest && p.Flags&whole == whole && o.requests.Idle() {
			why.fault = faultOf(p)
		}
		alone = false
		return why
	})
	if why == nil && o.requests.Partial() {
		why = o.deny("a packet that does not end with its write")
	}
	o.shut = why != nil && why.fault == nil
	return why
}

// bind allows the interfaces of the policy.
func (o *open) bind(x dcerpc.Context) *denial {
	id := x.Abstract.UUID
	if had, ok := o.contexts[x.ID]; ok && had != id {
		return deniedBind(x, "a number that another interface has already")
	}
	if _, ok := o.allowed[id]; !ok || len(o.contexts) >= maxContexts {
		return deniedBind(x, "interface "+nameOf(x.Abstract))
	}
	o.contexts[x.ID] = id
	return nil
}

// call allows the calls of the policy.
func (o *open) call(q dcerpc.Request) *denial {
	id, ok := o.contexts[q.ContextID]
	if may := o.allowed[id]; !ok || may != nil && !may[q.Opnum] {
		return deniedCall(id, fmt.Sprintf("call %d", q.Opnum))
	}
	return nil
}

// faultOf returns the response of a server that refuses a call. See [MS-RPCE] 3.3.1.5.2.
func faultOf(p *dcerpc.PDU) *smb2.IOCTLResponse {
	const accessDenied status.Fault = 5 // nca_s_fault_access_denied
	q, err := p.Request()
	if err != nil {
		return nil
	}
	b, err := dcerpc.AppendPDU(nil, dcerpc.Header{
		Type: dcerpc.TypeFault, Flags: dcerpc.FlagFirst | dcerpc.FlagLast | dcerpc.FlagDidNotExecute, CallID: p.CallID,
	}, &dcerpc.FaultBody{ContextID: q.ContextID, Status: accessDenied}, nil)
	if err != nil {
		return nil // a fault has a few bytes and always fits
	}
	return &smb2.IOCTLResponse{Output: b}
}

func nameOf(s dcerpc.SyntaxID) string {
	if i := dcerpc.LookupInterface(s); i != nil {
		return i.Name
	}
	return s.UUID.String()
}

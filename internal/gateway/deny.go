package gateway

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"unicode"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
)

// Users' bytes are never changed, and the gateway cannot answer for the server: it has no key to sign with. A user's
// denials are therefore enforced by closing the connection, and only in traffic that can be read: SMB2 and 3 without
// encryption and compression, on a connection that has seen the tree connect. Sessions that cannot be read are counted
// and logged.

// Refusal lists what some users may not do.
type Refusal struct {
	Clients Networks `json:"clients,omitempty"` // from these addresses; empty is any
	Servers []string `json:"servers,omitempty"` // to these, as the listeners name them; empty is any
	Deny    []Denied `json:"deny"`
	Why     string   `json:"why,omitempty"` // for people
}

// Denied is one thing that users may not do: open a pipe; or bind an interface, or make some of its calls, on any pipe.
type Denied struct {
	Pipe      string `json:"pipe,omitempty"`
	Interface string `json:"interface,omitempty"` // a name such as svcctl, or a UUID
	Calls     Calls  `json:"calls,omitempty"`     // of the interface; empty denies binding it
}

// denials combines the denied pipes and interfaces of one or more Refusals.
type denials struct {
	pipes      map[string]bool
	interfaces map[dcerpc.UUID]calls // nil denies the interface itself
}

func (d *denials) any() bool { return len(d.pipes)+len(d.interfaces) > 0 }

// add adds one entry. It fails if the entry is invalid.
func (d *denials) add(x Denied) error {
	if (x.Pipe == "") == (x.Interface == "") {
		return fmt.Errorf("deny has either a pipe or an interface, and not both")
	}
	if d.pipes == nil {
		d.pipes, d.interfaces = map[string]bool{}, map[dcerpc.UUID]calls{}
	}
	if x.Pipe != "" {
		name := plainPipe(x.Pipe)
		if name == "" || len(x.Calls) > 0 {
			return fmt.Errorf("%q is no pipe, or has calls, which belong to an interface", x.Pipe)
		}
		d.pipes[name] = true
		return nil
	}
	id, known, err := interfaceOf(x.Interface)
	if err != nil {
		return err
	}
	may, err := callsOf(known, x.Calls)
	if err != nil {
		return err
	}
	if had, ok := d.interfaces[id]; ok {
		may = had.join(may)
	}
	d.interfaces[id] = may
	return nil
}

// checkUsers checks the refusals and compiles them.
func (p *Policy) checkUsers() error {
	for i := range p.Users {
		r, d := &p.Users[i], denials{}
		if len(r.Deny) == 0 {
			return fmt.Errorf("gateway: users, entry %d: it denies nothing", i+1)
		}
		if err := checkWhere(r.Clients, r.Servers); err != nil {
			return fmt.Errorf("gateway: users, entry %d: %w", i+1, err)
		}
		for _, x := range r.Deny {
			if err := d.add(x); err != nil {
				return fmt.Errorf("gateway: users, entry %d: %w", i+1, err)
			}
		}
	}
	return nil
}

// denies returns what a user of a client is denied at a server; nil is nothing.
func (p *Policy) denies(client netip.Addr, server string) *denials {
	d := new(denials)
	for i := range p.Users {
		if r := &p.Users[i]; here(r.Clients, r.Servers, client, server) {
			for _, x := range r.Deny {
				_ = d.add(x) // Check has validated it
			}
		}
	}
	if !d.any() {
		return nil
	}
	return d
}

// plainPipe normalizes a pipe's name as servers do, and further: it removes a path before it and everything from a
// colon or a NUL on, and folds the case of letters of all alphabets. It treats more names as equal than any server
// does, which a list of denials requires.
func plainPipe(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	s = strings.TrimRight(s, `\/. `)
	s = s[strings.LastIndexAny(s, `\/`)+1:]
	s, _, _ = strings.Cut(s, ":")
	s = strings.TrimFunc(s, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
	// Both conversions are needed for letters that have only one of the cases, such as ſ.
	return strings.ToLower(strings.ToUpper(s))
}

// watch is the state of a session whose user is denied something. All connections of the session share it: with
// multichannel, a pipe opened on one connection is used on another.
type watch struct {
	mu    sync.Mutex
	users int // number of connections
	deny  *denials
	late  bool // the session began before the watch, so some of its trees are unknown
	trees map[uint32]tree
	turn  int // number of TREE_DISCONNECT requests sent
	floor int // the turn when trees were last discarded
	opens map[smb2.FileID]*watched
	blind string // why some of it could not be read; logged once
}

// tree is a tree of a watched session. A tree that is not known to hold files may hold pipes: a response may be in
// transit, and the client may guess its content.
type tree struct {
	files bool
	ended int // the turn of the last TREE_DISCONNECT that named it
}

// watched is a pipe that such a user has open.
type watched struct {
	reading
	// All interfaces that were ever bound under an id: the server decides which of them counts.
	contexts map[uint16][]dcerpc.UUID
	begun    bool // data was sent
	other    bool // its first byte shows that it does not carry RPC
	answered bool // the server has answered that data
}

// member is the state between the messages of a compound: what related messages refer to.
type member struct {
	session uint64
	tree    uint32
	file    smb2.FileID
	opening *watched // opened by a previous message, whose response gives its FileID

	connecting bool // a previous message connects the tree
}

const (
	// maxWatched bounds a user's watched pipes: Windows allows 64 Ki opens in a session, and programs use a handful.
	maxWatched = 1024

	// maxKnown bounds a user's known trees: a session of a terminal server has some for each of its users.
	maxKnown = 4096
)

// pipes reports whether a tree may hold pipes.
func (v *watch) pipes(id uint32) bool {
	t, known := v.trees[id]
	return !t.files && (known || !v.late)
}

// ends records a TREE_DISCONNECT: from now on the server may reuse the id.
func (v *watch) ends(id uint32) {
	v.turn++
	if len(v.trees) >= maxKnown {
		maps.DeleteFunc(v.trees, func(_ uint32, t tree) bool { return !t.files })
		v.floor = v.turn
	}
	v.trees[id] = tree{ended: v.turn}
}

// connected records the response to a TREE_CONNECT that was sent in a turn. If the tree was disconnected since, the
// response may be about its predecessor.
func (v *watch) connected(id uint32, pipes bool, turn int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	t, known := v.trees[id]
	if !known {
		t.ended = v.floor
	}
	t.files = !pipes && t.ended <= turn
	if known || len(v.trees) < maxKnown {
		v.trees[id] = t
	}
}

// reads reports whether a message of the session must be read in full.
func (v *watch) reads(h *smb2.Header, at *member) bool {
	switch h.Command {
	case smb2.TreeConnect, smb2.TreeDisconnect:
		return true
	case smb2.Create, smb2.IOCTL, smb2.Write, smb2.Close:
		return h.IsAsync() || at.connecting || v.pipes(at.tree)
	}
	return false
}

// watch judges a message of n bytes of a user who is denied something; at is the state of the compound. It does not
// forward the message. An error closes the connection.
func (c *conn) watch(h *smb2.Header, s *session, n, lead int, at *member) error {
	v := s.watch
	v.mu.Lock()
	reads := v.reads(h, at)
	v.mu.Unlock()
	switch {
	case h.Flags&smb2.FlagRelated != 0 && h.TreeID != at.tree && h.TreeID != relatedTree && h.TreeID != 0:
		return c.denied(s, &denial{layer: model.LayerTree, what: "a related request in another tree"})
	case !reads:
		return nil
	}
	if lead+n > roomLen {
		return c.denied(s, &denial{layer: model.LayerCall, what: fmt.Sprintf("%v of %d bytes on a pipe", h.Command, n)})
	}
	if err := c.up.fill(lead + n); err != nil {
		return unexpected(err)
	}
	msg := c.up.unread()[lead:][:n]
	v.mu.Lock()
	wait, why := v.judge(h, msg, at)
	v.mu.Unlock()
	if why != nil {
		return c.denied(s, why)
	}
	if wait == nil {
		return nil
	}
	return c.table.wait(h.MessageID, *wait)
}

// denied reports a denial to a user and returns the error that closes the connection.
func (c *conn) denied(s *session, why *denial) error {
	c.rowAt(s.caller, why)
	return refusal{ReasonUser, why.String()}
}

// judge returns what of the response must be seen, or the denial.
func (v *watch) judge(h *smb2.Header, msg []byte, at *member) (*waiting, *denial) {
	if h.IsAsync() {
		return nil, &denial{layer: model.LayerTree, what: "a request that hides its tree"}
	}
	switch h.Command {
	case smb2.TreeConnect:
		at.connecting = true
		turn := v.turn
		return &waiting{connected: func(id uint32, pipes bool) error {
			v.connected(id, pipes, turn)
			return nil
		}}, nil
	case smb2.TreeDisconnect:
		v.ends(at.tree)
	case smb2.Create:
		return v.create(msg, at)
	case smb2.Close:
		var r smb2.CloseRequest
		if _, err := r.Unmarshal(msg); err == nil {
			v.of(r.FileID, at)
			delete(v.opens, at.file)
		}
	case smb2.Write:
		id, data, err := written(msg)
		if err != nil {
			return nil, &denial{layer: model.LayerCall, what: err.Error()}
		}
		return v.data(v.of(id, at), data)
	case smb2.IOCTL:
		var r smb2.IOCTLRequest
		if _, err := r.Unmarshal(msg); err != nil {
			return nil, &denial{layer: model.LayerCall, what: "an IOCTL on a pipe that does not decode"}
		}
		if r.CtlCode == fsctlPipeTransceive {
			data, err := transceived(&r)
			if err != nil {
				return nil, &denial{layer: model.LayerCall, what: err.Error()}
			}
			return v.data(v.of(r.FileID, at), data)
		}
	}
	return nil, nil
}

// of returns the pipe that a message refers to; nil if this connection has not seen it opened.
func (v *watch) of(id smb2.FileID, at *member) *watched {
	if id == smb2.RelatedFileID {
		if at.opening != nil {
			return at.opening
		}
		return v.opens[at.file]
	}
	at.file, at.opening = id, nil
	return v.opens[id]
}

// create allows all pipes except the denied ones.
func (v *watch) create(msg []byte, at *member) (*waiting, *denial) {
	var r smb2.CreateRequest
	if _, err := r.Unmarshal(msg); err != nil || len(v.opens) >= maxWatched {
		return nil, &denial{layer: model.LayerOpen, what: "a CREATE that does not decode, or too many pipes"}
	}
	name := plainPipe(r.Name.String())
	if v.deny.pipes[name] {
		return nil, &denial{layer: model.LayerOpen, pipe: name, what: "denied to users"}
	}
	o := &watched{reading: newReading(name), contexts: map[uint16][]dcerpc.UUID{}}
	at.opening = o
	return &waiting{opened: func(id smb2.FileID) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.opens[id] = o
	}}, nil
}

// data judges data for a pipe. A pipe whose first byte is not RPC's carries another protocol, such as SQL Server's; it
// is known once the server has received that byte.
func (v *watch) data(o *watched, b []byte) (*waiting, *denial) {
	switch {
	case o == nil:
		return nil, &denial{layer: model.LayerCall, what: "data for a pipe that was not seen to be opened"}
	case len(v.deny.interfaces) == 0 || len(b) == 0:
		return nil, nil
	case !o.begun:
		const version = 5 // of RPC, the first byte of each of its packets
		o.begun, o.other = true, b[0] != version
	case o.other && !o.answered && o.flying.Load() > 0:
		return nil, &denial{layer: model.LayerCall, pipe: o.name, what: "more data before the first were answered"}
	case o.other:
		o.answered = true
		return nil, nil
	}
	if !o.other {
		if why := v.packets(o, b); why != nil {
			return nil, why
		}
	}
	o.flying.Add(1)
	return &waiting{data: &o.reading}, nil
}

// packets judges the RPC packets in data for a pipe. A later piece of a packet is also judged as if packets began in
// it: a server may take each write for a message.
//
// A server may process two concurrent requests in either order. So the pieces of a packet are sent only after the
// previous ones were answered: in another order they would form another packet.
func (v *watch) packets(o *watched, b []byte) *denial {
	judge := rpcJudge{
		bind: func(x dcerpc.Context) *denial { return v.bind(o, x) },
		call: func(q dcerpc.Request) *denial { return v.call(o, q) },
	}.packet
	later := o.requests.Partial()
	if later {
		message := newReading(o.name)
		message.requests.Push(b)
		for p, whole, err := message.requests.NextPacket(); whole && err == nil; {
			if why := judge(&p); why != nil {
				why.pipe = o.name
				return why
			}
			p, whole, err = message.requests.NextPacket()
		}
	}
	if why := o.take(b, judge); why != nil {
		return why
	}
	if o.flying.Load() > 0 && (later || o.requests.Partial()) {
		return o.deny("a packet in pieces, sent before the data ahead of it were answered")
	}
	return nil
}

// bind denies the interfaces of the policy.
func (v *watch) bind(o *watched, x dcerpc.Context) *denial {
	id := x.Abstract.UUID
	if may, ok := v.deny.interfaces[id]; ok && may == nil {
		return deniedBind(x, "interface "+nameOf(x.Abstract)+" is denied to users")
	}
	if had := o.contexts[x.ID]; len(o.contexts) >= maxWatched || len(had) >= maxContexts {
		return deniedBind(x, "too many interfaces")
	} else if !slices.Contains(had, id) {
		o.contexts[x.ID] = append(had, id)
	}
	return nil
}

// call denies the calls of the policy.
func (v *watch) call(o *watched, q dcerpc.Request) *denial {
	for _, id := range o.contexts[q.ContextID] {
		if v.deny.interfaces[id][q.Opnum] {
			return deniedCall(id, fmt.Sprintf("call %d is denied to users", q.Opnum))
		}
	}
	return nil
}

// unseen logs, once a session, that denials cannot be enforced because the session cannot be read.
func (c *conn) unseen(s *session, why string) {
	if s == nil || s.watch == nil {
		return
	}
	s.watch.mu.Lock()
	first := s.watch.blind == ""
	s.watch.blind = why
	s.watch.mu.Unlock()
	if first {
		c.g.stats.unread()
		c.g.log(slog.LevelWarn, "cannot be read, so what the policy denies to users is not refused", "client", c.client,
			"server", c.server, "account", s.account, "because", why)
	}
}

// watchKey identifies a session of a server.
type watchKey struct {
	server  string
	session uint64
}

// watches holds the watched sessions.
type watches struct {
	mu   sync.Mutex
	list map[watchKey]*watch
}

// join returns the watch of a session for one more connection. late says that the session began before; otherwise it is
// a new one, even if another connection has one with this id: some servers number the sessions of each connection.
func (w *watches) join(k watchKey, d *denials, late bool) *watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.list[k]
	if v == nil || !late {
		v = &watch{deny: d, late: late, trees: map[uint32]tree{}, opens: map[smb2.FileID]*watched{}}
		if w.list == nil {
			w.list = map[watchKey]*watch{}
		}
		w.list[k] = v
	}
	v.users++
	return v
}

// leave removes a connection from a watch.
func (w *watches) leave(k watchKey, v *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v.users--; v.users <= 0 && w.list[k] == v {
		delete(w.list, k)
	}
}

// over ends a watch for all connections: the server may reuse the session's id.
func (w *watches) over(k watchKey, v *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list[k] == v {
		delete(w.list, k)
	}
}

// join makes the connection watch a session until one of them ends.
func (c *conn) join(k watchKey, d *denials, late bool) *watch {
	v := c.joined[k]
	if v != nil && late {
		return v
	}
	if v != nil {
		c.g.watches.leave(k, v)
	}
	if c.joined == nil {
		c.joined = map[watchKey]*watch{}
	}
	v = c.g.watches.join(k, d, late)
	c.joined[k] = v
	return v
}

// unwatch ends the watch of a session that has ended.
func (c *conn) unwatch(k watchKey) {
	if v := c.joined[k]; v != nil {
		c.g.watches.over(k, v)
		c.g.watches.leave(k, v)
		delete(c.joined, k)
	}
}

// frameOf returns the number of bytes before a message, which is the first of a frame or a later one.
func frameOf(first bool) int {
	if first {
		return nbss.HeaderLen
	}
	return 0
}

package gateway

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// somePolicy allows null sessions srvsvc, and two calls of lsarpc.
func somePolicy() Policy {
	return Policy{Strangers: []Exception{{
		As: []model.Identity{model.Anonymous}, Allow: somePipes, Pipes: []Pipe{
			{Pipe: "srvsvc"},
			{
				Pipe: "lsarpc",
				Interfaces: []Interface{
					{"lsarpc", []string{"0", "LsarOpenPolicy", "LsarOpenPolicy2", "LsarQueryInformationPolicy"}},
				},
			},
		},
	}}}
}

// TestPipes allows real clients the pipes, interfaces and calls of the policy, and no others.
func TestPipes(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "rpcclient", "smbclient")
	l := startLab(t, peer.Config{}, Route{Policy: somePolicy()})
	null := peer.Client{From: l.samba.Machine}
	for _, c := range []struct {
		command string
		allowed bool
	}{
		{"srvinfo", true},
		{"netshareenum 1", true},
		{"lsaquery", true},
		{"lookupsids S-1-5-32-544", false},
		{"enumdomusers", false},
		{"querydominfo", false},
	} {
		if a := null.RPC(t, l.direct, c.command); !a.OK() {
			t.Fatalf("the control failed: %s directly: %v", c.command, a)
		}
		if a := null.RPC(t, l.through, c.command); a.OK() != c.allowed ||
			!c.allowed && !strings.Contains(a.Text, "ACCESS_DENIED") {
			t.Errorf("%s through the gateway: %v", c.command, a)
		}
	}
	if a := null.Share(t, l.through, "public", "ls"); a.Status != "STATUS_ACCESS_DENIED" {
		t.Errorf("another share: %v", a)
	}
	user := peer.Client{From: l.samba.Machine, User: "labadmin", Password: peer.Password}
	if a := user.RPC(t, l.through, "enumdomusers"); !a.OK() {
		t.Errorf("a user: %v", a)
	}
	if l.rows.count(model.Anonymous, model.Denied) == 0 || l.Stats().Refused[ReasonPipe] == 0 {
		t.Error("refusals were not told")
	}
}

// ipc is a null session on IPC$.
type ipc struct {
	*wire
	tid uint32
}

func (w *ipc) in(m *smb2.Message) { m.Header.TreeID = w.tid }

func (w *ipc) connect() {
	w.t.Helper()
	if st := w.null(wrapped, nil); st != status.Success {
		w.t.Fatalf("the null session: %v", st)
	}
	w.connectTree()
}

// connectUser is connect as a user of the server.
func (w *ipc) connectUser() {
	w.t.Helper()
	if st := w.user(); st != status.Success {
		w.t.Fatalf("the user: %v", st)
	}
	w.connectTree()
}

func (w *ipc) connectTree() {
	w.t.Helper()
	st, msg := w.ask(w.treeConnect())
	var h smb2.Header
	if err := h.Unmarshal(msg); st != status.Success || err != nil {
		w.t.Fatalf("IPC$: %v %v", st, err)
	}
	w.tid = h.TreeID
}

// open opens a pipe.
func (w *ipc) open(name string) (status.NTStatus, smb2.FileID) {
	w.t.Helper()
	st, msg := w.ask(w.message(smb2.Create, &smb2.CreateRequest{
		ImpersonationLevel: smb2.Impersonation, DesiredAccess: smb2.PipeAccess, ShareAccess: 7,
		CreateDisposition: smb2.FileOpen,
		Name:              smb2.EncodeText(name),
	}, w.in))
	var r smb2.CreateResponse
	if st == status.Success {
		if _, err := r.Unmarshal(msg); err != nil {
			w.t.Fatal(err)
		}
	}
	return st, r.FileID
}

func (w *ipc) write(id smb2.FileID, data []byte) status.NTStatus {
	w.t.Helper()
	st, _ := w.ask(w.message(smb2.Write, &smb2.WriteRequest{FileID: id, Data: data, Length: uint32(len(data))}, w.in))
	return st
}

func (w *ipc) transceive(id smb2.FileID, data []byte) status.NTStatus {
	w.t.Helper()
	st, _ := w.ask(w.message(smb2.IOCTL, &smb2.IOCTLRequest{
		CtlCode: fsctlPipeTransceive, FileID: id, Input: data, MaxOutputResponse: 4280, Flags: 1,
	}, w.in))
	return st
}

func packet(t testing.TB, typ dcerpc.PacketType, flags dcerpc.Flags, body dcerpc.Body) []byte {
	t.Helper()
	h := dcerpc.Header{Type: typ, Flags: flags, DataRep: [4]byte{0x10}, CallID: 1}
	b, err := dcerpc.AppendPDU(nil, h, body, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const whole = dcerpc.FlagFirst | dcerpc.FlagLast

// interfaceNamed finds an interface by its short name.
func interfaceNamed(t testing.TB, name string) dcerpc.SyntaxID {
	t.Helper()
	for _, i := range dcerpc.Interfaces() {
		if i.Name == name {
			return i.Syntax
		}
	}
	t.Fatalf("no interface %s", name)
	return dcerpc.SyntaxID{}
}

func bindTo(t testing.TB, typ dcerpc.PacketType, names ...string) []byte {
	t.Helper()
	b := &dcerpc.Bind{MaxXmit: 4280, MaxRecv: 4280}
	for i, name := range names {
		b.Contexts = append(b.Contexts, dcerpc.Context{
			ID: uint16(i), Abstract: interfaceNamed(t, name), Transfer: []dcerpc.SyntaxID{dcerpc.NDR20},
		})
	}
	return packet(t, typ, whole, b)
}

// TestPipeTricks tries to exceed the policy by other names and other fragmentation. Each step must have the given
// status.
func TestPipeTricks(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{}, Route{Policy: somePolicy()})
	for _, trick := range slices.Concat(bindTricks(), callTricks(), otherTricks()) {
		t.Run(trick.name, func(t *testing.T) {
			w := &ipc{wire: dialWith(t, l.samba.Dial, l.through)}
			w.negotiate(smb2.Dialect210)
			w.connect()
			if got := trick.play(w); !slices.Equal(got, trick.want) {
				t.Errorf("%v, want %v", got, trick.want)
			}
		})
	}
}

// pipeTrick is what a user tries at IPC$, and the answers that it wants.
type pipeTrick struct {
	name string
	play func(w *ipc) []status.NTStatus
	want []status.NTStatus
}

// bindTricks are binds to what the policy does not allow, or that hide what they bind.
func bindTricks() []pipeTrick {
	const ok, no = status.Success, status.AccessDenied
	return []pipeTrick{
		{"another interface on the pipe", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			return []status.NTStatus{w.write(id, bindTo(w.t, dcerpc.TypeBind, "samr"))}
		}, []status.NTStatus{no}},
		{"another interface beside the right one", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			return []status.NTStatus{w.write(id, bindTo(w.t, dcerpc.TypeBind, "lsarpc", "samr"))}
		}, []status.NTStatus{no}},
		{"another interface later", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			first := w.transceive(id, bindTo(w.t, dcerpc.TypeBind, "lsarpc"))
			return []status.NTStatus{first, w.transceive(id, bindTo(w.t, dcerpc.TypeAlterContext, "samr"))}
		}, []status.NTStatus{ok, no}},
		{"a bind in two pieces", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			b := bindTo(w.t, dcerpc.TypeBind, "samr")
			return []status.NTStatus{w.write(id, b[:20]), w.write(id, b[20:]), w.write(id, b)}
		}, []status.NTStatus{no, no, no}},
		{"the features of a bind beside the interface", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			features, err := dcerpc.ParseUUID("6cb71c2c-9812-4540-0300-000000000000") // [MS-RPCE] 2.2.2.14
			if err != nil {
				w.t.Fatal(err)
			}
			lsarpc := interfaceNamed(w.t, "lsarpc")
			b := packet(w.t, dcerpc.TypeBind, whole,
				&dcerpc.Bind{MaxXmit: 4280, MaxRecv: 4280, Contexts: []dcerpc.Context{
					{ID: 0, Abstract: lsarpc, Transfer: []dcerpc.SyntaxID{dcerpc.NDR20}},
					{ID: 1, Abstract: lsarpc, Transfer: []dcerpc.SyntaxID{{UUID: features, Major: 1}}},
				}})
			call := func(context uint16) []byte {
				return packet(w.t, dcerpc.TypeRequest, whole,
					&dcerpc.Request{ContextID: context, Opnum: 15, Stub: make([]byte, 8)})
			}
			return []status.NTStatus{
				w.transceive(id, b), w.write(id, call(1)), w.write(id, call(0)),
				w.write(id, call(2)),
			}
		}, []status.NTStatus{ok, no, no, no}},
	}
}

// callTricks are calls that the policy does not allow, as packets and fragments that hide them.
func callTricks() []pipeTrick {
	const ok, no = status.Success, status.AccessDenied
	return []pipeTrick{
		{"a packet that a server of messages finds behind half a packet", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			long := packet(w.t, dcerpc.TypeRequest, whole, &dcerpc.Request{Stub: make([]byte, 256)})
			call := packet(w.t, dcerpc.TypeRequest, whole, &dcerpc.Request{Opnum: 15, Stub: make([]byte, 232)})
			first := w.transceive(id, bindTo(w.t, dcerpc.TypeBind, "lsarpc"))
			return []status.NTStatus{first, w.write(id, long[:24]), w.write(id, call)}
		}, []status.NTStatus{ok, no, no}},
		{"two packets in one piece", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			request := packet(w.t, dcerpc.TypeRequest, whole, &dcerpc.Request{Opnum: 15, Stub: make([]byte, 8)})
			return []status.NTStatus{w.write(id, append(bindTo(w.t, dcerpc.TypeBind, "lsarpc"), request...))}
		}, []status.NTStatus{no}},
		{"a call that is not allowed, in fragments", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			first := w.transceive(id, bindTo(w.t, dcerpc.TypeBind, "lsarpc"))
			a := packet(w.t, dcerpc.TypeRequest, dcerpc.FlagFirst, &dcerpc.Request{Opnum: 15, Stub: make([]byte, 8)})
			b := packet(w.t, dcerpc.TypeRequest, dcerpc.FlagLast, &dcerpc.Request{Opnum: 15, Stub: make([]byte, 8)})
			return []status.NTStatus{first, w.write(id, a), w.write(id, b)}
		}, []status.NTStatus{ok, no, no}}, // each fragment contains the call
		{"fragments that disagree", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			first := w.transceive(id, bindTo(w.t, dcerpc.TypeBind, "lsarpc"))
			a := packet(w.t, dcerpc.TypeRequest, dcerpc.FlagFirst, &dcerpc.Request{Opnum: 0, Stub: make([]byte, 8)})
			b := packet(w.t, dcerpc.TypeRequest, dcerpc.FlagLast, &dcerpc.Request{Opnum: 15, Stub: make([]byte, 8)})
			return []status.NTStatus{first, w.write(id, a), w.write(id, b)}
		}, []status.NTStatus{ok, ok, no}},
		{"a call of an object", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			first := w.transceive(id, bindTo(w.t, dcerpc.TypeBind, "lsarpc"))
			b := packet(w.t, dcerpc.TypeRequest, whole|dcerpc.FlagObject,
				&dcerpc.Request{Opnum: 15, Object: new(dcerpc.UUID), Stub: make([]byte, 8)})
			return []status.NTStatus{first, w.write(id, b)}
		}, []status.NTStatus{ok, no}},
		{"two calls whose fragments take turns", func(w *ipc) []status.NTStatus {
			_, id := w.open("lsarpc")
			first := w.transceive(id, bindTo(w.t, dcerpc.TypeBind, "lsarpc"))
			fragment := func(call byte, opnum uint16, flags dcerpc.Flags) []byte {
				b := packet(w.t, dcerpc.TypeRequest, flags|dcerpc.FlagMultiplex,
					&dcerpc.Request{Opnum: opnum, Stub: make([]byte, 8)})
				b[12] = call
				return b
			}
			return []status.NTStatus{
				first, w.write(id, fragment(2, 0, dcerpc.FlagFirst)), w.write(id, fragment(3, 15, dcerpc.FlagFirst)),
				w.write(id, fragment(2, 0, dcerpc.FlagLast)),
			}
		}, []status.NTStatus{ok, ok, no, no}},
	}
}

// otherTricks are names, controls, and what is no RPC.
func otherTricks() []pipeTrick {
	const ok, no = status.Success, status.AccessDenied
	return []pipeTrick{
		{"names", func(w *ipc) (out []status.NTStatus) {
			for _, name := range []string{
				"srvsvc", "SRVSVC", `\srvsvc`, "samr", `\pipe\samr`, "srvsvc\\..\\samr", "srvsvc\x00", "lsass",
				"winreg", "",
			} {
				st, _ := w.open(name)
				out = append(out, st)
			}
			return out
			// Samba accepts no name with a slash.
		}, []status.NTStatus{ok, ok, status.ObjectNameNotFound, no, no, no, no, no, no, no}},
		{"controls of the pipe", func(w *ipc) (out []status.NTStatus) {
			_, id := w.open("lsarpc")
			const peek, wait, state, write = smb2.FSCTLPipePeek, smb2.FSCTLPipeWait, 0x00110008, 0x00119FF8
			for _, code := range []uint32{peek, wait, state, write} {
				st, _ := w.ask(w.message(smb2.IOCTL, &smb2.IOCTLRequest{
					CtlCode: code, FileID: id, Input: bindTo(w.t, dcerpc.TypeBind, "samr"), MaxOutputResponse: 64,
					Flags: smb2.IsFSCTL,
				}, w.in))
				out = append(out, st)
			}
			return out
		}, []status.NTStatus{no, no, no, no}},
		{"no RPC at all", func(w *ipc) []status.NTStatus {
			_, id := w.open("srvsvc")
			return []status.NTStatus{w.write(id, []byte("something else altogether"))}
		}, []status.NTStatus{no}},
		{"the list of the server's addresses", func(w *ipc) []status.NTStatus {
			st, _ := w.ask(w.message(smb2.IOCTL,
				&smb2.IOCTLRequest{CtlCode: 0x001401FC, FileID: smb2.RelatedFileID, MaxOutputResponse: 4096, Flags: 1},
				w.in))
			return []status.NTStatus{st}
		}, []status.NTStatus{no}},
		{"signed, with the key that everybody can make", func(w *ipc) []status.NTStatus {
			st, _ := w.ask(w.message(smb2.QueryDirectory, &smb2.QueryDirectoryRequest{}, w.in, func(m *smb2.Message) {
				m.Header.Flags |= smb2.FlagSigned
			}))
			return []status.NTStatus{st}
		}, []status.NTStatus{closedInstead}},
		{"a share by another name", func(w *ipc) []status.NTStatus {
			st, _ := w.ask(w.message(smb2.TreeConnect,
				&smb2.TreeConnectRequest{Path: smb2.EncodeText(`\\server\public`)}))
			return []status.NTStatus{st}
		}, []status.NTStatus{no}},
		{"many pipes at once", func(w *ipc) (out []status.NTStatus) {
			var last status.NTStatus
			for range maxOpens + 1 {
				last, _ = w.open("srvsvc")
			}
			return []status.NTStatus{last}
		}, []status.NTStatus{no}},
	}
}

// TestPipeNames: a stranger's name is a pipe of the policy only if every server takes it for that pipe.
func TestPipeNames(t *testing.T) {
	for name, want := range map[string]string{
		"SrvSvc": "srvsvc", `\srvsvc`: "srvsvc",
		`\PIPE\srvsvc`: "", `\\srv\IPC$\srvsvc`: "", `\\srvsvc`: "", "srvsvc/": "", "srvsvc::$DATA": "", "srvsvc ": "",
		"\u00A0srvsvc": "", "srvsvc\x00": "", "": "",
		"srvsvc.": "srvsvc.", "w\u212Assvc": "w\u212Assvc", "w\u0130nreg": "w\u0130nreg", "w\u0131nreg": "w\u0131nreg",
		"\uFF53rvsvc": "\uFF53rvsvc", "srvsvc\u200D": "srvsvc\u200D",
	} {
		if got := pipeName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

// TestHiddenTree refuses a stranger's request that claims to be asynchronous: what servers then read in place of its
// tree differs.
func TestHiddenTree(t *testing.T) {
	v := &conversation{trees: map[uint32]bool{0: true}, opens: map[smb2.FileID]*open{}}
	h := &smb2.Header{Command: smb2.Read}
	if _, why := v.judge(h, nil); why != nil {
		t.Fatal(why)
	}
	h.Flags = smb2.FlagAsync
	if _, why := v.judge(h, nil); why == nil {
		t.Error("it passes")
	}
}

// TestPolicy refuses what cannot be enforced.
func TestPolicy(t *testing.T) {
	for name, e := range map[string]Exception{
		"no such word":      {Allow: "some"},
		"no pipes":          {Allow: somePipes},
		"pipes for nothing": {Allow: everything, Pipes: []Pipe{{Pipe: "srvsvc"}}},
		"no stranger":       {Allow: everything, As: []model.Identity{model.User}},
		"no name":           {Allow: somePipes, Pipes: []Pipe{{Pipe: `a\b`}}},
		"twice":             {Allow: somePipes, Pipes: []Pipe{{Pipe: "srvsvc"}, {Pipe: "SRVSVC"}}},
		"unknown pipe":      {Allow: somePipes, Pipes: []Pipe{{Pipe: "whatever"}}},
		"unknown interface": {
			Allow: somePipes,
			Pipes: []Pipe{{Pipe: "x", Interfaces: []Interface{{Interface: "whatever"}}}},
		},
		"unknown call": {
			Allow: somePipes,
			Pipes: []Pipe{{Pipe: "srvsvc", Interfaces: []Interface{{"srvsvc", []string{"Whatever"}}}}},
		},
	} {
		p := Policy{Strangers: []Exception{e}}
		if err := p.Check(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	p := somePolicy()
	if err := p.Check(); err != nil {
		t.Error(err)
	}
}

// FuzzPipe sends any data in two pieces to a stranger's pipe, and to that of a user with denials. A server must never
// see a bind or a call in the passed data that the policy does not allow, or denies.
func FuzzPipe(f *testing.F) {
	f.Add(bindTo(f, dcerpc.TypeBind, "lsarpc"), packet(f, dcerpc.TypeRequest, whole, &dcerpc.Request{Opnum: 15}))
	f.Add(bindTo(f, dcerpc.TypeBind, "samr"), []byte{})
	f.Add(bindTo(f, dcerpc.TypeBind, "samr"), packet(f, dcerpc.TypeRequest, whole, &dcerpc.Request{Opnum: 13}))
	f.Add(packet(f, dcerpc.TypeRequest, 0, &dcerpc.Request{Opnum: 0}), bindTo(f, dcerpc.TypeBind, "samr"))
	f.Add(append(bindTo(f, dcerpc.TypeBind, "lsarpc"),
		packet(f, dcerpc.TypeRequest, dcerpc.FlagFirst, &dcerpc.Request{Opnum: 0})...),
		packet(f, dcerpc.TypeRequest, dcerpc.FlagLast, &dcerpc.Request{Opnum: 15}))
	allowing, denying := somePolicy(), denyingPolicy()
	for _, p := range []*Policy{&allowing, &denying} {
		if err := p.Check(); err != nil {
			f.Fatal(err)
		}
	}
	allowed, denied := allowing.Strangers[0].rules["lsarpc"], denying.denies(netip.Addr{}, "s:445")
	f.Fuzz(func(t *testing.T, a, b []byte) {
		id := smb2.FileID{1}
		v := &conversation{opens: map[smb2.FileID]*open{id: {
			reading: newReading("lsarpc"), allowed: allowed, contexts: map[uint16]dcerpc.UUID{},
		}}}
		reaches(t, func(b []byte) (*waiting, *denial) { return nil, v.data(id, b) },
			func(i dcerpc.UUID, call int) bool {
				of, ok := allowed[i]
				return ok && (call < 0 || of == nil || of[uint16(call)])
			}, a, b)
		w := &watch{deny: denied}
		o := &watched{reading: newReading("lsarpc"), contexts: map[uint16][]dcerpc.UUID{}}
		reaches(t, func(b []byte) (*waiting, *denial) { return w.data(o, b) }, func(i dcerpc.UUID, call int) bool {
			of, ok := denied.interfaces[i]
			return !ok || of != nil && (call < 0 || !of[uint16(call)])
		}, a, b)
	})
}

// reaches sends pieces to a pipe, each after the response to the previous one, and judges what a server sees in those
// that pass: a bind, or a call of a bound interface.
func reaches(
	t *testing.T, data func([]byte) (*waiting, *denial), may func(i dcerpc.UUID, call int) bool, pieces ...[]byte,
) {
	t.Helper()
	server, bound := dcerpc.NewReassembler(dcerpc.Limits{}), map[uint16]dcerpc.UUID{}
	for _, piece := range pieces {
		wait, why := data(slices.Clone(piece))
		switch {
		case why != nil && why.fault != nil: // the pipe stays usable
			continue
		case why != nil: // the connection ends, or the pipe is closed
			return
		}
		if wait != nil {
			if err := wait.settle(new(smb2.Header), nil); err != nil {
				t.Fatal(err)
			}
		}
		server.Push(slices.Clone(piece))
		for {
			call, ok, err := server.Next()
			if err != nil || !ok {
				break
			}
			if bind, err := call.PDU.Bind(); err == nil {
				for _, x := range bind.Contexts {
					if bound[x.ID] = x.Abstract.UUID; !may(x.Abstract.UUID, -1) {
						t.Errorf("a bind of %v passed", x.Abstract)
					}
				}
			}
			if i, ok := bound[call.ContextID]; call.PDU.Type == dcerpc.TypeRequest && ok && !may(i, int(call.Opnum)) {
				t.Errorf("call %d of %v passed", call.Opnum, i)
			}
		}
	}
}

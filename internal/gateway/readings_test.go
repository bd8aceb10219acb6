package gateway

import (
	"bytes"
	"net"
	"slices"
	"testing"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// TestReadings uses a server that looks for a call in other bytes than those that the message names: impacket's ignores
// offsets and byte orders. Directly a call that the policy does not allow is carried out; the gateway does not let it
// pass behind one that is allowed, neither for a stranger nor for a user who is denied it.
func TestReadings(t *testing.T) {
	const allowed, other = 16, 21 // NetrShareGetInfo and NetrServerGetInfo
	peer.Need(t, "impacket")
	strangers := Policy{Strangers: []Exception{{
		As: []model.Identity{model.Anonymous}, Allow: somePipes,
		Pipes: []Pipe{{Pipe: "srvsvc", Interfaces: []Interface{{"srvsvc", Calls{"16"}}}}},
	}}}
	users := Policy{Users: []Refusal{{Deny: []Denied{{Interface: "srvsvc", Calls: Calls{"21"}}}}}}
	const shortest = 24
	call := func(t testing.TB, opnum uint16, stub int) []byte {
		b := make([]byte, stub)
		// NetrServerGetInfo: a pointer to an empty name, and level 101.
		b[0], b[4], b[12], b[20] = 1, 1, 1, 101
		return packet(t, dcerpc.TypeRequest, whole, &dcerpc.Request{Opnum: opnum, Stub: b})
	}
	for _, trick := range []struct {
		name string
		play func(w *ipc, id smb2.FileID) (status.NTStatus, []byte)
	}{
		{"an input that lies behind another", func(w *ipc, id smb2.FileID) (status.NTStatus, []byte) {
			hidden := call(w.t, other, shortest)
			m := w.message(smb2.IOCTL, &smb2.IOCTLRequest{
				CtlCode: fsctlPipeTransceive, FileID: id, Input: append(hidden, call(w.t, allowed, shortest)...),
				MaxOutputResponse: 4280, Flags: smb2.IsFSCTL,
			}, w.in)
			le.PutUint32(m[smb2.HeaderLen+24:], uint32(ioctlFixed+len(hidden)))
			le.PutUint32(m[smb2.HeaderLen+28:], uint32(len(hidden)))
			return w.output(m)
		}},
		{"an output of the client", func(w *ipc, id smb2.FileID) (status.NTStatus, []byte) {
			return w.output(w.message(smb2.IOCTL, &smb2.IOCTLRequest{
				CtlCode: fsctlPipeTransceive, FileID: id, Output: call(w.t, other, shortest), MaxOutputResponse: 4280,
				Flags: smb2.IsFSCTL,
			}, w.in))
		}},
		{"a WRITE with information for a channel", func(w *ipc, id smb2.FileID) (status.NTStatus, []byte) {
			shown := call(w.t, allowed, shortest)
			both := append(shown, call(w.t, other, shortest)...)
			m := w.message(smb2.Write, &smb2.WriteRequest{FileID: id, Data: both}, w.in)
			le.PutUint32(m[smb2.HeaderLen+4:], uint32(len(shown)))
			le.PutUint16(m[smb2.HeaderLen+40:], uint16(len(shown)))
			st, _ := w.ask(m)
			return st, w.read(id, st)
		}},
		{"the byte order of old machines", func(w *ipc, id smb2.FileID) (status.NTStatus, []byte) {
			const big, little = 0x0201, 0x0102 // how long the packet is in either order
			b := call(w.t, 0, big-24)
			b[4], b[8], b[9], b[22], b[23] = 0, big>>8, big&0xFF, 0, allowed
			rest := b[little+copy(b[little:], call(w.t, other, shortest)):]
			copy(rest, call(w.t, other, len(rest)-24))
			st := w.write(id, b)
			return st, w.read(id, st)
		}},
		{"packets shorter than a call", func(w *ipc, id smb2.FileID) (status.NTStatus, []byte) {
			short := []byte{5, 0, byte(dcerpc.TypeCancel), byte(whole), 0x10, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0}
			// With the second half of a short packet, its header is another packet's to that server.
			shown := packet(w.t, dcerpc.TypeRequest, 0, &dcerpc.Request{
				AllocHint: 0x03000005, Opnum: allowed, Stub: call(w.t, other, shortest)[8:],
			})
			st := w.write(id, slices.Concat(short, short, shown))
			return st, w.read(id, st)
		}},
	} {
		t.Run(trick.name, func(t *testing.T) {
			// carriedOut reports whether a response to the call came.
			carriedOut := func(address string, logOn func(w *ipc)) (bool, status.NTStatus) {
				w := &ipc{wire: dialWith(t, new(net.Dialer).DialContext, address)}
				w.negotiate(smb2.Dialect202)
				logOn(w)
				st, id := w.open("srvsvc")
				if st != status.Success {
					t.Fatalf("srvsvc: %v", st)
				}
				if st := w.transceive(id, bindTo(t, dcerpc.TypeBind, "srvsvc")); st != status.Success {
					t.Fatalf("the bind: %v", st)
				}
				st, said := trick.play(w, id)
				return bytes.Contains(said, []byte{5, 0, byte(dcerpc.TypeResponse)}), st
			}
			refused := []status.NTStatus{status.AccessDenied, closedInstead}
			for name, who := range map[string]struct {
				logOn  func(*ipc)
				policy Policy
				users  []string
			}{
				"a stranger": {(*ipc).connect, strangers, nil},
				"a user":     {(*ipc).connectUser, users, []string{"labadmin"}},
			} {
				// Each serves one pipe at a time.
				one := peer.StartImpacket(t, "127.21.4.4", who.users...)
				two := peer.StartImpacket(t, "127.21.4.5", who.users...)
				if done, st := carriedOut(one.Addr(), who.logOn); !done {
					t.Fatalf("the control failed: directly the call of %s is not carried out: %v", name, st)
				}
				_, through := local(t, Options{Log: testLog(t)}, Route{To: two.Addr(), Policy: who.policy})
				if done, st := carriedOut(through, who.logOn); done || !slices.Contains(refused, st) {
					t.Errorf("through the gateway: the call of %s is carried out: %v, %v", name, done, st)
				}
			}
		})
	}
}

// TestReadingsOfBind binds an interface that the policy does not allow, or denies to users, where a server looks that
// takes every interface of a bind for one with one encoding.
func TestReadingsOfBind(t *testing.T) {
	peer.Need(t, "impacket")
	const first, interfaceLen = 28, 20 // where the first interface begins, and the length of a name and a version
	hidden, shown := bindTo(t, dcerpc.TypeBind, "srvsvc"), bindTo(t, dcerpc.TypeBind, "wkssvc")
	other, encoding := hidden[first+4:][:interfaceLen], hidden[first+4+interfaceLen:][:interfaceLen]
	b := slices.Concat(shown[:first+2], []byte{3, 0}, shown[first+4:][:interfaceLen], // the first has three encodings:
		make([]byte, interfaceLen+4), other, encoding, // none that is known, two that overlap the hidden interface,
		shown[first+4:][:interfaceLen]) // and the rest of the last is the number of the second interface
	b[first-4] = 2
	le.PutUint16(b[8:], uint16(len(b)))
	// The level of NetrServerGetInfo is behind a pointer to an empty name.
	call := packet(t, dcerpc.TypeRequest, whole, &dcerpc.Request{
		Opnum: 21, Stub: []byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 101, 0, 0, 0},
	})
	for name, who := range map[string]struct {
		logOn  func(*ipc)
		policy Policy
		users  []string
	}{
		"a stranger": {(*ipc).connect, Policy{Strangers: []Exception{{
			Allow: somePipes, Pipes: []Pipe{{Pipe: "srvsvc", Interfaces: []Interface{{Interface: "wkssvc"}}}},
		}}}, nil},
		"a user": {(*ipc).connectUser, Policy{Users: []Refusal{{
			Deny: []Denied{{Interface: "srvsvc"}},
		}}}, []string{"labadmin"}},
	} {
		one := peer.StartImpacket(t, "127.21.4.4", who.users...)
		two := peer.StartImpacket(t, "127.21.4.5", who.users...)
		_, through := local(t, Options{Log: testLog(t)}, Route{To: two.Addr(), Policy: who.policy})
		for _, address := range []string{one.Addr(), through} {
			w := &ipc{wire: dialWith(t, new(net.Dialer).DialContext, address)}
			w.negotiate(smb2.Dialect202)
			who.logOn(w)
			_, id := w.open("srvsvc")
			st := w.write(id, b)
			if st == status.Success {
				w.ask(w.message(smb2.Read, &smb2.ReadRequest{FileID: id, Length: 4280}, w.in)) // the bind's response
				st = w.write(id, call)
			}
			switch done := bytes.Contains(w.read(id, st), []byte{5, 0, byte(dcerpc.TypeResponse)}); {
			case address == through && done:
				t.Errorf("through the gateway the call of %s is carried out", name)
			case address != through && !done:
				t.Fatalf("the control failed: directly the call of %s is not carried out: %v", name, st)
			}
		}
	}
}

// TestPackets: one judgement applies to the packets of strangers, who may use one interface, and of users, who are
// denied another.
func TestPackets(t *testing.T) {
	several := func(typ dcerpc.PacketType, transfer ...dcerpc.SyntaxID) []byte {
		return packet(t, typ, whole, &dcerpc.Bind{MaxXmit: 4280, MaxRecv: 4280, Contexts: []dcerpc.Context{
			{Abstract: interfaceNamed(t, "srvsvc"), Transfer: transfer},
		}})
	}
	big := func(b []byte) []byte { // of a byte order that changes nothing else that is read first
		b = bytes.Clone(b)
		b[4], b[8], b[9] = 0, b[9], b[8]
		return b
	}
	ndr := dcerpc.NDR20
	for name, c := range map[string]struct {
		packet []byte
		pass   bool
	}{
		"a bind":                     {bindTo(t, dcerpc.TypeBind, "srvsvc"), true},
		"an alter_context":           {bindTo(t, dcerpc.TypeAlterContext, "srvsvc"), true},
		"a call":                     {packet(t, dcerpc.TypeRequest, whole, &dcerpc.Request{Opnum: 16}), true},
		"another interface":          {bindTo(t, dcerpc.TypeBind, "wkssvc"), false},
		"another, beside it":         {bindTo(t, dcerpc.TypeBind, "srvsvc", "wkssvc"), false},
		"another, later":             {bindTo(t, dcerpc.TypeAlterContext, "srvsvc", "wkssvc"), false},
		"a bind, big-endian":         {big(bindTo(t, dcerpc.TypeBind, "srvsvc")), false},
		"an alter_context, the same": {big(bindTo(t, dcerpc.TypeAlterContext, "srvsvc")), false},
		"two encodings":              {several(dcerpc.TypeBind, ndr, ndr), false},
		"two encodings, later":       {several(dcerpc.TypeAlterContext, ndr, ndr), false},
		"no encoding":                {several(dcerpc.TypeBind), false},
		"a cancel of 16 bytes":       {[]byte{5, 0, 18, 3, 0x10, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0}, false},
		"a type that no client sends": {
			packet(t, dcerpc.TypeResponse, whole, &dcerpc.Response{Stub: make([]byte, 8)}), false,
		},
	} {
		id, other := interfaceNamed(t, "srvsvc").UUID, interfaceNamed(t, "wkssvc").UUID
		o := &open{
			reading: newReading("srvsvc"), allowed: interfaces{id: nil}, contexts: map[uint16]dcerpc.UUID{0: id},
		}
		stranger := &conversation{opens: map[smb2.FileID]*open{{}: o}}
		if why := stranger.data(smb2.FileID{}, c.packet); (why == nil) != c.pass {
			t.Errorf("%s of a stranger: %v", name, why)
		}
		user := &watch{deny: &denials{interfaces: map[dcerpc.UUID]calls{other: nil}}}
		w := &watched{reading: newReading("srvsvc"), contexts: map[uint16][]dcerpc.UUID{0: {id}}}
		if _, why := user.data(w, c.packet); (why == nil) != c.pass {
			t.Errorf("%s of a user: %v", name, why)
		}
	}
}

// output sends an IOCTL and returns what the server's response carries.
func (w *ipc) output(m []byte) (status.NTStatus, []byte) {
	w.t.Helper()
	st, msg := w.ask(m)
	var r smb2.IOCTLResponse
	if st == status.Success {
		if _, err := r.Unmarshal(msg); err != nil {
			w.t.Fatal(err)
		}
	}
	return st, r.Output
}

// read reads from a pipe until a response to a call, or nothing more, comes. st is the outcome of the request before.
func (w *ipc) read(id smb2.FileID, st status.NTStatus) (said []byte) {
	w.t.Helper()
	for st == status.Success && !bytes.Contains(said, []byte{5, 0, byte(dcerpc.TypeResponse)}) {
		var msg []byte
		st, msg = w.ask(w.message(smb2.Read, &smb2.ReadRequest{FileID: id, Length: 4280}, w.in))
		var r smb2.ReadResponse
		if st == status.Success {
			if _, err := r.Unmarshal(msg); err != nil {
				w.t.Fatal(err)
			}
		}
		if len(r.Data) == 0 {
			break
		}
		said = append(said, r.Data...)
	}
	return said
}

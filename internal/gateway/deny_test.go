package gateway

import (
	"net/netip"
	"testing"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// denyingPolicy denies users a pipe, an interface, and one call of another.
func denyingPolicy() Policy {
	return Policy{Users: []Refusal{{Deny: []Denied{
		{Pipe: "spoolss"}, {Interface: "lsarpc"}, {Interface: "samr", Calls: Calls{"SamrEnumerateUsersInDomain"}},
	}}}}
}

// TestDeniedToUsers denies real clients what the policy says, and nothing else. Encrypted traffic and SMB1 cannot be
// read: they pass and are counted.
func TestDeniedToUsers(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "rpcclient", "smbclient")
	l := startLab(t, peer.Config{Global: []string{"server min protocol = NT1", "ntlm auth = yes"}},
		Route{Policy: denyingPolicy()})
	user := func(protocol string, options ...string) peer.Client {
		return peer.Client{
			From:        l.samba.Machine,
			User:        "labadmin",
			Password:    peer.Password,
			MaxProtocol: protocol,
			Options:     options,
		}
	}
	for _, c := range []struct {
		command string
		allowed bool
	}{{"srvinfo", true}, {"querydominfo", true}, {"enumdomusers", false}, {"lsaquery", false}} {
		for _, protocol := range []string{"SMB2_02", "SMB3_11"} {
			who := user(protocol)
			if a := who.RPC(t, l.direct, c.command); !a.OK() {
				t.Fatalf("the control failed: %s directly: %v", c.command, a)
			}
			if a := who.RPC(t, l.through, c.command); a.OK() != c.allowed {
				t.Errorf("%s of %s through the gateway: %v", c.command, protocol, a)
			}
		}
	}
	if n := l.rows.count(model.User, model.Denied); n < 4 || l.Stats().Refused[ReasonUser] < 4 ||
		l.Stats().Unread != 0 {
		t.Errorf("%d rows, %+v", n, l.Stats())
	}
	if a := user("SMB3_11").Share(t, l.through, "finance", "ls"); !a.OK() {
		t.Errorf("a share of files: %v", a)
	}
	for i, who := range []peer.Client{user("SMB3_11", "client smb encrypt = required"), user("NT1")} {
		if a := who.RPC(t, l.through, "enumdomusers"); !a.OK() {
			t.Errorf("what cannot be read does not pass: %v", a)
		}
		if n := l.Stats().Unread; n != int64(i)+1 {
			t.Errorf("%d sessions are counted as unread after %d", n, i+1)
		}
	}
}

// TestDeniedTricks tries to evade the denials in an unsigned user session. Directly each trick works; through the
// gateway the connection is closed before.
func TestDeniedTricks(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{}, Route{Policy: denyingPolicy()})
	createOf := func(w *ipc, name string, change ...func(*smb2.Message)) []byte {
		return w.message(smb2.Create, &smb2.CreateRequest{
			ImpersonationLevel: smb2.Impersonation, DesiredAccess: smb2.PipeAccess, ShareAccess: 7,
			CreateDisposition: smb2.FileOpen,
			Name:              smb2.EncodeText(name),
		}, change...)
	}
	related := func(m *smb2.Message) {
		m.Header.Flags |= smb2.FlagRelated
		m.Header.SessionID, m.Header.TreeID = relatedSession, relatedTree
	}
	for name, play := range map[string]func(w *ipc) status.NTStatus{
		"the pipe": func(w *ipc) status.NTStatus { st, _ := w.open("SPOOLSS"); return st },
		"the call, in fragments": func(w *ipc) status.NTStatus {
			_, id := w.open("samr")
			w.transceive(id, bindTo(w.t, dcerpc.TypeBind, "samr"))
			w.write(id,
				packet(w.t, dcerpc.TypeRequest, dcerpc.FlagFirst, &dcerpc.Request{Opnum: 13, Stub: make([]byte, 24)}))
			return w.write(id,
				packet(w.t, dcerpc.TypeRequest, dcerpc.FlagLast, &dcerpc.Request{Opnum: 13, Stub: make([]byte, 8)}))
		},
		"the interface on another pipe, byte by byte": func(w *ipc) (st status.NTStatus) {
			_, id := w.open("lsass")
			for _, b := range bindTo(w.t, dcerpc.TypeBind, "lsarpc") {
				st = w.write(id, []byte{b})
			}
			return st
		},
		"what is asked before IPC$ is answered": func(w *ipc) status.NTStatus {
			st, msg := w.ask(w.treeConnect())
			var h smb2.Header
			if err := h.Unmarshal(msg); st != status.Success || err != nil {
				w.t.Fatalf("IPC$ again: %v %v", st, err)
			}
			w.send(w.treeConnect())
			w.tid = 2*h.TreeID - w.tid // Samba counts
			return firstOf(w, createOf(w, "spoolss", w.in))
		},
		"a tree that is not ended": func(w *ipc) status.NTStatus {
			end := w.message(smb2.TreeDisconnect, new(smb2.Empty), w.in)
			end[smb2.HeaderLen] = 5 // an invalid StructureSize
			w.send(end)
			if _, _, err := w.receive(); err != nil {
				return closedInstead
			}
			st, _ := w.open("spoolss")
			return st
		},
		"IPC$ in a compound": func(w *ipc) status.NTStatus {
			w.send(w.message(smb2.Echo, new(smb2.Empty), padded, w.in), w.treeConnect())
			_, msg, err := w.receive()
			if err != nil {
				return closedInstead
			}
			var h smb2.Header
			for c := smb2.NewChain(msg); c.Next(); {
				if err := h.Unmarshal(c.Message); err != nil {
					w.t.Fatal(err)
				}
			}
			if h.Command == smb2.Echo { // the responses come one by one
				if h, _, err = w.receive(); err != nil {
					return closedInstead
				}
			}
			w.tid = h.TreeID
			st, _ := w.open("spoolss")
			return st
		},
		"something else than RPC in front": func(w *ipc) status.NTStatus {
			_, id := w.open("lsass")
			w.write(id, packet(w.t, dcerpc.TypeRequest, 0, &dcerpc.Request{Stub: make([]byte, 8)}))
			return w.transceive(id, bindTo(w.t, dcerpc.TypeBind, "lsarpc"))
		},
		"the interface later": func(w *ipc) status.NTStatus {
			_, id := w.open("samr")
			w.transceive(id, bindTo(w.t, dcerpc.TypeBind, "samr"))
			return w.transceive(id, bindTo(w.t, dcerpc.TypeAlterContext, "samr", "lsarpc"))
		},
		"a compound that opens the pipe": func(w *ipc) status.NTStatus {
			echo := w.message(smb2.Echo, new(smb2.Empty), padded, w.in)
			w.send(echo, createOf(w, "spoolss", related))
			if _, _, err := w.receive(); err != nil {
				return closedInstead
			}
			return status.Success
		},
		"a compound that opens another and binds": func(w *ipc) status.NTStatus {
			first := createOf(w, "samr", w.in)
			for len(first)%8 != 0 {
				first = append(first, 0)
			}
			le.PutUint32(first[smb2.OffsetNext:], uint32(len(first)))
			b := bindTo(w.t, dcerpc.TypeBind, "lsarpc")
			w.send(first,
				w.message(smb2.Write, &smb2.WriteRequest{FileID: smb2.RelatedFileID, Data: b, Length: uint32(len(b))},
					related))
			if _, _, err := w.receive(); err != nil {
				return closedInstead
			}
			return status.Success
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(address string) status.NTStatus {
				w := &ipc{wire: dialWith(t, l.samba.Dial, address)}
				w.negotiate(smb2.Dialect210)
				w.connectUser()
				return play(w)
			}
			if st := run(l.direct); st == closedInstead {
				t.Error("the control failed: directly the connection is closed")
			}
			if st := run(l.through); st != closedInstead {
				t.Errorf("through the gateway: %v", st)
			}
		})
	}
}

// firstOf sends a message after another whose response is due, and returns the outcome of the second.
func firstOf(w *ipc, message []byte) status.NTStatus {
	w.send(message)
	for range 2 {
		h, _, err := w.receive()
		switch {
		case err != nil:
			return closedInstead
		case h.Command == smb2.Create:
			return status.NTStatus(h.Status)
		}
	}
	return closedInstead
}

// TestRefusals refuses lists that cannot be enforced, and applies the others to the right clients and servers.
func TestRefusals(t *testing.T) {
	for name, r := range map[string]Refusal{
		"nothing":               {},
		"both":                  {Deny: []Denied{{Pipe: "samr", Interface: "samr"}}},
		"neither":               {Deny: []Denied{{}}},
		"calls of a pipe":       {Deny: []Denied{{Pipe: "samr", Calls: Calls{"1"}}}},
		"unknown interface":     {Deny: []Denied{{Interface: "whatever"}}},
		"a server without port": {Servers: []string{"192.0.2.20"}, Deny: []Denied{{Pipe: "samr"}}},
		"a client as IPv6": {
			Clients: []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.1/128")},
			Deny:    []Denied{{Pipe: "samr"}},
		},
	} {
		p := Policy{Users: []Refusal{r}}
		if err := p.Check(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	p := denyingPolicy()
	p.Users[0].Clients = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	p.Users = append(p.Users, Refusal{
		Clients: []netip.Prefix{netip.MustParsePrefix("fe80::/10")},
		Deny:    []Denied{{Pipe: "samr"}},
	})
	if p.denies(netip.MustParseAddr("fe80::1%lan"), "s:445") == nil {
		t.Error("it does not apply to a client of the same link, whose address has a zone")
	}
	if p.denies(netip.MustParseAddr("192.0.2.7"), "s:445") == nil ||
		p.denies(netip.MustParseAddr("198.51.100.7"), "s:445") != nil {
		t.Error("it applies to the wrong clients")
	}
	p.Users = append(p.Users, Refusal{Servers: []string{"[2001:DB8:0::20]:445"}, Deny: []Denied{{Pipe: "samr"}}})
	if one := netip.MustParseAddr("198.51.100.7"); p.denies(one, "[2001:db8::20]:445") == nil ||
		p.denies(one, "[2001:db8::20]:139") != nil {
		t.Error("it applies to the wrong servers")
	}
	for name, want := range map[string]string{
		"winreg": "winreg", `\PIPE\WinReg`: "winreg", "winreg\x00x": "winreg", "winreg:s": "winreg",
		"winreg.:s": "winreg", "winreg .::$DATA": "winreg", "winreg.\u00A0.": "winreg", `\\srv\IPC$\winreg`: "winreg",
		"w\u0131nreg": "winreg", "w\u0130nreg": "winreg", "winreg. ": "winreg", `a\..\winreg/`: "winreg", `\`: "",
		"\u017Fpoolss": "spoolss", "w\u212Assvc": "wkssvc", "SVCCTL": "svcctl",
	} {
		if got := plainPipe(name); got != want {
			t.Errorf("%q is %q", name, got)
		}
	}
}

// TestTrees: a tree may hold pipes until a response that cannot be an old one says that it holds files.
func TestTrees(t *testing.T) {
	for name, c := range map[string]struct {
		late bool
		play func(v *watch)
		want bool
	}{
		"not known": {false, func(*watch) {}, true},
		"of files":  {false, func(v *watch) { v.connected(5, false, 0) }, false},
		"of pipes":  {false, func(v *watch) { v.connected(5, true, 0) }, true},
		"ended":     {false, func(v *watch) { v.connected(5, false, 0); v.ends(5) }, true},
		"again of files": {
			false, func(v *watch) { v.connected(5, false, 0); v.ends(5); v.connected(5, false, v.turn) }, false,
		},
		"an answer from before":       {false, func(v *watch) { v.ends(5); v.connected(5, false, 0) }, true},
		"another tree was ended":      {false, func(v *watch) { v.ends(6); v.connected(5, false, 0) }, false},
		"from before the session":     {true, func(*watch) {}, false},
		"of pipes, in a late session": {true, func(v *watch) { v.connected(5, true, 0) }, true},
		"an answer from before what is forgotten": {false, func(v *watch) {
			v.ends(5)
			for id := range uint32(maxKnown) {
				v.ends(100 + id)
			}
			v.connected(5, false, 0)
		}, true},
	} {
		v := &watch{late: c.late, trees: map[uint32]tree{}}
		c.play(v)
		if v.pipes(5) != c.want {
			t.Errorf("%s: taken for one of pipes: %v", name, !c.want)
		}
		if len(v.trees) > maxKnown {
			t.Errorf("%s: %d trees are kept", name, len(v.trees))
		}
	}
}

// TestWatches shares the state of a session among its connections until the last connection or the session has ended.
func TestWatches(t *testing.T) {
	var w watches
	k := watchKey{"s:445", 7}
	a, b := w.join(k, new(denials), false), w.join(k, new(denials), true)
	if a != b || a.late || w.join(watchKey{"t:445", 7}, new(denials), false) == a {
		t.Error("sessions are mixed up")
	}
	w.leave(k, a)
	if w.join(k, new(denials), true) != a {
		t.Error("it ended before its last connection")
	}
	w.over(k, a)
	again := w.join(k, new(denials), false)
	if again == a {
		t.Error("it goes on after the session's end")
	}
	w.leave(k, a)
	w.leave(k, a)
	if w.join(k, new(denials), true) != again {
		t.Error("who leaves the one before ends the next")
	}
	w.leave(k, again)
	w.leave(k, again)
	if len(w.list) != 1 {
		t.Errorf("%d watches are left", len(w.list))
	}
}

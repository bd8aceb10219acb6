package gateway

import (
	"encoding/asn1"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// TestRenewedStranger: a stranger's session cannot become a user's. Samba makes a made-up name there a guest and does
// not say so, as the control shows.
func TestRenewedStranger(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{Global: []string{"map to guest = bad user"}}, Route{Policy: somePolicy()})
	renew := func(address string) (*ipc, status.NTStatus, []byte) {
		w := &ipc{wire: dialWith(t, l.samba.Dial, address)}
		w.negotiate(smb2.Dialect210)
		w.connect()
		c := ntlm.NewUser("nosuchuser", "", "x", ntlm.Options{})
		first, err := c.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st, msg := w.setup(bare(true, first))
		if st != status.MoreProcessingRequired {
			return w, st, nil
		}
		var r smb2.SessionSetupResponse
		if _, err := r.Unmarshal(msg); err != nil {
			t.Fatal(err)
		}
		st, msg = w.setup(w.proof(c, r.SecurityBuffer, nil))
		return w, st, msg
	}
	_, st, msg := renew(l.direct)
	var r smb2.SessionSetupResponse
	if _, err := r.Unmarshal(msg); st != status.Success || err != nil || r.SessionFlags != 0 {
		t.Fatalf("the control failed: directly it is %v, flags %d, %v", st, r.SessionFlags, err)
	}
	w, st, _ := renew(l.through)
	if st != status.AccessDenied {
		t.Errorf("through the gateway: %v", st)
	}
	if st, _ := w.open("samr"); st == status.Success {
		t.Error("a pipe that no stranger may open is open")
	}
	if n := l.Stats().Sessions[model.User]; n != 0 {
		t.Errorf("%d users were counted", n)
	}
}

// TestRenewedName refuses a renewal by a name that is the user's to Unicode's case folding alone. Samba makes it a
// guest and does not say so, as the control shows.
func TestRenewedName(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{
		Users: []string{"labadmin", "kims"}, Global: []string{"map to guest = bad user"},
	}, Route{})
	renew := func(address, name, password string) status.NTStatus {
		w := dialWith(t, l.samba.Dial, address)
		w.negotiate(smb2.Dialect210)
		c := ntlm.NewUser("kims", "", peer.Password, ntlm.Options{})
		if st, _ := w.setup(w.proof(c, w.begin(c, bare), nil)); st != status.Success {
			t.Fatalf("the user: %v", st)
		}
		c = ntlm.NewUser(name, "", password, ntlm.Options{})
		st, _ := w.setup(w.proof(c, w.begin(c, bare), nil))
		return st
	}
	for _, name := range []string{"\u212Aims", "kim\u017F"} {
		if st := renew(l.direct, name, "x"); st != status.Success {
			t.Fatalf("the control failed: directly %q is %v", name, st)
		}
		if st := renew(l.through, name, "x"); st != status.AccessDenied {
			t.Errorf("%q through the gateway: %v", name, st)
		}
	}
	if st := renew(l.through, "KIMS", peer.Password); st != status.Success {
		t.Errorf("the user in other letters: %v", st)
	}
}

// piped returns a stranger's open pipe with two interfaces, one of them with only one call.
func piped(t *testing.T) (*conversation, smb2.FileID, *open) {
	t.Helper()
	p := Policy{Strangers: []Exception{{Allow: somePipes, Pipes: []Pipe{{
		Pipe: "lsarpc", Interfaces: []Interface{{"lsarpc", Calls{"0"}}, {Interface: "dssetup"}},
	}}}}}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	id := smb2.FileID{1}
	o := &open{
		reading: newReading("lsarpc"), allowed: p.Strangers[0].rules["lsarpc"], contexts: map[uint16]dcerpc.UUID{},
	}
	return &conversation{opens: map[smb2.FileID]*open{id: o}}, id, o
}

// TestOneNumberOneInterface refuses a second interface under the same id: it is unknown which of them a server then
// calls.
func TestOneNumberOneInterface(t *testing.T) {
	v, id, _ := piped(t)
	if why := v.data(id, bindTo(t, dcerpc.TypeBind, "lsarpc")); why != nil {
		t.Fatal(why)
	}
	if why := v.data(id, bindTo(t, dcerpc.TypeAlterContext, "dssetup")); why == nil {
		t.Error("the number means another interface now")
	}
	v, id, _ = piped(t)
	if why := v.data(id, bindTo(t, dcerpc.TypeBind, "lsarpc", "dssetup")); why != nil {
		t.Errorf("two numbers: %v", why)
	}
}

// TestPieces: a stranger's packets come whole. Those of users may come in pieces, but not concurrently: a server may
// reassemble them in another order. A later piece may also be a packet to a server that takes each write for a message.
func TestPieces(t *testing.T) {
	b := bindTo(t, dcerpc.TypeBind, "wkssvc")
	v, id, o := piped(t)
	if why := v.data(id, bindTo(t, dcerpc.TypeBind, "lsarpc")[:20]); why == nil || !o.shut {
		t.Errorf("the first piece of a stranger's packet: %v", why)
	}
	p := denyingPolicy()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	deny := p.denies(netip.Addr{}, "s:445")
	for _, answered := range []bool{true, false} {
		v, o := &watch{deny: deny}, &watched{reading: newReading("wkssvc"), contexts: map[uint16][]dcerpc.UUID{}}
		wait, why := v.data(o, b[:20])
		if why != nil {
			t.Fatal(why)
		}
		if answered {
			if err := wait.settle(new(smb2.Header), nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, why := v.data(o, b[20:]); (why == nil) != answered {
			t.Errorf("the first piece was answered: %v; the second: %v", answered, why)
		}
	}
	u, w := &watch{deny: deny}, &watched{reading: newReading("wkssvc"), contexts: map[uint16][]dcerpc.UUID{}}
	wait, why := u.data(w, b[:20])
	if why != nil || wait.settle(new(smb2.Header), nil) != nil {
		t.Fatal(why)
	}
	if _, why := u.data(w, bindTo(t, dcerpc.TypeBind, "lsarpc")); why == nil {
		t.Error("a packet behind half a packet passes")
	}
}

// TestFragments allows calls of any length, stores nothing of them, and judges each fragment by itself.
func TestFragments(t *testing.T) {
	v, id, o := piped(t)
	if why := v.data(id, bindTo(t, dcerpc.TypeBind, "lsarpc")); why != nil {
		t.Fatal(why)
	}
	fragment := func(flags dcerpc.Flags, opnum uint16) []byte {
		return packet(t, dcerpc.TypeRequest, flags, &dcerpc.Request{Opnum: opnum, Stub: make([]byte, 4<<10)})
	}
	first, next := fragment(dcerpc.FlagFirst, 0), fragment(0, 0)
	if why := v.data(id, first); why != nil {
		t.Fatal(why)
	}
	for i := range 2000 { // 8 MiB
		if why := v.data(id, next); why != nil {
			t.Fatalf("fragment %d: %v", i, why)
		}
	}
	if !o.requests.Idle() {
		t.Error("something is kept")
	}
	if why := v.data(id, fragment(dcerpc.FlagLast, 1)); why == nil || why.fault != nil || !o.shut {
		t.Errorf("the last fragment is of another call: %v", why)
	}
}

// TestWaitingNobody bounds what a client can make the gateway store before a logon.
func TestWaitingNobody(t *testing.T) {
	table := newTable()
	for id := range uint64(maxWaitingNobody) {
		if err := table.wait(id, waiting{refused: new(refused)}); err != nil {
			t.Fatal(err)
		}
	}
	var no refusal
	if err := table.wait(maxWaitingNobody, waiting{}); !errors.As(err, &no) || no.reason != ReasonTooMuch {
		t.Errorf("one more: %v", err)
	}
	if err := table.come(7, &session{caller: caller{who: model.User}}); err != nil {
		t.Fatal(err)
	}
	if err := table.wait(maxWaitingNobody, waiting{}); err != nil {
		t.Errorf("of a user: %v", err)
	}
}

// TestDeafClient ends the connection of a client that sends requests and reads no response.
func TestDeafClient(t *testing.T) {
	g, address := local(t, Options{Limits: Limits{Logon: 300 * time.Millisecond}}, Route{})
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, nc: nc}
	w.negotiate(smb2.Dialect210)
	for err == nil { // until its own and the gateway's buffers are full, and the gateway resets it
		m := w.message(smb2.Echo, new(smb2.Empty))
		_, err = nc.Write(append([]byte{0, 0, 0, byte(len(m))}, m...))
	}
	for end := time.Now().Add(time.Minute); g.Stats().Open > 0 &&
		time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if s := g.Stats(); s.Open != 0 || s.Refused[ReasonIdle] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestNetworks parses addresses and networks, and refuses others.
func TestNetworks(t *testing.T) {
	var n Networks
	if err := json.Unmarshal([]byte(`["192.0.2.7","198.51.100.0/24","fe80::1%lan"]`), &n); err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(n); err != nil || string(b) != `["192.0.2.7/32","198.51.100.0/24","fe80::1/128"]` {
		t.Errorf("%s %v", b, err)
	}
	for text, want := range map[string]string{
		`["somehost"]`: `clients: "somehost" is neither an address nor a network such as 192.0.2.0/24`,
		`"192.0.2.7"`:  "clients: not a list of addresses and networks",
		`["192.0.2.77/24"]`: `clients: "192.0.2.77/24" is an address in a network: write 192.0.2.0/24 for the network or ` +
			`192.0.2.77 for the address`,
	} {
		if err := json.Unmarshal([]byte(text), &n); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestWhere refuses clients and servers that match nothing.
func TestWhere(t *testing.T) {
	for _, e := range []Exception{
		{Allow: everything, Servers: []string{"192.0.2.20"}},
		{Allow: everything, Servers: []string{"nas.example:"}},
		{Allow: everything, Clients: []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.0/120")}},
	} {
		p := Policy{Strangers: []Exception{e}}
		if err := p.Check(); err == nil {
			t.Errorf("%+v: taken", e)
		}
	}
}

// TestStrays finds the servers of a policy that no listener leads to.
func TestStrays(t *testing.T) {
	p := Policy{
		Strangers: []Exception{{Servers: []string{"nas.example:445", "192.0.2.9:445"}}},
		Users:     []Refusal{{Servers: []string{"192.0.2.9:445", "NAS.example:139", "[::ffff:192.0.2.20]:445"}}},
	}
	routes := []Route{{To: "NAS.example:445", Policy: p}, {To: "192.0.2.20:445"}}
	if got := Strays(routes); !slices.Equal(got, []string{"192.0.2.9:445", "NAS.example:139"}) {
		t.Error(got)
	}
	if got := Strays(append(routes, Route{Transparent: true})); got != nil {
		t.Errorf("behind a transparent gateway: %v", got)
	}
}

// TestMadeUpUser: an exception for guests covers made-up users, and the other way round, because the server calls both
// guests. The policy's own answer must be the same, since what-if and verify use it.
func TestMadeUpUser(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	for _, as := range []model.Identity{model.Guest, model.UnknownUser} {
		t.Run(string(as), func(t *testing.T) {
			p := Policy{Strangers: []Exception{{As: []model.Identity{as}, Allow: everything}}}
			l := startLab(t, peer.Config{Global: []string{"map to guest = bad user"}}, Route{Policy: p})
			w := dialWith(t, l.samba.Dial, l.through)
			w.negotiate(smb2.Dialect210)
			c := ntlm.NewUser("nosuchuser", "", "x", ntlm.Options{})
			if st, _ := w.setup(w.proof(c, w.begin(c, bare), nil)); st != status.Success {
				t.Errorf("a made-up user: %v", st)
			}
			w = dialWith(t, l.samba.Dial, l.through)
			w.negotiate(smb2.Dialect210)
			if st := w.null(wrapped, nil); st != status.AccessDenied {
				t.Errorf("a null session: %v", st)
			}
			for id, want := range map[model.Identity]model.Outcome{
				model.Guest: model.Allowed, model.UnknownUser: model.Allowed, model.Anonymous: model.Denied,
			} {
				u := model.Use{Identity: id, Layer: model.LayerSession}
				if got, why := p.Stranger(&u, netip.MustParseAddr("192.0.2.1"), l.direct); got != want {
					t.Errorf("the policy's answer for %s: %s: %s", id, got, why)
				}
			}
		})
	}
}

// TestOneSetupAtATime refuses a SESSION_SETUP of a logon whose previous message the server has not answered: the answer
// to the null session, which the policy allows some pipes, would make a user of it.
func TestOneSetupAtATime(t *testing.T) {
	peer.Need(t, "smbd", "namespaces")
	l := startLab(t, peer.Config{}, Route{Policy: somePolicy()})
	w := dialWith(t, l.samba.Dial, l.through)
	w.negotiate(smb2.Dialect210)
	c := ntlm.NewAnonymous(ntlm.Options{})
	proof := w.proof(c, w.begin(c, bare), nil)
	kerberos := []byte("\x60\x0D\x06\x09\x2A\x86\x48\x86\xF7\x12\x01\x02\x02\x01\x00")
	user := &spnego.Init{MechTypes: []asn1.ObjectIdentifier{spnego.OIDKerberos, spnego.OIDNTLM}, MechToken: kerberos}
	var both []byte
	for _, token := range [][]byte{proof, user.Append(nil)} {
		m := w.message(smb2.SessionSetup, setupOf(token))
		both = append(nbss.AppendHeader(both, nbss.SessionMessage, len(m)), m...)
	}
	w.raw(both)
	for {
		if _, _, err := w.receive(); err != nil {
			break
		}
	}
	if s := l.Stats(); s.Sessions[model.User] != 0 || s.Refused[ReasonMalformed] != 1 {
		t.Errorf("%v came in, %v were refused", s.Sessions, s.Refused)
	}
}

// TestTwoAnswers refuses a second request with a MessageId whose answer is due: the first answer would be taken for it.
func TestTwoAnswers(t *testing.T) {
	table := newTable()
	if err := table.wait(3, waiting{logon: new(logon)}); err != nil {
		t.Fatal(err)
	}
	var no refusal
	if err := table.wait(3, waiting{logon: new(logon)}); !errors.As(err, &no) || no.reason != ReasonMalformed {
		t.Errorf("the same MessageId: %v", err)
	}
}

// TestProofBeforeChallenge refuses a name that is empty in the character set that the server may have chosen.
func TestProofBeforeChallenge(t *testing.T) {
	for _, c := range []struct {
		name  []byte
		flags ntlm.Flags
		who   model.Identity
	}{
		{ntlm.EncodeText("anna", ntlm.NegotiateUnicode), ntlm.NegotiateUnicode, model.User},
		{[]byte("anna"), ntlm.NegotiateOEM, model.User},
		{[]byte{0, 'a'}, ntlm.NegotiateUnicode, model.Unknown}, // empty in the OEM character set
		{[]byte{'a'}, ntlm.NegotiateOEM, model.Unknown},        // half a character of Unicode
		{[]byte{0, 0xD8}, ntlm.NegotiateUnicode, model.Unknown},
		{[]byte{'a', 0, 0, 0xD8}, ntlm.NegotiateUnicode, model.Unknown}, // half a pair
	} {
		a := named("")
		a.UserName, a.Flags = c.name, c.flags
		b, err := a.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		l := new(logon)
		if l.request(b); l.claimed().who != c.who {
			t.Errorf("% X: %s, want %s", c.name, l.claimed().who, c.who)
		}
	}
}

// TestOtherMessages refuses a token in which a server that searches for NTLM finds another message than the one that a
// server reads.
func TestOtherMessages(t *testing.T) {
	user, err := named("labadmin").Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	null, err := named("").Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	framed := append([]byte("\x06\x09\x2A\x86\x48\x86\xF7\x12\x01\x02\x02\x01\x00"), null...)
	kerberos := append([]byte{0x60, byte(len(framed))}, framed...)
	kerberos = slices.Insert(kerberos, 1, 0x81)
	mechs := []asn1.ObjectIdentifier{spnego.OIDNTLM}
	for name, c := range map[string]struct {
		blob []byte
		who  model.Identity
	}{
		"alone":    {(&spnego.Init{MechTypes: mechs, MechToken: user}).Append(nil), model.User},
		"in flags": {(&spnego.Init{MechTypes: mechs, ReqFlags: null, MechToken: user}).Append(nil), model.Unknown},
		"in a MIC": {
			(&spnego.Resp{State: spnego.StateAbsent, ResponseToken: user, MechListMIC: null}).Append(nil),
			model.Unknown,
		},
		"without a message": {(&spnego.Resp{State: spnego.StateAbsent, MechListMIC: null}).Append(nil), model.Unknown},
		"in a ticket":       {kerberos, model.Unknown},
		"not there, but Kerberos through the server": {
			spnego.Frame(spnego.OIDIAKERB, []byte{5, 1, 0x30, 0}),
			model.User,
		},
	} {
		l := new(logon)
		if l.request(c.blob); l.claimed().who != c.who || (l.damaged == "") != (c.who == model.User) {
			t.Errorf("%s: %+v", name, l.claimed())
		}
	}
}

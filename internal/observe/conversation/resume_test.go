package conversation

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
)

// quiet reports whether no request is unanswered and no frame is incomplete: a restart there loses nothing.
func quiet(c *Conversation) bool {
	if c.st == nil {
		return false
	}
	for i := range c.st.framers {
		if f := &c.st.framers[i]; len(f.buf) > 0 || f.skip > 0 || f.seek {
			return false
		}
	}
	still := func(p *pipe) bool {
		return len(p.binds)+len(p.calls)+len(p.cut[0].part)+len(p.cut[1].part) == 0
	}
	if two := c.st.smb2; two != nil {
		for _, s := range two.sessions {
			for _, p := range s.opens {
				if !still(p) {
					return false
				}
			}
		}
		return len(two.requests) == 0
	}
	return c.st.smb1 != nil && len(c.st.smb1.requests) == 0
}

// over replays a tape up to a piece, restarts as a service does, through JSON, and replays the rest.
func over(t *testing.T, one *tape, at int) (rows map[model.Use]int, wasQuiet bool) {
	t.Helper()
	all := countRows{}
	first := NewFollower(all, 64<<20)
	c := first.Open(one.conn, time.Time{}).(*Conversation)
	play := func(s flow.Stream, pieces []piece) {
		for _, p := range pieces {
			if p.gap > 0 {
				s.Gap(p.d, p.gap, p.at)
			} else {
				s.Data(p.d, p.b, p.at)
			}
		}
	}
	play(c, one.pieces[:at])
	wasQuiet = quiet(c)
	var known []Known
	if k := c.Known(); k != nil {
		known = append(known, *k)
	}
	c.Close(time.Time{})
	b, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	known = nil
	if err := json.Unmarshal(b, &known); err != nil {
		t.Fatal(err)
	}
	second := NewFollower(all, 64<<20)
	second.Resume(known, one.pieces[at].at.Add(time.Minute))
	conn := one.conn
	conn.Midstream = true
	s := second.Open(conn, one.pieces[at].at)
	play(s, one.pieces[at:])
	s.Close(time.Time{})
	for second.ForgetOld() {
	}
	if second.Used() != 0 {
		t.Fatalf("%d bytes are still charged", second.Used())
	}
	return all, wasQuiet
}

// countRows counts rows without the evidence for the identity.
type countRows map[model.Use]int

func (r countRows) Add(u model.Use) {
	u.First, u.Last, u.Basis = time.Time{}, time.Time{}, ""
	r[u]++
}
func (r countRows) Touch(model.Use) {}

// TestRestart restarts at every quiet place of real connections: the rows of both runs together are those of one.
func TestRestart(t *testing.T) {
	all := 0
	for _, name := range append(replayed[:len(replayed):len(replayed)], "zeek/smb__smb3.pcap",
		"suricata-verify/smb2-01__smb2-peter.pcap") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			places := 0
			for _, one := range tapes(t, name) {
				whole := countRows{}
				s := NewFollower(whole, 64<<20).Open(one.conn, time.Time{})
				for _, p := range one.pieces {
					if p.gap > 0 {
						s.Gap(p.d, p.gap, p.at)
					} else {
						s.Data(p.d, p.b, p.at)
					}
				}
				s.Close(time.Time{})
				step := 1 + len(one.pieces)/200 // long captures: 200 places are enough
				for at := 1; at < len(one.pieces); at += step {
					got, still := over(t, one, at)
					if !still || one.conn.Midstream {
						continue
					}
					places++
					if diff := cmp.Diff(map[model.Use]int(whole), got); diff != "" {
						t.Fatalf("%v at piece %d of %d (-one run +two):\n%s", one.conn, at, len(one.pieces), diff)
					}
				}
			}
			t.Logf("%d places", places)
			all += places
		})
	}
	if all < 500 && !t.Failed() {
		t.Errorf("only %d places", all)
	}
}

// TestResumeOthers: nothing is taken over by connections other than the earlier ones.
func TestResumeOthers(t *testing.T) {
	one := tapes(t, "samba/null-session-rpcclient.pcap")[0]
	f := NewFollower(countRows{}, 64<<20)
	c := f.Open(one.conn, time.Time{}).(*Conversation)
	for _, p := range one.pieces[:len(one.pieces)-8] {
		c.Data(p.d, p.b, p.at)
	}
	k := *c.Known()
	if len(k.Sessions) != 1 || k.Sessions[0].Identity != model.Anonymous || k.Dialect == 0 {
		t.Fatalf("%+v", k)
	}
	now := time.Unix(1e9, 0)
	for name, change := range map[string]func(conn *flow.Conn, at *time.Time){
		"a new connection": func(conn *flow.Conn, _ *time.Time) { conn.Midstream = false },
		"another port":     func(conn *flow.Conn, _ *time.Time) { conn.Client.Port++ },
		"too late":         func(_ *flow.Conn, at *time.Time) { *at = now.Add(time.Hour) },
	} {
		f := NewFollower(countRows{}, 64<<20)
		f.Resume([]Known{k}, now.Add(time.Minute))
		conn, at := one.conn, now
		conn.Midstream = true
		change(&conn, &at)
		if c := f.Open(conn, at).(*Conversation); c.st != nil {
			t.Errorf("%s was taken for the one of before", name)
		}
	}
	f = NewFollower(countRows{}, 64<<20)
	f.Resume([]Known{k}, now.Add(time.Minute))
	conn := one.conn
	conn.Midstream = true
	got := f.Open(conn, now).(*Conversation).st.smb2.sessions[k.Sessions[0].ID].who
	if got.kind != model.Anonymous || !strings.HasSuffix(got.basis, before) {
		t.Errorf("%+v", got)
	}
	again := f.Open(conn, now).(*Conversation)
	if again.st != nil {
		t.Error("the same connection was met twice")
	}
}

// TestResumeTickets keeps the names of tickets.
func TestResumeTickets(t *testing.T) {
	f := NewFollower(countRows{}, 1<<20)
	f.issued(ticket{ticketKey{1}, named(`R\ann`, "")})
	f.issued(ticket{ticketKey{2}, named(`R\bob`, "")})
	f.issued(ticket{ticketKey{3}, named(`R\`+strings.Repeat("x", 300)+"$", "")})
	g := NewFollower(countRows{}, 1<<20)
	g.ResumeTickets(append(f.Tickets(), KnownTicket{Hash: "00", Name: "x"},
		KnownTicket{Hash: strings.Repeat("zz", 16), Name: "x"}))
	if diff := cmp.Diff(f.Tickets(), g.Tickets()); diff != "" {
		t.Error(diff)
	}
	for key, want := range map[ticketKey]model.Identity{{1}: model.User, {2}: model.User, {3}: model.Machine} {
		if got := g.tickets.byKey[key].Value.(ticket).owner; got.kind != want || got.account == "" {
			t.Errorf("ticket %d: %+v, want %s", key[0], got, want)
		}
	}
}

// FuzzResume: no panic from a file, and all memory is freed.
func FuzzResume(f *testing.F) {
	f.Add([]byte(`{"client":"[::ffff:10.0.0.1]:40000","server":"[::ffff:10.0.0.2]:445","dialect":785,"sessions":[{"id":7,"identity":"user","basis":"b","trees":[1],"pipes":[{"file":"01000000000000000000000000000000","name":"samr","contexts":[{"id":0,"uuid":"12345778-1234-abcd-ef00-0123456789ac","major":1}]}],"sealed":true}]}`), []byte{})
	f.Add([]byte(`{"client":"[::ffff:10.0.0.1]:40000","server":"[::ffff:10.0.0.2]:445","smb1":true,"trees":[1,70000],"sessions":[{"id":70000},{"id":7}]}`), []byte{})
	f.Fuzz(func(t *testing.T, b, script []byte) {
		var k Known
		if json.Unmarshal(b, &k) != nil {
			return
		}
		fo := NewFollower(countRows{}, 1<<20)
		conn := flow.Conn{Midstream: true}
		conn.Client.IP, conn.Client.Port = k.Client.Addr().As16(), k.Client.Port()
		conn.Server.IP, conn.Server.Port = k.Server.Addr().As16(), k.Server.Port()
		k.Client, k.Server = addrPort(conn.Client), addrPort(conn.Server)
		fo.Resume([]Known{k}, time.Time{})
		c := fo.Open(conn, time.Time{})
		c.Data(flow.ToServer, script, time.Time{})
		c.Data(flow.ToClient, script, time.Time{})
		c.(*Conversation).Known()
		c.Close(time.Time{})
		for fo.ForgetOld() {
		}
		if fo.Used() != 0 {
			t.Fatalf("%d bytes are still charged", fo.Used())
		}
	})
}

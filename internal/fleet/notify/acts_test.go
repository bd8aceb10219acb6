package notify

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// act adds an entry to the audit log as the server does.
func (c *scene) act(a *access.Access, action, subject string) {
	c.t.Helper()
	if err := a.Act(c.t.Context(), access.System(), action, subject, ""); err != nil {
		c.t.Error(err)
	}
}

// told returns the subjects of the acts that arrived since the last call, by channel and in order, and clears them.
func (c *scene) told() map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string][]string{}
	for _, p := range c.got {
		for _, a := range p.Acts {
			out[p.Channel] = append(out[p.Channel], a.Subject)
		}
	}
	c.got = nil
	return out
}

// Channels get acts if configured: from that change on, in order and once, and never acts of a transaction that was
// rolled back.
func TestTellActs(t *testing.T) { onBoth(t, testTellActs) }

func testTellActs(t *testing.T, c *scene) {
	a := access.New(c.st, access.Options{Clock: func() time.Time { return c.now }})
	save := func(was store.Channel, is *store.Channel) {
		t.Helper()
		err := c.st.InTx(t.Context(), func(tx *store.Tx) error {
			if err := tx.SaveChannel(t.Context(), is); err != nil {
				return err
			}
			return Begin(t.Context(), tx, &was, is)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c.act(a, "site.add", "before")
	none, also, only := c.channel("none", nil), c.channel("also", nil), c.channel("only", nil)
	for _, ch := range []*store.Channel{none, also, only} {
		save(store.Channel{}, ch)
	}
	c.events(1, store.EventNewHost, model.Info)
	was := *also
	also.Acts = store.TellActsToo
	save(was, also)
	was = *only
	only.Acts = store.TellActsOnly
	save(was, only)
	c.act(a, "site.add", "first")
	back := errors.New("taken back")
	if err := c.st.InTx(t.Context(), func(tx *store.Tx) error {
		if err := a.ActIn(t.Context(), tx, access.System(), "site.add", "never", ""); err != nil {
			return err
		}
		return back
	}); !errors.Is(err, back) {
		t.Fatal(err)
	}
	c.act(a, "site.delete", "second")
	c.round()
	c.round()
	c.mu.Lock()
	sizes := map[string]int{}
	for _, p := range c.got {
		sizes[p.Channel] += len(p.Events)
	}
	c.mu.Unlock()
	if sizes["none"] != 1 || sizes["also"] != 1 || sizes["only"] != 0 {
		t.Errorf("events: %v", sizes)
	}
	if got, want := fmt.Sprint(c.told()), "map[also:[first second] only:[first second]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	was = *only
	only.Acts = store.TellNoActs
	save(was, only)
	c.act(a, "site.add", "unheard")
	was = *only
	only.Acts = store.TellActsOnly
	save(was, only)
	c.act(a, "site.add", "heard")
	c.round()
	if got, want := fmt.Sprint(c.told()), "map[also:[unheard heard] only:[heard]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Many goroutines write acts while the service is restarted between any two rounds and the receiver is sometimes down:
// each act arrives once, in the order of the audit log.
func TestActsInOrder(t *testing.T) { onBoth(t, testActsInOrder) }

func testActsInOrder(t *testing.T, c *scene) {
	c.channel("siem", func(ch *store.Channel) { ch.Acts = store.TellActsOnly })
	c.round()
	a := access.New(c.st, access.Options{Clock: func() time.Time { return c.now }})
	var hands sync.WaitGroup
	for hand := range 4 {
		hands.Go(func() {
			for n := range 25 {
				c.act(a, "target.add", fmt.Sprintf("%d-%d", hand, n))
			}
		})
	}
	done := make(chan struct{})
	go func() { hands.Wait(); close(done) }()
	for going := true; going; {
		select {
		case <-done:
			going = false
		default:
		}
		c.s = New(c.st, c.s.Options)
		c.round()
	}
	// More than one message holds; the first is refused.
	err := c.st.InTx(t.Context(), func(tx *store.Tx) error {
		for n := range perDelivery + 5 {
			if err := tx.AddAct(t.Context(), &store.Act{
				Who:     "system",
				Action:  "target.add",
				Subject: fmt.Sprint(n),
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.fail = true
	c.round()
	c.fail = false
	c.now = c.now.Add(10 * time.Second)
	c.round() // the first is not due again: the second waits for it
	c.now = c.now.Add(time.Hour)
	c.round()
	c.round()
	var want []string
	for after := int64(0); ; {
		part, err := c.st.ActsAfter(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range part {
			want = append(want, a.Subject)
			after = a.ID
		}
		if len(part) == 0 {
			break
		}
	}
	if got := c.told()["siem"]; !slices.Equal(got, want) {
		t.Errorf("%d acts, want %d in their order", len(got), len(want))
	}
}

// A real daemon and a webhook get logins, refused and successful, and other acts as they happen, with every field as
// intended and the hash by which serve check finds the entry.
func TestActsDaemon(t *testing.T) { onBoth(t, testActsDaemon) }

func testActsDaemon(t *testing.T, c *scene) {
	cert, key := certificate(t, "127.45.2.3")
	d := peer.StartSyslogd(t, "127.45.2.3", cert, key)
	for name, form := range map[string][2]string{"cef": {"tls", d.TLS}, "json": {"tcp", d.TCP}} {
		config, err := json.Marshal(SyslogConfig{Network: form[0], Address: form[1], Format: name, CA: string(cert)})
		if err != nil {
			t.Fatal(err)
		}
		c.channel(name, func(ch *store.Channel) {
			ch.Kind, ch.Config, ch.Sealed, ch.Acts = KindSyslog, string(config), nil, store.TellActsOnly
		})
	}
	c.channel("hook", func(ch *store.Channel) { ch.Acts = store.TellActsToo })
	c.round()
	a := access.New(c.st, access.Options{Clock: func() time.Time { return c.now }})
	const password, from = "correct horse battery", "192.0.2.7"
	u, err := a.AddUser(t.Context(), access.System(), "ada", store.RoleAdmin, password)
	if err != nil {
		t.Fatal(err)
	}
	try := func(name, password string) error {
		_, err := a.Login(t.Context(), access.Try{Name: name, Password: password, From: from})
		return err
	}
	if err := try(u.Name, "wrong"); !errors.Is(err, access.ErrCredentials) {
		t.Fatal(err)
	}
	if err := try("typed-into-the-wrong-field", "wrong"); !errors.Is(err, access.ErrCredentials) {
		t.Fatal(err)
	}
	if err := try(u.Name, password); err != nil {
		t.Fatal(err)
	}
	c.act(a, "site.add", `Nord=|\ 漢字`)
	c.round()
	lines, err := c.st.ActsAfter(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, l := range lines {
		actions = append(actions, l.Action)
	}
	if got := strings.Join(actions, " "); got != "user.add login.failed login.failed login site.add" {
		t.Fatal(got)
	}
	if len(c.got) != 1 || len(c.got[0].Acts) != len(lines) {
		t.Fatalf("the webhook: %+v", c.got)
	}
	for i, l := range lines {
		if got := c.got[0].Acts[i]; got.ID != l.ID || got.Action != l.Action || got.From != l.From ||
			got.Subject != l.Subject || !got.At.Equal(l.At) || got.Chain != hex.EncodeToString(l.Hash) {
			t.Errorf("the webhook: %+v of %+v", got, l)
		}
	}
	got := d.Messages(t, 2*len(lines))
	if len(got) != 2*len(lines) {
		t.Errorf("%d messages of %d", len(got), 2*len(lines))
	}
	next := map[string]int{} // by input: the order is that of the audit log
	for _, m := range got {
		if next[m.Input] == len(lines) {
			t.Fatalf("more over %s: %+v", m.Input, m)
		}
		l := lines[next[m.Input]]
		next[m.Input]++
		level := "info"
		if l.Action == store.ActLoginFailed {
			level = "warning"
		}
		if m.ID != l.Action || m.Severity != level || strings.Contains(m.Text, "typed-into") ||
			strings.Contains(m.Text, password) {
			t.Errorf("%+v of %+v", m, l)
		}
		if m.Input == "tcp" {
			var back told
			if err := json.Unmarshal([]byte(m.Text), &back); err != nil || back.Action != l.Action ||
				back.From != l.From || back.Subject != l.Subject || back.Chain != hex.EncodeToString(l.Hash) {
				t.Errorf("%v: %q", err, m.Text)
			}
			continue
		}
		fields, ok := parseCEF(m.Text)
		if !ok || fields["class"] != l.Action || fields["act"] != l.Action || fields["src"] != l.From ||
			fields["suser"] != l.Who || fields["cs1"] != l.Subject || fields["cs2"] != hex.EncodeToString(l.Hash) {
			t.Errorf("%v of %+v", fields, l)
		}
		if want := map[bool]string{true: l.Subject}[strings.HasPrefix(l.Action, "login")]; fields["duser"] != want {
			t.Errorf("%v of %+v", fields, l)
		}
	}
	report, err := c.st.CheckActs(context.WithoutCancel(t.Context()), lines[1].Hash)
	if err != nil || report.Broken != "" || !report.Witness {
		t.Errorf("%+v, %v", report, err)
	}
}

// FuzzAct: whatever the database contains, an act's message is one line of bounded length, and its content can be
// parsed back.
func FuzzAct(f *testing.F) {
	f.Add(hostile, hostile, "192.0.2.1")
	f.Add("", "=", "\\")
	f.Add("\xff\xfe", strings.Repeat("|", 5000), "\u2028\u2029")
	f.Fuzz(func(t *testing.T, who, subject, from string) {
		a := store.Act{
			ID:      1,
			At:      time.Unix(1, 0),
			Who:     who,
			From:    from,
			Action:  store.ActLoginFailed,
			Subject: subject,
			Detail:  who,
			Hash:    []byte{1, 2},
		}
		want := tell(a)
		for _, format := range []string{"cef", "json"} {
			s := &syslog{SyslogConfig: SyslogConfig{Format: format}, facility: 16, host: "h"}
			all, err := s.frames(&Message{Version: "1|2", Acts: []store.Act{a}})
			if err != nil {
				t.Fatal(err)
			}
			if b := all[0]; len(b) > 16<<10 || !utf8.Valid(b) ||
				strings.ContainsFunc(string(b), func(r rune) bool { return unicode.IsControl(r) }) {
				t.Fatalf("%d bytes: %q", len(b), b)
			}
			_, text, _ := strings.Cut(string(all[0]), " - ")
			if format == "json" {
				var back told
				if err := json.Unmarshal([]byte(text), &back); err != nil || back.Who != want.Who ||
					back.Subject != want.Subject || back.From != want.From {
					t.Fatalf("%v: %q", err, text)
				}
				continue
			}
			if fields, ok := parseCEF(text); !ok || fields["suser"] != want.Who || fields["cs1"] != want.Subject ||
				fields["msg"] != want.Detail || fields["cs2"] != "0102" {
				t.Fatalf("%v of %q", fields, text)
			}
		}
	})
}

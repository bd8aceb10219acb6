package access

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

const (
	good  = "correct horse battery"
	other = "another staple, please"
	home  = "192.0.2.10"
)

// onBoth runs a test on SQLite and on a real PostgreSQL.
func onBoth(t *testing.T, f func(t *testing.T, c *scene)) {
	t.Helper()
	for kind, dsn := range peer.Databases() {
		t.Run(kind, func(t *testing.T) { f(t, sceneOn(t, dsn(t))) })
	}
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return sceneOn(t, peer.Databases()[store.KindSQLite](t))
}

// scene is an Access on a store of its own, with a manual clock and one administrator.
type scene struct {
	*Access
	t     *testing.T
	now   atomic.Int64
	admin Who
}

func sceneOn(t *testing.T, dsn string) *scene {
	t.Helper()
	c := &scene{t: t}
	c.now.Store(time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC).UnixMicro())
	clock := func() time.Time { return time.UnixMicro(c.now.Load()) }
	st, err := store.Open(t.Context(), dsn, store.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Access = New(st, Options{Clock: clock})
	token, needed, err := c.Setup(t.Context())
	if err != nil || !needed {
		t.Fatal(needed, err)
	}
	u, err := c.FinishSetup(t.Context(), token, "Root ", good, home)
	if err != nil {
		t.Fatal(err)
	}
	c.admin = Who{User: u, Role: u.Role, Via: "session", From: home}
	return c
}

func (c *scene) pass(d time.Duration) { c.now.Add(d.Microseconds()) }

func (c *scene) add(name string, role store.Role) Who {
	c.t.Helper()
	u, err := c.AddUser(c.t.Context(), c.admin, name, role, good)
	if err != nil {
		c.t.Fatal(err)
	}
	return Who{User: u, Role: role, Via: "session", From: home}
}

// acts returns the audit log, the newest entry first.
func (c *scene) acts() string {
	c.t.Helper()
	all, _, err := c.st.Acts(c.t.Context(), "", store.Page{Size: 1000})
	if err != nil {
		c.t.Fatal(err)
	}
	var b strings.Builder
	for _, a := range all {
		fmt.Fprintf(&b, "%s %s %s %s %s\n", a.Who, a.From, a.Action, a.Subject, a.Detail)
	}
	return b.String()
}

func TestSetup(t *testing.T) { onBoth(t, testSetup) }

func testSetup(t *testing.T, c *scene) {
	if _, needed, err := c.Setup(t.Context()); needed || err != nil {
		t.Errorf("a link although there is an account: %v", err)
	}
	if c.admin.User.Name != "root" || c.admin.Role != store.RoleAdmin {
		t.Errorf("%+v", c.admin)
	}
	if !strings.Contains(c.acts(), "root "+home+" user.add root admin") {
		t.Error(c.acts())
	}
}

// A set-up link works once, only the last one works, and not for a name or password that the rules refuse.
func TestSetupLink(t *testing.T) {
	for kind, dsn := range peer.Databases() {
		t.Run(kind, func(t *testing.T) { testSetupLink(t, dsn(t)) })
	}
}

func testSetupLink(t *testing.T, dsn string) {
	st, err := store.Open(t.Context(), dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := New(st, Options{})
	if err := a.SetupValid(t.Context(), ""); !errors.Is(err, ErrLink) {
		t.Errorf("an empty token before there is a link: %v", err)
	}
	first, _, err := a.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := a.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := st.Meta(t.Context(), setupKey)
	if err != nil || strings.Contains(kept, token) || kept == "" {
		t.Errorf("the store keeps %q, %v", kept, err)
	}
	for _, wrong := range []string{"", first, token + "x", kept} {
		if _, err := a.FinishSetup(t.Context(), wrong, "root", good, home); !errors.Is(err, ErrLink) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	var rule *RuleError
	if _, err := a.FinishSetup(t.Context(), token, "root", "short", home); !errors.As(err, &rule) ||
		rule.Field != "password" {
		t.Error(err)
	}
	// Two people use the link: only one of them creates an account.
	var made atomic.Int64
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() {
			if _, err := a.FinishSetup(t.Context(), token, fmt.Sprintf("root%d", i), good, home); err == nil {
				made.Add(1)
			} else if !errors.Is(err, ErrLink) {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if made.Load() != 1 {
		t.Errorf("%d accounts", made.Load())
	}
	if err := a.SetupValid(t.Context(), token); !errors.Is(err, ErrLink) {
		t.Errorf("the link after its use: %v", err)
	}
}

func TestLogin(t *testing.T) { onBoth(t, testLogin) }

func testLogin(t *testing.T, c *scene) {
	c.add("alice", store.RoleViewer)
	e, err := c.login(" Alice", good, home)
	if u := e.User; err != nil || u.Name != "alice" || u.LastLogin.IsZero() {
		t.Fatal(e, err)
	}
	gone := c.add("bob", store.RoleViewer)
	if err := c.Disable(t.Context(), c.admin, gone.User.ID); err != nil {
		t.Fatal(err)
	}
	for name, password := range map[string]string{
		"alice":                    other,
		"bob":                      good,
		"nobody":                   good,
		"":                         "",
		"mypasswordinthenamefield": "x",
		"alice ' or 1=1":           good,
	} {
		if _, err := c.login(name, password, home); !errors.Is(err, ErrCredentials) ||
			err.Error() != ErrCredentials.Error() {
			t.Errorf("%q: %v", name, err)
		}
	}
	log := c.acts()
	if strings.Contains(log, "mypassword") || !strings.Contains(log, "login.failed (no such account)") ||
		!strings.Contains(log, "login.failed bob the account is disabled") ||
		!strings.Contains(log, "alice "+home+" login alice") {
		t.Error(log)
	}
}

// A thousand wrong passwords at once are answered, cost bounded work and reveal nothing. Meanwhile the owner can log in
// on a known device, other people from everywhere, and the right password works from elsewhere a while later.
func TestThousandWrongPasswords(t *testing.T) { onBoth(t, testThousandWrongPasswords) }

func testThousandWrongPasswords(t *testing.T, c *scene) {
	c.add("alice", store.RoleViewer)
	c.add("carol", store.RoleViewer)
	known, err := c.login("alice", good, home)
	if err != nil {
		t.Fatal(err)
	}
	var credentials, throttled, busy atomic.Int64
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			_, err := c.login("alice", fmt.Sprintf("wrong password %d", i), fmt.Sprintf("198.51.100.%d", i%250))
			var wait *ThrottledError
			switch {
			case errors.As(err, &wait):
				throttled.Add(1)
				if wait.Wait > ofPair.most {
					t.Errorf("wait %v", wait.Wait)
				}
			case errors.Is(err, ErrCredentials):
				credentials.Add(1)
			case errors.Is(err, ErrBusy):
				busy.Add(1)
			default:
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	// Each slot of the gate may be busy when the limit is reached.
	if n := credentials.Load(); n < 1 || n > int64(ofAccount.free)+gateSlots {
		t.Errorf("%d passwords were tried", n)
	}
	if throttled.Load()+busy.Load()+credentials.Load() != 1000 {
		t.Error("not all were answered")
	}
	t.Logf("%d tried, %d throttled, %d told to come back", credentials.Load(), throttled.Load(), busy.Load())
	if e, err := c.Login(t.Context(), Try{"alice", good, "198.51.100.1", known.Device}); err != nil ||
		e.User.Name != "alice" {
		t.Errorf("the owner on a known device, from the guesser's address: %v", err)
	}
	if _, err := c.login("carol", good, "198.51.100.1"); err != nil {
		t.Errorf("somebody else, from the guesser's address: %v", err)
	}
	if lines := strings.Count(c.acts(), "login.failed"); lines > ofAccount.free+gateSlots {
		t.Errorf("%d lines in the audit log", lines)
	}
	c.pass(ofAccount.most + time.Second)
	if _, err := c.login("alice", good, "203.0.113.77"); err != nil {
		t.Errorf("the right password later, from elsewhere: %v", err)
	}
}

// login logs in without a known device.
func (c *scene) login(name, password, from string) (Entry, error) {
	return c.Login(c.t.Context(), Try{Name: name, Password: password, From: from})
}

// A flood of wrong passwords from one address fills the line of that address only: those who have logged in from there
// before still log in, and those who are logged in still prove who they are.
func TestLineOfOneAddress(t *testing.T) {
	c := newScene(t)
	ada := c.add("ada", store.RoleAdmin)
	ada.From = home
	known, err := c.login("ada", good, home)
	if err != nil {
		t.Fatal(err)
	}
	for range gateSlots {
		c.gate.slots <- struct{}{}
	}
	for range gateOfOne {
		if !c.gate.lines.join(addressKey(home)) {
			t.Fatal("the line is not empty")
		}
	}
	if _, err := c.login("ada", good, home); !errors.Is(err, ErrBusy) {
		t.Errorf("an unknown device: %v", err)
	}
	for what, do := range map[string]func() error{
		"a known device": func() error {
			_, err := c.Login(t.Context(), Try{"ada", good, home, known.Device})
			return err
		},
		"a proof": func() error { return c.Confirm(t.Context(), ada, good) },
	} {
		done := make(chan error, 1)
		go func() { done <- do() }()
		// It waits for a slot, or is refused at once.
		for len(c.gate.waiting) == 0 && len(done) == 0 {
			runtime.Gosched()
		}
		<-c.gate.slots
		if err := <-done; err != nil {
			t.Errorf("%s: %v", what, err)
		}
		c.gate.slots <- struct{}{}
	}
}

// The waits grow, are bounded, also apply to names without an account, and are shared by two servers on one store.
func TestThrottle(t *testing.T) { onBoth(t, testThrottle) }

func testThrottle(t *testing.T, c *scene) {
	second := New(c.st, Options{Clock: c.Clock})
	servers := []*Access{c.Access, second}
	for _, name := range []string{"root", "nobody"} {
		last := time.Duration(0)
		for i := range 20 {
			_, err := servers[i%2].Login(t.Context(), Try{Name: name, Password: "wrong password", From: home})
			if !errors.Is(err, ErrCredentials) {
				t.Fatalf("%s, try %d: %v", name, i, err)
			}
			if i+1 < ofPair.free {
				continue
			}
			_, err = servers[(i+1)%2].Login(t.Context(), Try{Name: name, Password: good, From: home})
			var wait *ThrottledError
			if !errors.As(err, &wait) {
				t.Fatalf("%s, after %d: %v", name, i+1, err)
			}
			if wait.Wait < last || wait.Wait > ofPair.most {
				t.Errorf("%s: wait %v after %v", name, wait.Wait, last)
			}
			last = wait.Wait
			c.pass(wait.Wait + time.Millisecond)
		}
		if last != ofPair.most {
			t.Errorf("%s: the wait is %v at last", name, last)
		}
	}
	if _, err := c.login("root", good, "203.0.113.9"); err != nil {
		t.Errorf("the same account from elsewhere, a while after: %v", err)
	}
}

// A thousand people share one address: hundreds of wrong passwords for many names block none of the others.
func TestManyBehindOneAddress(t *testing.T) { onBoth(t, testManyBehindOneAddress) }

func testManyBehindOneAddress(t *testing.T, c *scene) {
	c.add("alice", store.RoleViewer)
	for i := range 60 {
		if _, err := c.login(fmt.Sprintf("name%d", i%12), "wrong password", home); !errors.Is(err, ErrCredentials) {
			var wait *ThrottledError
			if !errors.As(err, &wait) {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"alice", "root"} {
		if _, err := c.login(name, good, home); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A cookie of the server identifies a device of one account until it expires; its own wrong passwords slow it down, and
// those from elsewhere do not.
func TestDevice(t *testing.T) { onBoth(t, testDevice) }

func testDevice(t *testing.T, c *scene) {
	c.add("alice", store.RoleViewer)
	known, err := c.login("alice", good, home)
	if err != nil || known.Device == "" {
		t.Fatal(known, err)
	}
	try := func(device, password string) error {
		_, err := c.Login(t.Context(), Try{"alice", password, home, device})
		return err
	}
	var wait *ThrottledError
	for range ofPair.free {
		if err := try("", "wrong password"); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
	}
	roots, err := c.login("root", good, home)
	if err != nil {
		t.Fatal(err)
	}
	for name, cookie := range map[string]string{
		"none":              "",
		"another account's": roots.Device,
		"changed":           known.Device[:len(known.Device)-2] + "AA",
		"made up":           "9999999999.YWxpY2U.AAAA",
		"long":              strings.Repeat("a", 5000),
	} {
		if err := try(cookie, good); !errors.As(err, &wait) {
			t.Errorf("a cookie that is %s: %v", name, err)
		}
	}
	if err := try(known.Device, good); err != nil {
		t.Errorf("the known device: %v", err)
	}
	for range ofDevice.free {
		if err := try(known.Device, "wrong password"); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
	}
	if err := try(known.Device, good); !errors.As(err, &wait) {
		t.Errorf("the device after wrong passwords of its own: %v", err)
	}
	c.pass(DeviceLife + time.Hour)
	for range ofPair.free {
		if err := try("", "wrong password"); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
	}
	if err := try(known.Device, good); !errors.As(err, &wait) {
		t.Errorf("a cookie that has ended: %v", err)
	}
}

func TestAddressKey(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.1": "address:192.0.2.1", "192.0.2.1:1234": "address:192.0.2.1",
		"::ffff:192.0.2.1":     "address:192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "address:2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:99": "address:2001:db8:1:2::/64", "fe80::1%eth0": "address:fe80::/64",
		"": "address:unknown", "@": "address:unknown",
	} {
		if got := addressKey(from); got != want {
			t.Errorf("%q: %s, want %s", from, got, want)
		}
	}
}

func TestOneAdminStays(t *testing.T) { onBoth(t, testOneAdminStays) }

func testOneAdminStays(t *testing.T, c *scene) {
	id := c.admin.User.ID
	if err := c.Disable(t.Context(), c.admin, id); !errors.Is(err, ErrLastAdmin) {
		t.Error(err)
	}
	if err := c.SetRole(t.Context(), c.admin, id, store.RoleViewer); !errors.Is(err, ErrLastAdmin) {
		t.Error(err)
	}
	second := c.add("second", store.RoleAdmin)
	// Both at once: one of them must remain, each time.
	for range 10 {
		var refused atomic.Int64
		var both sync.WaitGroup
		for _, who := range []Who{c.admin, second} {
			both.Go(func() {
				err := c.SetRole(t.Context(), c.admin, who.User.ID, store.RoleOperator)
				if errors.Is(err, ErrLastAdmin) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if refused.Load() != 1 {
			t.Fatalf("%d were refused", refused.Load())
		}
		for _, who := range []Who{c.admin, second} {
			if err := c.SetRole(t.Context(), c.admin, who.User.ID, store.RoleAdmin); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Disable(t.Context(), c.admin, second.User.ID); err != nil {
		t.Error(err)
	}
	if err := c.SetRole(t.Context(), c.admin, id, store.RoleOperator); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("a disabled one counts: %v", err)
	}
	if strings.Contains(c.acts(), "user.role root viewer") {
		t.Error("what was refused stands in the log")
	}
}

func TestPasswordChange(t *testing.T) { onBoth(t, testPasswordChange) }

func testPasswordChange(t *testing.T, c *scene) {
	alice := c.add("alice", store.RoleViewer)
	stamp := Stamp(&alice.User)
	if who, err := c.Resume(t.Context(), alice.User.ID, stamp, home); err != nil || who.Role != store.RoleViewer {
		t.Fatal(err)
	}
	if err := c.SetPassword(t.Context(), alice, alice.User.ID, other, other); !errors.Is(err, ErrCredentials) {
		t.Errorf("with a wrong old one: %v", err)
	}
	if err := c.SetPassword(t.Context(), alice, c.admin.User.ID, "", other); !errors.Is(err, ErrForbidden) {
		t.Errorf("somebody else's: %v", err)
	}
	if err := c.SetPassword(t.Context(), alice, alice.User.ID, good, other); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Resume(t.Context(), alice.User.ID, stamp, home); !errors.Is(err, ErrCredentials) {
		t.Errorf("the session goes on: %v", err)
	}
	if _, err := c.login("alice", other, home); err != nil {
		t.Error(err)
	}
	if err := c.SetPassword(t.Context(), c.admin, alice.User.ID, "", good); err != nil {
		t.Errorf("by an administrator: %v", err)
	}
	if err := c.SetRole(t.Context(), c.admin, alice.User.ID, store.RoleOperator); err != nil {
		t.Fatal(err)
	}
	in, err := c.login("alice", good, home)
	u := in.User
	if err != nil {
		t.Fatal(err)
	}
	if who, err := c.Resume(t.Context(), u.ID, Stamp(&u), home); err != nil || who.Role != store.RoleOperator {
		t.Errorf("the new role: %+v, %v", who, err)
	}
	if err := c.Disable(t.Context(), c.admin, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Resume(t.Context(), u.ID, Stamp(&u), home); !errors.Is(err, ErrCredentials) {
		t.Errorf("a disabled one goes on: %v", err)
	}
	if err := c.Enable(t.Context(), c.admin, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.login("alice", good, home); err != nil {
		t.Error(err)
	}
	if strings.Contains(c.acts(), good) || strings.Contains(c.acts(), other) {
		t.Error("a password in the audit log")
	}
	// Wrong old passwords are throttled like logins: an open session is no way to guess.
	bob := c.add("bob", store.RoleViewer)
	var wait *ThrottledError
	for range ofPair.free + 1 {
		err = c.SetPassword(t.Context(), bob, bob.User.ID, "wrong password", other)
	}
	if !errors.As(err, &wait) {
		t.Errorf("guessing the old one: %v", err)
	}
}

func TestRoles(t *testing.T) {
	c := newScene(t)
	for _, who := range []Who{c.add("v", store.RoleViewer), c.add("o", store.RoleOperator), {}} {
		if _, err := c.AddUser(t.Context(), who, "x", store.RoleViewer, good); !errors.Is(err, ErrForbidden) {
			t.Error(err)
		}
		if err := c.SetRole(t.Context(), who, c.admin.User.ID, store.RoleViewer); !errors.Is(err, ErrForbidden) {
			t.Error(err)
		}
		if err := c.Disable(t.Context(), who, c.admin.User.ID); !errors.Is(err, ErrForbidden) {
			t.Error(err)
		}
	}
	order := []store.Role{"", store.RoleViewer, store.RoleOperator, store.RoleAdmin}
	for i, has := range order {
		for j, wants := range order {
			if got := (Who{Role: has}).Can(wants); got != (i >= j && j > 0) {
				t.Errorf("%q can %q: %v", has, wants, got)
			}
		}
	}
	for name, ok := range map[string]bool{
		"a": true, "anna.b-c_d@example.net": true, "": false, "system": false, "a b": false,
		".a": false, "ä": false, "a\nb": false, "а": false, strings.Repeat("a", 65): false,
	} {
		_, err := c.AddUser(t.Context(), c.admin, name, store.RoleViewer, good)
		if (err == nil) != ok {
			t.Errorf("the name %q: %v", name, err)
		}
	}
	if _, err := c.AddUser(t.Context(), c.admin, "A", store.RoleViewer, good); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the same name twice: %v", err)
	}
	if _, err := c.AddUser(t.Context(), c.admin, "role", "king", good); err == nil {
		t.Error("an unknown role")
	}
	// The account has a role at a site only, from the start: at no moment does it see everything.
	site := store.Site{Name: "east"}
	if err := c.st.SaveSite(t.Context(), &site); err != nil {
		t.Fatal(err)
	}
	u, err := c.AddUser(t.Context(), c.admin, "eve", "", good,
		store.SiteRole{SiteID: site.ID, Role: store.RoleOperator})
	if err != nil {
		t.Fatal(err)
	}
	if u, err = c.st.User(t.Context(), u.ID); err != nil || u.Role != "" || len(u.Sites) != 1 ||
		u.Sites[0].Role != store.RoleOperator {
		t.Errorf("%+v, %v", u, err)
	}
	if !strings.Contains(c.acts(), "user.add eve operator of east") {
		t.Error(c.acts())
	}
	for what, sites := range map[string][]store.SiteRole{
		"no role": nil, "no such site": {{SiteID: 99, Role: store.RoleViewer}},
		"a site without a role": {{SiteID: site.ID}},
	} {
		if _, err := c.AddUser(t.Context(), c.admin, "none", "", good, sites...); err == nil {
			t.Errorf("an account with %s", what)
		}
	}
}

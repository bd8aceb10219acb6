package access

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// A login that runs beside a change of its account writes nothing back that the change has replaced, and does not get
// in with what no longer holds.
func TestOvertaken(t *testing.T) {
	for kind, dsn := range peer.Databases() {
		t.Run(kind, func(t *testing.T) {
			at := dsn(t)
			testOvertaken(t, sceneOn(t, at), waiting(t, kind, at))
		})
	}
}

// waiting returns a function that waits until another transaction waits for one that is open. SQLite has one writer at
// a time and says nothing about those that wait.
func waiting(t *testing.T, kind, dsn string) func() {
	if kind != store.KindPostgres {
		return func() {}
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return func() {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			var n int
			if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
				WHERE NOT l.granted AND a.datname = current_database()`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatal("nothing waits")
			}
		}
	}
}

func testOvertaken(t *testing.T, c *scene, wait func()) {
	// during runs do while a change of an account is written and not yet committed.
	during := func(u *store.User, change func(*store.User), do func() error) error {
		t.Helper()
		written, commit, committed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			committed <- c.change(t.Context(), c.admin, u.ID, "user.change", "", func(tx *store.Tx, u *store.User) error {
				change(u)
				err := tx.SaveUser(t.Context(), u)
				close(written)
				<-commit
				return err
			})
		}()
		release := sync.OnceFunc(func() { close(commit) })
		defer release()
		<-written
		done := make(chan error, 1)
		go func() { done <- do() }()
		wait()
		release()
		if err := <-committed; err != nil {
			t.Fatal(err)
		}
		return <-done
	}
	now := func(u *store.User) store.User {
		t.Helper()
		fresh, err := c.st.User(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		return fresh
	}
	login := func(u *store.User) func() error {
		return func() error {
			_, err := c.login(u.Name, good, home)
			return err
		}
	}

	demoted := c.add("demoted", store.RoleAdmin).User
	if err := during(&demoted, func(u *store.User) { u.Role = store.RoleViewer }, login(&demoted)); err != nil {
		t.Error(err)
	}
	if u := now(&demoted); u.Role != store.RoleViewer || u.LastLogin.IsZero() {
		t.Errorf("%+v", u)
	}
	locked := c.add("locked", store.RoleViewer).User
	if err := during(&locked, func(u *store.User) { u.Disabled = true }, login(&locked)); !errors.Is(err, ErrCredentials) {
		t.Error(err)
	}
	if u := now(&locked); !u.Disabled {
		t.Errorf("%+v", u)
	}
	second := c.add("second", store.RoleViewer).User
	if err := during(&second, func(u *store.User) { u.TOTP = []byte("sealed") }, login(&second)); err != nil &&
		!errors.Is(err, ErrCredentials) { // it is asked for the second factor, or begins again
		t.Error(err)
	}
	if u := now(&second); string(u.TOTP) != "sealed" || !u.LastLogin.IsZero() {
		t.Errorf("%+v", u)
	}
	reset := c.add("reset", store.RoleViewer).User
	who := Who{User: reset, Role: reset.Role, Via: "session", From: home}
	token := func() error {
		_, _, err := c.NewToken(t.Context(), who, good, "late", store.ScopeRead, time.UnixMicro(c.now.Load()).Add(time.Hour))
		return err
	}
	kept, err := c.gate.hash(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if err := during(&reset, func(u *store.User) { u.Password = kept; u.Epoch++ }, token); !errors.Is(err, ErrCredentials) {
		t.Error(err)
	}
	if all, err := c.st.Tokens(t.Context(), reset.ID); err != nil || len(all) > 0 {
		t.Error(all, err)
	}
}

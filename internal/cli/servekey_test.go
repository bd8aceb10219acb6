package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet"
	sealing "ipcguard/internal/fleet/secret"
	"ipcguard/internal/store"
)

// TestLostKey: without the key of a backup its secrets are named, and no other key is made unasked.
func TestLostKey(t *testing.T) {
	dir := t.TempDir()
	keys, path, saved := filepath.Join(dir, keyFile), filepath.Join(dir, databaseFile), filepath.Join(dir, "saved.db")
	var out, said bytes.Buffer
	a := &app{stdin: strings.NewReader("y\n"), stdout: &out, stderr: &said}
	f := &serveFlags{}
	f.key = keys
	st, err := openStore(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := a.serverKey(t.Context(), f, st) // the first start
	if err != nil || !strings.Contains(said.String(), "key made") {
		t.Fatal(err, said.String())
	}
	sealed, err := key.Seal([]byte("very secret"))
	if err != nil {
		t.Fatal(err)
	}
	c := store.Credential{Name: "svc", Kind: "password", Account: "svc", Sealed: sealed, Created: time.Now()}
	if err := errors.Join(st.SaveCredential(t.Context(), &c), st.Backup(t.Context(), saved)); err != nil {
		t.Fatal(err)
	}
	fl, err := fleet.New(st, fleet.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fl.Authority(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lost, err := fleet.Unopened(t.Context(), st, key); err != nil || len(lost) > 0 {
		t.Errorf("its own key does not open %q, %v", lost, err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.restore(t.Context(), saved, path, keys); err != nil || strings.Contains(out.String(), "does not open") {
		t.Fatal(err, out.String())
	}

	if err := os.Rename(keys, keys+".kept"); err != nil {
		t.Fatal(err)
	}
	if err := a.restore(t.Context(), saved, path, keys); err != nil ||
		!strings.Contains(out.String(), "does not open what is sealed in it: credential svc") {
		t.Fatal(err, out.String())
	}
	if st, err = openStore(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	_, err = a.serverKey(t.Context(), f, st) // there is no terminal to ask on
	var h hinted
	if !errors.As(err, &h) || !strings.Contains(err.Error(), "credential svc") ||
		!strings.Contains(h.hint, "--new-key") {
		t.Fatalf("started without the key: %v", err)
	}
	if _, err := os.Stat(keys); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a key was made unasked: %v", err)
	}
	f.newKey = true
	other, err := a.serverKey(t.Context(), f, st)
	if err != nil || other.Recipient() == key.Recipient() {
		t.Fatal(err)
	}
	said.Reset()
	f.newKey = false
	if _, err := a.serverKey(t.Context(), f, st); err != nil ||
		!strings.Contains(said.String(), "does not open credential svc") {
		t.Errorf("a wrong key: %v, %s", err, said.String())
	}
	if _, err := fleet.Unopened(t.Context(), st, sealing.Key{}); err != nil {
		t.Error(err)
	}
}

// TestRestoreOlder: the backup of before an upgrade is restored with the program of after it. The backup stays as it
// is, what an interrupted restore left is in nobody's way, and no other database passes for a backup.
func TestRestoreOlder(t *testing.T) {
	dir := t.TempDir()
	path, saved := filepath.Join(dir, databaseFile), filepath.Join(dir, "saved.db")
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: &out}
	ctx := t.Context()
	st, err := openStore(ctx, saved)
	if err != nil {
		t.Fatal(err)
	}
	// The steps from version 14 on change no table of SQLite: without their rows this is a database of version 13.
	_, err = st.DB().ExecContext(ctx, `DELETE FROM goose_db_version WHERE version_id >= 14`)
	if err := errors.Join(err, st.SaveSite(ctx, &store.Site{Name: "berlin"}), st.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".restored", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.restore(ctx, saved, path, filepath.Join(dir, keyFile)); err != nil ||
		!strings.Contains(out.String(), "of an older ipcguard") {
		t.Fatal(err, out.String())
	}
	if st, err = store.Open(ctx, path, store.Options{}); err != nil {
		t.Fatal(err)
	}
	_, err = st.SiteByName(ctx, "berlin")
	if err := errors.Join(err, st.CheckSchema(ctx), st.Close()); err != nil {
		t.Error(err)
	}
	if st, err = store.Open(ctx, saved, store.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(st.CheckSchema(ctx), st.Close()); !errors.Is(err, store.ErrOlder) {
		t.Errorf("the backup itself: %v", err)
	}
	foreign := filepath.Join(dir, "foreign.db")
	if st, err = store.Open(ctx, foreign, store.Options{}); err != nil {
		t.Fatal(err)
	}
	_, err = st.DB().ExecContext(ctx, `CREATE TABLE notes (text TEXT)`)
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	if err := a.restore(ctx, foreign, path, filepath.Join(dir, keyFile)); err == nil ||
		!strings.Contains(err.Error(), "is not a database of ipcguard") {
		t.Errorf("a database of something else: %v", err)
	}
	left, err := filepath.Glob(path + ".restored*")
	if err != nil || len(left) > 0 {
		t.Errorf("it leaves %q: %v", left, err)
	}
}

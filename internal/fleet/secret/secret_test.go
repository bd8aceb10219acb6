package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ipcguard/internal/peer"
)

func made(t *testing.T) (Key, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	key, isNew, err := Create(path)
	if err != nil || !isNew {
		t.Fatal(isNew, err)
	}
	return key, path
}

func TestSealOpen(t *testing.T) {
	key, path := made(t)
	for _, plain := range [][]byte{nil, []byte("x"), []byte("Passw0rd!"), bytes.Repeat([]byte{0xff}, MaxPlain)} {
		sealed, err := key.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		if len(plain) > 1 && bytes.Contains(sealed, plain) {
			t.Error("what is sealed can be read")
		}
		got, err := key.Open(sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes come back as %d, %v", len(plain), len(got), err)
		}
	}
	again, isNew, err := Create(path)
	if err != nil || isNew || again.Recipient() != key.Recipient() {
		t.Errorf("the second start: new %v, %v", isNew, err)
	}
	if _, err := key.Seal(make([]byte, MaxPlain+1)); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	if _, err := key.Open(make([]byte, maxSealed+1)); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	if _, err := (Key{}).Seal(nil); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
	if _, err := (Key{}).Open(nil); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
}

// Every bit counts: a sealed text with one changed bit or a missing end does not open.
func TestDamaged(t *testing.T) {
	key, _ := made(t)
	other, _ := made(t)
	sealed, err := key.Seal([]byte("a secret"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(sealed); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another key: %v", err)
	}
	for i := range sealed {
		bent := bytes.Clone(sealed)
		bent[i] ^= 1
		if plain, err := key.Open(bent); err == nil {
			t.Errorf("byte %d changed, and still it opens: %q", i, plain)
		}
		if plain, err := key.Open(sealed[:i]); err == nil {
			t.Errorf("cut to %d bytes, and still it opens: %q", i, plain)
		}
	}
}

func TestRotate(t *testing.T) {
	first, path := made(t)
	sealed, err := first.Seal([]byte("old"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	if second.Recipient() == first.Recipient() {
		t.Error("the same key after rotation")
	}
	if plain, err := second.Open(sealed); err != nil || string(plain) != "old" {
		t.Errorf("%q, %v", plain, err)
	}
	if second.Current(sealed) || !first.Current(sealed) || (Key{}).Current(sealed) {
		t.Error("which key is the newest")
	}
	renewed, err := second.Seal([]byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	if !second.Current(renewed) {
		t.Error("the newest key does not seal")
	}
	if _, err := first.Open(renewed); !errors.Is(err, ErrWrongKey) {
		t.Errorf("the old key opens what the new one sealed: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	alone, err := Forget(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone.Open(sealed); !errors.Is(err, ErrWrongKey) || !alone.Current(renewed) {
		t.Errorf("the forgotten key still opens: %v", err)
	}
	for range maxIdentities - 1 {
		if _, err := Rotate(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Rotate(path); err == nil {
		t.Error("rotated without an end")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFileRefused(t *testing.T) {
	_, path := made(t)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Create(path); err == nil || !strings.Contains(err.Error(), "other accounts") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	for name, content := range map[string]string{
		"empty": "", "words": "hello\n", "half": "AGE-SECRET-KEY-1QQQQ\n", "long": strings.Repeat("#\n", maxFile),
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Create(path)
		if err == nil {
			t.Errorf("%s is taken for a key file", name)
		} else if strings.Contains(err.Error(), "AGE-SECRET") || strings.Contains(err.Error(), "hello") {
			t.Errorf("%s: the error quotes the file: %v", name, err)
		}
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a directory is taken for a key file")
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// Many programs that start at once agree on one key, and one of them created it.
func TestCreateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	var (
		mu      sync.Mutex
		keys    = map[string]int{}
		makers  int
		waiting sync.WaitGroup
	)
	for range 16 {
		waiting.Go(func() {
			key, isNew, err := Create(path)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			keys[key.Recipient()]++
			if isNew {
				makers++
			}
		})
	}
	waiting.Wait()
	if len(keys) != 1 || makers != 1 {
		t.Errorf("%d keys, made %d times", len(keys), makers)
	}
}

func TestNeverShown(t *testing.T) {
	key, path := made(t)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(file, []byte("AGE-SECRET-KEY-"))
	secret := string(bytes.TrimSpace(file[i:]))
	type holder struct {
		Key  Key
		Also *Key
	}
	h := holder{key, &key}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "key", key, "in", h)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "key", key, "in", h)
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprintf("%v %+v %#v %s %x %q %d", key, key, key, key, key, key, key), fmt.Sprintf("%v %+v %#v", h, h, h),
		string(b), logged.String(),
	} {
		if strings.Contains(shown, secret) || strings.Contains(strings.ToUpper(shown), secret[15:]) {
			t.Errorf("the key is shown: %s", shown)
		}
		if !strings.Contains(shown, hidden) {
			t.Errorf("nothing stands in its place: %s", shown)
		}
	}
}

// The age tool and this package read each other's files with the same key file.
func TestAge(t *testing.T) {
	peer.Need(t, "age")
	key, path := made(t)
	sealed, err := key.Seal([]byte("a secret"))
	if err != nil {
		t.Fatal(err)
	}
	open := exec.Command("age", "--decrypt", "--identity", path)
	open.Stdin = bytes.NewReader(sealed)
	if out, err := open.Output(); err != nil || string(out) != "a secret" {
		t.Errorf("age says %q, %v", out, err)
	}
	seal := exec.Command("age", "--encrypt", "--recipient", key.Recipient())
	seal.Stdin = strings.NewReader("from age")
	out, err := seal.Output()
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := key.Open(out); err != nil || string(plain) != "from age" {
		t.Errorf("%q, %v", plain, err)
	}
}

func FuzzOpen(f *testing.F) {
	key, err := parse([]byte("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n"))
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := key.Seal([]byte("seed"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("age-encryption.org/v1\n-> X25519 \n---\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := key.Open(b); err == nil && len(plain) > MaxPlain {
			t.Errorf("%d bytes", len(plain))
		}
	})
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("# a comment\nAGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n"))
	f.Add([]byte("AGE-SECRET-KEY-PQ-1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := parse(b)
		if err != nil {
			return
		}
		if n := len(key.identities); n == 0 || n > maxIdentities {
			t.Errorf("%d identities", n)
		}
		sealed, err := key.Seal([]byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := key.Open(sealed); err != nil {
			t.Error(err)
		}
	})
}

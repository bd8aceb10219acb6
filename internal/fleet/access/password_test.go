package access

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// The example of RFC 9106 has a secret and data, which Go's package does not support. These are vectors of the
// reference implementation's own tests (phc-winner-argon2, test.c), for version 0x13 of argon2id.
func TestArgon2id(t *testing.T) {
	for _, v := range []struct {
		passes, logMemory uint32
		password, salt    string
		want              string
	}{
		{2, 16, "password", "somesalt", "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"},
		{2, 8, "password", "somesalt", "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"},
	} {
		h := hashed{cost: cost{1 << v.logMemory, v.passes, 1}, salt: []byte(v.salt)}
		if got := hex.EncodeToString(h.of(v.password, 32)); got != v.want {
			t.Errorf("%s, want %s", got, v.want)
		}
	}
}

func TestHash(t *testing.T) {
	g := newGate()
	kept, err := g.hash(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kept, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(kept, good) {
		t.Error(kept)
	}
	again, err := g.hash(t.Context(), good)
	if err != nil || again == kept {
		t.Errorf("no salt: %v", err)
	}
	if !g.fits(kept, good) || g.fits(kept, other) || g.fits(kept, "") || g.fits("", "") || g.fits("nonsense", good) ||
		stale(kept) {
		t.Error("which password fits")
	}
	long := strings.Repeat("x", maxPassword)
	if kept, err = g.hash(t.Context(), long); err != nil || !g.fits(kept, long) || g.fits(kept, long+"y") {
		t.Errorf("a long one is cut: %v", err)
	}
	older := hashed{cost: cost{8 * 1024, 3, 1}, salt: []byte("somesalt")}
	older.sum = older.of(good, 32)
	if !g.fits(older.String(), good) || !stale(older.String()) {
		t.Error("another cost")
	}
}

// A hash of another cost is replaced when its owner logs in, and with it the sessions' stamp.
func TestRenew(t *testing.T) {
	c := newScene(t)
	alice := c.add("alice", "viewer")
	older := hashed{cost: cost{8 * 1024, 3, 1}, salt: []byte("somesalt")}
	older.sum = older.of(good, 32)
	alice.User.Password = older.String()
	if err := c.st.SaveUser(t.Context(), &alice.User); err != nil {
		t.Fatal(err)
	}
	in, err := c.login("alice", good, home)
	u := in.User
	if err != nil || stale(u.Password) {
		t.Errorf("%s, %v", u.Password, err)
	}
	if _, err := c.Resume(t.Context(), u.ID, Stamp(&u), home); err != nil {
		t.Error(err)
	}
}

func TestCheckPassword(t *testing.T) {
	for password, ok := range map[string]bool{
		good: true, "пароль-длинный": true, "twelve chars": true, "elevenchars": false, "": false,
		"aaaaaaaaaaaaaaa": false, "ababababababab": false,
		"Password2026!!": false, "qwertyuiopasd": false, "123456789012": false,
		"Administrator1!": false, "alice and her cat": false,
		"ALICE and her cat": false, "\xff\xfe\xfd nonsense text": false,
		strings.Repeat("abcdefgh", 33): false, "ipcguard-ipcguard": false,
	} {
		if err := CheckPassword("alice", password); (err == nil) != ok {
			t.Errorf("%q: %v", password, err)
		} else if err != nil && len(password) > 3 && strings.Contains(err.Error(), password) {
			t.Errorf("the error quotes it: %v", err)
		}
	}
}

// A thousand at once take the memory of two, and those who cannot wait get an error.
func TestGateMemory(t *testing.T) {
	g := newGate()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	var mu sync.Mutex
	busy, most := 0, 0
	for i := range 1000 {
		all.Go(func() {
			leave, err := g.enter(t.Context(), fmt.Sprint(i%100))
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, ErrBusy) {
				busy++
				return
			} else if err != nil {
				t.Error(err)
				return
			}
			most = max(most, len(g.slots))
			leave()
		})
	}
	all.Wait()
	if most > gateSlots || busy > 1000-gateWaiting-gateSlots {
		t.Errorf("%d at a time, %d told to come back", most, busy)
	}
	runtime.ReadMemStats(&after)
	leave, err := g.enter(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	second, err := g.enter(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.enter(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	leave()
	second()
	if len(g.slots) != 0 || len(g.waiting) != 0 || len(g.lines.of) != 0 {
		t.Error("slots are lost")
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHApl8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHApl8ArZWb2GRPPc")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if err != nil {
			return
		}
		if h.String() != s || h.memory > 256<<10 || h.passes > 16 || h.threads == 0 || h.threads > 16 {
			t.Errorf("%q becomes %+v", s, h.cost)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	g := newGate()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.hash(b.Context(), good); err != nil {
			b.Fatal(err)
		}
	}
}

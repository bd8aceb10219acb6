package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// cost is the work of one guess. See RFC 9106; the values are the first choice of OWASP's cheat sheet on password
// storage (19 MiB, two passes, one lane), about 30 ms of one core.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

var current = cost{19 * 1024, 2, 1}

const (
	saltSize = 16
	hashSize = 32
)

// hashed is a stored password.
type hashed struct {
	cost
	salt, sum []byte
}

// String returns the PHC form: $argon2id$v=19$m=…,t=…,p=…$salt$sum, base64 without padding.
func (h hashed) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.sum))
}

var errHash = errors.New("access: not an argon2id hash that this program takes")

// parseHash parses the PHC form. It bounds the parameters, since they decide how much memory and time a login takes.
func parseHash(s string) (hashed, error) {
	var h hashed
	if len(s) > 512 {
		return h, errHash
	}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return h, errHash
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return h, errHash
	}
	var numbers [3]uint64
	for i, want := range []struct {
		name        string
		least, most uint64
	}{{"m=", 8, 256 << 10}, {"t=", 1, 16}, {"p=", 1, 16}} {
		digits, ok := strings.CutPrefix(costs[i], want.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n < want.least || n > want.most || strconv.FormatUint(n, 10) != digits {
			return h, errHash
		}
		numbers[i] = n
	}
	h.memory, h.passes, h.threads = uint32(numbers[0]), uint32(numbers[1]), uint8(numbers[2])
	var err error
	strict := base64.RawStdEncoding.Strict()
	if h.salt, err = strict.DecodeString(parts[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return hashed{}, errHash
	}
	if h.sum, err = strict.DecodeString(parts[5]); err != nil || len(h.sum) < 16 || len(h.sum) > 64 {
		return hashed{}, errHash
	}
	if h.String() != s { // such as line breaks, which base64 ignores
		return hashed{}, errHash
	}
	return h, nil
}

// gate limits concurrent hashing: each hash takes 19 MiB, and a thousand logins at once would take 19 GiB.
type gate struct {
	slots   chan struct{}
	waiting chan struct{}
	lines   *lines
	unknown hashed // compared with the passwords of unknown names
	quiet   *time.Timer
}

// Bounds of the gate. Two at a time keep two cores busy; those who wait are served within seconds or told to come back.
const (
	gateSlots   = 2
	gateWaiting = 128
	gateWait    = 10 * time.Second
	gateOfOne   = 8 // waiting requests in one line; the other slots stay free for others
	// gateQuiet is the time after the last hash until the memory is returned to the system: an idle server would keep
	// it for minutes.
	gateQuiet = 5 * time.Second
)

func newGate() gate {
	g := gate{
		slots:   make(chan struct{}, gateSlots),
		waiting: make(chan struct{}, gateWaiting),
		lines:   &lines{of: map[string]int{}},
	}
	g.unknown = hashed{current, make([]byte, saltSize), make([]byte, hashSize)}
	_, _ = rand.Read(g.unknown.sum) // never fails; no password has a sum of 256 random bits
	g.quiet = time.AfterFunc(gateQuiet, debug.FreeOSMemory)
	return g
}

// lines counts the waiting requests of each address, and of each account by those who have logged in as it before.
type lines struct {
	lock sync.Mutex
	of   map[string]int
}

// join adds a waiting request to a line; it returns false if the line is full.
func (l *lines) join(line string) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.of[line] >= gateOfOne {
		return false
	}
	l.of[line]++
	return true
}

func (l *lines) quit(line string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.of[line]--; l.of[line] <= 0 {
		delete(l.of, line)
	}
}

// enter waits for a slot; leave releases it.
func (g gate) enter(ctx context.Context, line string) (leave func(), err error) {
	leave = func() {
		<-g.slots
		g.quiet.Reset(gateQuiet)
	}
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	default:
	}
	if !g.lines.join(line) {
		return nil, ErrBusy
	}
	defer g.lines.quit(line)
	select {
	case g.waiting <- struct{}{}:
		defer func() { <-g.waiting }()
	default:
		return nil, ErrBusy
	}
	limit := time.NewTimer(gateWait)
	defer limit.Stop()
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	case <-limit.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash returns the hash of a password.
func (g gate) hash(ctx context.Context, password string) (string, error) {
	leave, err := g.enter(ctx, "") // the caller is logged in
	if err != nil {
		return "", err
	}
	defer leave()
	h := hashed{cost: current, salt: make([]byte, saltSize)}
	if _, err := rand.Read(h.salt); err != nil {
		return "", fmt.Errorf("access: %w", err)
	}
	h.sum = h.of(password, hashSize)
	return h.String(), nil
}

// fits reports whether a password matches kept. The caller holds a slot. If kept is no hash, it does the same work and
// returns false.
func (g gate) fits(kept, password string) bool {
	h, err := parseHash(kept)
	if err != nil {
		h = g.unknown
	}
	if len(password) > maxPassword {
		password = password[:maxPassword] // the work must not grow with the input
		h.sum = g.unknown.sum
	}
	return subtle.ConstantTimeCompare(h.of(password, uint32(len(h.sum))), h.sum) == 1 && err == nil
}

func (h hashed) of(password string, size uint32) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, size)
}

// stale reports whether a hash has a cost other than today's.
func stale(kept string) bool {
	h, err := parseHash(kept)
	return err == nil && h.cost != current
}

// Bounds of a password: twelve characters, the minimum of NIST SP 800-63B for an account without a second factor that
// is not a public service, and enough bytes for a sentence or a generated password.
const (
	minPassword = 12
	maxPassword = 256
	minDistinct = 5
)

// CheckPassword returns what is wrong with a password for an account, or nil.
func CheckPassword(name, password string) error {
	wrong := func(text string) error { return &RuleError{"password", text} }
	lower := strings.ToLower(password)
	switch {
	case !utf8.ValidString(password):
		return wrong("the password is not text")
	case len(password) > maxPassword:
		return wrong(fmt.Sprintf("the password has more than %d bytes", maxPassword))
	case utf8.RuneCountInString(password) < minPassword:
		return wrong(fmt.Sprintf("the password has fewer than %d characters", minPassword))
	case distinct(lower) < minDistinct:
		return wrong(fmt.Sprintf("the password has fewer than %d different characters", minDistinct))
	case len(name) >= 4 && strings.Contains(lower, strings.ToLower(name)):
		return wrong("the password holds the account's name")
	case common(lower):
		return wrong("the password is one that is tried first")
	}
	return nil
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

// common reports whether a password is a run along the keyboard, the alphabet or the digits, or a popular password with
// a few characters added.
func common(lower string) bool {
	for _, row := range []string{
		"abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm",
		"12345678901234567890", "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
	} {
		if strings.Contains(row+row, lower) {
			return true
		}
	}
	rest := lower
	for _, word := range []string{
		"password", "passw0rd", "p@ssw0rd", "administrator", "admin", "welcome", "letmein", "changeme", "ipcguard",
		"qwerty", "secret",
	} {
		rest = strings.ReplaceAll(rest, word, "")
	}
	rest = strings.Trim(rest, "0123456789!@#$%^&*()._-+=? ")
	return rest == ""
}

package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ipcguard/internal/store"
)

// limit says how wrong passwords delay the next attempt. The first free ones cost nothing; after that the wait doubles
// with each, from a second up to most, and ends after window without a failure.
type limit struct {
	free   int
	most   time.Duration
	window time.Duration
}

// Who has to wait, after OWASP's device cookies:
//
//   - A device on which the account logged in before shows a cookie and has a count of its own: failures elsewhere do
//     not affect it.
//   - All others count by account and address together, so that a guesser behind the same router blocks none of its
//     other users, and by account: anybody can cause that wait, so it stays short, and leaves a guesser 1,440 attempts
//     a day.
//   - A second factor counts by account: only who has the password gets there.
//
// Nothing counts by address only: a thousand people may share one. The gate bounds what it costs to try many names from
// one address.
var (
	ofDevice  = limit{free: 10, most: 15 * time.Minute, window: 24 * time.Hour}
	ofPair    = limit{free: 5, most: 15 * time.Minute, window: 24 * time.Hour}
	ofAccount = limit{free: 15, most: time.Minute, window: 24 * time.Hour}
	ofSecond  = limit{free: 5, most: 15 * time.Minute, window: 24 * time.Hour}
)

// count is a counter of failures and its limit.
type count struct {
	key string
	limit
}

// wait returns the wait after a number of failures.
func (l limit) wait(failures int) time.Duration {
	over := failures - l.free
	switch {
	case over < 0:
		return 0
	case over > 20: // a second doubled so often exceeds every limit
		return l.most
	}
	return min(time.Second<<over, l.most)
}

// failures is what the throttle needs of a store or a transaction.
type failures interface {
	Failures(ctx context.Context, key string, since time.Time) (int, error)
}

var _ failures = (*store.Store)(nil)

// throttled returns how long a key has to wait, 0 for none. The store counts failures since a time: the wait is over
// when there is no failure within it.
func (l limit) throttled(ctx context.Context, st failures, key string, now time.Time) (time.Duration, error) {
	n, err := st.Failures(ctx, key, now.Add(-l.window))
	if err != nil {
		return 0, err
	}
	wait := l.wait(n)
	if wait == 0 {
		return 0, nil
	}
	recent, err := st.Failures(ctx, key, now.Add(-wait))
	if err != nil || recent == 0 {
		return 0, err
	}
	return wait, nil
}

// pairKey is the key of an account at an address.
func pairKey(name, from string) string { return accountKey(name) + " " + addressKey(from) }

// deviceKey is the key of a device of an account.
func deviceKey(id string) string { return "device:" + id }

// secondKey is the key of an account's second factors.
func secondKey(id int64) string { return fmt.Sprintf("second:%d", id) }

// accountKey is the key of an account, or of what was typed as one, without storing it.
func accountKey(name string) string {
	sum := sha256.Sum256([]byte("account " + name))
	return "account:" + hex.EncodeToString(sum[:12])
}

// addressKey is the key of a client: its IPv4 address, or the /64 of its IPv6 address, which one line has.
func addressKey(from string) string {
	ip, err := netip.ParseAddr(strings.Trim(from, "[]"))
	if err != nil {
		if at, e := netip.ParseAddrPort(from); e == nil {
			ip = at.Addr()
		} else {
			return "address:unknown"
		}
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return "address:" + p.String()
		}
	}
	return "address:" + ip.String()
}

// slow returns an error if the attempt has to wait.
func (a *Access) slow(ctx context.Context, st failures, counts []count) error {
	now := a.now()
	var most time.Duration
	for _, c := range counts {
		wait, err := c.throttled(ctx, st, c.key, now)
		if err != nil {
			return err
		}
		most = max(most, wait)
	}
	if most > 0 {
		return &ThrottledError{most}
	}
	return nil
}

// failed counts an attempt before its outcome is known, so that many at once cannot all be the first.
func (a *Access) failed(ctx context.Context, counts []count) error {
	for _, c := range counts {
		if err := a.st.AddFailure(ctx, c.key, a.now()); err != nil {
			return err
		}
	}
	return nil
}

// forgiven resets the counts after a successful attempt.
func forgiven(ctx context.Context, q interface {
	ClearFailures(ctx context.Context, key string) error
}, counts []count,
) error {
	for _, c := range counts {
		if err := q.ClearFailures(ctx, c.key); err != nil {
			return err
		}
	}
	return nil
}

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

// limit says how wrong passwords slow the next try down. Up to free of them cost nothing; after that the wait doubles with
// each, from a second up to most, and ends when none came for window.
type limit struct {
	free   int
	most   time.Duration
	window time.Duration
}

// Who may have to wait, after OWASP's device cookies:
//
//   - A device on which the account logged in before shows a cookie, and has a count of its own: what is typed elsewhere does
//     not touch it.
//   - Everybody else counts by account and address together, so that somebody who guesses behind the same router keeps none of
//     its other users out, and by account: anybody can cause that, so it stays short, and leaves a guesser 1,440 tries a day.
//   - A second factor counts by account: only who has the password gets there.
//
// Nothing counts by address alone: an address may be a thousand people's. What it costs to try many names from one is bounded by
// the gate.
var (
	ofDevice  = limit{free: 10, most: 15 * time.Minute, window: 24 * time.Hour}
	ofPair    = limit{free: 5, most: 15 * time.Minute, window: 24 * time.Hour}
	ofAccount = limit{free: 15, most: time.Minute, window: 24 * time.Hour}
	ofSecond  = limit{free: 5, most: 15 * time.Minute, window: 24 * time.Hour}
)

// count is what a try is counted under, and the limit on it.
type count struct {
	key string
	limit
}

// wait is how long nobody is let in after so many failures.
func (l limit) wait(failures int) time.Duration {
	over := failures - l.free
	switch {
	case over < 0:
		return 0
	case over > 20: // a second doubled so often is beyond every limit
		return l.most
	}
	return min(time.Second<<over, l.most)
}

// failures are what the throttle asks of a store or a transaction.
type failures interface {
	Failures(ctx context.Context, key string, since time.Time) (int, error)
}

var _ failures = (*store.Store)(nil)

// throttled says how long to wait under a key, 0 where nothing is in the way. The store counts since a moment: the wait is
// over when there is no failure within it.
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

// pairKey names an account at an address.
func pairKey(name, from string) string { return accountKey(name) + " " + addressKey(from) }

// deviceKey names a device of an account.
func deviceKey(id string) string { return "device:" + id }

// secondKey names the second factors of an account.
func secondKey(id int64) string { return fmt.Sprintf("second:%d", id) }

// accountKey names an account, or what somebody typed for one, without keeping it.
func accountKey(name string) string {
	sum := sha256.Sum256([]byte("account " + name))
	return "account:" + hex.EncodeToString(sum[:12])
}

// addressKey names where somebody comes from: an address, or of IPv6 the /64 that one line has.
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

// slow says whether somebody has to wait.
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

// failed counts a try before it is known how it ends, so that many at once cannot all be the first.
func (a *Access) failed(ctx context.Context, counts []count) error {
	for _, c := range counts {
		if err := a.st.AddFailure(ctx, c.key, a.now()); err != nil {
			return err
		}
	}
	return nil
}

// forgiven forgets what was counted, after a try that went well.
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

package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// An account's wait stays short, since anybody can cause it: its owner is never kept out longer than a minute, and a
// guesser has at most 1,440 tries a day. An address's wait is what stops guessing, and allows for an office behind one.
var (
	ofAccount = limit{free: 5, most: time.Minute, window: 24 * time.Hour}
	ofAddress = limit{free: 20, most: 15 * time.Minute, window: time.Hour}
)

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

// slow says whether an account or an address has to wait.
func (a *Access) slow(ctx context.Context, st failures, account, address string) error {
	now := a.now()
	one, err := ofAccount.throttled(ctx, st, account, now)
	if err != nil {
		return err
	}
	other, err := ofAddress.throttled(ctx, st, address, now)
	if err != nil {
		return err
	}
	if wait := max(one, other); wait > 0 {
		return &ThrottledError{wait}
	}
	return nil
}

package observe

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// Two hosts log the same NTLM logon: the server, and the domain controller that it asks. Neither knows the connection
// of the other, but both name the account and the client's computer, and they log within seconds. So among all
// differences between the times of the two, the one of their clocks appears once for each logon, and the others at
// random:
//
//	server  9:00      10:20           11:05
//	DC      9:07      10:27           11:12      7 minutes three times; 1:27, 0:38 … once each
//
// A client that logs on every hour produces whole hours almost as often. Then the difference cannot be determined.

// named is what both hosts know of a logon, in lower case.
type named struct{ account, computer string }

// namedClock holds the logons that one host logged.
type namedClock struct {
	host, source string
	at           map[named][]time.Time
}

const (
	// maxNamedTimes bounds the remembered logons of one account from one computer on a host: if clocks differ, they
	// differ in all of them.
	maxNamedTimes = 32

	// maxDifferences bounds the compared differences of all pairs of hosts: a few hundred thousand logons, and half a
	// second.
	maxDifferences = 4 << 20
)

// LogonNamed records a host log's time of a logon with NTLM. Several events of one logon count once.
func (c *Coverage) LogonNamed(host, source, account, computer string, t time.Time) {
	k := &c.clocks
	_, account = cutLast(account, `\`)
	computer = strings.TrimLeft(computer, `\`)
	if _, err := netip.ParseAddr(computer); err != nil {
		computer, _, _ = strings.Cut(computer, ".") // of a full name, the part that NTLM uses
	}
	if account == "" || computer == "" || t.IsZero() || k.met >= maxMetInLogs {
		return
	}
	i := len(k.named) - 1
	if i < 0 || !strings.EqualFold(k.named[i].host, host) { // not the host of the record before
		i = slices.IndexFunc(k.named, func(l namedClock) bool { return strings.EqualFold(l.host, host) })
	}
	if i < 0 {
		if len(k.named) >= maxLogClocks {
			return
		}
		i = len(k.named)
		k.named = append(k.named, namedClock{Clip(host), source, map[named][]time.Time{}})
	}
	who := named{strings.ToLower(Clip(account)), strings.ToLower(Clip(computer))}
	times := k.named[i].at[who]
	// A host logs one logon in several events: a member server in 4624 and 8003, a controller in 4776 and 8004. Counted
	// one by one, a single logon of each host would agree with itself four times.
	if slices.ContainsFunc(times, func(other time.Time) bool { return t.Sub(other).Abs() <= agreeing }) {
		return
	}
	if len(times) < maxNamedTimes {
		k.met++
		k.named[i].at[who] = append(times, t)
	}
}

// cutLast splits a text at the last separator; without one, all of it is the second part.
func cutLast(s, separator string) (before, after string) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):]
	}
	return "", s
}

// compareNamed notes hosts whose clocks differ according to the logons that both logged, and pairs for which that
// cannot be determined.
func (c *Coverage) compareNamed() {
	all := c.clocks.named
	slices.SortFunc(all, func(a, b namedClock) int { return cmp.Compare(a.host, b.host) })
	left := maxDifferences
	for i := range all {
		for j := range all[:i] {
			a, b := &all[j], &all[i]
			if len(b.at) < len(a.at) {
				a, b = b, a
			}
			var ahead []time.Duration
			for who, times := range a.at {
				for _, at := range times {
					for _, other := range b.at[who] {
						ahead = append(ahead, other.Sub(at))
					}
				}
			}
			if left -= len(ahead); left < 0 {
				c.Note("clocks of hosts: too many logons to compare all of them")
				return
			}
			c.tellNamed(a, b, ahead)
		}
	}
}

func (c *Coverage) tellNamed(a, b *namedClock, ahead []time.Duration) {
	slices.Sort(ahead)
	at, most := peak(ahead, func(time.Duration) bool { return true })
	_, same := peak(ahead, func(d time.Duration) bool { return d.Abs() <= clocksDiffer })
	_, second := peak(ahead, func(d time.Duration) bool { return (d - at).Abs() > 2*agreeing })
	switch {
	case most < leastMet || same >= most:
		return
	case most < 2*second:
		c.Note(fmt.Sprintf("whether the clocks of %s and %s agree is not known: the logons that both tell of repeat, "+
			"so that several differences fit", a.host, b.host))
		return
	}
	first, behind := b, a
	if at < 0 {
		first, behind = a, b
	}
	c.Notice(Notice{
		ID: model.NoticeClocks, Host: first.host, Source: first.source,
		What: fmt.Sprintf("its log is %s ahead of that of %s; which clock is right is not known, and times of the two "+
			"do not compare", at.Abs().Round(time.Second), behind.host),
		Evidence: fmt.Sprintf("%d logons that both tell of, by account and computer", most),
	})
}

// peak finds where most of the sorted differences are within agreeing of one another.
func peak(sorted []time.Duration, counts func(time.Duration) bool) (at time.Duration, most int) {
	first, n := 0, 0
	for i, d := range sorted {
		if !counts(d) {
			continue
		}
		n++
		for d-sorted[first] > agreeing || !counts(sorted[first]) {
			if counts(sorted[first]) {
				n--
			}
			first++
		}
		if n > most {
			at, most = sorted[(first+i)/2], n
		}
	}
	return at, most
}

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

// Two hosts log the same NTLM logon: the server, and the domain controller that it asks. Neither knows the connection of
// the other, but both name the account and the client's computer, and they write within seconds. So of all differences
// between the times of the two, that of their clocks comes up once for each logon, and the others at random:
//
//	server  9:00      10:20           11:05
//	DC      9:07      10:27           11:12      7 minutes three times; 1:27, 0:38 … once each
//
// A client that logs on each hour gives the whole hours almost as often. Which of them it is cannot be known then.

// named is a logon by what both hosts know of it, in lower case.
type named struct{ account, computer string }

// namedClock are the logons that one host logged.
type namedClock struct {
	host, source string
	at           map[named][]time.Time
}

const (
	// maxNamedTimes is how many logons of one account from one computer are remembered of a host: clocks that differ do
	// so in each of them.
	maxNamedTimes = 32

	// maxDifferences bounds the differences that are looked at, all pairs of hosts together: some hundred thousand logons'
	// worth, and half a second.
	maxDifferences = 4 << 20
)

// LogonNamed records the time that a host's log gives of a logon with NTLM. Several events of one logon count once.
func (c *Coverage) LogonNamed(host, source, account, computer string, t time.Time) {
	k := &c.clocks
	_, account = cutLast(account, `\`)
	computer = strings.TrimLeft(computer, `\`)
	if _, err := netip.ParseAddr(computer); err != nil {
		computer, _, _ = strings.Cut(computer, ".") // of a full name, the one that NTLM has
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
	// A host logs one logon in several events: a member server in 4624 and 8003, a controller in 4776 and 8004. Counted one
	// by one, a single logon of each host would agree with itself four times.
	if slices.ContainsFunc(times, func(other time.Time) bool { return t.Sub(other).Abs() <= agreeing }) {
		return
	}
	if len(times) < maxNamedTimes {
		k.met++
		k.named[i].at[who] = append(times, t)
	}
}

// cutLast parts a text at the last separator; all of it is the second part where there is none.
func cutLast(s, separator string) (before, after string) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):]
	}
	return "", s
}

// compareNamed tells of hosts whose clocks differ by the logons that both logged, and where that cannot be known.
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

// peak finds where most differences lie within agreeing of one another, of those that count, which are sorted.
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

package observe

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ipcguard/internal/model"
)

// clocks compares the times of the same logons in packets and in logs. A client's address and port belong to one
// connection at a time, and logs contain both.
type clocks struct {
	wire  map[netip.AddrPort]time.Time
	logs  []logClock
	named []namedClock
	met   int // in all logs
}

// logClock holds the logons from one host's log.
type logClock struct {
	host, source string
	met          []meeting
}

type meeting struct {
	client netip.AddrPort
	at     time.Time
}

const (
	// maxMet bounds the logons of packets that are remembered, the first ones: if clocks differ, they differ in all of
	// them. maxMetInLogs bounds those of all logs together, which are read before or after the packets.
	maxMet       = 16 << 10
	maxMetInLogs = 64 << 10

	// maxLogClocks bounds the logs.
	maxLogClocks = 1024

	// leastMet is the number of logons that must agree. A port that was used twice makes one wrong pair.
	leastMet = 3

	// agreeing is the largest spread of differences that agree: logs are written at the end of a logon, some in whole
	// seconds.
	agreeing = 5 * time.Second

	// clocksDiffer is the smallest reported difference. Kerberos tolerates five minutes; which day something happened
	// rarely depends on a minute.
	clocksDiffer = time.Minute
)

// LogonOnWire records the packets' time of a client's logon.
func (c *Coverage) LogonOnWire(client netip.AddrPort, t time.Time) {
	if _, known := c.clocks.wire[client]; known || len(c.clocks.wire) >= maxMet || t.IsZero() {
		return
	}
	if c.clocks.wire == nil {
		c.clocks.wire = map[netip.AddrPort]time.Time{}
	}
	c.clocks.wire[client] = t
}

// LogonInLog records a host log's time of a client's logon.
func (c *Coverage) LogonInLog(host, source string, client netip.AddrPort, t time.Time) {
	k := &c.clocks
	if k.met >= maxMetInLogs || t.IsZero() {
		return
	}
	i := len(k.logs) - 1
	if i < 0 || k.logs[i].host != host || k.logs[i].source != source {
		i = slices.IndexFunc(k.logs, func(l logClock) bool { return l.host == host && l.source == source })
	}
	if i < 0 {
		if len(k.logs) >= maxLogClocks {
			return
		}
		i = len(k.logs)
		k.logs = append(k.logs, logClock{host: Clip(host), source: source})
	}
	k.met++
	k.logs[i].met = append(k.logs[i].met, meeting{netip.AddrPortFrom(client.Addr().Unmap(), client.Port()), t})
}

// CompareClocks notes the logs whose clock differs from that of the packets or of another host's log. It is called
// after everything was read.
func (c *Coverage) CompareClocks() {
	for _, l := range c.clocks.logs {
		var ahead []time.Duration
		for _, m := range l.met {
			if wire, met := c.clocks.wire[m.client]; met {
				ahead = append(ahead, m.at.Sub(wire))
			}
		}
		if len(ahead) < leastMet {
			continue
		}
		slices.Sort(ahead)
		middle := ahead[len(ahead)/2]
		agree := 0
		for _, d := range ahead {
			if (d - middle).Abs() <= agreeing {
				agree++
			}
		}
		if agree < leastMet || 2*agree <= len(ahead) || middle.Abs() < clocksDiffer {
			continue
		}
		way := "ahead of"
		if middle < 0 {
			way = "behind"
		}
		c.Notice(Notice{
			ID: model.NoticeClocks, Time: l.met[0].at, Host: l.host, Source: l.source,
			What: fmt.Sprintf("its log is %s %s the packets: times of the two do not compare, and that nobody "+
				"appears in either says nothing", middle.Abs().Round(time.Second), way),
			Evidence: fmt.Sprintf("%d logons that both tell of, by the client's address and port", agree),
		})
	}
	c.compareNamed()
	c.clocks = clocks{}
}

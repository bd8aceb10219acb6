package observe

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gopacket/gopacket/layers"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/capture"
	"ipcguard/internal/observe/conversation"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/observe/packet"
	"ipcguard/internal/observe/source"
)

// ErrNotCapture means that bytes are not a packet capture.
var ErrNotCapture = errors.New("not a packet capture")

// DefaultMemory is the memory that observe may use, in bytes. The program itself takes about 25 MiB in addition, so
// that thousands of clients with rows of their own, or 100,000 connections that stay open, take at most 100 MiB of the
// host's memory.
const DefaultMemory = 64 << 20

// minMemory is the least usable amount: the read buffer, the window of a decompressor and a few connections.
const minMemory = 16 << 20

// TrafficOptions say how traffic is read.
type TrafficOptions struct {
	Ports  []uint16 // ports of servers; 445 and 139 if empty
	Memory int      // bytes that all state may take together; DefaultMemory if 0
}

// Traffic reads captures and live packets into an Aggregator. Connections continue from one capture to the next if
// their times follow one another. It is not safe for concurrent use.
type Traffic struct {
	agg       *Aggregator
	cov       *Coverage
	decoder   packet.Decoder
	table     *flow.Table
	kdc       *flow.Table // answers of Kerberos servers, for the names in them
	follower  *conversation.Follower
	ports     [1 << 16]bool
	last      time.Time
	newest    time.Time // of the current source
	reasons   map[packet.Reason]int64
	packets   int64
	elsewhere int64 // with TCP between unwatched ports
	unread    elsewhere
	backwards int64 // older than the previous one
	captured  int64 // packets of the wire
	dropped   int64
	fullest   float64 // the part of a ring
	twins     source.Twins
	told      told
}

// told is what the coverage already contains.
type told struct {
	packets, captured, dropped int64

	reasons map[packet.Reason]int64
	flows   flow.Counts
	frames  conversation.Counts
	bytes   model.Bytes
	givenUp map[string]int64
}

// A fifth of the memory each is for the state of connections and for the connections themselves, a tenth for bytes that
// wait behind holes, and three tenths for rows; the garbage collector and the buffers have the rest.
const (
	shareState = 5
	shareHeld  = 10
	flowBytes  = 320 // an entry of the flow table with its key, and a conversation without state
)

// NewTraffic returns a reader of traffic that adds to agg and cov.
func NewTraffic(agg *Aggregator, cov *Coverage, o TrafficOptions) *Traffic {
	memory := cmp.Or(o.Memory, DefaultMemory)
	memory = max(memory, minMemory)
	t := &Traffic{agg: agg, cov: cov, reasons: make(map[packet.Reason]int64), unread: make(elsewhere)}
	t.told.reasons, t.told.givenUp = make(map[packet.Reason]int64), make(map[string]int64)
	ports := o.Ports
	if len(ports) == 0 {
		ports = []uint16{445, 139}
	}
	for _, p := range ports {
		t.ports[p] = true
	}
	agg.LimitBytes(memory * 3 / 10)
	t.follower = conversation.NewFollower(agg, memory/shareState)
	t.follower.Met = cov.LogonOnWire
	limits := flow.Limits{
		Flows: memory / shareState / flowBytes, Held: memory / shareHeld,
		PerSide: flow.DefaultLimits.PerSide,
	}
	t.table = flow.NewTable(limits, func(port uint16) bool { return t.ports[port] }, t.follower.Open)
	// Answers of Kerberos servers are short: few connections at a time, and few bytes behind holes, are enough.
	kdcs := flow.Limits{Flows: 4096, Held: 1 << 20, PerSide: 128 << 10}
	t.kdc = flow.NewTable(kdcs, func(port uint16) bool { return port == kerberosPort && !t.ports[port] },
		t.follower.OpenKDC)
	return t
}

// kerberosPort is where names are learned. See RFC 4120 7.2.2. UDP is not parsed: Windows uses TCP, because its tickets
// are longer than a packet.
const kerberosPort = 88

// Source names the packets' source.
func (t *Traffic) Source(name string) { t.follower.Source = name }

// tolerance is how much older than the previous packet one may be: because of several queues of a card, or a clock that
// is set.
const tolerance = 2 * time.Second

// Packet handles one packet, whose captured bytes are data.
func (t *Traffic) Packet(link layers.LinkType, data []byte, length int, at time.Time) {
	t.packets++
	if t.newest.Sub(at) > tolerance && !at.IsZero() {
		t.backwards++
	} else {
		t.newest = at
	}
	t.last = at
	seg, why := t.decoder.Decode(link, data, length)
	if why != packet.OK {
		t.reasons[why]++
		return
	}
	switch {
	case t.table.Segment(&seg, at):
		t.cov.Saw(at)
	case !t.kdc.Segment(&seg, at):
		t.elsewhere++
		t.unread.saw(&seg)
		return
	}
	for t.follower.Over() {
		if !t.table.Evict(at) && !t.kdc.Evict(at) && !t.follower.ForgetOld() {
			return
		}
	}
}

// Idle drops the followed connections; they will appear again in their middle.
func (t *Traffic) Idle() { t.table.Close(t.last) }

// Close ends every connection and completes the coverage. No packet may follow.
func (t *Traffic) Close() {
	t.table.Close(t.last)
	t.kdc.Close(t.last)
	t.Settle()
	t.notes()
	if err := t.balance(); err != nil {
		t.cov.CountUnreadable(err.Error(), 1)
	}
	t.cov.Complete(t.agg)
}

// Settle updates the coverage with the packets so far.
func (t *Traffic) Settle() {
	c := t.cov
	c.CountRead("packets", t.packets-t.told.packets)
	t.told.packets = t.packets
	t.reasons[packet.Fragment] = t.decoder.Waiting()
	for why, n := range t.reasons {
		if why == packet.Held { // read as part of its datagram, or counted as a fragment of an incomplete one
			continue
		}
		more := n - t.told.reasons[why]
		t.told.reasons[why] = n
		if why == packet.NotTCP {
			c.CountRead("packets without TCP", more)
			continue
		}
		c.CountUnreadable("packets: "+string(why), more)
	}
	f, was := t.table.Counts(), t.told.flows
	t.told.flows = f
	c.CountRead("SMB segments", f.Segments-was.Segments)
	c.CountRead("SMB connections", f.Connections-was.Connections)
	c.CountRead("SMB connections met in their middle", f.Midstream-was.Midstream)
	c.CountRead(oneSided, f.OneSided-was.OneSided)
	c.CountRead("SMB connections that went on after their end", f.Reopened-was.Reopened)
	c.CountRead("SMB connections that went on after a RST, which was forged or not taken", f.Ignored-was.Ignored)
	c.CountUnreadable("connections given up to stay within the memory", f.Evicted-was.Evicted)
	n, before := t.follower.Counts(), t.told.frames
	c.CountRead("SMB frames", n.Frames-before.Frames)
	c.CountRead("SMB frames decrypted with the key of a null session", n.Decrypted-before.Decrypted)
	c.CountRead("SMB frames decompressed", n.Decompressed-before.Decompressed)
	c.CountUnreadable("encrypted SMB frames", n.Sealed-before.Sealed)
	for why, count := range n.GivenUp {
		c.CountUnreadable(why, count-t.told.givenUp[why])
		t.told.givenUp[why] = count
	}
	if c.Bytes == nil {
		c.Bytes = new(model.Bytes)
	}
	now := account(f, n)
	c.Bytes.Add(difference(now, t.told.bytes))
	t.told.frames, t.told.bytes = n, now
	c.CountRead(model.ReadLive, t.captured-t.told.captured)
	c.CountUnreadable(model.LostLive, t.dropped-t.told.dropped)
	t.told.captured, t.told.dropped = t.captured, t.dropped
}

// ReadPath reads a capture file, or every capture in a folder with its subfolders, or in a zip archive: see ReadPaths.
func (t *Traffic) ReadPath(ctx context.Context, path string) error {
	return t.ReadPaths(ctx, []string{path})
}

// ReadPaths reads captures in the order of their first packets, whatever their names: files, folders with their
// subfolders, and zip archives. A file that occurs twice is read once, and noted. In a folder or an archive, files of
// other kinds are skipped, and a file that cannot be read is counted and does not stop the reading; a named file does.
func (t *Traffic) ReadPaths(ctx context.Context, paths []string) error {
	var captures []dated
	for _, path := range paths {
		all, err := source.Files(ctx, path,
			func(n int64) { t.cov.CountUnreadable("files that could not be opened", n) })
		if err != nil {
			return err
		}
		for i := range all {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			named := all[i].Path == path
			first, err := firstTime(&all[i])
			if err != nil && !named { // a log, perhaps; or nothing that observe reads
				continue
			}
			captures = append(captures, dated{all[i], first, named})
		}
	}
	slices.SortStableFunc(captures, func(a, b dated) int { return a.first.Compare(b.first) })
	for _, f := range captures {
		if same := t.twins.Of(&f.File); same != "" {
			t.cov.Note(fmt.Sprintf("%s holds the same bytes as %s and was read once", f.Path, same))
			continue
		}
		switch err := f.Read(ctx, t.Read); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && f.named:
			return err
		case err != nil:
			t.cov.CountUnreadable("files that could not be read to their end", 1)
			t.cov.Unread(f.Path, err)
		}
	}
	return nil
}

// dated is a capture with the time of its first packet.
type dated struct {
	source.File
	first time.Time
	named bool // named itself
}

// firstTime returns when a capture begins.
func firstTime(f *source.File) (time.Time, error) {
	body, err := f.Open()
	if err != nil {
		return time.Time{}, err
	}
	defer body.Close()
	r, err := openCapture(body)
	if err != nil {
		return time.Time{}, err
	}
	p, err := r.Next()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return time.Time{}, nil // it is a capture; its damage is counted when it is read
	}
	return p.Time, nil
}

func openCapture(r io.Reader) (*capture.Reader, error) {
	plain, err := source.Decompress(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCapture, err)
	}
	c, err := capture.NewReader(plain)
	if errors.Is(err, capture.ErrFormat) {
		return nil, fmt.Errorf("%w: %w", ErrNotCapture, err)
	}
	return c, err
}

// IsCapture reports, from the first bytes of an uncompressed file, whether Traffic can read it.
func IsCapture(head []byte) bool { return capture.Is(head[:min(len(head), capture.Magic)]) }

// farApart is the longest time between two captures whose connections may be the same.
const farApart = time.Hour

// checkEvery is the number of packets between two checks for an interrupt.
const checkEvery = 1024

// Read reads one capture, compressed or not, which the rows call name. If a capture is cut off or damaged, Read uses
// what it has, notes that in the coverage and returns no error.
func (t *Traffic) Read(ctx context.Context, name string, r io.Reader) error {
	c, err := openCapture(bufio.NewReader(r))
	if err != nil {
		return err
	}
	t.Source(name)
	t.newest = time.Time{}
	defer func() {
		t.dropped += c.Dropped()
		t.cov.CountUnreadable("packets of interfaces that the capture does not describe", c.Unknown())
	}()
	for n := 0; ; n++ {
		p, err := c.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			t.cov.CountUnreadable("captures that end in the middle of a packet", 1)
			return nil
		case ctx.Err() != nil: // the reader's own, of a pipe
			return context.Cause(ctx)
		case err != nil: // damage, of the capture or of its compression
			t.cov.CountUnreadable("captures that are damaged, read up to there", 1)
			return nil
		}
		if n == 0 && !t.last.IsZero() && (p.Time.Before(t.last.Add(-farApart)) || p.Time.After(t.last.Add(farApart))) {
			t.table.Close(t.last) // another time, so other connections
		}
		if n%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.Packet(p.Link, p.Data, p.Length, p.Time)
	}
}

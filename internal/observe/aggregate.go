// Package observe finds out who really uses IPC$: it reads traffic and logs and joins what they show in rows of client,
// server, identity, pipe, interface, call and outcome.
//
// Rules of the room:
//
//   - Each source has one file. All add to the same [Aggregator], and report in the same [Coverage] what they could not
//     see.
//   - State is bounded: the oldest goes first, and what is dropped is counted.
//   - A row reports what its source says. What the source leaves open is unknown or inconclusive, never guessed.
//   - Reading is passive: nothing here opens a connection to what it observes.
package observe

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/clip"
)

const (
	// DefaultMaxRows is how many rows an Aggregator holds by default: some 80 MB of ordinary names. A network with more
	// different uses needs a limit of its own.
	DefaultMaxRows = 100_000

	// rowBytes is the size of a row without its texts, but with its key and its share of the map. wayBytes is the size
	// of a new way. maxRowBytes bounds all rows together: whoever is observed can make names long, and observe as a
	// whole must stay within its memory.
	rowBytes    = 720
	wayBytes    = 200
	maxRowBytes = 96 << 20

	// maxSources is how many sources a row names before it says "and others".
	maxSources = 4
)

// useKey is the key of a row: uses with the same key are one row.
type useKey struct {
	client, server, account, share, pipe, iface, uuid, call, status string

	way      uint32 // its number in ways
	identity model.Identity
	layer    model.Layer
	outcome  model.Outcome
	opnum    int
}

// way is how a client came in: the part of the key that all uses of a logon share. It is looked up once, then compared.
type way struct {
	dialect, logon, spn, offers, signing, encryption, agent, teller string

	signed, encrypted, mic, canEncrypt, raw, binding model.Tristate

	log bool
}

func wayOf(u *model.Use) way {
	return way{
		dialect: u.Dialect, logon: u.Package, spn: u.SPN, offers: u.Offers, signing: u.Signing,
		encryption: u.Encryption, agent: u.Agent, teller: u.ToldBy, signed: u.Signed, encrypted: u.Encrypted,
		mic: u.MIC, canEncrypt: u.CanEncrypt, raw: u.Raw, binding: u.Binding, log: u.Log,
	}
}

// ways numbers the ways of the rows from 1; 0 is a way that no row has. There are at most as many as rows.
type ways struct {
	byWay  map[way]uint32
	last   way
	number uint32 // of last
}

// of returns the number of a use's way.
func (w *ways) of(u *model.Use) uint32 {
	if x := wayOf(u); x != w.last || w.number == 0 {
		w.last, w.number = x, w.byWay[x]
	}
	return w.number
}

// take gives the way that was asked for last a number if it has none.
func (w *ways) take() uint32 {
	if w.number == 0 {
		w.number = uint32(len(w.byWay)) + 1
		w.byWay[w.last] = w.number
	}
	return w.number
}

// alike reports whether a use belongs to a row: whether their useKey and way are equal.
func alike(row, u *model.Use) bool {
	return row.Call == u.Call && row.Opnum == u.Opnum && row.Layer == u.Layer && row.Outcome == u.Outcome &&
		row.Status == u.Status && row.Client == u.Client && row.Server == u.Server && row.Identity == u.Identity &&
		row.Account == u.Account && row.Share == u.Share && row.Pipe == u.Pipe && row.Interface == u.Interface &&
		row.UUID == u.UUID && wayOf(row) == wayOf(u)
}

// Aggregator joins uses into rows with first, last and count. The number of rows is bounded; uses that would need a
// further row are only counted. It is not safe for concurrent use.
type Aggregator struct {
	rows    map[useKey]*model.Use
	last    *model.Use // the row of the previous use, because clients repeat calls
	ways    ways
	max     int
	most    int // bytes
	bytes   int
	givenUp map[model.Identity]int64
	days    dayCounts
}

// NewAggregator returns an Aggregator of at most maxRows rows, or DefaultMaxRows if that is 0.
func NewAggregator(maxRows int) *Aggregator {
	if maxRows <= 0 {
		maxRows = DefaultMaxRows
	}
	return &Aggregator{
		rows: make(map[useKey]*model.Use), ways: ways{byWay: make(map[way]uint32)}, max: maxRows, most: maxRowBytes,
		givenUp: make(map[model.Identity]int64),
	}
}

// LimitBytes bounds all rows together in bytes. A limit above maxRowBytes has no effect.
func (a *Aggregator) LimitBytes(n int) { a.most = min(n, maxRowBytes) }

// Touch reports that a use that was added goes on: the row's Last moves, and its Count stays. If a new result was begun
// in between, the row is made with a Count of 0.
func (a *Aggregator) Touch(u model.Use) {
	u.Count = 0
	a.add(&u)
}

// Reset forgets all rows, for a new result.
func (a *Aggregator) Reset() {
	clear(a.rows)
	a.last = nil
	clear(a.ways.byWay)
	a.ways.number = 0
	clear(a.givenUp)
	clear(a.days)
	a.bytes = 0
}

func (a *Aggregator) keyOf(u *model.Use) useKey {
	return useKey{
		client: u.Client, server: u.Server, account: u.Account, share: u.Share, pipe: u.Pipe, iface: u.Interface,
		uuid: u.UUID, call: u.Call, status: u.Status, way: a.ways.of(u), identity: u.Identity, layer: u.Layer,
		outcome: u.Outcome, opnum: u.Opnum,
	}
}

// Add adds a use, or several equal ones if Count, First and Last say so. A Count of 0 is 1.
func (a *Aggregator) Add(u model.Use) {
	if u.Count <= 0 {
		u.Count = 1
	}
	a.days.use(&u)
	a.add(&u)
}

// add copies u only if it begins a row: most uses do not, so they cost no allocation.
func (a *Aggregator) add(u *model.Use) {
	size := rowBytes + ClipUse(u)
	row := a.last
	if row == nil || !alike(row, u) {
		key := a.keyOf(u)
		var ok bool
		if row, ok = a.rows[key]; !ok {
			if key.way == 0 {
				size += wayBytes
			}
			if len(a.rows) >= a.max || a.bytes+size > a.most {
				a.givenUp[u.Identity] += u.Count
				return
			}
			begun := *u
			begun.Schema, key.way = model.SchemaUse, a.ways.take()
			a.rows[key], a.last = &begun, &begun
			a.bytes += size
			return
		}
		a.last = row
	}
	row.Count += u.Count
	row.First = earlier(row.First, u.First)
	row.Last = later(row.Last, u.Last)
	row.Source = joinSource(row.Source, u.Source)
	if row.Basis == "" {
		row.Basis = u.Basis
	}
}

// Rows returns the rows so far, in an order that does not depend on the order of Add.
func (a *Aggregator) Rows() []model.Use {
	rows := make([]model.Use, 0, len(a.rows))
	for _, r := range a.rows {
		rows = append(rows, *r)
	}
	slices.SortFunc(rows, func(x, y model.Use) int {
		return cmp.Or(
			strings.Compare(x.Client, y.Client), strings.Compare(x.Server, y.Server),
			strings.Compare(string(x.Identity), string(y.Identity)), strings.Compare(x.Account, y.Account),
			layerOrder(x.Layer)-layerOrder(y.Layer), strings.Compare(x.Share, y.Share), strings.Compare(x.Pipe, y.Pipe),
			strings.Compare(x.Interface, y.Interface), strings.Compare(x.UUID, y.UUID), cmp.Compare(x.Opnum, y.Opnum),
			strings.Compare(x.Call, y.Call), strings.Compare(string(x.Outcome), string(y.Outcome)),
			strings.Compare(x.Status, y.Status), strings.Compare(x.Dialect, y.Dialect),
			strings.Compare(x.Package, y.Package), strings.Compare(x.SPN, y.SPN), cmp.Compare(x.Signed, y.Signed),
			cmp.Compare(x.Encrypted, y.Encrypted), cmp.Compare(x.MIC, y.MIC), strings.Compare(x.Offers, y.Offers),
			strings.Compare(x.Signing, y.Signing), strings.Compare(x.Encryption, y.Encryption),
			strings.Compare(x.Agent, y.Agent), strings.Compare(x.ToldBy, y.ToldBy),
			cmp.Compare(x.CanEncrypt, y.CanEncrypt), cmp.Compare(x.Raw, y.Raw), cmp.Compare(x.Binding, y.Binding),
			compareBool(x.Log, y.Log),
		)
	})
	return rows
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Days returns the uses so far by day and identity, in order.
func (a *Aggregator) Days() []model.Day { return a.days.list() }

// GivenUp returns how many uses had no room, by identity.
func (a *Aggregator) GivenUp() map[model.Identity]int64 { return a.givenUp }

func layerOrder(l model.Layer) int {
	return slices.Index([]model.Layer{
		model.LayerConnect, model.LayerNegotiate, model.LayerSession, model.LayerTree, model.LayerOpen, model.LayerBind,
		model.LayerCall,
	}, l)
}

// ClipUse cuts a use's texts and returns their total length.
func ClipUse(u *model.Use) int {
	return shorten(&u.Client) + shorten(&u.Server) + shorten(&u.Account) + shorten(&u.Share) + shorten(&u.Pipe) +
		shorten(&u.Interface) + shorten(&u.UUID) + shorten(&u.Call) + shorten(&u.Status) + shorten(&u.Basis) +
		shorten(&u.Source) + shorten(&u.Dialect) + shorten(&u.Package) + shorten(&u.SPN) + shorten(&u.Offers) +
		shorten(&u.Signing) + shorten(&u.Encryption) + shorten(&u.Agent) + shorten(&u.ToldBy)
}

// shorten cuts a text that is too long. It writes the text only then: writing it back each time costs more than all the
// rest.
func shorten(s *string) int {
	if len(*s) > clip.Max {
		*s = clip.Text(*s)
	}
	return len(*s)
}

// Clip cuts a text as rows do.
func Clip(s string) string { return clip.Text(s) }

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

const otherSources = "and others"

// joinSource adds a source to those that a row names.
func joinSource(have, more string) string {
	if more == "" || have == more {
		return have
	}
	if have == "" {
		return more
	}
	names := strings.Split(have, ", ")
	if slices.Contains(names, more) || slices.Contains(names, otherSources) {
		return have
	}
	if len(names) >= maxSources {
		more = otherSources
	}
	return have + ", " + more
}

// Package observe finds out who really uses IPC$: it reads traffic and logs and joins what they show in rows of client,
// server, identity, pipe, interface, call and outcome.
//
// Rules of the room:
//
//   - One source a file. Every source adds to the same [Aggregator] and says in the same [Coverage] what it could not see.
//   - State is bounded, oldest first out, and what was given up is counted.
//   - A row says what its source says. What the source leaves open is unknown or inconclusive, never guessed.
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
	// DefaultMaxRows is how many rows an Aggregator holds unless told otherwise: some 80 MB of ordinary names. A network
	// with that many different uses needs its own limit.
	DefaultMaxRows = 100_000

	// rowBytes is what a row takes beside its texts, its key and its share of the map among it, wayBytes what a way that no
	// row before it has takes, and maxRowBytes what all rows may take together: names may be made long by whoever is
	// observed, and the whole of observe is to stay below what it may use.
	rowBytes    = 720
	wayBytes    = 200
	maxRowBytes = 96 << 20

	// maxSources is how many sources a row names before it says "and others".
	maxSources = 4
)

// useKey is what makes two uses the same row.
type useKey struct {
	client, server, account, share, pipe, iface, uuid, call, status string

	way      uint32 // the number of how it came
	identity model.Identity
	layer    model.Layer
	outcome  model.Outcome
	opnum    int
}

// way is how a use came. It is the same for all uses of a logon, so that it is looked up once and compared from then on.
type way struct {
	dialect, logon, spn, offers, signing, encryption, agent, teller string

	signed, encrypted, mic, canEncrypt, raw, binding model.Tristate

	log bool
}

func wayOf(u *model.Use) way {
	return way{
		dialect: u.Dialect, logon: u.Package, spn: u.SPN, offers: u.Offers, signing: u.Signing, encryption: u.Encryption, agent: u.Agent, teller: u.ToldBy,
		signed: u.Signed, encrypted: u.Encrypted, mic: u.MIC, canEncrypt: u.CanEncrypt, raw: u.Raw, binding: u.Binding, log: u.Log,
	}
}

// ways numbers how uses came, from 1; 0 is one that no row has. There are no more of them than rows.
type ways struct {
	byWay  map[way]uint32
	last   way
	number uint32 // of last
}

func (w *ways) of(u *model.Use) uint32 {
	if x := wayOf(u); x != w.last || w.number == 0 {
		w.last, w.number = x, w.byWay[x]
	}
	return w.number
}

// take numbers the one that was asked for last.
func (w *ways) take() uint32 {
	if w.number == 0 {
		w.number = uint32(len(w.byWay)) + 1
		w.byWay[w.last] = w.number
	}
	return w.number
}

// alike tells whether a use belongs to a row: whether all is the same that useKey and way hold.
func alike(row, u *model.Use) bool {
	return row.Call == u.Call && row.Opnum == u.Opnum && row.Layer == u.Layer && row.Outcome == u.Outcome && row.Status == u.Status &&
		row.Client == u.Client && row.Server == u.Server && row.Identity == u.Identity && row.Account == u.Account &&
		row.Share == u.Share && row.Pipe == u.Pipe && row.Interface == u.Interface && row.UUID == u.UUID && wayOf(row) == wayOf(u)
}

// Aggregator joins uses into rows with first, last and count. The number of rows is bounded; uses that would need a
// further row are counted and given up. It is not safe for concurrent use.
type Aggregator struct {
	rows    map[useKey]*model.Use
	last    *model.Use // the row of the use before: clients repeat calls
	ways    ways
	max     int
	most    int // bytes
	bytes   int
	givenUp map[model.Identity]int64
	days    dayCounts
}

// NewAggregator returns an Aggregator of at most max rows, DefaultMaxRows where max is 0.
func NewAggregator(maxRows int) *Aggregator {
	if maxRows <= 0 {
		maxRows = DefaultMaxRows
	}
	return &Aggregator{rows: make(map[useKey]*model.Use), ways: ways{byWay: make(map[way]uint32)}, max: maxRows, most: maxRowBytes, givenUp: make(map[model.Identity]int64)}
}

// LimitBytes bounds what all rows may take together, where less is to be had than maxRowBytes.
func (a *Aggregator) LimitBytes(n int) { a.most = min(n, maxRowBytes) }

// Touch tells that a use that was added goes on: the row's Last moves, its Count stays. A row that is not there, because a
// new result was begun since, gets a Count of 0.
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
		client: u.Client, server: u.Server, account: u.Account, share: u.Share, pipe: u.Pipe, iface: u.Interface, uuid: u.UUID, call: u.Call,
		status: u.Status, way: a.ways.of(u), identity: u.Identity, layer: u.Layer, outcome: u.Outcome, opnum: u.Opnum,
	}
}

// Add adds a use or, with Count, First and Last set, several alike. A Count of 0 is 1.
func (a *Aggregator) Add(u model.Use) {
	if u.Count <= 0 {
		u.Count = 1
	}
	a.days.use(&u)
	a.add(&u)
}

// add keeps u alone where it begins a row: most uses do not, and are worth no memory of their own.
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

// Rows are the rows so far, in an order that does not depend on the order of Add.
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
			strings.Compare(x.Status, y.Status), strings.Compare(x.Dialect, y.Dialect), strings.Compare(x.Package, y.Package),
			strings.Compare(x.SPN, y.SPN), cmp.Compare(x.Signed, y.Signed), cmp.Compare(x.Encrypted, y.Encrypted), cmp.Compare(x.MIC, y.MIC),
			strings.Compare(x.Offers, y.Offers), strings.Compare(x.Signing, y.Signing), strings.Compare(x.Encryption, y.Encryption),
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

// Days are the uses so far by day and identity, in order.
func (a *Aggregator) Days() []model.Day { return a.days.list() }

// GivenUp is how many uses found no room, by identity.
func (a *Aggregator) GivenUp() map[model.Identity]int64 { return a.givenUp }

func layerOrder(l model.Layer) int {
	return slices.Index([]model.Layer{
		model.LayerConnect, model.LayerNegotiate, model.LayerSession, model.LayerTree, model.LayerOpen, model.LayerBind,
		model.LayerCall,
	}, l)
}

// ClipUse cuts a use's texts and gives their length together.
func ClipUse(u *model.Use) int {
	return shorten(&u.Client) + shorten(&u.Server) + shorten(&u.Account) + shorten(&u.Share) + shorten(&u.Pipe) + shorten(&u.Interface) +
		shorten(&u.UUID) + shorten(&u.Call) + shorten(&u.Status) + shorten(&u.Basis) + shorten(&u.Source) + shorten(&u.Dialect) +
		shorten(&u.Package) + shorten(&u.SPN) + shorten(&u.Offers) + shorten(&u.Signing) + shorten(&u.Encryption) + shorten(&u.Agent) +
		shorten(&u.ToldBy)
}

// shorten cuts a text where it is too long, which is rare: writing it back each time costs more than all the rest.
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

// joinSource names several sources of one row.
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

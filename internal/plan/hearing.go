package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// DefaultMinDays is how long an observation must last before silence counts: a week has every weekday.
const DefaultMinDays = 7

// minReadable is the share of records that must have been readable for silence to count.
const minReadable = 0.9

// Weight is how much an observation proves if it saw nothing.
type Weight struct {
	Days     float64   `json:"days"`
	Readable float64   `json:"readable"` // share of the records, 0 to 1
	Enough   bool      `json:"enough"`
	Why      string    `json:"why"`
	Heard    []Hearing `json:"heard"` // what was observed, by layer; silence counts for nothing else
}

// Hearing is one layer of one host and the records that would show its uses.
type Hearing struct {
	Layer   model.Layer `json:"layer"`
	Kinds   []string    `json:"kinds"` // empty: nothing that shows this layer was read
	From    time.Time   `json:"from,omitzero"`
	To      time.Time   `json:"to,omitzero"`
	Records int64       `json:"records,omitempty"`
	Days    int         `json:"days,omitempty"`    // with a record
	OfDays  int         `json:"of_days,omitempty"` // from the first to the last, inclusive
}

// length returns the time between the first and the last record, in days.
func (h *Hearing) length() float64 { return h.To.Sub(h.From).Hours() / 24 }

// String describes it in words.
func (h *Hearing) String() string {
	if len(h.Kinds) == 0 {
		return fmt.Sprintf("%s: no record that shows it was read", h.Layer)
	}
	out := fmt.Sprintf("%s: %s since %s, %.1f days", h.Layer, strings.Join(h.Kinds, ", "),
		h.From.UTC().Format(time.DateOnly), h.length())
	if h.OfDays > 0 {
		out += fmt.Sprintf(", records on %d of %d days (%d%%)", h.Days, h.OfDays, 100*h.Days/h.OfDays)
	}
	return out
}

// packets is the kind of what was read from the network: it shows every layer of the host.
const packets = "SMB packets"

// Weigh judges an observation for the layers that matter; none means every connection to IPC$. minDays 0 is
// DefaultMinDays.
//
// Silence counts only if records were read of the very kind that would show a use: the packets of this host, or the
// events of this layer that it wrote. Eleven days of another log are eleven days in which nothing could be seen.
func Weigh(o *Observed, minDays float64, layers ...model.Layer) Weight {
	if minDays <= 0 {
		minDays = DefaultMinDays
	}
	if o == nil {
		return Weight{Why: "nobody has looked who uses IPC$ on this host", Heard: []Hearing{}}
	}
	if len(layers) == 0 {
		layers = []model.Layer{model.LayerTree}
	}
	out := Weight{Readable: 1, Heard: []Hearing{}}
	if all := o.Read + o.Unreadable; all > 0 {
		out.Readable = float64(o.Read) / float64(all)
	}
	host, why := o.host()
	if why != "" {
		out.Why = why
		return out
	}
	var deaf []string
	for i, layer := range layers {
		h := o.hearing(host, layer)
		out.Heard = append(out.Heard, h)
		if days := h.length(); i == 0 || days < out.Days {
			out.Days = days
		}
		if len(h.Kinds) == 0 || h.length() < minDays || h.OfDays > 0 && float64(h.Days) < minDays {
			deaf = append(deaf, h.String())
		}
	}
	var heard []string
	for i := range out.Heard {
		heard = append(heard, out.Heard[i].String())
	}
	switch {
	case deaf != nil:
		out.Why = fmt.Sprintf("%s (%.0f days are asked for): who comes more rarely, or in another way, was not seen",
			strings.Join(deaf, "; "), minDays)
	case o.clocksDiffer() != "":
		out.Why = o.clocksDiffer()
	case out.Readable < minReadable:
		out.Why = fmt.Sprintf("%.0f%% of the records could be read, %.0f%% are asked for", 100*out.Readable,
			100*minReadable)
	default:
		out.Enough, out.Why = true,
			fmt.Sprintf("%s; %.0f%% of the records could be read", strings.Join(heard, "; "), 100*out.Readable)
	}
	return out
}

// clocksDiffer returns what was reported about sources whose clocks differ; empty if they agree.
func (o *Observed) clocksDiffer() string {
	for i := range o.Notices {
		if n := &o.Notices[i]; n.ID == model.NoticeClocks {
			return strings.TrimSpace(n.Host + ": " + n.What)
		}
	}
	return ""
}

// weighFor weighs for settings. If one of them ends a way to sign in that logs do not show, such as an unsigned
// session, only packets count: a log of logons does not show who signs.
func (w *work) weighFor(settings []*catalog.Setting) Weight {
	out := Weigh(w.e.Observed, w.e.Policy.MinDays, layersOf(settings)...)
	i := slices.IndexFunc(settings, func(s *catalog.Setting) bool { return slices.ContainsFunc(s.Ends, onWireAlone) })
	if !out.Enough || i < 0 {
		return out
	}
	host, _ := w.e.Observed.host()
	days := w.e.Policy.MinDays
	if days <= 0 {
		days = DefaultMinDays
	}
	if h := w.e.Observed.wire(host, model.LayerSession); h.length() < days {
		out.Enough = false
		out.Why = fmt.Sprintf("logs of logons do not tell the way that %s ends, and packets of %.0f days were read "+
			"(%.0f are asked for)", settings[i].ID, h.length(), days)
	}
	return out
}

// onWireAlone reports whether only packets show the way to sign in that ends.
func onWireAlone(e catalog.End) bool {
	return e.Raw || e.Older != "" || e.Unsigned || e.Unencrypted || e.Encrypts || e.NoName || e.Named
}

// host returns the names of this host in the records, in lower case: the declared names, or the only server that was
// seen.
func (o *Observed) host() (names map[string]bool, why string) {
	names = map[string]bool{}
	for _, s := range o.Servers {
		names[strings.ToLower(s)] = true
	}
	if len(names) > 0 {
		return names, ""
	}
	for _, u := range o.Uses {
		names[strings.ToLower(u.Witness())] = true
	}
	if len(names) > 0 {
		return names, ""
	}
	for _, h := range o.Heard {
		names[strings.ToLower(h.Host)] = true
	}
	if len(names) > 1 {
		return nil, fmt.Sprintf("records of %d hosts were read, and it is not said which of them is this one "+
			"(--server NAME)", len(names))
	}
	return names, ""
}

// shownBy returns the layers whose records show uses of a layer: a client that never opened a pipe made no call through
// it, and a client that opened one was connected.
func shownBy(l model.Layer) []model.Layer {
	switch l {
	case model.LayerTree:
		return []model.Layer{model.LayerTree, model.LayerOpen}
	case model.LayerBind, model.LayerCall:
		return []model.Layer{l, model.LayerOpen}
	}
	return []model.Layer{l}
}

// hearing returns the best observation of one layer: packets, or the records of one layer that shows it.
func (o *Observed) hearing(host map[string]bool, layer model.Layer) Hearing {
	best := o.wire(host, layer)
	for _, l := range shownBy(layer) {
		if h := o.logged(host, l); h.length() > best.length() || len(best.Kinds) == 0 {
			h.Layer = layer
			best = h
		}
	}
	return best
}

// wire returns how long packets of this host were read: from the first to the last conversation.
func (o *Observed) wire(host map[string]bool, layer model.Layer) Hearing {
	h := Hearing{Layer: layer, Kinds: []string{}}
	for i := range o.Uses {
		if u := &o.Uses[i]; o.fromWire(u) && host[strings.ToLower(u.Witness())] {
			h.take(packets, u.First, u.Last, u.Count)
		}
	}
	return h
}

// fromWire reports whether a use was read from packets. Logs of earlier versions do not say what they are, and have no
// dialect.
func (o *Observed) fromWire(u *model.Use) bool {
	return !u.Log && u.Dialect != "" || o.Traffic && len(o.Heard) == 0
}

// logged returns what records of logs say about one layer: the counted kinds, and the uses themselves, which come from
// such records.
func (o *Observed) logged(host map[string]bool, layer model.Layer) Hearing {
	h := Hearing{Layer: layer, Kinds: []string{}}
	days := map[string]bool{}
	for _, x := range o.Heard {
		if x.Layer == layer && (x.Host == "" || host[strings.ToLower(x.Host)]) {
			h.take(x.Kind, x.From, x.To, x.Count)
			for _, d := range x.Days {
				days[d] = true
			}
		}
	}
	if len(h.Kinds) > 0 {
		first, last := h.From.UTC().Truncate(24*time.Hour), h.To.UTC().Truncate(24*time.Hour)
		h.Days, h.OfDays = len(days), int(last.Sub(first).Hours()/24)+1
		return h
	}
	for i := range o.Uses {
		if u := &o.Uses[i]; u.Layer == layer && !o.fromWire(u) && host[strings.ToLower(u.Witness())] {
			h.take("records of "+string(layer), u.First, u.Last, u.Count)
		}
	}
	return h
}

func (h *Hearing) take(kind string, first, last time.Time, n int64) {
	if first.IsZero() {
		return
	}
	if !slices.Contains(h.Kinds, kind) {
		h.Kinds = append(h.Kinds, kind)
	}
	if h.From.IsZero() || first.Before(h.From) {
		h.From = first
	}
	if last.After(h.To) {
		h.To = last
	}
	h.Records += n
}

// layersOf returns the layers at which settings may refuse somebody.
func layersOf(settings []*catalog.Setting) []model.Layer {
	need := map[model.Layer]bool{}
	for _, s := range settings {
		g := s.Governs
		switch {
		case g.Session:
			need[model.LayerSession] = true
		case g.Tree:
			need[model.LayerTree] = true
		case len(g.Pipes) > 0:
			need[model.LayerOpen] = true
		case len(g.Discloses) > 0:
			need[model.LayerCall] = true
		default:
			need[model.LayerSession] = true
		}
	}
	var out []model.Layer
	for _, l := range []model.Layer{model.LayerSession, model.LayerTree, model.LayerOpen, model.LayerCall} {
		if need[l] {
			out = append(out, l)
		}
	}
	return out
}

// coverage adds to a plan how much the observation counts.
func (w *work) coverage(p *model.Plan) {
	var changed []*catalog.Setting
	for _, ch := range p.Changes {
		if s := w.c.Setting(ch.Setting); s != nil {
			changed = append(changed, s)
		}
	}
	g := w.weighFor(changed)
	switch {
	case w.e.Observed == nil && len(p.Changes) > 0:
		p.Warnings = append(p.Warnings, g.Why+": what would stop is known from documents alone")
	case w.e.Observed != nil && !g.Enough:
		p.Warnings = append(p.Warnings, "what was not observed may still be in use: "+g.Why)
	}
	if w.e.Observed != nil {
		p.Warnings = append(p.Warnings, w.otherServer()...)
		for _, n := range w.e.Observed.Notes {
			p.Warnings = append(p.Warnings, "not observed: "+n)
		}
	}
}

// otherServer returns a warning if the only server that was observed has none of the names that audit and scans have
// for this host: that it is this host is an assumption then. Where neither has a name, nothing speaks against it.
func (w *work) otherServer() []string {
	o := w.e.Observed
	if o == nil || len(o.Servers) > 0 || len(o.Uses) == 0 {
		return nil
	}
	known := []string{w.e.Audit.Host}
	for _, s := range w.e.Scans {
		known = append(known, hostPart(s.Target), hostPart(s.Address), s.Server.Name, s.Server.DNSName)
	}
	known = slices.DeleteFunc(known, func(n string) bool { return n == "" })
	seen := o.Uses[0].Witness()
	if len(known) == 0 || seen == "" || slices.ContainsFunc(known, func(n string) bool { return sameHost(n, seen) }) {
		return nil
	}
	return []string{fmt.Sprintf("the uses were observed at %s, and neither audit nor scan (%s) has that name or "+
		"address: they count as uses of this host, which --server %s confirms", seen, strings.Join(known, ", "), seen)}
}

// hostPart returns an address without its port.
func hostPart(address string) string {
	if a, err := netip.ParseAddrPort(address); err == nil {
		return a.Addr().String()
	}
	if host, _, ok := strings.Cut(address, ":"); ok && strings.Count(address, ":") == 1 {
		return host
	}
	return address
}

// sameHost compares names of hosts; a full name has its first label as its short one.
func sameHost(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	_, errA := netip.ParseAddr(a)
	_, errB := netip.ParseAddr(b)
	if errA == nil || errB == nil || strings.Contains(a, ".") == strings.Contains(b, ".") {
		return false
	}
	short := func(n string) string { first, _, _ := strings.Cut(n, "."); return first }
	return strings.EqualFold(short(a), short(b))
}

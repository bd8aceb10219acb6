package drift

import (
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Reach says which kinds of data each pipe, interface and call gives access to, so that a refusal refuses them all.
type Reach struct {
	pipes, interfaces map[string][]model.Disclosure
	calls             map[string]model.Disclosure // by interface/call
}

// ReachOf reads it from the catalog.
func ReachOf(c *catalog.Catalog) *Reach {
	r := &Reach{map[string][]model.Disclosure{}, map[string][]model.Disclosure{}, map[string]model.Disclosure{}}
	for _, i := range c.Interfaces {
		if i.Probe != "call" {
			continue
		}
		for _, call := range i.Calls {
			if call.Discloses == "" || call.Discloses == model.DisclosesNothing || call.Avoid != "" {
				continue
			}
			r.calls[key(i.ID, call.Name)] = call.Discloses
			r.interfaces[i.ID] = append(r.interfaces[i.ID], call.Discloses)
		}
	}
	for _, p := range c.Pipes {
		for _, b := range p.Interfaces {
			if b.Probe == "call" {
				r.pipes[p.Name] = append(r.pipes[p.Name], r.interfaces[b.ID]...)
			}
		}
	}
	return r
}

// ranks orders the letters of a cell: of several answers the first in this order counts.
const ranks = "a?dn-"

// cells collects letters.
type cells map[model.Disclosure]byte

func (c cells) put(kind model.Disclosure, letter byte) {
	if old, ok := c[kind]; !ok || strings.IndexByte(ranks, letter) < strings.IndexByte(ranks, old) {
		c[kind] = letter
	}
}

func (c cells) all(kinds []model.Disclosure, letter byte) {
	for _, kind := range kinds {
		c.put(kind, letter)
	}
}

func (c cells) text() store.Cells {
	out := make([]byte, 0, len(model.Disclosures()))
	for _, kind := range model.Disclosures() {
		letter, ok := c[kind]
		if !ok {
			letter = '-'
		}
		out = append(out, letter)
	}
	return store.Cells(out)
}

// letter returns the letter of an outcome.
func letter(o model.Outcome) byte {
	switch o {
	case model.Allowed:
		return 'a'
	case model.Denied:
		return 'd'
	case model.Absent:
		return 'n'
	case model.Inconclusive:
		return '?'
	}
	return '-'
}

// Scan returns the snapshot of a scan.
func (r *Reach) Scan(s *model.Scan) store.Snapshot {
	out := store.Snapshot{
		Verdict: s.Verdict, SMB1: s.Server.SMB1, Signing: s.Server.Signing,
		Pipes: map[string]string{}, Calls: map[string]string{}, Findings: ids(s.Findings),
	}
	c := cells{}
	for i := range s.Identities {
		if id := &s.Identities[i]; id.Identity.IsStranger() {
			r.identity(&out, c, s.Verdict, id)
		}
	}
	if len(s.Identities) == 0 {
		out.Cells = unknown
		return out
	}
	out.Cells = c.text()
	if slices.Contains(s.Server.Undecided, "NT LM 0.12") && !s.Server.SMB1 {
		out.Settings = map[string]string{SMB1: inconclusive}
	}
	return out
}

// unknown is all cells without an answer.
var unknown = store.Cells(strings.Repeat("?", len(model.Disclosures())))

// identity adds the answers to one stranger.
func (r *Reach) identity(out *store.Snapshot, c cells, verdict model.Verdict, id *model.IdentityResult) {
	who := string(id.Identity)
	door := id.Tree.Outcome
	if id.Session.Outcome != model.Allowed {
		door = id.Session.Outcome
	}
	if door == model.Inconclusive && verdict == model.Closed || door == model.Absent {
		door = model.Denied // refused without a status, as the scan proved
	}
	if door != model.NotTested {
		out.Pipes[key(who, Door)] = string(door)
	}
	if door != model.Allowed {
		for _, kinds := range r.pipes {
			c.all(kinds, letter(door))
		}
		c.put(model.DisclosesFiles, letter(door))
		return
	}
	for i := range id.Pipes {
		r.pipe(out, c, who, &id.Pipes[i])
	}
	for _, s := range id.Shares {
		o := s.Open.Outcome
		if s.Tree.Outcome != model.Allowed {
			o = s.Tree.Outcome
		}
		c.put(model.DisclosesFiles, letter(o))
	}
}

func (r *Reach) pipe(out *store.Snapshot, c cells, who string, p *model.PipeResult) {
	if p.Open.Outcome == model.NotTested {
		return
	}
	out.Pipes[key(who, p.Pipe)] = string(p.Open.Outcome)
	if p.Open.Outcome != model.Allowed {
		c.all(r.pipes[p.Pipe], letter(p.Open.Outcome))
		return
	}
	for _, i := range p.Interfaces {
		if i.Bind.Outcome != model.Allowed {
			c.all(r.interfaces[i.Interface], letter(i.Bind.Outcome))
		}
		for _, call := range i.Calls {
			note(out, who, p.Pipe, call)
			kind := call.Discloses
			if known := r.calls[key(i.Interface, call.Call)]; kind == "" ||
				kind == model.DisclosesNothing && known != "" {
				if kind = known; kind == "" {
					continue
				}
				if call.Outcome == model.Allowed { // it answered with no data
					c.put(kind, 'n')
					continue
				}
			}
			if kind != model.DisclosesNothing {
				c.put(kind, letter(call.Outcome))
			}
		}
	}
}

// note records the outcome of a call; of several with one name the best for the caller counts.
func note(s *store.Snapshot, who, pipe string, call model.CallResult) {
	name := key(who, pipe, call.Call)
	if old, ok := s.Calls[name]; !ok || strings.IndexByte(ranks,
		letter(call.Outcome)) < strings.IndexByte(ranks, letter(model.Outcome(old))) {
		s.Calls[name] = string(call.Outcome)
	}
}

// ids returns the distinct ids of findings, sorted.
func ids(findings []model.Finding) []string {
	var out []string
	for _, f := range findings {
		if !slices.Contains(out, f.ID) {
			out = append(out, f.ID)
		}
	}
	slices.Sort(out)
	return out
}

// Audit returns the snapshot of an audit: the effective values, as far as known. Its verdict follows a scan's
// definition, applied to the configuration instead of to what a stranger got.
func Audit(a *model.Audit) store.Snapshot {
	out := store.Snapshot{Verdict: a.Verdict(), Settings: map[string]string{}, Findings: ids(a.Findings)}
	for _, s := range a.Settings {
		if s.State == model.StateNotApplicable || s.Basis == model.BasisUnknown || s.NotRead {
			continue
		}
		out.Settings[s.ID] = value(s.Effective)
	}
	return out
}

// maxValue bounds the text of one value: a list of a thousand pipe names, far more than a server has.
const maxValue = 16 << 10

func value(v any) string {
	text := model.Text(v)
	if len(text) > maxValue {
		text = strings.ToValidUTF8(text[:maxValue], "") + "…"
	}
	return text
}

// Weak returns the settings that an audit judges weak.
func Weak(a *model.Audit) map[string]bool {
	out := map[string]bool{}
	for _, s := range a.Settings {
		if s.State == model.StateWeak {
			out[s.ID] = true
		}
	}
	return out
}

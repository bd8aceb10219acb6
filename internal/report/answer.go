package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Answer is a result in one sentence, including its limits. Text, pages and the fleet all print it, so that they agree.
type Answer struct {
	Of   string // the host, or the configuration
	Word string // the verdict in one word; for a plan, its purpose
	Says string // the rest of the sentence

	Witness string // on a page with several answers about one host: which it is
}

// String returns the whole sentence.
func (a Answer) String() string { return a.Of + ": " + a.Word + ": " + a.Says }

// reach maps each kind of data that strangers get to the most that any of them got.
type reach struct {
	who   []model.Identity
	kinds []model.Disclosure
	count map[model.Disclosure]int
	more  map[model.Disclosure]bool
}

func (r *reach) add(id model.Identity, d model.Disclosure, n int, more bool) {
	if !id.IsStranger() || !d.IsExposure() {
		return
	}
	if r.count == nil {
		r.count, r.more = map[model.Disclosure]int{}, map[model.Disclosure]bool{}
	}
	if !slices.Contains(r.who, id) {
		r.who = append(r.who, id)
	}
	if !slices.Contains(r.kinds, d) {
		r.kinds = append(r.kinds, d)
	}
	if n > r.count[d] {
		r.count[d], r.more[d] = n, more
	}
}

// strangers returns who gets it, in report order.
func (r *reach) strangers() string {
	var names []string
	for _, id := range model.Strangers() {
		if slices.Contains(r.who, id) {
			names = append(names, string(id))
		}
	}
	return "strangers (" + strings.Join(names, ", ") + ")"
}

// things lists what they get, with counts if known.
func (r *reach) things() string {
	var out []string
	for _, d := range model.Disclosures() {
		if !slices.Contains(r.kinds, d) {
			continue
		}
		switch n := r.count[d]; {
		case n == 0:
			out = append(out, d.Noun())
		case r.more[d]:
			out = append(out, "more than "+d.Count(n))
		default:
			out = append(out, d.Count(n))
		}
	}
	return listed(out)
}

// listed joins words as a sentence does.
func listed(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// reached returns what a scan proved that strangers get. If the scan has only findings, they are used.
func reached(c *catalog.Catalog, s *model.Scan) *reach {
	out := &reach{}
	for i := range s.Identities {
		r := &s.Identities[i]
		for _, p := range r.Pipes {
			for _, x := range p.Interfaces {
				for _, k := range x.Calls {
					if k.Outcome == model.Allowed && k.Count > 0 {
						out.add(r.Identity, k.Discloses, k.Count, k.More)
					}
				}
			}
		}
		files := 0
		for _, x := range r.Shares {
			if x.Open.Outcome == model.Allowed {
				files++
			}
		}
		if files > 0 {
			out.add(r.Identity, model.DisclosesFiles, files, false)
		}
	}
	for _, f := range s.Findings {
		id, d := given(c, f.ID)
		out.add(cmp.Or(f.Identity, id), d, 0, false)
	}
	return out
}

// given returns who gets what by a finding's name; the kind is empty for other findings. The catalog has no findings of
// made-up users: they count as guests, or their findings are named after the data.
func given(c *catalog.Catalog, id string) (model.Identity, model.Disclosure) {
	if f := c.Finding(id); f != nil {
		return f.Identity, f.Discloses
	}
	for _, who := range model.Strangers() {
		what, ok := strings.CutPrefix(id, string(who)+"-")
		d := model.Disclosure(strings.TrimPrefix(strings.TrimPrefix(what, "lists-"), "reads-"))
		if ok && slices.Contains(model.Disclosures(), d) {
			return who, d
		}
	}
	return "", ""
}

// ScanAnswer returns the answer of a scan: what strangers get, or what stops them, and what was not tested.
func ScanAnswer(s *model.Scan) Answer {
	c, _ := catalog.Load() // the built-in catalog never fails
	a := Answer{Of: Clean(s.Target), Word: string(s.Verdict)}
	if s.Address != "" && s.Address != s.Target {
		a.Of += " (" + s.Address + ")"
	}
	var parts []string
	if got := reached(c, s); s.Verdict == model.Exposed && len(got.kinds) > 0 {
		parts = append(parts, got.strangers()+" are given "+got.things())
	}
	parts = append(parts, Clean(s.Reason), sharesLine(s))
	if s.Partial {
		parts = append(parts, "partial: not everything was asked or answered")
	}
	a.Says = joined(parts)
	return a
}

func joined(parts []string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

// AuditAnswer returns the answer of an audit: what the configuration gives strangers, what else is weak, and what is
// unknown.
func AuditAnswer(x *model.Audit) Answer {
	a := Answer{Of: Clean(x.Source.Name), Word: AuditVerdict(x)}
	if x.Host != "" && !strings.EqualFold(x.Host, x.Source.Name) {
		a.Of += " (" + Clean(x.Host) + ")"
	}
	given, open := &reach{}, &reach{}
	for _, id := range model.Strangers() {
		for _, d := range model.Disclosures() {
			switch x.Access[id].Discloses[d] {
			case model.Allowed:
				given.add(id, d, 0, false)
			case model.OutcomeUnknown:
				open.add(id, d, 0, false)
			}
		}
	}
	open.kinds = slices.DeleteFunc(open.kinds, func(d model.Disclosure) bool { return slices.Contains(given.kinds, d) })
	parts := []string{""}
	switch {
	case len(given.kinds) > 0:
		parts[0] = "the configuration gives " + given.strangers() + " " + given.things()
	case len(x.Access) == 0:
		parts[0] = "what strangers get was not settled"
	case len(open.kinds) > 0:
		parts[0] = "the configuration gives strangers nothing for certain"
	default:
		parts[0] = "the configuration gives strangers nothing"
	}
	if len(open.kinds) > 0 {
		parts = append(parts, "not known: "+open.things())
	}
	if n := others(x); n > 0 {
		parts = append(parts, model.Count(n, "other finding", "other findings"))
	}
	if x.Partial {
		parts = append(parts, "partial: not everything could be read")
	}
	a.Says = joined(parts)
	return a
}

// others counts the findings that are neither disclosures to strangers nor notes.
func others(x *model.Audit) int {
	c, _ := catalog.Load()
	kinds := map[string]bool{}
	for _, f := range x.Findings {
		if _, d := given(c, f.ID); f.Severity.Rank() > model.Info.Rank() && d == "" {
			kinds[f.ID+"\x00"+f.Setting] = true
		}
	}
	return len(kinds)
}

// PlanAnswer returns the answer of a plan: what it closes, what that breaks, and what it leaves.
func PlanAnswer(p *model.Plan) Answer {
	a := Answer{Of: Clean(p.Target), Word: "plan to " + Clean(p.Strategy)}
	if p.Means != "" {
		a.Word += " by " + Clean(p.Means)
	}
	var parts []string
	switch {
	case p.Question != "":
		parts = append(parts, "no changes: the evidence contradicts itself")
	case p.Refused != "":
		parts = append(parts, "no changes: refused")
	case len(p.Changes) == 0:
		parts = append(parts, "nothing to change")
	default:
		parts = append(parts, closing(p), stopping(p))
	}
	a.Says = joined(append(parts, PlanLeaves(p)))
	return a
}

// PlanLeaves says how much a plan leaves: what stays open or is unknown, and findings. It is empty if it leaves
// nothing.
func PlanLeaves(p *model.Plan) string {
	var parts []string
	if n := len(p.Residual); n > 0 {
		parts = append(parts, fmt.Sprintf("%d %s open or not known", n, plural(n, "thing stays", "things stay")))
	}
	if n := len(p.Left); n > 0 {
		parts = append(parts, fmt.Sprintf("%d %s left as %s", n, plural(n, "finding is", "findings are"),
			plural(n, "it is", "they are")))
	}
	return joined(parts)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// closing says how many changes close what.
func closing(p *model.Plan) string {
	c, _ := catalog.Load()
	got := &reach{}
	other := map[string]bool{}
	for _, x := range p.Changes {
		for _, id := range x.Closes {
			if who, d := given(c, id); d != "" {
				got.add(who, d, 0, false)
			} else {
				other[id] = true
			}
		}
	}
	n := len(p.Changes)
	out := model.Count(n, "change", "changes")
	switch {
	case len(got.kinds) > 0:
		out += fmt.Sprintf(" %s %s to %s", plural(n, "closes", "close"), got.things(), got.strangers())
		if len(other) > 0 {
			out += ", and " + model.Count(len(other), "other finding", "other findings")
		}
	case len(other) > 0:
		out += fmt.Sprintf(" %s %s", plural(n, "closes", "close"), model.Count(len(other), "finding", "findings"))
	}
	return out
}

// stopping says how much breaks, and how that is known.
func stopping(p *model.Plan) string {
	if len(p.Breaks) == 0 {
		return "nothing is known to stop"
	}
	by := map[string]int{}
	for _, b := range p.Breaks {
		by[b.Certainty]++
	}
	var how []string
	for _, word := range []string{"observed", "documented", "possible"} {
		if by[word] > 0 {
			how = append(how, fmt.Sprintf("%d %s", by[word], word))
		}
	}
	n := len(p.Breaks)
	return fmt.Sprintf("%d %s (%s)", n, plural(n, "thing stops or may stop", "things stop or may stop"),
		strings.Join(how, ", "))
}

// NothingToClose is the check of a proof that has nothing to prove.
const NothingToClose = "closed:nothing"

// Proved is one check of a proof, as ProofAnswer sums it up.
type Proved struct {
	Check, Result string
	Note          bool // not requested
	// Unauthenticated marks a pass that depends on answers without a key.
	Unauthenticated bool
}

// ProofAnswer returns the answer of a proof: what is closed and what is not, what was not requested or answered, and
// what else strangers are given, as names of findings. It is verified if nothing that counts contradicts it.
func ProofAnswer(target string, verified bool, checks []Proved, beside []string) Answer {
	a := Answer{Of: Clean(target), Word: "NOT VERIFIED"}
	if verified {
		a.Word = "verified"
	}
	parts := []string{}
	beside = slices.DeleteFunc(slices.Clone(beside), func(id string) bool { // included in what is left or was not seen
		return slices.ContainsFunc(checks, func(x Proved) bool { return x.Check == "left:"+id || x.Check == "unseen:"+id })
	})
	checks, left := leftOf(checks)
	checks, unseen := unseenOf(checks)
	for _, r := range []struct{ result, closed, other string }{
		{model.Failed, "still given", "failed"},
		{string(model.Inconclusive), "no answer that counts about", "got no answer that counts"},
		{model.Unchecked, "not asked, or not refused:", "could not be asked"},
		{model.Waiting, "closes with a restart:", "will show after a restart"},
		{model.Passed, "asked again and refused:", "passed"},
	} {
		closed, other := proved(checks, r.result)
		if len(closed.kinds) > 0 {
			text := r.closed + " " + closed.things()
			if r.result == model.Failed {
				text = closed.strangers() + " are " + text
			}
			parts = append(parts, text)
		}
		if other > 0 {
			parts = append(parts, model.Count(other, "check", "checks")+" "+r.other)
		}
	}
	parts = append(parts, left)
	if n := unauthenticated(checks); verified && n > 0 {
		parts = append(parts, "no key proves the answers to "+model.Count(n, "check", "checks")+" (unauthenticated)")
	}
	if slices.ContainsFunc(checks, func(x Proved) bool { return x.Check == NothingToClose }) {
		parts = append(parts, "nothing was to be closed")
	}
	parts = append(parts, unseen)
	c, _ := catalog.Load()
	more := &reach{}
	for _, id := range beside {
		who, d := given(c, id)
		more.add(who, d, 0, false)
	}
	if len(more.kinds) > 0 {
		parts = append(parts, "this was not to be closed, and "+more.strangers()+" are given it: "+more.things())
	}
	if a.Says = joined(parts); a.Says == "" {
		a.Says = "nothing was asked"
	}
	return a
}

// leftOf separates the checks of what a plan leaves from the others, and says which of it stays open according to the
// plan, and which is open or unknown without it.
func leftOf(checks []Proved) (others []Proved, says string) {
	c, _ := catalog.Load()
	told, not := &reach{}, &reach{}
	names := 0
	for _, x := range checks {
		name, ok := strings.CutPrefix(x.Check, "left:")
		switch who, d := given(c, name); {
		case !ok:
			others = append(others, x)
		case x.Result == model.Passed:
		case x.Note && d != "":
			told.add(who, d, 0, false)
		case d != "":
			not.add(who, d, 0, false)
		default:
			names++
		}
	}
	var parts []string
	if len(told.kinds) > 0 {
		parts = append(parts, "left open to "+told.strangers()+", as the plan says: "+told.things())
	}
	if len(not.kinds) > 0 {
		parts = append(parts, "not closed by the plan, and open to "+not.strangers()+" or not known: "+not.things())
	}
	if names > 0 {
		parts = append(parts, model.Count(names, "pipe or share is", "pipes or shares are")+" left by the plan")
	}
	return others, joined(parts)
}

// unseenOf separates the checks of what an earlier scan did not see from the others, and says what of it is open now,
// what is not known, and what is refused.
func unseenOf(checks []Proved) (others []Proved, says string) {
	c, _ := catalog.Load()
	open, not, refused := &reach{}, &reach{}, &reach{}
	for _, x := range checks {
		name, ok := strings.CutPrefix(x.Check, "unseen:")
		if !ok {
			others = append(others, x)
			continue
		}
		to := not
		switch x.Result {
		case model.Open:
			to = open
		case model.Passed:
			to = refused
		}
		who, d := given(c, name)
		to.add(who, d, 0, false)
	}
	var parts []string
	for _, p := range []struct {
		r     *reach
		words string
	}{
		{open, "open to %s, and not seen by the earlier scan: "},
		{not, "not known about %s, neither from the earlier scan nor now: "},
		{refused, "refused to %s now, and not seen by the earlier scan: "},
	} {
		if len(p.r.kinds) > 0 {
			parts = append(parts, fmt.Sprintf(p.words, p.r.strangers())+p.r.things())
		}
	}
	return others, joined(parts)
}

// unauthenticated counts the passes that depend on answers without a key.
func unauthenticated(checks []Proved) (n int) {
	for _, x := range checks {
		if x.Unauthenticated {
			n++
		}
	}
	return n
}

// proved returns the checks with one result: the kinds of data that were to be closed to strangers, and the number of
// others that count. An answering server is not a check of its own.
func proved(checks []Proved, result string) (closed *reach, other int) {
	c, _ := catalog.Load()
	closed = &reach{}
	for _, x := range checks {
		name, ok := strings.CutPrefix(x.Check, "closed:")
		who, d := given(c, name)
		control := strings.HasPrefix(x.Check, "control:") && result == model.Passed
		switch {
		case x.Result != result || x.Note || control || x.Check == NothingToClose:
		case ok && d != "":
			closed.add(who, d, 0, false)
		default:
			other++
		}
	}
	return closed, other
}

// WhatIfAnswer returns the answer of a what-if: how many of the observed uses would be refused, and whether silence
// counts.
func WhatIfAnswer(x *WhatIf) Answer {
	var to []string
	for _, c := range x.Changes {
		switch {
		case !c.To.Present:
			to = append(to, "no "+Clean(c.Setting))
		default:
			to = append(to, Clean(c.Setting)+" = "+Clean(value(c.To.Data)))
		}
	}
	a := Answer{Of: Clean(x.Target), Word: "with " + listed(to)}
	all := x.Refused.Uses + x.Possible.Uses + x.Unjudged.Uses + x.NotKnown.Uses + x.Unchanged
	var parts []string
	add := func(n int, one, many string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d of %s that %s seen %s", n, model.Count(all, "use", "uses"),
				plural(all, "was", "were"), plural(n, one, many)))
		}
	}
	add(x.Refused.Uses, "would be refused", "would be refused")
	add(x.Possible.Uses, "may be refused", "may be refused")
	add(x.Unjudged.Uses, "would be refused if it was a stranger's", "would be refused if they were strangers'")
	add(x.NotKnown.Uses, "has an end that is not known", "have an end that is not known")
	switch {
	case all == 0:
		parts = append(parts, "no use was seen that it could refuse")
	case len(parts) == 0:
		parts = append(parts, "nothing that was seen would be refused")
	}
	if x.Enough {
		parts = append(parts, "silence counts")
	} else {
		parts = append(parts, "silence does not count")
	}
	a.Says = joined(parts)
	return a
}

// UseAnswer says in one to three sentences who got what without a password.
func UseAnswer(o *model.Observation) []string { return useAnswer(o.Uses) }

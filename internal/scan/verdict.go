package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// judge decides the verdict. A user with credentials is asked for comparison and does not affect it.
func (h *host) judge(ladders []*ladder, ended error) {
	r := h.result
	r.Findings = append(h.exposures(), h.weaknesses()...)
	var entered, unclear, closedBy []string
	exposed := false
	for _, l := range ladders {
		id := l.result
		if !l.id.IsStranger() {
			continue
		}
		exposed = exposed || len(disclosures(id)) > 0
		in, doubt := h.standing(l)
		if doubt != "" {
			unclear = append(unclear, fmt.Sprintf("%s: %s", l.id, doubt))
		}
		if in {
			entered = append(entered, string(l.id))
		} else {
			closedBy = append(closedBy, refusal(l))
		}
		h.again = h.again || id.Session.Outcome == model.Inconclusive && !l.spent() ||
			id.Tree.Outcome == model.Inconclusive && l.result.ClosedBy == ""
	}
	if i := slices.IndexFunc(ladders, func(l *ladder) bool { return l.banned != "" }); i >= 0 {
		h.again = false // a ban lasts longer than the wait before a retry
		r.Banned = ladders[i].banned
	}
	slices.SortStableFunc(r.Findings, func(a, b model.Finding) int { return b.Severity.Rank() - a.Severity.Rank() })
	r.Contradictions = h.contradictions()
	lost, all := unanswered(r), asked(r)
	switch {
	case exposed:
		r.Verdict = model.Exposed
		switch stopped := h.stopped(ladders); {
		case ended != nil:
			r.Reason = outOfTime(ended)
		case stopped != "":
			r.Reason, r.Partial = stopped, true
		case 2*lost > all:
			r.Reason, r.Partial = fmt.Sprintf("partial: %d of %d questions got no answer", lost, all), true
		default:
			if lost, all := h.lostPipes(ladders); 2*lost > all {
				r.Reason, r.Partial = fmt.Sprintf("partial: of %d pipes to ask, %d gave no answer or broke off", all,
					lost), true
			}
		}
	case ended != nil:
		r.Verdict, r.Partial = model.VerdictInconclusive, true
		r.Reason = outOfTime(ended)
	case len(r.Contradictions) > 0:
		r.Verdict, r.Reason = model.VerdictInconclusive, "the answers contradict one another: "+
			strings.Join(r.Contradictions, "; ")
	case len(unclear) > 0:
		r.Verdict, r.Reason = model.VerdictInconclusive, strings.Join(unclear, "; ")
	case len(entered) > 0:
		r.Verdict = model.Limited
		r.Reason = strings.Join(entered, ", ") + " may come in, and is given no more than every client is told"
	default:
		r.Verdict, r.Reason = model.Closed, strings.Join(slices.Compact(closedBy), "; ")
	}
	switch _, left, _ := r.DiskShares(); {
	case ended != nil:
		r.Partial = true
	case left > 0 && r.Verdict != model.Exposed:
		r.Partial = true // one of them may be open
	case h.o.Quick && r.Verdict == model.Limited:
		r.Partial = true
		r.Reason = "a null session works; what else it is given was not asked (--quick)"
	}
}

// outOfTime returns why a host was not asked completely.
func outOfTime(ended error) string {
	if errors.Is(ended, context.Canceled) {
		return "interrupted: not everything was asked"
	}
	return "the time for this host ran out"
}

// Join joins two scans of the same host that asked different identities.
func Join(first, second *model.Scan) *model.Scan {
	out := *first
	out.Identities = slices.Concat(first.Identities, second.Identities)
	out.Findings = slices.Clone(first.Findings)
	for _, f := range second.Findings {
		if f.Identity != "" { // both have the posture
			out.Findings = append(out.Findings, f)
		}
	}
	slices.SortStableFunc(out.Findings, func(a, b model.Finding) int { return b.Severity.Rank() - a.Severity.Rank() })
	out.Banned = cmp.Or(first.Banned, second.Banned)
	out.Limits = slices.Concat(first.Limits, second.Limits)
	for _, c := range second.Contradictions {
		if !slices.Contains(first.Contradictions, c) {
			out.Contradictions = append(slices.Clone(first.Contradictions), c)
		}
	}
	out.Partial = first.Partial || second.Partial
	order := []model.Verdict{model.Exposed, model.VerdictInconclusive, model.Unreachable, model.Limited, model.Closed}
	if slices.Index(order, second.Verdict) < slices.Index(order, first.Verdict) {
		out.Verdict, out.Reason = second.Verdict, second.Reason
	}
	if out.Verdict == model.Unreachable { // one of the two was answered
		out.Verdict = model.VerdictInconclusive
	}
	out.DurationMS += second.DurationMS
	out.Stats.Connections += second.Stats.Connections
	out.Stats.Requests += second.Stats.Requests
	out.Stats.RoundTrips += second.Stats.RoundTrips
	out.Stats.BytesSent += second.Stats.BytesSent
	out.Stats.BytesReceived += second.Stats.BytesReceived
	return &out
}

// stopped returns when the server stopped answering during the scan; empty if it did not.
func (h *host) stopped(ladders []*ladder) string {
	after := ""
	for _, l := range ladders {
		r := l.result
		switch {
		case l.banned != "":
			return l.banned
		case l.unmet != nil && after != "":
			return fmt.Sprintf("the server stopped answering during the scan, after %s: %s", after, plain(l.unmet))
		case r.Session.Outcome != model.Inconclusive && r.Session.Outcome != model.NotTested:
			after = fmt.Sprintf("the questions of %s", l.id)
		}
		for _, p := range r.Pipes {
			if p.Open.Outcome != model.Inconclusive && p.Open.Outcome != model.NotTested {
				after = fmt.Sprintf("%s was asked for %s", p.Pipe, l.id)
			}
		}
	}
	return ""
}

// unanswered counts the strangers' questions without an answer.
func unanswered(r *model.Scan) (n int) {
	eachQuestion(r, func(o model.Outcome) {
		if o == model.Inconclusive {
			n++
		}
	})
	return n
}

// lostPipes counts the pipes whose calls could disclose something to strangers, and those of them that were lost before
// all was asked. To unanswered a lost pipe is one question, although it stands for many; if a logon or IPC$ was lost,
// all its pipes were.
func (h *host) lostPipes(ladders []*ladder) (lost, all int) {
	matters := map[string]bool{}
	system := h.system()
	for i := range h.pipes {
		p := &h.pipes[i]
		matters[p.name] = p.calls && !h.elsewhere(p, system)
	}
	behind := 0
	for _, yes := range matters {
		if yes && (behind == 0 || !h.o.Quick) {
			behind++
		}
	}
	for _, l := range ladders {
		r := l.result
		switch {
		case !l.id.IsStranger() || r.ClosedBy != "":
		case r.Session.Outcome == model.Inconclusive, r.Tree.Outcome == model.Inconclusive:
			lost, all = lost+behind, all+behind
		default:
			for _, p := range r.Pipes {
				if !matters[p.Pipe] || p.Open.Outcome == model.Absent {
					continue
				}
				if all++; pipeDoubt(p) != "" {
					lost++
				}
			}
		}
	}
	return lost, all
}

// asked counts the strangers' questions.
func asked(r *model.Scan) (n int) {
	eachQuestion(r, func(o model.Outcome) {
		if o != model.NotTested {
			n++
		}
	})
	return n
}

func eachQuestion(r *model.Scan, f func(model.Outcome)) {
	for _, id := range r.Identities {
		if !id.Identity.IsStranger() {
			continue
		}
		f(id.Session.Outcome)
		f(id.Tree.Outcome)
		for _, p := range id.Pipes {
			f(p.Open.Outcome)
			for _, i := range p.Interfaces {
				f(i.Bind.Outcome)
				for _, c := range i.Calls {
					f(c.Outcome)
				}
			}
		}
	}
}

// standing returns whether an identity was let in as far as a pipe or a disk share, and what is unknown that could
// change the answer.
func (h *host) standing(l *ladder) (in bool, doubt string) {
	r := l.result
	switch {
	case l.result.ClosedBy != "":
		return false, ""
	case r.Session.Outcome != model.Allowed:
		return false, doubtful("session", r.Session)
	case r.Tree.Outcome != model.Allowed:
		return false, doubtful("tree connect", r.Tree)
	}
	tested := 0
	var doubts []string
	for _, p := range r.Pipes {
		tested++
		in = in || p.Open.Outcome == model.Allowed
		if h.matters[p.Pipe] {
			if d := pipeDoubt(p); d != "" {
				doubts = append(doubts, d)
			}
		} else if p.Open.Outcome == model.Inconclusive && !in {
			doubts = append(doubts, doubtful("opening "+p.Pipe, p.Open))
		}
	}
	for _, s := range r.Shares {
		if s.Open.Outcome == model.Inconclusive || s.Tree.Outcome == model.Inconclusive {
			doubts = append(doubts, "a disk share gave no answer")
		}
	}
	if tested == 0 {
		doubts = append(doubts, "no pipe was tried")
	}
	switch {
	case !h.o.Quick || in:
	case len(r.Pipes) == 1 && r.Pipes[0].Open.Outcome == model.Absent:
		in = true // it reached IPC$, and there is no lsarpc for more
	default:
		doubts = append(doubts, "only one pipe was tried (--quick)")
	}
	return in, summary(doubts)
}

func doubtful(what string, s model.Step) string {
	if s.Outcome != model.Inconclusive && s.Outcome != model.NotTested {
		return ""
	}
	return strings.TrimSpace(what + " gave no answer that counts: " + strings.TrimSpace(s.Status+" "+s.Detail))
}

// pipeDoubt returns what is unknown about a pipe whose calls could have disclosed something.
func pipeDoubt(p model.PipeResult) string {
	if d := doubtful("opening "+p.Pipe, p.Open); d != "" {
		return d
	}
	for _, i := range p.Interfaces {
		if i.Interface == mgmt {
			continue
		}
		if d := doubtful("binding "+i.Interface+" on "+p.Pipe, i.Bind); d != "" {
			return d
		}
		for _, c := range i.Calls {
			if c.Outcome == model.Inconclusive {
				return fmt.Sprintf("%s on %s gave no answer that counts: %s", c.Call, p.Pipe,
					strings.TrimSpace(c.Status+" "+c.Detail))
			}
		}
	}
	return ""
}

// summary shortens a reason: the ladder has all of it.
func summary(doubts []string) string {
	doubts = slices.Compact(doubts)
	if len(doubts) > 2 {
		return fmt.Sprintf("%s; %s; and %d more", doubts[0], doubts[1], len(doubts)-2)
	}
	return strings.Join(doubts, "; ")
}

// refusal returns where an identity was refused.
func refusal(l *ladder) string {
	r := l.result
	at := func(layer string, s model.Step) string {
		said := strings.TrimSpace(fmt.Sprintf("%s is refused at %s %s", l.id, layer, s.Status))
		if strings.HasPrefix(s.Detail, seenAt) {
			said += " (" + s.Detail + ")"
		}
		return said
	}
	switch {
	case l.result.ClosedBy != "":
		return l.result.ClosedBy
	case r.Session.Outcome != model.Allowed:
		return at("logon", r.Session)
	case r.Tree.Outcome != model.Allowed:
		return at("the IPC$ tree connect", r.Tree)
	}
	if n := absent(r.Pipes); n > 0 {
		return fmt.Sprintf("%s found no pipe: none of the %d that were tried exists", l.id, n)
	}
	tried := 0
	for _, p := range r.Pipes {
		if p.Open.Outcome != model.NotTested {
			tried++
		}
	}
	return fmt.Sprintf("%s is refused at every pipe that was tried (%d)", l.id, tried)
}

// absent returns the number of pipes that were tried if the server has none of them, as one has whose services of RPC
// do not run; 0 otherwise.
func absent(pipes []model.PipeResult) (n int) {
	for _, p := range pipes {
		switch p.Open.Outcome {
		case model.NotTested:
		case model.Absent:
			n++
		default:
			return 0
		}
	}
	return n
}

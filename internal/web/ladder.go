package web

import (
	"strconv"

	"ipcguard/internal/model"
)

// ladder shows how far each identity comes: a column for each, a row for each layer. The pipes are below it.
type ladder struct {
	Server     model.Server
	Identities []identityView
	Rungs      []rung
}

type rung struct {
	Layer string
	Cells []rungCell // one for each identity
}

type rungCell struct{ Text, Class, Detail string }

type identityView struct {
	*model.IdentityResult
	Pipes []pipeView
	Shut  int // pipes that do not open, which are only counted
}

type pipeView struct {
	*model.PipeResult
	Calls []callView
}

// callView is one line of a pipe: an interface that is refused, or a call.
type callView struct {
	Interface string
	Bind      model.Step
	Call      *model.CallResult
}

// Bounds of a scan's page. The catalog has about thirty pipes with a few calls each.
const (
	mostPipes = 200
	mostCalls = 200
)

func newLadder(s *model.Scan) *ladder {
	l := &ladder{Server: s.Server}
	rows := []rung{
		{Layer: "session"},
		{Layer: "tree (IPC$)"},
		{Layer: "open a pipe"},
		{Layer: "bind an interface"},
		{Layer: "call that gives data"},
	}
	for i := range s.Identities {
		r := &s.Identities[i]
		v := identityView{IdentityResult: r}
		var opened, pipes, bound, binds, gave, calls, unsure int
		for j := range r.Pipes {
			p := &r.Pipes[j]
			pipes++
			pv := pipeView{PipeResult: p}
			switch p.Open.Outcome {
			case model.Allowed:
				opened++
			case model.Inconclusive:
				unsure++
			}
			for k := range p.Interfaces {
				b := &p.Interfaces[k]
				binds++
				if b.Bind.Outcome == model.Allowed {
					bound++
				}
				if len(b.Calls) == 0 {
					pv.Calls = append(pv.Calls, callView{b.Interface, b.Bind, nil})
				}
				for n := range b.Calls {
					c := &b.Calls[n]
					calls++
					if c.Outcome == model.Allowed && c.Discloses.IsExposure() {
						gave++
					}
					if len(pv.Calls) < mostCalls {
						pv.Calls = append(pv.Calls, callView{b.Interface, b.Bind, c})
					}
				}
			}
			if p.Open.Outcome == model.Denied || p.Open.Outcome == model.Absent {
				v.Shut++
			} else if len(v.Pipes) < mostPipes {
				v.Pipes = append(v.Pipes, pv)
			}
		}
		l.Identities = append(l.Identities, v)
		rows[0].Cells = append(rows[0].Cells, stepCell(r.Session))
		rows[1].Cells = append(rows[1].Cells, stepCell(r.Tree))
		rows[2].Cells = append(rows[2].Cells, countCell(opened, pipes, unsure, "opened", "limited"))
		rows[3].Cells = append(rows[3].Cells, countCell(bound, binds, 0, "bound", "limited"))
		rows[4].Cells = append(rows[4].Cells, countCell(gave, calls, 0, "gave data", "allowed"))
	}
	l.Rungs = rows
	return l
}

func stepCell(s model.Step) rungCell {
	if s.Outcome == "" {
		return rungCell{"not reached", "none", ""}
	}
	class := class(s.Outcome)
	if s.Outcome == model.Allowed {
		class = "limited" // a session alone is not an exposure
	}
	return rungCell{words(s.Outcome), class, s.Status}
}

func countCell(n, of, unsure int, what, bad string) rungCell {
	switch {
	case of == 0:
		return rungCell{"not reached", "none", ""}
	case n == 0 && unsure > 0:
		return rungCell{"not settled", "unknown", ""}
	case n == 0:
		return rungCell{"none of " + strconv.Itoa(of), "denied", ""}
	}
	return rungCell{strconv.Itoa(n) + " of " + strconv.Itoa(of) + " " + what, bad, ""}
}

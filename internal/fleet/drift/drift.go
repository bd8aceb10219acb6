// Package drift computes what changed on a host between two results, as events that may interest a person.
//
//	model.Scan  ─┐                       spans of earlier snapshots ─► Known ─┐
//	             ├─► store.Snapshot ──────────────────────────────────────────┴─► Compare ─► events
//	model.Audit ─┘
//
// The rules of the room, which is pure:
//
//   - Only an answer changes what is known. A question without one (inconclusive, not tested, unreachable) is not
//     compared: it closes no pipe, ends no finding and makes nothing closed. The next answer is compared with the last
//     one, however long ago that was.
//   - A snapshot has no names, counts or times, so that hosts that look alike have equal snapshots.
//   - One change is reported once: a refused logon is one event and not one for each pipe behind it.
//   - Every event is one plain sentence and has its own severity.
package drift

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Door is the last part of the key in Snapshot.Pipes that says whether an identity reaches the IPC$ share at all.
const Door = "IPC$"

// SMB1 is the key in a scan's Snapshot.Settings that is set to inconclusive if it is unknown whether the server speaks
// SMB1.
const SMB1 = "SMB1"

const inconclusive = string(model.Inconclusive)

// key joins the parts of a key of a snapshot's maps.
func key(parts ...string) string { return strings.Join(parts, "/") }

// Conclusive reports whether a verdict is an answer.
func Conclusive(v model.Verdict) bool {
	return v == model.Exposed || v == model.Limited || v == model.Closed
}

// Settled reports whether a snapshot leaves no question open, so that it is all that is known.
func Settled(s *store.Snapshot) bool {
	for _, o := range s.Pipes {
		if o == inconclusive {
			return false
		}
	}
	return Conclusive(s.Verdict) && s.Settings[SMB1] == ""
}

// Known is what one kind of run has found out about a host: the last answer to every question.
type Known struct {
	Seen     bool          // there was a result of any kind
	Answered bool          // the host answered at least once
	Last     model.Verdict // of the last result
	Verdict  model.Verdict // of the last answer; empty is none
	SMB1     *bool
	Pipes    map[string]string
	Settings map[string]string
	Earlier  map[string][]string // values that a setting had before the current one
	Findings []string
}

// Fold combines snapshots, oldest first.
func Fold(history ...store.Snapshot) Known {
	k := Known{Pipes: map[string]string{}, Settings: map[string]string{}, Earlier: map[string][]string{}}
	for i := range history {
		k.Add(&history[i])
	}
	return k
}

// Add adds one more snapshot.
func (k *Known) Add(s *store.Snapshot) {
	k.Seen, k.Last = true, s.Verdict
	k.Answered = k.Answered || s.Verdict != model.Unreachable
	if Conclusive(s.Verdict) {
		k.Verdict = s.Verdict
	}
	if s.Verdict != model.Unreachable {
		k.Findings = s.Findings
	}
	if s.Verdict != model.Unreachable && len(s.Pipes) > 0 && s.Settings[SMB1] == "" {
		speaks := s.SMB1
		k.SMB1 = &speaks
	}
	for _, name := range slices.Sorted(maps.Keys(s.Pipes)) {
		o := s.Pipes[name]
		if o == inconclusive {
			continue
		}
		id, pipe, _ := strings.Cut(name, "/")
		if pipe == Door && o != string(model.Allowed) {
			maps.DeleteFunc(k.Pipes, func(n, _ string) bool { return strings.HasPrefix(n, id+"/") })
		}
		k.Pipes[name] = o
	}
	for _, id := range slices.Sorted(maps.Keys(s.Settings)) {
		v := s.Settings[id]
		if id == SMB1 && v == inconclusive {
			continue
		}
		if old, ok := k.Settings[id]; ok && old != v && !slices.Contains(k.Earlier[id], old) {
			k.Earlier[id] = append(k.Earlier[id], old)
		}
		k.Settings[id] = v
	}
}

// Quick combines a quick scan with the previous snapshot. A quick scan asks only whether anonymous gets in. If that is
// unchanged, everything is; otherwise only what depends on it changes.
func Quick(before *store.Snapshot, now store.Snapshot) store.Snapshot {
	if before == nil || now.Verdict == model.Unreachable || !Conclusive(before.Verdict) {
		return now
	}
	anonymous := string(model.Anonymous)
	out := *before
	switch after := now.Pipes[key(anonymous, Door)]; after {
	case before.Pipes[key(anonymous, Door)]:
		if first := firstPipe(now.Pipes); first == "" || now.Pipes[first] == inconclusive ||
			now.Pipes[first] == before.Pipes[first] {
			return out
		}
		out.Pipes = maps.Clone(before.Pipes)
		maps.Copy(out.Pipes, now.Pipes)
	case string(model.Denied):
		out.Pipes, out.Calls = maps.Clone(before.Pipes), maps.Clone(before.Calls)
		gone := func(name, _ string) bool { return strings.HasPrefix(name, anonymous+"/") }
		maps.DeleteFunc(out.Pipes, gone)
		maps.DeleteFunc(out.Calls, gone)
		out.Pipes[key(anonymous, Door)] = after
		if !slices.ContainsFunc(slices.Collect(maps.Keys(out.Calls)), func(name string) bool {
			return out.Calls[name] == string(model.Allowed)
		}) {
			// No other identity gets anything: what anonymous had is refused.
			out.Cells = store.Cells(strings.Map(func(r rune) rune {
				if r == 'a' {
					return 'd'
				}
				return r
			}, string(before.Cells)))
			out.Verdict = model.Closed
			out.Findings = nil
			for _, f := range before.Findings {
				if !strings.HasPrefix(f, anonymous+"-") {
					out.Findings = append(out.Findings, f)
				}
			}
		}
	case string(model.Allowed):
		out.Pipes = maps.Clone(before.Pipes)
		maps.Copy(out.Pipes, now.Pipes)
		if out.Verdict == model.Closed {
			out.Verdict = now.Verdict
		}
	default:
		out.Verdict = model.VerdictInconclusive
	}
	return out
}

// firstPipe returns the only pipe that a quick scan opened.
func firstPipe(pipes map[string]string) string {
	for name := range pipes {
		if !strings.HasSuffix(name, "/"+Door) {
			return name
		}
	}
	return ""
}

// Keep returns those of the open findings that a look could neither confirm nor disprove: what a stranger might get
// where there was no answer. about returns the kind of data that a finding is about; empty is a finding about the
// server's posture.
func Keep(
	open []store.HostFinding, now *store.Snapshot, about func(finding string) model.Disclosure,
) []store.HostFinding {
	kinds := model.Disclosures()
	var out []store.HostFinding
	for _, f := range open {
		if slices.Contains(now.Findings, f.Finding) && f.Identity == "" {
			continue
		}
		unclear := !Conclusive(now.Verdict)
		if i := slices.Index(kinds, about(f.Finding)); i >= 0 && i < len(now.Cells) {
			unclear = unclear || now.Cells[i] == '?' || now.Cells[i] == '-'
		} else {
			unclear = unclear || now.Settings[SMB1] != ""
		}
		if unclear {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b store.HostFinding) int {
		return cmp.Or(cmp.Compare(a.Finding, b.Finding), cmp.Compare(a.Identity, b.Identity),
			cmp.Compare(a.Pipe, b.Pipe))
	})
	return out
}

package plan

import (
	"encoding/binary"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// mostTries bounds the exact part of the search. No product has more than eight settings that can replace one another;
// beyond the bound nothing can be removed from the answer either, but it may not be the cheapest.
const mostTries = 256

// search finds the cheapest set of edits that closes as much as all of them together.
//
// The model is monotone: a stricter value never opens a door. So all edits at their strictest show what can be closed
// at all. Removing one after the other, the most expensive first, leaves a set in which each is needed. Edits that no
// set can do without are then kept while the others are tried in every combination.
func (w *work) search(edits []*edit) []chosen {
	before := w.after(nil)
	all := make([]chosen, len(edits))
	for i, e := range edits {
		all[i] = chosen{e, len(e.options) - 1}
	}
	all = w.respecting(all)
	best := w.after(all)
	if !lower(best, before) {
		return nil
	}
	good := func(set []chosen) bool { return !higher(w.after(set), best) && w.keeping(set) }
	found := w.without(all, good)
	found = w.cheaper(all, found, good)
	found = w.weaker(found, good)
	found = w.without(found, good)
	slices.SortFunc(found, func(a, b chosen) int { return a.edit.order - b.edit.order })
	return found
}

// needless reports whether the found edits close as much without the changed lines of shares: a wish may close them
// all.
func (w *work) needless(lines, found []chosen) bool {
	if len(lines) == 0 {
		return false
	}
	best, shares, defaults := w.after(found), w.shares, w.defaults
	w.take(slices.Concat(found, slices.DeleteFunc(slices.Clone(lines), func(ch chosen) bool { return !ch.edit.wanted })))
	same := !higher(w.levelsAfter(found), best)
	w.shares, w.defaults = shares, defaults
	return same && w.filesShut(best)
}

// filesShut reports whether strangers get no files, as far as it is known.
func (w *work) filesShut(l []level) bool {
	for i, d := range w.doors {
		if d.kind == model.DisclosesFiles && l[i] > shut {
			return false
		}
	}
	return true
}

// keeping reports whether strangers keep what they must after these edits.
func (w *work) keeping(set []chosen) bool {
	if w.needs.nothing() {
		return true
	}
	cfg := w.with(w.cfg, set...)
	cfg.Shares, cfg.Defaults = w.shares, w.defaults
	return w.kept(cfg)
}

// after is levelsAfter with a memo, because the search tries the same sets several times.
func (w *work) after(set []chosen) []level {
	edits := make([]uint64, 0, len(set))
	for _, ch := range set {
		edits = append(edits, uint64(ch.edit.order)<<16|uint64(ch.option))
	}
	slices.Sort(edits)
	key := make([]byte, 0, 8*len(edits))
	for _, e := range edits {
		key = binary.BigEndian.AppendUint64(key, e)
	}
	sorted := string(key)
	if l, ok := w.memo[sorted]; ok {
		return l
	}
	l := w.levelsAfter(set)
	w.memo[sorted] = l
	return l
}

// respecting builds the strictest set that leaves strangers what they must keep: lists first, which can give what a
// switch then takes, then the cheapest edits, each at the strictest value that is possible.
func (w *work) respecting(all []chosen) []chosen {
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(a, b chosen) int {
		if x, y := w.isList(a), w.isList(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return slices.Compare(a.cost(), b.cost())
	})
	var set []chosen
	for _, ch := range order {
		strictest, o := ch, ch.option
		for ; o >= 0; o-- {
			ch.option = o
			if w.keeping(append(slices.Clone(set), ch)) {
				set = append(set, ch)
				break
			}
		}
		if o < strictest.option {
			w.reject(ch.edit.name(),
				"the value "+model.Text(strictest.data())+" would take from strangers what they must keep: "+
					w.mustKeep())
		}
	}
	slices.SortFunc(set, func(a, b chosen) int { return a.edit.order - b.edit.order })
	return set
}

func (w *work) isList(ch chosen) bool {
	return ch.edit.setting.Type == "REG_MULTI_SZ" || ch.edit.account != ""
}

func (ch chosen) cost() []int { return ch.edit.options[ch.option].cost[:] }

func (w *work) mustKeep() string {
	var out []string
	for _, n := range sortedKeys(w.needs.pipes) {
		out = append(out, n+" ("+w.needs.pipes[n]+")")
	}
	for _, n := range sortedKeys(w.needs.shares) {
		out = append(out, "share "+n+" ("+w.needs.shares[n]+")")
	}
	return strings.Join(out, ", ")
}

// without removes whatever is not needed, the most expensive first.
func (w *work) without(set []chosen, good func([]chosen) bool) []chosen {
	order := slices.Clone(set)
	slices.SortStableFunc(order, func(a, b chosen) int {
		if n := slices.Compare(b.cost(), a.cost()); n != 0 {
			return n
		}
		return b.edit.order - a.edit.order
	})
	for _, ch := range order {
		less := slices.DeleteFunc(slices.Clone(set), func(o chosen) bool { return o.edit == ch.edit })
		if good(less) {
			set = less
		}
	}
	return set
}

// cheaper tries every combination of edits that can replace one another.
func (w *work) cheaper(all, found []chosen, good func([]chosen) bool) []chosen {
	var fixed, free []chosen
	for _, ch := range all {
		less := slices.DeleteFunc(slices.Clone(all), func(o chosen) bool { return o.edit == ch.edit })
		unused := !slices.ContainsFunc(found, func(o chosen) bool { return o.edit == ch.edit })
		if unused || good(less) { // the found set works without it, and so does everything that contains the rest of it
			free = append(free, ch)
		} else {
			fixed = append(fixed, ch)
		}
	}
	if len(fixed) == len(found) || 1<<len(free) > mostTries {
		return found
	}
	best := total(found)
	for bits := range 1 << len(free) {
		set := slices.Clone(fixed)
		for i := range free {
			if bits&(1<<i) != 0 {
				set = append(set, free[i])
			}
		}
		if t := total(set); t.less(best) && good(set) {
			found, best = set, t
		}
	}
	return found
}

// weaker takes the weakest value of each edit that has the same effect.
func (w *work) weaker(set []chosen, good func([]chosen) bool) []chosen {
	set = slices.Clone(set)
	for i := range set {
		for o := range set[i].option {
			try := slices.Clone(set)
			try[i].option = o
			if good(try) {
				w.reject(set[i].edit.setting.ID,
					"the value "+model.Text(set[i].data())+" closes nothing here that "+model.Text(try[i].data())+
						" does not")
				set = try
				break
			}
		}
	}
	return set
}

func total(set []chosen) cost {
	var t cost
	for _, ch := range set {
		t = t.plus(ch.edit.options[ch.option].cost)
	}
	return t
}

// higher reports whether any door of a is more open than in b.
func higher(a, b []level) bool {
	for i := range a {
		if a[i] > b[i] {
			return true
		}
	}
	return false
}

// lower reports whether any door of a is less open than in b.
func lower(a, b []level) bool { return higher(b, a) }

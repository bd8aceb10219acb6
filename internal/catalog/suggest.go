package catalog

import (
	"slices"
	"strings"
)

// scored is an entry with its match with the question, from 0 to 1.
type scored struct {
	entry
	score float64
}

// maxWords bounds how many words of a question are compared with those of every entry: a sentence has fewer, and each
// costs a comparison with a few thousand words.
const maxWords = 24

// rank orders entries by similarity: names with one or two typing errors, names that contain the question, and phrases
// that share most of its words. Poor matches are dropped.
func rank(all []entry, asked string) []scored {
	var out []scored
	want, b := words(asked), bare(asked)
	want = want[:min(len(want), maxWords)]
	for _, e := range all {
		best := 0.0
		for _, n := range e.names {
			if n = bare(n); n != "" {
				best = max(best, likeness(b, n))
			}
		}
		if len(want) > 0 {
			hit := 0.0
			for _, w := range want {
				hit += closest(w, e.words)
			}
			best = max(best, hit/float64(len(want)))
		}
		if best >= 0.6 {
			out = append(out, scored{e, best})
		}
	}
	slices.SortStableFunc(out, func(a, b scored) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	return out
}

// likeness returns the similarity of two names, from 0 to 1.
func likeness(a, b string) float64 {
	long, short := max(len(a), len(b)), min(len(a), len(b))
	if long == 0 || short*2 < long && !strings.HasPrefix(b, a) {
		return 0
	}
	if strings.HasPrefix(b, a) && len(a) >= 3 {
		return 0.7 + 0.3*float64(short)/float64(long)
	}
	return 1 - float64(distance(a, b))/float64(long)
}

// closest returns the best similarity of a word to those in a list.
func closest(w string, in []string) float64 {
	best := 0.0
	for _, x := range in {
		switch {
		case x == w:
			return 1
		case len(w) > 3 && len(x) > 3 && max(len(w)-len(x), len(x)-len(w)) <= 1+len(w)/8 &&
			distance(w, x) <= 1+len(w)/8:
			best = max(best, 0.8)
		case len(w) > 4 && strings.HasPrefix(x, w):
			best = max(best, 0.7)
		}
	}
	return best
}

// small are words without meaning for the search.
var small = []string{
	"a", "an", "and", "are", "does", "do", "for", "from", "in", "is", "it", "of", "on", "or", "the",
	"to", "with", "by", "what", "how", "i", "my", "me", "you", "your", "can", "after", "when", "why", "stop", "stops",
	"stopped", "working", "work", "works", "not", "be", "should", "will", "has", "have", "this", "that", "there", "if",
	"use", "at", "over", "need", "get", "set", "value", "name", "about",
}

func words(s string) []string {
	f := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '$' || r == '_')
	})
	return slices.DeleteFunc(f, func(w string) bool { return slices.Contains(small, w) })
}

// distance counts the typing errors between two words: a letter missing, extra or wrong, or two swapped. Words come
// from a command line or the catalog; only 64 letters are compared, so that a long argument stays cheap.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

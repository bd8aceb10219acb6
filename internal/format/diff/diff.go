// Package diff finds the lines in which two texts differ.
//
// It removes the common lines at the beginning and the end. The rest is matched by a table of the longest common
// subsequence, which gives the smallest difference. If that table would be too large, the lines that occur exactly once
// in both texts are matched first, in the longest common order, and what lies between two of them is a smaller problem
// of the same kind. So the edits of a plan are shown line by line whatever the size of the file, in time that grows
// with the lines.
package diff

import (
	"slices"
	"sort"
	"strings"
)

// Line is one line of the difference, and the number of lines before it in each text.
type Line struct {
	Sign     byte   // ' ' is in both, '-' only in the first, '+' only in the second
	Text     string // including its line end
	Old, New int
}

// Lines lists the lines of both texts in order.
func Lines(a, b []byte) []Line {
	var d differ
	d.match(split(a), split(b))
	return d.out
}

func split(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	out := strings.SplitAfter(string(b), "\n")
	if out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

type differ struct {
	out      []Line
	old, new int
}

func (d *differ) add(sign byte, lines ...string) {
	for _, l := range lines {
		d.out = append(d.out, Line{sign, l, d.old, d.new})
		if sign != '+' {
			d.old++
		}
		if sign != '-' {
			d.new++
		}
	}
}

// maxTable bounds the table of the exact match, in cells of four bytes.
const maxTable = 4 << 20

func (d *differ) match(x, y []string) {
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	d.add(' ', x[:head]...)
	switch mx, my := x[head:len(x)-tail], y[head:len(y)-tail]; {
	case len(mx) == 0 || len(my) == 0:
		d.add('-', mx...)
		d.add('+', my...)
	case (len(mx)+1)*(len(my)+1) <= maxTable:
		d.exact(mx, my)
	default:
		d.anchored(mx, my)
	}
	d.add(' ', x[len(x)-tail:]...)
}

// exact finds the longest common subsequence of lines.
func (d *differ) exact(x, y []string) {
	best := make([][]int32, len(x)+1)
	for i := range best {
		best[i] = make([]int32, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				best[i][j] = best[i+1][j+1] + 1
			} else {
				best[i][j] = max(best[i+1][j], best[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			d.add(' ', x[i])
			i, j = i+1, j+1
		case i < len(x) && (j == len(y) || best[i+1][j] >= best[i][j+1]):
			d.add('-', x[i])
			i++
		default:
			d.add('+', y[j])
			j++
		}
	}
}

// anchored matches the lines that occur exactly once in both texts, and then each part between them.
func (d *differ) anchored(x, y []string) {
	pairs := longest(once(x, y))
	if len(pairs) == 0 {
		d.add('-', x...)
		d.add('+', y...)
		return
	}
	i, j := 0, 0
	for _, p := range pairs {
		d.match(x[i:p[0]], y[j:p[1]])
		d.add(' ', x[p[0]])
		i, j = p[0]+1, p[1]+1
	}
	d.match(x[i:], y[j:])
}

// once returns the positions of the lines that occur exactly once in each text, in the order of the first.
func once(x, y []string) [][2]int {
	type occurrences struct{ inX, inY, countX, countY int }
	seen := make(map[string]occurrences, len(x))
	for i, l := range x {
		p := seen[l]
		p.inX, p.countX = i, p.countX+1
		seen[l] = p
	}
	for j, l := range y {
		if p, ok := seen[l]; ok {
			p.inY, p.countY = j, p.countY+1
			seen[l] = p
		}
	}
	var out [][2]int
	for i, l := range x {
		if p := seen[l]; p.countX == 1 && p.countY == 1 {
			out = append(out, [2]int{i, p.inY})
		}
	}
	return out
}

// longest keeps the most pairs whose second numbers increase.
func longest(pairs [][2]int) [][2]int {
	if len(pairs) == 0 {
		return nil
	}
	var ends []int // index of the pair that ends the best sequence of each length
	before := make([]int, len(pairs))
	for i, p := range pairs {
		n := sort.Search(len(ends), func(k int) bool { return pairs[ends[k]][1] >= p[1] })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	var out [][2]int
	for i := ends[len(ends)-1]; i >= 0; i = before[i] {
		out = append(out, pairs[i])
	}
	slices.Reverse(out)
	return out
}

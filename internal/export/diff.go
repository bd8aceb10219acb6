package export

import (
	"bytes"
	"fmt"
	"strings"
)

// contextLines is how many unchanged lines stand around a change, as diff -u has them.
const contextLines = 3

// unified writes the difference of two files for patch. The edits of a plan touch a few lines, so the lines that both
// files begin and end with are taken off first, and what is left between is matched line by line.
func unified(name string, a, b []byte) []byte {
	x, y := lines(a), lines(b)
	ops := match(x, y)
	var out bytes.Buffer
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	for at := 0; at < len(ops); {
		if ops[at].sign == ' ' {
			at++
			continue
		}
		from := max(0, at-contextLines)
		to := at
		for quiet := 0; to < len(ops) && quiet <= 2*contextLines; to++ {
			if quiet++; ops[to].sign != ' ' {
				quiet = 0
			}
		}
		for to > at && ops[to-1].sign == ' ' && trailing(ops[:to]) > contextLines {
			to--
		}
		hunk(&out, ops, from, to)
		at = to
	}
	return out.Bytes()
}

func trailing(ops []op) int {
	n := 0
	for n < len(ops) && ops[len(ops)-1-n].sign == ' ' {
		n++
	}
	return n
}

func hunk(out *bytes.Buffer, ops []op, from, to int) {
	olds, news := 0, 0
	for _, o := range ops[from:to] {
		if o.sign != '+' {
			olds++
		}
		if o.sign != '-' {
			news++
		}
	}
	begin := func(n, count int) int { // a range without lines stands behind the line before it
		if count == 0 {
			return n
		}
		return n + 1
	}
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", begin(ops[from].old, olds), olds, begin(ops[from].new, news), news)
	for _, o := range ops[from:to] {
		out.WriteByte(o.sign)
		out.WriteString(o.line)
		if !strings.HasSuffix(o.line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// op is one line of the difference, and how many lines of each file stand before it.
type op struct {
	sign     byte
	line     string
	old, new int
}

func lines(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	out := strings.SplitAfter(string(b), "\n")
	if out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// maxMatched bounds the table of the exact match; a larger middle is shown as taken out and put in whole.
const maxMatched = 2000

func match(x, y []string) []op {
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	var ops []op
	old, now := 0, 0
	add := func(sign byte, line string) {
		ops = append(ops, op{sign, line, old, now})
		if sign != '+' {
			old++
		}
		if sign != '-' {
			now++
		}
	}
	for _, l := range x[:head] {
		add(' ', l)
	}
	mx, my := x[head:len(x)-tail], y[head:len(y)-tail]
	if len(mx) > maxMatched || len(my) > maxMatched {
		for _, l := range mx {
			add('-', l)
		}
		for _, l := range my {
			add('+', l)
		}
	} else {
		middle(mx, my, add)
	}
	for _, l := range x[len(x)-tail:] {
		add(' ', l)
	}
	return ops
}

// middle finds the longest common lines.
func middle(x, y []string, add func(byte, string)) {
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
			add(' ', x[i])
			i, j = i+1, j+1
		case i < len(x) && (j == len(y) || best[i+1][j] >= best[i][j+1]):
			add('-', x[i])
			i++
		default:
			add('+', y[j])
			j++
		}
	}
}

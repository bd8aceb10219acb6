package diff

import (
	"bytes"
	"fmt"
	"strings"
)

// contextLines is the number of unchanged lines around a change, as in diff -u.
const contextLines = 3

// Unified returns the difference of two texts for patch(1), in the format of diff -u.
func Unified(name string, a, b []byte) []byte {
	ops := Lines(a, b)
	var out bytes.Buffer
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	for at := 0; at < len(ops); {
		if ops[at].Sign == ' ' {
			at++
			continue
		}
		from := max(0, at-contextLines)
		to := at
		for quiet := 0; to < len(ops) && quiet <= 2*contextLines; to++ {
			if quiet++; ops[to].Sign != ' ' {
				quiet = 0
			}
		}
		for to > at && ops[to-1].Sign == ' ' && trailing(ops[:to]) > contextLines {
			to--
		}
		hunk(&out, ops, from, to)
		at = to
	}
	return out.Bytes()
}

func trailing(ops []Line) int {
	n := 0
	for n < len(ops) && ops[len(ops)-1-n].Sign == ' ' {
		n++
	}
	return n
}

func hunk(out *bytes.Buffer, ops []Line, from, to int) {
	olds, news := 0, 0
	for _, o := range ops[from:to] {
		if o.Sign != '+' {
			olds++
		}
		if o.Sign != '-' {
			news++
		}
	}
	begin := func(n, count int) int { // an empty range refers to the line before it
		if count == 0 {
			return n
		}
		return n + 1
	}
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", begin(ops[from].Old, olds), olds, begin(ops[from].New, news), news)
	for _, o := range ops[from:to] {
		out.WriteByte(o.Sign)
		out.WriteString(o.Text)
		if !strings.HasSuffix(o.Text, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

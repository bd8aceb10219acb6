package report

import (
	"io"
	"strings"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"

	"ipcguard/internal/model"
)

// Style says how text is shown.
type Style struct {
	Color           bool
	Verbose         bool      // the whole ladder of layers
	HideUnreachable bool      // count hosts that did not answer instead of listing them
	Now             time.Time // when a document is made; the zero value is now
}

// palette colours words; without colour it leaves them alone.
type palette struct{ bad, warn, good, dim, bold func(string) string }

func newPalette(color bool) palette {
	plain := func(s string) string { return s }
	if !color {
		return palette{plain, plain, plain, plain, plain}
	}
	paint := func(s lipgloss.Style) func(string) string { return func(t string) string { return s.Render(t) } }
	base := lipgloss.NewStyle()
	return palette{
		bad:  paint(base.Bold(true).Foreground(lipgloss.Red)),
		warn: paint(base.Foreground(lipgloss.Yellow)),
		good: paint(base.Foreground(lipgloss.Green)),
		dim:  paint(base.Faint(true)),
		bold: paint(base.Bold(true)),
	}
}

func (p palette) verdict(v model.Verdict) string {
	word := strings.ToUpper(string(v))
	switch v {
	case model.Exposed:
		return p.bad(word)
	case model.Closed:
		return p.good(word)
	case model.Limited, model.VerdictInconclusive:
		return p.warn(word)
	}
	return p.dim(word)
}

func (p palette) severity(s model.Severity, width int) string {
	word := pad(string(s), width)
	switch {
	case s.Rank() >= model.High.Rank():
		return p.bad(word)
	case s == model.Medium:
		return p.warn(word)
	}
	return p.dim(word)
}

func (p palette) outcome(o model.Outcome, width int) string {
	word := pad(string(o), width)
	switch o {
	case model.Denied, model.Absent:
		return p.good(word)
	case model.Inconclusive:
		return p.warn(word)
	}
	return word
}

func pad(s string, width int) string {
	if n := lipgloss.Width(s); n < width {
		return s + strings.Repeat(" ", width-n)
	}
	return s
}

// Clean makes a peer's text safe for a terminal: no control characters, none that turn the direction of writing or
// show nothing, and a bounded length.
func Clean(s string) string {
	const longest = 512 // a name is at most 256 characters, an evidence line a sentence
	count := 0
	return strings.Map(func(r rune) rune {
		if count++; count > longest {
			return -1
		}
		return visible(r)
	}, s)
}

// CleanLine is Clean for a line of any length, such as an error that tells where in a file something is wrong.
func CleanLine(s string) string { return strings.Map(visible, s) }

// CleanWriter writes text of several lines safely for a terminal: line ends and tabs stay. It is for output without colour.
type CleanWriter struct{ io.Writer }

// Write is part of io.Writer.
func (w CleanWriter) Write(b []byte) (int, error) {
	clean := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, string(b))
	if _, err := io.WriteString(w.Writer, clean); err != nil {
		return 0, err
	}
	return len(b), nil
}

func visible(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
		return '?'
	}
	return r
}

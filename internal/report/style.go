package report

import (
	"io"
	"regexp"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"ipcguard/internal/model"
)

// Style says how text is formatted.
type Style struct {
	Color           bool
	Verbose         bool      // all layers
	HideUnreachable bool      // count hosts that did not answer instead of listing them
	Now             time.Time // creation time of a document; zero is now
}

// palette colours words; without colour it returns them unchanged.
type palette struct {
	bad, warn, good, dim, bold func(string) string
	color                      bool
}

func newPalette(color bool) palette {
	plain := func(s string) string { return s }
	if !color {
		return palette{plain, plain, plain, plain, plain, false}
	}
	paint := func(s lipgloss.Style) func(string) string { return func(t string) string { return s.Render(t) } }
	base := lipgloss.NewStyle()
	return palette{
		bad:  paint(base.Bold(true).Foreground(lipgloss.Red)),
		warn: paint(base.Foreground(lipgloss.Yellow)),
		good: paint(base.Foreground(lipgloss.Green)),
		dim:  paint(base.Faint(true)),
		bold: paint(base.Bold(true)), color: true,
	}
}

func (p palette) verdict(v model.Verdict) string {
	word := strings.ToUpper(Clean(string(v)))
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
	word := pad(Clean(string(s)), width)
	switch {
	case s.Rank() >= model.High.Rank():
		return p.bad(word)
	case s == model.Medium:
		return p.warn(word)
	}
	return p.dim(word)
}

func (p palette) outcome(o model.Outcome, width int) string {
	word := pad(Clean(string(o)), width)
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

// ownColors are the sequences of newPalette.
var ownColors = regexp.MustCompile("\x1b\\[(?:1|2|1;3[1-3]|3[1-3])?m")

// write writes a finished text. Its values are cleaned where they are inserted; this is the safety net: only
// characters, line ends, tabs and, with colour, the palette's own sequences pass.
func (p palette) write(w io.Writer, text string) error {
	clean := model.VisibleWriter{Writer: w}
	if p.color {
		for {
			at := ownColors.FindStringIndex(text)
			if at == nil {
				break
			}
			if _, err := io.WriteString(clean, text[:at[0]]); err != nil {
				return err
			}
			if _, err := io.WriteString(w, text[at[0]:at[1]]); err != nil {
				return err
			}
			text = text[at[1]:]
		}
	}
	_, err := io.WriteString(clean, text)
	return err
}

// Clean makes a peer's text safe for a terminal: no control, direction or invisible characters, and a bounded length.
func Clean(s string) string {
	const longest = 512 // a name is at most 256 characters, an evidence line a sentence
	count := 0
	return strings.Map(func(r rune) rune {
		if count++; count > longest {
			return -1
		}
		if model.Hidden(r) {
			return '?'
		}
		return r
	}, s)
}

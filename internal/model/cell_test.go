package model

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEscapeCell(t *testing.T) {
	for _, cell := range []string{"=cmd()", "+1", "-1", "@x", "|x", "%x", " =1", "＝1", "\tx", "\rx"} {
		if got := EscapeCell(cell); got != "'"+cell || isFormula(got) || UnescapeCell(got) != cell {
			t.Errorf("%q is written %q and read %q", cell, got, UnescapeCell(got))
		}
	}
	for _, cell := range []string{"", " ", "srv1", "'quoted'", "1-1", "10.0.0.1:445"} {
		if got := EscapeCell(cell); got != cell || UnescapeCell(got) != cell {
			t.Errorf("%q is written %q and read %q", cell, got, UnescapeCell(got))
		}
	}
}

// TestCellsRoundTrip checks that no escaped cell starts a formula, and that each is read back as it was.
func TestCellsRoundTrip(t *testing.T) {
	text := rapid.OneOf(rapid.StringMatching(`[' \t=+@|%\-a＝]{0,6}`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		cell := text.Draw(t, "cell")
		got := EscapeCell(cell)
		if isFormula(got) || strings.HasPrefix(got, "''") && !strings.HasPrefix(cell, "'") {
			t.Errorf("%q is written %q", cell, got)
		}
		if back := UnescapeCell(got); back != cell {
			t.Errorf("%q is written %q and read %q", cell, got, back)
		}
	})
}

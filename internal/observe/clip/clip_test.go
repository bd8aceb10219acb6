package clip

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	long := strings.Repeat("é", 150)
	for _, s := range []string{"", "ann", long[:Max]} {
		if got := Text(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	seen := make(map[string]bool)
	for _, s := range []string{long, long + "x", long + "y", "x" + long, strings.Repeat(long, 1000), strings.Repeat("\x80", 300)} {
		got := Text(s)
		if len(got) > Max || utf8.ValidString(s) && !utf8.ValidString(got) || !strings.Contains(got, "…[cut, ") {
			t.Errorf("%d bytes: %q", len(got), got)
		}
		if seen[got] {
			t.Errorf("%q stands for two texts", got)
		}
		seen[got] = true
		if again := Text(got); again != got {
			t.Errorf("cut again: %q", again)
		}
	}
}

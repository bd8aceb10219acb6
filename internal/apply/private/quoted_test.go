package private

import (
	"strings"
	"testing"
)

// FuzzQuoted makes commands of paths: a shell takes each for one word, which is the path, and for no option.
func FuzzQuoted(f *testing.F) {
	for _, path := range []string{
		"/var/lib/ipcguard", "/srv/o'brien/it's", `/srv/a\b`, `/srv/$(reboot)`, "/srv/`reboot`", "/srv/a b", "-rf", "",
		"/srv/ä;reboot", "'", `\`, "~root", "a\nb",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if strings.Contains(path, "\x00") {
			return // no system has such a path
		}
		got, ok := word(quoted(path, "'"))
		if !ok || got != path && got != "./"+path {
			t.Fatalf("%q became %q, which a shell takes for %q", path, quoted(path, "'"), got)
		}
		if strings.HasPrefix(got, "-") {
			t.Fatalf("%q became %q, which is an option", path, got)
		}
		if strings.ContainsAny(path, `"`) {
			return // Windows has no such path
		}
		if got := strings.Trim(quoted(path, `"`), `"`); got != path && got != "./"+path {
			t.Fatalf("%q became %q for Windows", path, quoted(path, `"`))
		}
	})
}

// word reads one word as a POSIX shell does: single quotes, backslashes, and nothing that a shell expands. See POSIX.1
// 2.2.
func word(s string) (out string, ok bool) {
	for s != "" {
		switch c := s[0]; {
		case c == '\'':
			in, rest, closed := strings.Cut(s[1:], "'")
			if !closed {
				return "", false
			}
			out, s = out+in, rest
		case c == '\\' && len(s) > 1:
			out, s = out+s[1:2], s[2:]
		case strings.IndexByte("\\|&;<>()$`\" \t\n*?[#~=%!{}", c) >= 0:
			return "", false
		default:
			out, s = out+s[:1], s[1:]
		}
	}
	return out, true
}

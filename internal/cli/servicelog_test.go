package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestServiceLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "service.log")
	write := func(l *serviceLog, text string) {
		t.Helper()
		if n, err := l.Write([]byte(text)); err != nil || n != len(text) {
			t.Fatalf("%q: %d, %v", text, n, err)
		}
	}
	is := func(name, want string) {
		t.Helper()
		if b, err := os.ReadFile(name); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v; want %q", filepath.Base(name), b, err, want)
		}
	}
	for range 2 { // the second goes on where the first has ended
		l, err := openServiceLog(path)
		if err != nil {
			t.Fatal(err)
		}
		l.most = 10
		write(l, "1234\n")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	is(path, "1234\n1234\n")
	l, err := openServiceLog(path)
	if err != nil {
		t.Fatal(err)
	}
	l.most = 10
	write(l, "a\n")
	is(path+".old", "1234\n1234\n")
	is(path, "a\n")
	long := strings.Repeat("x", 20) // longer than a log: it has one of its own
	write(l, long)
	is(path+".old", "a\n")
	is(path, long)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write([]byte("b")); err == nil {
		t.Error("a closed log takes lines")
	}
}

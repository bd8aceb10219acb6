package engine

import (
	"errors"
	"strings"
	"testing"

	"ipcguard/internal/apply/applytest"
)

// TestWindowsLock: a held lock keeps others out without a wait, and a process that ends releases it.
func TestWindowsLock(t *testing.T) {
	e := &Engine{State: applytest.MemoryDir(t)}
	unlock, err := e.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.lock(); !errors.Is(err, ErrBusy) {
		t.Errorf("two locks: %v", err)
	}
	unlock()
	again, err := e.lock()
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestTask(t *testing.T) {
	text := task(`C:\Program Files\ipcguard & co\ipcguard.exe`,
		[]string{"recover", "--state", `C:\State Dir`, "--guard", "x"}, "x")
	for _, want := range []string{
		`<Command>C:\Program Files\ipcguard &amp; co\ipcguard.exe</Command>`,
		`&#34;C:\State Dir&#34;`, "<BootTrigger>", "S-1-5-18",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

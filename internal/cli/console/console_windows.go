package console

import (
	"os"

	"golang.org/x/sys/windows"
)

// Prepare lets the consoles among these take colours and cursor moves, and gives what puts them back as they were. Text
// needs nothing: Go hands it to a console in UTF-16, whatever its code page.
func Prepare(list ...any) (restore func()) {
	was := map[windows.Handle]uint32{}
	for _, w := range list {
		f, ok := w.(*os.File)
		if !ok {
			continue
		}
		h := windows.Handle(f.Fd())
		var mode uint32
		if windows.GetConsoleMode(h, &mode) != nil || mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0 {
			continue
		}
		if windows.SetConsoleMode(h, mode|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil {
			was[h] = mode
		}
	}
	return func() {
		for h, mode := range was {
			_ = windows.SetConsoleMode(h, mode) // the console may be gone
		}
	}
}

// Obeys tells whether a console takes colours and cursor moves: the one of before Windows 10 1511, and one in legacy mode,
// prints them.
func Obeys(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil && mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0
}

// Elevated tells whether this process may do what an administrator may.
func Elevated() bool { return windows.GetCurrentProcessToken().IsElevated() }

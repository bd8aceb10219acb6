package console

import (
	"os"

	"golang.org/x/sys/windows"
)

// Prepare makes the consoles among these understand colours and cursor moves, and returns a function that restores
// their modes. Text needs no preparation: Go writes UTF-16 to a console, whatever its code page.
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
		if windows.SetConsoleMode(h,
			mode|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil {
			was[h] = mode
		}
	}
	return func() {
		for h, mode := range was {
			_ = windows.SetConsoleMode(h, mode) // the console may be gone
		}
	}
}

// Obeys reports whether a console understands colours and cursor moves. A console of Windows before 10 1511, and one in
// legacy mode, prints them as text.
func Obeys(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil &&
		mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0
}

// Elevated reports whether this process has an administrator's rights.
func Elevated() bool { return windows.GetCurrentProcessToken().IsElevated() }

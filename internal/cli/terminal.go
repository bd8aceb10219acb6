package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"ipcguard/internal/cli/console"
	"ipcguard/internal/model"
)

// isTerminal tells whether people look at w.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// plainly is the app for verbs that show text of plans, hosts and journals: nothing of it reaches a terminal but characters,
// line ends and tabs. They have no colours of their own.
func (a *app) plainly() *app {
	b := *a
	b.stdout = model.VisibleWriter{Writer: a.stdout}
	return &b
}

// colorful tells whether w may have colour: a terminal that knows it, and nobody asked for none. See no-color.org.
func colorful(w io.Writer) bool {
	return isTerminal(w) && console.Obeys(w.(*os.File)) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

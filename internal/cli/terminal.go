package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"ipcguard/internal/cli/console"
	"ipcguard/internal/model"
)

// isTerminal reports whether w is a terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// plainly returns the app for commands that show text of plans, hosts and journals: only visible characters, line ends
// and tabs reach a terminal. These commands use no colours.
func (a *app) plainly() *app {
	b := *a
	b.stdout = model.VisibleWriter{Writer: a.stdout}
	return &b
}

// colorful reports whether w may have colour: a terminal that supports it, without NO_COLOR. See no-color.org.
func colorful(w io.Writer) bool {
	return isTerminal(w) && console.Obeys(w.(*os.File)) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// ask asks a question on the terminal, and reports whether the answer is yes.
func (a *app) ask(ctx context.Context, question string) (bool, error) {
	fmt.Fprint(a.stderr, question, " [y/N] ")
	said := make(chan string, 1)
	go func() { // reading a terminal cannot be interrupted; the goroutine ends with the process
		line, _ := bufio.NewReader(io.LimitReader(a.stdin, 80)).ReadString('\n')
		said <- line
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return false, ctx.Err()
	case line := <-said:
		return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line))), nil
	}
}

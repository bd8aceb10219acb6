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

// ask asks a question on the terminal, and tells whether the answer is yes.
func (a *app) ask(ctx context.Context, question string) (bool, error) {
	fmt.Fprint(a.stderr, question, " [y/N] ")
	said := make(chan string, 1)
	go func() { // a terminal's read cannot be interrupted; it ends with the process
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

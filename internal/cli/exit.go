package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"ipcguard/internal/cli/console"
	"ipcguard/internal/model"
)

// The exit codes, the same for every command.
const (
	exitOK          = 0   // nothing exposed, or done
	exitFailed      = 1   // failed
	exitUsage       = 2   // wrong usage
	exitExposed     = 3   // exposures or weak settings found
	exitPartial     = 4   // inconclusive or partial
	exitInterrupted = 130 // interrupted; results so far are kept
)

const exitHelp = `
Exit status:
  0    nothing exposed, or done
  1    failed
  2    wrong usage
  3    exposures or weak settings found
  4    inconclusive or partial: something could not be tested
  130  interrupted; what was found so far is kept
`

// usageError is a mistake on the command line.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// hinted is an error with a hint.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// outcome is the result of a command that did its work and reports something with its exit code.
type outcome struct{ code int }

func (o outcome) Error() string { return fmt.Sprintf("exit status %d", o.code) }

// exitCode maps the result of a command to an exit code, and prints errors.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	var o outcome
	if errors.As(err, &o) {
		return o.code
	}
	printLines(stderr, "error", err.Error())
	if hint := advice(err, console.Elevated()); hint != "" {
		printLines(stderr, "hint", hint)
	}
	var u usageError
	switch {
	case errors.As(err, &u):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitFailed
}

// advice returns a hint for an error, or nothing. Windows refuses an administrator like anybody else until the prompt
// is started as administrator.
func advice(err error, elevated bool) string {
	var h hinted
	switch {
	case errors.As(err, &h):
		return h.hint
	case errors.Is(err, fs.ErrPermission) && !elevated:
		return "this prompt was not started as an administrator: open one with Run as administrator, and do it there"
	}
	return ""
}

// printLines writes each line of a text after a prefix. Names from files and hosts are made safe for a terminal.
func printLines(w io.Writer, what, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(w, "ipcguard: %s: %s\n", what, model.Visible(strings.TrimRight(line, "\r\n")))
	}
}

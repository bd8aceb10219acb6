// Package cli is the command line: one file a verb, and nothing in it but flags, wiring and exit codes.
//
//	stdout  results alone
//	stderr  everything else: "ipcguard: error: …", "ipcguard: hint: …", progress
//
// Colour and progress appear on a terminal alone and never with NO_COLOR. Exit codes are mapped in exit.go and stand
// in every help text.
package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"ipcguard/internal/model"
)

// app is what every verb works with.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer // stderr shows hidden characters of texts from outside as question marks
	screen         io.Writer // the same place as it is, for what moves the cursor and has colours: progress, coverage
	practice       *practice // of the demo, nil elsewhere
	unsigned       bool      // the user lifted the rule for NTLM, which users that are asked for later fall under too
}

// Main runs one command line and returns the exit code. The first interrupt ends the work in good order, the second
// ends the process.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	a := &app{stdin: stdin, stdout: stdout, stderr: model.VisibleWriter{Writer: stderr}, screen: stderr}
	root := a.root()
	root.SetArgs(args)
	return exitCode(root.ExecuteContext(ctx), a.stderr)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "ipcguard",
		Short: "Find out what a stranger can reach through IPC$, and close the rest without breaking anything",
		Long: `ipcguard finds out what a stranger can reach through the IPC$ share of SMB servers, and helps to close the rest
without breaking anything.
` + exitHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return hinted{usage("unknown command %q", args[0]), "ipcguard --help lists the commands"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return hinted{usageError{err}, c.CommandPath() + " --help lists the flags"}
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, verb := range []*cobra.Command{a.scan(), a.audit(), a.observe(), a.whatIf(), a.plan(), a.export(), a.apply(), a.confirm(), a.rollback(), a.history(), a.recoverVerb(), a.verify(), a.key(), a.serve(), a.worker(), a.explain(), a.demo(), a.version()} {
		verb.Long += exitHelp
		root.AddCommand(verb)
	}
	return root
}

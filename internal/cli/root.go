// Package cli is the command line: one file a command, which contains only flags, wiring and exit codes.
//
//	stdout  only results
//	stderr  everything else: "ipcguard: error: …", "ipcguard: hint: …", progress
//
// Colour and progress appear only on a terminal, and never with NO_COLOR. exit.go maps results to exit codes, which
// every help text lists.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ipcguard/internal/cli/console"
	"ipcguard/internal/export"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
)

// app is what every command uses.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer // stderr shows hidden characters of foreign texts as question marks
	screen         io.Writer // stderr unchanged, for cursor moves and colours: progress, coverage
	practice       *practice // of the demo, else nil
	unsigned       bool      // NTLM without signing is permitted, also for users who are asked for later
}

// Main runs one command line and returns the exit code. The first interrupt ends the work in an orderly way, the second
// ends the process.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	defer console.Prepare(stdout, stderr)()
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
		Args:          subcommands,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return hinted{usageError{err}, c.CommandPath() + " --help lists the flags"}
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.Version = buildLine(debug.ReadBuildInfo())
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().Bool("version", false, "say which build this is, as the verb version does")
	verbs := []*cobra.Command{
		a.scan(), a.audit(), a.observe(), a.whatIf(), a.plan(), a.export(), a.apply(), a.confirm(), a.rollback(),
		a.history(), a.recoverVerb(), a.verify(), a.key(), a.serve(), a.worker(), a.gateway(), a.explain(), a.demo(),
		a.version(),
	}
	for _, verb := range append(verbs, a.verbsOfSystem()...) {
		verb.Long += exitHelp
		root.AddCommand(verb)
	}
	complete(root)
	return root
}

// complete makes the shell offer the words of flags that take one of a few; for others it offers files.
func complete(c *cobra.Command) {
	words := map[string][]string{
		"as": export.Forms(), "log": {"text", "json"}, "strategy": {plan.Restrict, plan.Block}, "goal": plan.Goals(),
		"role":    {string(model.Workstation), string(model.Member), string(model.Standalone), string(model.DomainController)},
		"dialect": {"smb1", "2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"},
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		of := words[f.Name]
		if f.Name == "format" { // the help text is the list
			of = strings.Split(f.Usage, ", ")
		}
		if len(of) > 0 {
			// It fails only for a flag that does not exist, or that was registered before.
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp))
		}
	})
	for _, verb := range c.Commands() {
		complete(verb)
	}
}

// subcommands refuses words that are no subcommand.
func subcommands(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return hinted{usage("unknown command %q", args[0]), didYouMean(c, args[0])}
	}
	return nil
}

// didYouMean returns the hint for an unknown command: similar commands, and where all of them are listed.
func didYouMean(c *cobra.Command, word string) string {
	const list = "%s --help lists the commands"
	const most = 64                  // longest word to compare, in bytes: the time grows with its square
	c.SuggestionsMinimumDistance = 2 // edits: two letters swapped
	if len(word) <= most {
		if like := c.SuggestionsFor(word); len(like) > 0 {
			return fmt.Sprintf("did you mean %s? "+list, strings.Join(like, " or "), c.CommandPath())
		}
	}
	return fmt.Sprintf(list, c.CommandPath())
}

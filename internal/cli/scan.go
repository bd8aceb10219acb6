package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
)

const scanHelp = `Find out what a stranger can reach through IPC$. scan connects to every host that you name as anonymous, as guest and as
one made-up user, and as a real user if you give credentials. For each of them it says how far they came and what the
server gave them.

scan only reads. It guesses no password and writes nothing. It counts the names that it could read and prints them only
with --show-names. It connects to no host that you did not name.

Targets:
  srv1  srv1:1445                  a name, with all its addresses
  10.0.0.1  [2001:db8::1]:445      an address; fe80::1%eth0 names the interface of a link-local one
  10.0.0.0/24                      every address of a prefix
  10.0.0.1-10.0.0.99  10.0.0.1-99  a range
  @FILE  -                         a file or the standard input, one target a line, # starts a comment; in PowerShell
                                   write '@FILE' in quotes, or --targets FILE

Verdicts:
  exposed       a stranger got data: accounts, shares, policy, services, the registry …
  limited       a stranger gets a session, but only what every client gets
  closed        strangers are refused at the logon, at IPC$ or at every pipe tried
  inconclusive  an answer is missing that could change the verdict
  unreachable   nothing at the address speaks SMB
  not-tested    no verdict: the address of a range was skipped, because its whole network accepts connections and never
                answers

Timeouts: 5 s for a connection, 10 s for an answer, 20 s for a pipe, 2 min for a host. --timeout DURATION bounds each of
them and the host as a whole; --timeout 5s,host=1m sets them one by one. scan tries a host again if it was cut off
(--retries, 1 by default). A host that accepts connections and says nothing gets two kinds of NEGOTIATE within one
timeout and no retry; with --one-connection they come one after the other, each with a timeout of its own, within
the time of the host.

Credentials come from the environment (IPCGUARD_USER, IPCGUARD_PASSWORD), from --credentials-file (lines "username = …",
"password = …", "domain = …"; only the owner may be able to read it), from a prompt (--user NAME), or from a Kerberos
credential cache (--kerberos), never from the command line. The user's answers are for comparison and do not change the
verdict.

--probe-weak-logons tests whether the server accepts SMB1, unsigned requests, clear text although it requires
encryption, and NTLMv1. It sends at most one NTLMv1 logon to a server, between two successful logons of the account, and
none if a failed logon may lock the account. Whoever captures an NTLMv1 response can compute the password's hash, so use
an account made for this test.
` + credentialHelp

const scanExamples = `  ipcguard scan srv1
  ipcguard scan --quick 10.0.0.0/24
  ipcguard scan @hosts.txt --exclude 10.0.0.7 --format jsonl -o scan.jsonl
  ipcguard scan @hosts.txt --resume scan.jsonl --format jsonl -o scan.jsonl`

func (a *app) scan() *cobra.Command {
	f := &scanFlags{}
	c := &cobra.Command{
		Use:     "scan TARGET…",
		Short:   "Find out what a stranger can reach",
		Long:    scanHelp,
		Example: scanExamples,
		Args: func(_ *cobra.Command, args []string) error {
			if len(f.all(args)) == 0 {
				return hinted{usage("no targets named"), "ipcguard scan HOST, or ipcguard scan --help"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.runScan(c.Context(), f, args) },
	}
	f.register(c.Flags())
	return c
}

func (a *app) runScan(ctx context.Context, f *scanFlags, args []string) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	var who *secret
	if o.User, who, err = a.logonAndSecret(&f.credentialFlags); err != nil {
		return err
	}
	if o.Weak, err = f.weakFlags.options(who); err != nil {
		return err
	}
	earlier, err := readEarlier(f.resume)
	if err != nil {
		return err
	}
	list, err := f.parse(ctx, args, a.stdin, earlier)
	if err != nil {
		return err
	}
	scanner, err := scan.New(o)
	if err != nil {
		return err
	}
	if n := scanner.Concurrency(); n < f.concurrency {
		a.hint("%d hosts at a time, not %d: this process may not open more files (ulimit -n)", n, f.concurrency)
	}
	out, err := f.open(a, earlier)
	if err != nil {
		return err
	}
	err = a.stream(ctx, f, scanner, list, out, &earlier.sum)
	if cerr := out.Close(); err == nil && cerr != nil {
		err = cerr
	}
	if f.resume != "" && f.resume == f.output {
		if oerr := earlier.once(f.output); oerr != nil {
			a.hint("%s has two results of a host that was done again: %v", f.output, oerr)
		}
	}
	if err != nil {
		return err
	}
	return earlier.sum.outcome()
}

// stream scans and writes results as they come.
func (a *app) stream(
	ctx context.Context, f *scanFlags, scanner *scan.Scanner, list *targets.List, out *output, sum *sum,
) error {
	total := list.Len()
	tally := &scan.Tally{}
	var line *progress
	if colorful(a.screen) {
		line = startProgress(a.screen, func() string {
			done, exposed := tally.Done(model.Exposed)
			return progressLine(done, total, exposed, tally.Elapsed())
		})
	}
	style := report.Style{
		Color: f.output == "" && colorful(a.stdout), Verbose: f.verbose, HideUnreachable: total > manyHosts,
	}
	w, err := report.NewScanWriter(out, f.format, style)
	if err != nil {
		return err
	}
	err = scanner.Run(ctx, list, tally, func(r *model.Scan) error {
		sum.add(r)
		return line.aside(func() error { return w.Write(r) })
	})
	line.stop()
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	if done, _ := tally.Done(""); ctx.Err() != nil {
		advice := "keep results with --format jsonl -o FILE, and go on later with --resume FILE"
		if f.format == "jsonl" && f.output != "" {
			advice = fmt.Sprintf("go on with the same command and --resume %s", f.output)
		}
		return hinted{
			fmt.Errorf("interrupted: %d of %d hosts done, %d left: %w", done, total, total-done, context.Canceled),
			advice,
		}
	}
	return nil
}

// manyHosts is the number of hosts from which the text format counts hosts without an answer instead of listing them.
const manyHosts = 16

// sum counts what determines the exit code.
type sum struct {
	exposed, unclear, reached int
}

func (s *sum) add(r *model.Scan) {
	switch {
	case r.Verdict == model.Exposed && !r.Partial:
		s.exposed++
	case r.Verdict == model.VerdictInconclusive || r.Partial:
		s.unclear++
	}
	if r.Verdict != model.Unreachable && r.Verdict != model.VerdictNotTested {
		s.reached++
	}
}

// outcome maps the verdicts to an exit code. An exposed host that left many probes unanswered is partial: more may be
// open than was seen. In a network of many hosts, addresses without an answer are normal, unless nothing answered at
// all.
func (s *sum) outcome() error {
	switch {
	case s.exposed > 0:
		return outcome{exitExposed}
	case s.unclear > 0 || s.reached == 0:
		return outcome{exitPartial}
	}
	return nil
}

func (a *app) hint(format string, args ...any) {
	printLines(a.stderr, "hint", fmt.Sprintf(format, args...))
}

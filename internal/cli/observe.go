package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/observe/logs"
	"ipcguard/internal/observe/source"
	"ipcguard/internal/report"
)

const observeHelp = `Find out who really uses IPC$: which client, as whom, which pipe, which call, with what outcome. Test before you close it.

It only listens: nothing is sent to any host, and no packet or name of a file is kept, but counted rows with first and last.

Sources:
  FILE.pcap  FILE.pcapng           a packet capture, compressed (gzip, xz, zstd) or not
  FILE.evtx  FILE.xml  FILE.json   Windows event logs, exported and shipped ones too; Samba's audit logs
  -                                any of these on the standard input
  FOLDER  FILE.zip                 everything of these in it, oldest capture first
  live:IFACE                       the wire, on Linux, as root or with CAP_NET_RAW
  eventlog:  eventlog:30d          this host's own event logs, on Windows; no older than that
  RESULT.json                      an earlier result of observe; several are joined

Identities: anonymous, guest, unknown-user, user, machine; unknown where the logon was not seen; opaque where all is encrypted.

What a Windows log does not have proves something only where it would have it: with --audit the host's audit policy says which.

The result says what it rests on: from when to when, how much of the traffic could be read, what was lost and why. No use in a
short or unreadable capture proves nothing.

With --state DIR eventlog: reads what is new since the last time and adds it to the day's result: let the task scheduler run it.
With --state DIR a live observation is saved every few seconds and at its end, a file a day, and goes on after a restart. Ask it
at any time with --state DIR --show. docs/observing.md has a systemd unit.

Exit status 3 means that a null session or a guest got an answer to a call; 4 that something was lost, damaged or not seen.
`

const observeExamples = `  ipcguard observe capture.pcapng
  ipcguard observe --format json -o use.json captures/ Security.evtx
  ipcguard observe --for 30d --state /var/lib/ipcguard/observe live:eth0
  ipcguard observe --state /var/lib/ipcguard/observe --show --format html -o uses.html
  ipcguard observe --merge use-a.json use-b.json --format csv`

type observeFlags struct {
	format, output, state, memory, length, server string
	ports                                         []int
	audits                                        []string
	show, merge, verbose                          bool
}

func (a *app) observe() *cobra.Command {
	f := &observeFlags{}
	c := &cobra.Command{
		Use:     "observe SOURCE…",
		Short:   "Find out who really uses IPC$",
		Long:    observeHelp,
		Example: observeExamples,
		RunE:    func(c *cobra.Command, args []string) error { return a.runObserve(c.Context(), f, args) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.IntSliceVar(&f.ports, "port", []int{445, 139}, "ports where SMB servers listen")
	s.StringVar(&f.length, "for", "", "end a live observation after this time, such as 90m, 12h or 30d")
	s.StringVar(&f.state, "state", "", "keep the result of a live observation in this directory, and go on with it")
	s.BoolVar(&f.show, "show", false, "show what --state has, and observe nothing")
	s.BoolVar(&f.merge, "merge", false, "take results of observe alone, and join them")
	s.StringVar(&f.server, "server", "", "name of the host whose logs these are, for logs that do not tell")
	s.StringArrayVar(&f.audits, "audit", nil, "audit policy of a host whose logs these are (auditpol /get /category:* /r, audit.csv), or a result of ipcguard audit; may be given again")
	s.StringVar(&f.memory, "memory", "200MiB", "what it may use; idle connections are given up first")
	s.StringVar(&f.format, "format", "text", strings.Join(report.UseFormats(), ", "))
	s.StringVarP(&f.output, "output", "o", "", "write the result to this file")
	s.BoolVarP(&f.verbose, "verbose", "v", false, "say what each identity was told by, and the source")
	return c
}

// observing is one run of the verb.
type observing struct {
	agg     *observe.Aggregator
	cov     *observe.Coverage
	traffic *observe.Traffic
	logs    *logs.Reader
	logged  bool
	packets bool
	live    []string
	files   []string
	local   bool          // this host's event logs
	since   time.Duration // no older than that
}

func (a *app) runObserve(ctx context.Context, f *observeFlags, args []string) error {
	if err := oneOf("--format", f.format, report.UseFormats()); err != nil {
		return err
	}
	memory, err := parseSize(f.memory)
	if err != nil {
		return err
	}
	length, err := parseLength("--for", f.length)
	if err != nil {
		return err
	}
	ports, err := portNumbers(f.ports)
	if err != nil {
		return err
	}
	run := &observing{agg: observe.NewAggregator(0), cov: new(observe.Coverage)}
	for _, arg := range args {
		if name, ok := strings.CutPrefix(arg, "live:"); ok {
			run.live = append(run.live, name)
		} else if age, ok := strings.CutPrefix(arg, "eventlog:"); ok {
			run.local = true
			if run.since, err = parseLength(arg, age); err != nil {
				return usage("%s: want a time such as eventlog:30d", arg)
			}
		} else {
			run.files = append(run.files, arg)
		}
	}
	switch {
	case f.show && f.state == "":
		return usage("--show needs --state")
	case f.show && len(args) > 0:
		return usage("--show observes nothing: leave the sources out")
	case !f.show && len(args) == 0:
		return hinted{usage("no sources named"), "ipcguard observe FILE, or ipcguard observe --help"}
	case run.local && f.state != "" && len(args) > 1:
		return usage("eventlog: with --state goes alone")
	case run.local && (len(run.live) > 0 || f.merge):
		return usage("eventlog: goes with logs and captures")
	case run.local && f.length != "":
		return usage("--for is for live:IFACE; run eventlog: again for what is new")
	case len(run.live) > 0 && len(run.files) > 0:
		return usage("the wire and files do not go together: observe them one after the other, and join the results with --merge")
	case len(run.live) == 0 && !f.show && !run.local && (f.state != "" || f.length != ""):
		return usage("--state and --for are for live:IFACE")
	case len(f.audits) > 0 && (f.show || f.merge || len(run.live) > 0):
		return usage("--audit is for logs")
	case f.merge && len(run.live) > 0:
		return usage("--merge takes results of observe")
	}
	// The collector's limit is soft: it works harder near it. What observe keeps is bounded well below.
	ring := 0
	if len(run.live) > 0 {
		ring = memory / 2
	}
	debug.SetMemoryLimit(int64(memory-ring) * 9 / 10)
	run.traffic = observe.NewTraffic(run.agg, run.cov, observe.TrafficOptions{Ports: ports, Memory: memory - ring})
	run.logs = logs.New(run.agg, run.cov, logs.Options{Server: f.server})

	for _, name := range f.audits {
		if err := auditedLogs(run.logs, name); err != nil {
			return err
		}
	}
	var interrupted error
	switch {
	case f.show:
		err = observe.LoadState(f.state, run.agg, run.cov)
		if errors.Is(err, fs.ErrNotExist) {
			err = hinted{fmt.Errorf("%s holds no observation yet", f.state), "a result is saved some seconds after the start"}
		}
	case len(run.live) > 0:
		err = a.watch(ctx, run, f, length, ring)
	case run.local && f.state != "":
		err = run.logs.LocalState(ctx, f.state, run.since, time.Now())
	default:
		if run.local {
			run.logged = true
			if _, err = run.logs.ReadLocal(ctx, run.since, nil); err != nil {
				break
			}
		}
		for _, name := range run.files {
			if err = a.observeSource(ctx, run, f, name); err != nil {
				break
			}
		}
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			interrupted, err = err, nil
		}
		run.finish()
	}
	if err != nil {
		return err
	}
	if f.state != "" && !f.show {
		return nil // it is in the state directory
	}
	result := observe.Result(run.agg, run.cov)
	if err := a.showUses(f, result); err != nil {
		return err
	}
	if interrupted != nil {
		return interrupted
	}
	return observed(result)
}

// finish tells what still waits.
func (r *observing) finish() {
	if r.packets {
		r.traffic.Close()
	}
	if r.logged {
		r.logs.Close()
	}
}

// watch observes the wire.
func (a *app) watch(ctx context.Context, run *observing, f *observeFlags, length time.Duration, ring int) error {
	if length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, length)
		defer cancel()
	}
	err := run.traffic.Live(ctx, observe.LiveOptions{
		Interfaces: run.live, State: f.state, Memory: ring,
		Ready: func() { a.hint("observing %s; an interrupt ends it in good order", strings.Join(run.live, ", ")) },
	})
	if err == nil {
		a.hint("the room for packets that wait was taken to %.0f %% at most", 100*run.traffic.Fullest())
	}
	return err
}

// auditedLogs tells what is known of the auditing of the hosts.
func auditedLogs(reader *logs.Reader, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := reader.Audit(file); err != nil {
		return fmt.Errorf("--audit %s: %w", name, err)
	}
	return nil
}

// observeSource reads one named source.
func (a *app) observeSource(ctx context.Context, run *observing, f *observeFlags, name string) error {
	if name == "-" {
		return a.observeFile(ctx, run, f, "standard input", a.stdin)
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	magic := make([]byte, 4)
	n, _ := file.ReadAt(magic, 0)
	if (info.IsDir() || source.IsArchive(magic[:n])) && !f.merge {
		run.packets, run.logged = true, true
		if err := run.traffic.ReadPath(ctx, name); err != nil {
			return err
		}
		return run.logs.ReadFolder(ctx, name, observe.IsCapture)
	}
	if err := a.observeFile(ctx, run, f, filepath.Base(name), file); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// headLen is enough of a compressed file to unpack its beginning: xz and zstd unpack by the block.
const headLen = 128 << 10

// observeFile tells by its first bytes what a file is.
func (a *app) observeFile(ctx context.Context, run *observing, f *observeFlags, name string, r io.Reader) error {
	head := make([]byte, headLen)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	head = head[:n]
	all := io.MultiReader(bytes.NewReader(head), r)
	switch {
	case observe.IsResult(head):
		return observe.ReadResult(all, func(o *model.Observation) error {
			observe.Merge(run.agg, run.cov, o)
			return nil
		})
	case f.merge:
		return observe.ErrNotResult
	case observe.IsCapture(head):
		run.packets = true
		return run.traffic.Read(ctx, name, all)
	case logs.Is(head):
		run.logged = true
		return run.logs.Read(ctx, name, all)
	}
	if source.IsArchive(head) {
		return hinted{errors.New("a zip archive cannot be read from here"), "name it as a file"}
	}
	return hinted{errors.New("neither a capture nor a log nor a result of observe"), "ipcguard observe --help lists what is read"}
}

// showUses writes the result. Formats of rows alone leave the coverage to the standard error.
func (a *app) showUses(f *observeFlags, o *model.Observation) error {
	out, err := a.output(&scanFlags{output: f.output}, &earlier{})
	if err != nil {
		return err
	}
	style := report.Style{Color: f.output == "" && colorful(a.stdout), Verbose: f.verbose}
	err = report.WriteObservation(out, f.format, o, style)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil && (f.format == "jsonl" || f.format == "csv" || f.format == "tsv") {
		err = report.WriteCoverage(a.stderr, &o.Coverage, report.Style{Color: colorful(a.stderr)})
	}
	return err
}

// observed maps a result to an exit code.
func observed(o *model.Observation) error {
	for _, u := range o.Uses {
		if u.Layer == model.LayerCall && u.Outcome == model.Allowed && (u.Identity == model.Anonymous || u.Identity == model.Guest) {
			return outcome{exitExposed}
		}
	}
	if len(o.Uses) == 0 || len(o.Coverage.Unreadable) > 0 || o.Coverage.Bytes != nil && o.Coverage.Bytes.Opaque+o.Coverage.Bytes.Lost > 0 {
		return outcome{exitPartial}
	}
	return nil
}

// parseSize reads 200MiB, 1GiB, or a number of bytes.
func parseSize(s string) (int, error) {
	number, unit := s, 1
	for suffix, factor := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = rest, factor
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 1 || n > 1<<40/int64(unit) {
		return 0, usage("--memory %q: want a size such as 200MiB", s)
	}
	return max(int(n)*unit, 16<<20), nil
}

// parseLength reads a duration; unlike Go's, days are known.
func parseLength(flag, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n > 0 && n <= 3650 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d, nil
	}
	return 0, usage("%s %q: want a time such as 90m, 12h or 30d", flag, s)
}

func portNumbers(list []int) ([]uint16, error) {
	var out []uint16
	for _, p := range list {
		if p < 1 || p > 65535 {
			return nil, usage("--port %d: out of range", p)
		}
		out = append(out, uint16(p))
	}
	slices.SortFunc(out, cmp.Compare)
	return slices.Compact(out), nil
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/observe/logs"
	"ipcguard/internal/observe/source"
	"ipcguard/internal/report"
)

const observeHelp = `Find out who really uses IPC$: which client, as whom, which pipe and call, and with what outcome. Run it before you
restrict anything.

It only listens: it sends nothing to any host. It keeps counts, with the first and the last time, and no packets.

Sources:
  FILE.pcap  FILE.pcapng           a packet capture, compressed (gzip, bzip2, xz, zstd) or not
  FILE.evtx  FILE.xml  FILE.json   Windows event logs, also as exported or forwarded; Samba's audit logs
  -                                any of these on standard input
  FOLDER  FILE.zip                 all of these in it, oldest capture first
  live:IFACE                       a network interface, on Linux, as root or with CAP_NET_RAW
  eventlog:  eventlog:30d          the event logs of this Windows host; the last 30 days
  RESULT.json                      an earlier result of observe; several are joined

Identities: anonymous, guest, unknown-user, user and machine; unknown if the logon was not seen; opaque if the session
is encrypted.

The result begins and ends with its coverage: from when to when, how much of the traffic could be read, what was lost
and why. A short or unreadable capture without a use proves nothing.

A Windows log holds only the events that the host's audit policy turns on. --audit gives the policy, and the result
then says which events could not have been logged.

--state DIR saves a live observation every few seconds, one file a day, and continues it after a restart. With
eventlog: each run reads what is new; run it from the task scheduler. --state DIR --show prints what is there at any
time. docs/observing.md describes a systemd unit.

--logons lists how clients log on, the weakest first: plaintext, LM and NTLMv1 before null sessions and guests, SMB1,
unsigned NTLM, NTLM and Kerberos.

Exit status 3 means that a null session or a guest got an answer to a call; 4 that something was lost, damaged or not
seen.
`

const observeExamples = `  ipcguard observe capture.pcapng
  ipcguard observe --format json -o use.json captures/ Security.evtx
  ipcguard observe --for 30d --state /var/lib/ipcguard-observe live:eth0
  ipcguard observe --state /var/lib/ipcguard-observe --show --format html -o uses.html
  ipcguard observe --logons capture.pcapng Security.evtx
  ipcguard observe --merge use-a.json use-b.json --format csv`

type observeFlags struct {
	outputFlags
	state, memory, length, server string
	ports                         []int
	audits                        []string
	show, merge, logons, verbose  bool
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
	s.StringVar(&f.length, "for", "", "stop a live observation after this time, such as 90m, 12h or 30d")
	s.StringVar(&f.state, "state", "", "keep the result of a live observation in this directory, and continue it")
	s.BoolVar(&f.show, "show", false, "show what --state has; observe nothing")
	s.BoolVar(&f.logons, "logons", false, "show how clients log on, the weakest logons first")
	s.BoolVar(&f.merge, "merge", false, "join results of observe")
	s.StringVar(&f.server, "server", "", "name of the host whose logs these are, for logs that do not name it")
	s.StringArrayVar(&f.audits, "audit", nil,
		"audit policy of the host whose logs these are (auditpol /get /category:* /r, audit.csv), or a result of "+
			"ipcguard audit; may be repeated")
	s.StringVar(&f.memory, "memory", "",
		"memory limit (default 64MiB, live 200MiB); idle connections are dropped first")
	f.outputFlags.register(s, "the result", report.UseFormats())
	s.BoolVarP(&f.verbose, "verbose", "v", false, "show how each identity was recognised, and the source")
	return c
}

// observing is one run of the command.
type observing struct {
	useSources
	agg     *observe.Aggregator
	cov     *observe.Coverage
	traffic *observe.Traffic
	logs    *logs.Reader
	logged  bool
	packets bool
	results source.Twins  // results that were joined
	ring    int           // bytes for packets that wait
	length  time.Duration // of a live observation; 0 is until an interrupt
}

// liveMemory is the memory for a live observation, in bytes. Half of it is the kernel's buffer of packets.
const liveMemory = 200 << 20

// newObserving checks the flags.
func newObserving(f *observeFlags, args []string) (*observing, error) {
	if err := f.outputFlags.check(); err != nil {
		return nil, err
	}
	if f.logons && !slices.Contains(report.LogonFormats(), f.format) {
		return nil, usage("--logons with --format %s: want one of %s", f.format,
			strings.Join(report.LogonFormats(), ", "))
	}
	run := &observing{agg: observe.NewAggregator(0), cov: new(observe.Coverage)}
	var err error
	if run.length, err = parseLength("--for", f.length); err != nil {
		return nil, err
	}
	ports, err := portNumbers(f.ports)
	if err != nil {
		return nil, err
	}
	if run.useSources, err = parseSources(args); err != nil {
		return nil, err
	}
	if err := f.check(run.useSources, args); err != nil {
		return nil, err
	}
	memory := observe.DefaultMemory
	switch {
	case f.memory != "":
		if memory, err = parseSize(f.memory); err != nil {
			return nil, err
		}
	case len(run.live) > 0:
		memory = liveMemory
	}
	if len(run.live) > 0 {
		run.ring = memory / 2
	}
	// The garbage collector's limit is soft: near it, it works harder. What observe keeps is bounded well below.
	debug.SetMemoryLimit(int64(memory-run.ring) * 9 / 10)
	run.traffic = observe.NewTraffic(run.agg, run.cov, observe.TrafficOptions{Ports: ports, Memory: memory - run.ring})
	run.logs = logs.New(run.agg, run.cov, logs.Options{Server: f.server})
	return run, nil
}

func (a *app) runObserve(ctx context.Context, f *observeFlags, args []string) error {
	run, err := newObserving(f, args)
	if err != nil {
		return err
	}
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
			err = hinted{
				fmt.Errorf("%s holds no observation yet", f.state), "a result is saved some seconds after the start",
			}
		}
	case len(run.live) > 0:
		err = a.watch(ctx, run, f.state)
	case run.local && f.state != "":
		err = run.logs.LocalState(ctx, f.state, run.since, time.Now())
	default:
		interrupted, err = a.observeAll(ctx, run, f)
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

// observeAll reads every source except the network. What was read before an interrupt is kept.
func (a *app) observeAll(ctx context.Context, run *observing, f *observeFlags) (interrupted, err error) {
	if run.local {
		run.logged = true
		_, err = run.logs.ReadLocal(ctx, run.since, nil)
	}
	if err == nil {
		err = a.observeFiles(ctx, run, f)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		interrupted, err = err, nil
	}
	run.finish()
	return interrupted, err
}

// finish processes what the readers still hold.
func (r *observing) finish() {
	if r.packets {
		r.traffic.Close()
	}
	if r.logged {
		r.logs.Close()
	}
}

// watch observes the network.
func (a *app) watch(ctx context.Context, run *observing, state string) error {
	if run.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, run.length)
		defer cancel()
	}
	err := run.traffic.Live(ctx, observe.LiveOptions{
		Interfaces: run.live, State: state, Memory: run.ring,
		Ready: func() { a.hint("observing %s; an interrupt ends it in good order", strings.Join(run.live, ", ")) },
	})
	if err == nil {
		a.hint("the room for packets that wait was taken to %.0f %% at most", 100*run.traffic.Fullest())
	}
	return err
}

// showUses writes the result. Formats that contain only rows leave the coverage to standard error.
func (a *app) showUses(f *observeFlags, o *model.Observation) error {
	out, err := a.create(f.output)
	if err != nil {
		return err
	}
	style := report.Style{Color: f.output == "" && colorful(a.stdout), Verbose: f.verbose}
	if f.logons {
		err = report.WriteLogons(out, f.format, o, style)
	} else {
		err = report.WriteObservation(out, f.format, o, style)
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil && (f.format == "jsonl" || f.format == "csv" || f.format == "tsv") {
		err = report.WriteCoverage(a.screen, &o.Coverage, report.Style{Color: colorful(a.screen)})
	}
	return err
}

// observed maps a result to an exit code.
func observed(o *model.Observation) error {
	for _, u := range o.Uses {
		if u.Layer == model.LayerCall && u.Outcome == model.Allowed && u.Identity.IsStranger() {
			return outcome{exitExposed}
		}
	}
	if len(o.Uses) == 0 || len(o.Coverage.Unreadable) > 0 {
		return outcome{exitPartial}
	}
	if b := o.Coverage.Bytes; b != nil && b.Opaque+b.Lost+b.Undecodable > 0 {
		return outcome{exitPartial}
	}
	return nil
}

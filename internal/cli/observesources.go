package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/observe/logs"
	"ipcguard/internal/observe/source"
)

// useSources are the sources that the arguments name.
type useSources struct {
	live  []string
	files []string
	local bool          // this host's event logs
	since time.Duration // only events that are not older
}

func parseSources(args []string) (s useSources, err error) {
	for _, arg := range args {
		if name, ok := strings.CutPrefix(arg, "live:"); ok {
			s.live = append(s.live, name)
		} else if age, ok := strings.CutPrefix(arg, "eventlog:"); ok {
			s.local = true
			if s.since, err = parseLength(arg, age); err != nil {
				return s, usage("%s: want a time such as eventlog:30d", arg)
			}
		} else {
			s.files = append(s.files, arg)
		}
	}
	return s, nil
}

// check refuses flags and sources that do not go together.
func (f *observeFlags) check(s useSources, args []string) error {
	live := len(s.live) > 0
	switch {
	case f.show && f.state == "":
		return usage("--show needs --state")
	case f.show && len(args) > 0:
		return usage("--show observes nothing: leave the sources out")
	case !f.show && len(args) == 0:
		return hinted{usage("no sources named"), "ipcguard observe FILE, or ipcguard observe --help"}
	case s.local && f.state != "" && len(args) > 1:
		return usage("eventlog: with --state goes alone")
	case s.local && (live || f.merge):
		return usage("eventlog: goes with logs and captures")
	case s.local && f.length != "":
		return usage("--for is for live:IFACE; run eventlog: again for what is new")
	case live && len(s.files) > 0:
		return usage("the wire and files do not go together: observe them one after the other, and join the results " +
			"with --merge")
	case !live && !f.show && !s.local && (f.state != "" || f.length != ""):
		return usage("--state and --for are for live:IFACE")
	case len(f.audits) > 0 && (f.show || f.merge || live):
		return usage("--audit is for logs")
	case f.merge && live:
		return usage("--merge takes results of observe")
	}
	return nil
}

// auditedLogs reads what is known about the hosts' audit policies.
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

// observeFiles reads the sources that are files. Captures are read together, in the order of their times. If several
// sources were named, one that cannot be read is reported and does not end the run.
func (a *app) observeFiles(ctx context.Context, run *observing, f *observeFlags) error {
	for _, name := range run.files {
		if name == "-" {
			continue
		}
		if _, err := os.Stat(name); err != nil {
			return err
		}
	}
	var captures, folders []string
	var failed []error
	for _, name := range run.files {
		kind, err := a.observeSource(ctx, run, f, name)
		switch {
		case ctx.Err() != nil && err != nil:
			return err
		case err != nil:
			failed = append(failed, err)
			run.unread(name, err)
		case kind == aFolder:
			folders = append(folders, name)
			captures = append(captures, name)
		case kind == aCapture:
			captures = append(captures, name)
		}
	}
	if len(failed) > 0 && len(failed) == len(run.files) {
		return failed[0]
	}
	run.packets = run.packets || len(captures) > 0
	if err := run.traffic.ReadPaths(ctx, captures); err != nil {
		return err
	}
	for _, name := range folders {
		run.logged = true
		if err := run.logs.ReadFolder(ctx, name, observe.IsCapture); err != nil {
			return err
		}
	}
	return nil
}

// unread reports a source that could not be read.
func (r *observing) unread(name string, why error) {
	r.cov.CountUnreadable("sources that could not be read", 1)
	var inner *namedError
	if errors.As(why, &inner) {
		why = inner.err
	}
	r.cov.Unread(name, why)
}

// namedError is an error with its source.
type namedError struct {
	name string
	err  error
}

func (e *namedError) Error() string { return e.name + ": " + e.err.Error() }
func (e *namedError) Unwrap() error { return e.err }

// fileKind says how a named file is to be read.
type fileKind int

const (
	aDone fileKind = iota // it has been read
	aCapture
	aFolder // or an archive
)

// observeSource reads a log, a result or standard input. For other files it returns their kind.
func (a *app) observeSource(ctx context.Context, run *observing, f *observeFlags, name string) (fileKind, error) {
	if name == "-" {
		return aDone, a.observeStream(ctx, run, f, "standard input", source.Interruptible(ctx, a.stdin))
	}
	kind, err := a.observeFile(ctx, run, f, name)
	if err != nil && ctx.Err() == nil {
		err = &namedError{name, err}
	}
	return kind, err
}

func (a *app) observeFile(ctx context.Context, run *observing, f *observeFlags, name string) (fileKind, error) {
	info, err := os.Stat(name)
	if err != nil {
		return aDone, err
	}
	if info.IsDir() && !f.merge {
		return aFolder, nil
	}
	file := source.File{Path: name, Open: func() (io.ReadCloser, error) { return os.Open(name) }}
	r, err := file.Open()
	if err != nil {
		return aDone, err
	}
	defer r.Close()
	if !info.IsDir() && !info.Mode().IsRegular() { // a pipe can be read only once
		return aDone, a.observeStream(ctx, run, f, filepath.Base(name), source.Interruptible(ctx, r))
	}
	b, head := source.Peek(r, headLen, conclusive)
	switch {
	case observe.IsResult(head):
		if same := run.results.Of(&file); same != "" {
			run.cov.Note(fmt.Sprintf("%s holds the same bytes as %s and was read once", name, same))
			return aDone, nil
		}
	case f.merge:
	case source.IsArchive(head):
		return aFolder, nil
	case observe.IsCapture(head):
		return aCapture, nil
	case logs.Is(head) && model.Schema(head) == "":
		run.logged = true
		return aDone, run.logs.ReadPath(ctx, name)
	}
	return aDone, a.observeHead(ctx, run, f, filepath.Base(name), b, head)
}

// headLen is how many unpacked bytes of a source show what it is.
const headLen = 64 << 10

// conclusive reports whether the beginning of a source is long enough to show what it is.
func conclusive(head []byte) bool {
	return observe.IsResult(head) || observe.IsCapture(head) || len(head) >= 4<<10 && logs.Is(head)
}

// observeStream detects the kind of a stream by its first bytes, and reads it.
func (a *app) observeStream(ctx context.Context, run *observing, f *observeFlags, name string, r io.Reader) error {
	b, head := source.Peek(r, headLen, conclusive)
	return a.observeHead(ctx, run, f, name, b, head)
}

// observeHead reads a stream that begins with head.
func (a *app) observeHead(
	ctx context.Context, run *observing, f *observeFlags, name string, b *bufio.Reader, head []byte,
) error {
	switch schema := model.Schema(head); {
	case ctx.Err() != nil && len(head) == 0:
		return context.Cause(ctx)
	case observe.IsResult(head):
		return observe.ReadResult(b, func(o *model.Observation) error {
			observe.Merge(run.agg, run.cov, o)
			return nil
		})
	case schema != "":
		return hinted{
			fmt.Errorf("%w: it is %s", observe.ErrNotResult, model.SchemaKind(schema)),
			"ipcguard observe takes captures, logs, and its own results",
		}
	case f.merge:
		return hinted{
			notResult(head), "--merge takes results alone; without it ipcguard observe reads captures and logs too",
		}
	case observe.IsCapture(head):
		run.packets = true
		return run.traffic.Read(ctx, name, b)
	case logs.Is(head):
		run.logged = true
		return run.logs.Read(ctx, name, b)
	}
	if what, hint := source.DescribeStream(head, b); what != "" {
		return hinted{errors.New("it is " + what), cmp.Or(hint, "ipcguard observe --help lists what is read")}
	}
	return hinted{
		errors.New("neither a capture nor a log nor a result of observe"), "ipcguard observe --help lists what is read",
	}
}

// notResult returns an error that says what a file is, if not a result.
func notResult(head []byte) error {
	what, _ := source.Describe(head)
	switch {
	case what != "":
	case observe.IsCapture(head):
		what = "a capture"
	case logs.Is(head):
		what = "a log"
	default:
		return observe.ErrNotResult
	}
	return fmt.Errorf("%w: it is %s", observe.ErrNotResult, what)
}

// parseSize parses 200MiB, 1GiB, or a number of bytes.
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

// parseLength parses a duration; unlike Go's, it may have days.
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

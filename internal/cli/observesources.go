package cli

import (
	"bytes"
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

// useSources are what the arguments name.
type useSources struct {
	live  []string
	files []string
	local bool          // this host's event logs
	since time.Duration // no older than that
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
		return usage("the wire and files do not go together: observe them one after the other, and join the results with --merge")
	case !live && !f.show && !s.local && (f.state != "" || f.length != ""):
		return usage("--state and --for are for live:IFACE")
	case len(f.audits) > 0 && (f.show || f.merge || live):
		return usage("--audit is for logs")
	case f.merge && live:
		return usage("--merge takes results of observe")
	}
	return nil
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

package cli

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"

	"ipcguard/internal/model"
	"ipcguard/internal/scan"
)

// earlier is what an earlier run finished.
type earlier struct {
	addresses []netip.AddrPort
	names     []string        // that did not resolve
	size      int64           // of the complete lines
	recoded   bool            // the file is not plain UTF-8, so size is not an offset in it
	again     map[string]bool // addresses, or else targets, with unfinished results
	sum       sum
}

// hostOf identifies the host of a result: by its address, or without one by the user's target.
func hostOf(s *model.Scan) string { return cmp.Or(s.Address, s.Target) }

// readEarlier reads a jsonl file of results. It ignores an incomplete last line, and unfinished results are to be
// scanned again. A missing file counts as empty, so that a loop can resume on its first run.
func readEarlier(name string) (*earlier, error) {
	e := &earlier{again: map[string]bool{}}
	if name == "" {
		return e, nil
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw := bufio.NewReader(f)
	mark, _ := raw.Peek(2)
	e.recoded = len(mark) == 2 && mark[0] >= 0x80
	r := bufio.NewReaderSize(model.UTF8(raw), 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return e, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		var s model.Scan
		if err := model.CheckDocument(line); err != nil {
			return nil, usage("%s:%d: %w", name, n, err)
		}
		if err := json.Unmarshal(line, &s); err != nil || s.Schema != model.SchemaScan {
			return nil, usage("%s:%d: not a scan result in jsonl", name, n)
		}
		e.size += int64(len(line))
		if s.Partial && s.Verdict != model.Limited {
			e.again[hostOf(&s)] = true
			continue
		}
		e.sum.add(&s)
		if a, err := netip.ParseAddrPort(s.Address); err == nil {
			e.addresses = append(e.addresses, a)
		} else {
			e.names = append(e.names, s.Target)
		}
	}
}

// readLine reads one line with its end. A line without an end is io.EOF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); len(line) > model.MaxResult {
			return nil, fmt.Errorf("the line has more than %d MiB", model.MaxResult>>20)
		}
		if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// once keeps only the better result of each host that was scanned again, and counts the earlier run's. If nothing was
// scanned again, or the file cannot be replaced, it leaves the file with both.
func (e *earlier) once(name string) error {
	if len(e.again) == 0 {
		return nil
	}
	type kept struct {
		scan *model.Scan
		line int
	}
	best, seen := map[string]kept{}, map[string]int{}
	resolved := map[string]bool{} // names that had no address before
	err := eachLine(name, func(n int, line []byte, s *model.Scan) error {
		host := hostOf(s)
		if s.Address != "" && e.again[s.Target] {
			resolved[s.Target] = true
		}
		if !e.again[host] {
			return nil
		}
		old, ok := best[host]
		if seen[host]++; !ok || scan.Better(old.scan, s) == s {
			best[host] = kept{s, n}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for host, p := range best {
		switch {
		case seen[host] == 1: // it was not scanned again, or only now
			delete(best, host)
		case p.scan.Partial:
			e.sum.add(p.scan)
		}
	}
	if len(best) == 0 && len(resolved) == 0 {
		return nil
	}
	return replace(name, func(w io.Writer) error {
		return eachLine(name, func(n int, line []byte, s *model.Scan) error {
			if p, ok := best[hostOf(s)]; ok && p.line != n || s.Address == "" && resolved[s.Target] {
				return nil
			}
			_, err := w.Write(line)
			return err
		})
	})
}

// eachLine reads the complete lines of a jsonl file of results.
func eachLine(name string, f func(n int, line []byte, s *model.Scan) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
		s := &model.Scan{}
		if err := json.Unmarshal(line, s); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
		if err := f(n, line, s); err != nil {
			return err
		}
	}
}

// replace writes a new file beside a file of results, and renames it.
func replace(name string, write func(io.Writer) error) error {
	beside, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(beside)
	err = errors.Join(write(w), w.Flush(), narrow(beside), beside.Sync(), beside.Close())
	if err == nil {
		err = os.Rename(beside.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(beside.Name()))
	}
	return nil
}

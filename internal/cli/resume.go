package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"ipcguard/internal/model"
)

// earlier is what an earlier run has done.
type earlier struct {
	addresses []netip.AddrPort
	names     []string // that did not resolve
	size      int64    // of the whole lines
	recoded   bool     // it is no plain UTF-8 on the disk: size is not a place in it
	sum       sum
}

// readEarlier reads a jsonl file of results. A last line that was cut off is left out, and a result that was not
// finished is done again. A file that is not there yet is an empty one: the first run of a loop resumes nothing.
func readEarlier(name string) (*earlier, error) {
	e := &earlier{}
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

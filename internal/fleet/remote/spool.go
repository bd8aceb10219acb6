package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ipcguard/internal/fleet/wire"
)

// spool holds the results that the server has not accepted yet, in files in order of arrival. A file contains the
// results of one job that came within gatherTime, because a file costs more than a result.
//
//	results/00000000000000000042-3-JOB.json   {"at": …, "job": …, "result": {…}}, three times
type spool struct {
	dir     string
	lock    sync.Mutex
	next    uint64
	size    int64
	files   []spooled         // complete files, the oldest first
	gathers map[string]*batch // by job: the next file
	sending map[string]bool   // jobs with a group in transit
	wake    chan struct{}
	lost    bool // the last file could not be written
}

// spooled is a file of the spool.
type spooled struct {
	name, job string
	results   int
}

// batch collects results of one job for a file.
type batch struct {
	text    []byte
	results int
	done    chan struct{} // closed when the file is written, or err is set
	err     error
}

// gatherTime is how long a result waits for others of its job. After a power failure the host is scanned again.
const gatherTime = 50 * time.Millisecond

// kept is one result in a file.
type kept struct {
	At     time.Time   `json:"at"` // when the host was scanned, by this machine's clock
	Job    string      `json:"job"`
	Result wire.Result `json:"result"`
}

// maxSpool bounds the results on disk in bytes: a million of them.
const maxSpool = 1 << 30

func openSpool(dir string) (*spool, error) {
	s := &spool{
		dir:     filepath.Join(dir, spoolDir),
		gathers: map[string]*batch{},
		sending: map[string]bool{},
		wake:    make(chan struct{}, 1),
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.dir) // sorted by name
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		f, n, ok := parseSpooled(e.Name())
		if !ok {
			if strings.HasPrefix(e.Name(), newFile) { // left by a worker that was killed while it wrote
				_ = os.Remove(filepath.Join(s.dir, e.Name())) // otherwise at the next start
			}
			continue
		}
		s.files, s.next = append(s.files, f), max(s.next, n+1)
		if info, err := e.Info(); err == nil {
			s.size += info.Size()
		}
	}
	s.stir()
	return s, nil
}

// parseSpooled parses a file's name: NUMBER-RESULTS-JOB.json, or NUMBER-JOB.json with one result, as older workers
// wrote it.
func parseSpooled(name string) (f spooled, n uint64, ok bool) {
	text, ok := strings.CutSuffix(name, ".json")
	part := strings.Split(text, "-")
	if !ok || len(part) < 2 || len(part) > 3 {
		return f, 0, false
	}
	n, err := strconv.ParseUint(part[0], 10, 64)
	f = spooled{name: name, job: part[len(part)-1], results: 1}
	if err == nil && len(part) == 3 {
		f.results, err = strconv.Atoi(part[1])
	}
	return f, n, err == nil
}

func (s *spool) stir() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// full reports whether to stop taking jobs.
func (s *spool) full() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.size >= maxSpool
}

// losing reports whether the last result could not be stored.
func (s *spool) losing() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.lost
}

// roomNeeded is how much must fit after a result could not be stored: those of a job of the usual size.
const roomNeeded = 1 << 20

// room returns why results cannot be stored, or nil. It tries only after one could not be.
func (s *spool) room() error {
	if !s.losing() {
		return nil
	}
	path := filepath.Join(s.dir, "room")
	err := write(path, false, make([]byte, roomNeeded))
	if err == nil {
		err = os.Remove(path)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.lost = err != nil
	return err
}

// put stores a result. It is on disk when put returns. The server takes none that is larger than wire.MaxResult: its
// target ends with that as the reason.
func (s *spool) put(job string, at time.Time, r wire.Result) error {
	text, err := json.Marshal(kept{at.UTC(), job, r})
	if err == nil && len(text) > wire.MaxResult {
		text, err = json.Marshal(kept{at.UTC(), job, wire.Result{Target: r.Target, From: r.From, Error: fmt.Sprintf(
			"the result has %d MiB, and a server takes at most %d", len(text)>>20, wire.MaxResult>>20)}})
	}
	if err != nil {
		return err
	}
	s.lock.Lock()
	b := s.gathers[job]
	first := b == nil || b.results == maxGroup || len(b.text) > maxGroupBytes
	if first {
		b = &batch{done: make(chan struct{})}
		s.gathers[job] = b
	}
	b.text, b.results = append(append(b.text, text...), '\n'), b.results+1
	s.lock.Unlock()
	if first {
		time.Sleep(gatherTime)
		s.write(job, b)
	}
	<-b.done
	return b.err
}

// write writes the file of a batch, which accepts no more results.
func (s *spool) write(job string, b *batch) {
	defer close(b.done)
	s.lock.Lock()
	if s.gathers[job] == b {
		delete(s.gathers, job)
	}
	f := spooled{fmt.Sprintf("%020d-%d-%s.json", s.next, b.results, job), job, b.results}
	s.next++
	s.lock.Unlock()
	b.err = write(filepath.Join(s.dir, f.name), false, b.text)
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.lost = b.err != nil; !s.lost {
		s.files, s.size = append(s.files, f), s.size+int64(len(b.text))
		s.stir()
	}
}

// sent is a result in a request: its documents are the stored bytes, which are not parsed.
type sent struct {
	wire.Result
	Scans []json.RawMessage `json:"scans,omitempty"`
	Audit json.RawMessage   `json:"audit,omitempty"`
}

// results is [wire.Results] with results that are not parsed.
type results struct {
	Job     string `json:"job"`
	Results []sent `json:"results"`
}

// group is results of one job that are sent together.
type group struct {
	files []string
	bytes int64
	body  results
	at    []time.Time
}

// Bounds of a group, and of a file: a request stays below the server's limit with one result more in a file, and with
// one file more than maxGroupBytes.
const (
	maxGroup      = wire.MaxTargets
	maxGroupBytes = wire.MaxResults / 4
)

// oldest reads the oldest results of a job that has no group in transit, and reports in g whether there are any. The
// results of a job are sent one group after the other, because the parts of a search have an order. The caller ends
// with drop or keep. A file that cannot be read, such as one cut short by a power failure, is set aside.
func (s *spool) oldest() (g group, err error) {
	s.lock.Lock()
	files := slices.DeleteFunc(slices.Clone(s.files), func(f spooled) bool { return s.sending[f.job] })
	if len(files) > 0 {
		g.body.Job = files[0].job
		s.sending[g.body.Job] = true
	}
	s.lock.Unlock()
	defer func() {
		if len(g.files) == 0 && g.body.Job != "" {
			s.keep(&g)
		}
	}()
	for _, f := range files {
		if len(g.body.Results) >= maxGroup || g.bytes > maxGroupBytes {
			break
		}
		if f.job != g.body.Job {
			continue // jobs do not wait for each other
		}
		path := filepath.Join(s.dir, f.name)
		b, err := os.ReadFile(path)
		var all []unread
		if err == nil {
			all, err = parseKept(b)
		}
		if err != nil {
			if err := os.Rename(path, path+".bad"); err != nil {
				return g, err
			}
			s.forget(0, f.name)
			continue
		}
		for _, k := range all {
			g.body.Results, g.at = append(g.body.Results, k.Result), append(g.at, k.At)
		}
		g.files = append(g.files, f.name)
		g.bytes += int64(len(b))
	}
	return g, nil
}

// unread is a [kept] result whose documents are not parsed.
type unread struct {
	At     time.Time `json:"at"`
	Job    string    `json:"job"`
	Result sent      `json:"result"`
}

// parseKept parses the results of a file.
func parseKept(b []byte) (all []unread, err error) {
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var k unread
		if err := d.Decode(&k); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
}

// forget removes files of a total size from the list.
func (s *spool) forget(size int64, names ...string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.files = slices.DeleteFunc(s.files, func(f spooled) bool { return slices.Contains(names, f.name) })
	s.size = max(s.size-size, 0)
}

// aged returns a group's body with the current age of each result.
func (g *group) aged(now time.Time) results {
	for i := range g.body.Results {
		g.body.Results[i].AgeMS = max(now.Sub(g.at[i]).Milliseconds(), 0)
	}
	return g.body
}

// drop removes a group that was accepted.
func (s *spool) drop(g *group) error {
	var errs []error
	for _, name := range g.files {
		errs = append(errs, os.Remove(filepath.Join(s.dir, name)))
	}
	s.forget(g.bytes, g.files...)
	s.keep(g)
	return errors.Join(errs...)
}

// keep ends the transit of a group: the rest of its job may be sent.
func (s *spool) keep(g *group) {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.sending, g.body.Job)
}

// left returns the number of waiting results.
func (s *spool) left() (n int) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, f := range s.files {
		n += f.results
	}
	return n
}

// has reports whether results of a job wait.
func (s *spool) has(job string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return slices.ContainsFunc(s.files, func(f spooled) bool { return f.job == job })
}

package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ipcguard/internal/fleet/wire"
)

// spool is the results that the server has not taken yet: a file each, in the order in which they came.
//
//	results/00000000000000000042-JOB.json   {"at": …, "job": …, "result": {…}}
type spool struct {
	dir  string
	lock sync.Mutex
	next uint64
	size int64
	wake chan struct{}
}

// kept is one result as a file.
type kept struct {
	At     time.Time   `json:"at"` // when the host was asked, by this machine's clock
	Job    string      `json:"job"`
	Result wire.Result `json:"result"`
}

// maxSpool bounds the results on the disk in bytes: a million of them.
const maxSpool = 1 << 30

func openSpool(dir string) (*spool, error) {
	s := &spool{dir: filepath.Join(dir, spoolDir), wake: make(chan struct{}, 1)}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var n uint64
		if _, err := fmt.Sscanf(name, "%d-", &n); err == nil {
			s.next = max(s.next, n+1)
		}
		if info, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			s.size += info.Size()
		}
	}
	s.stir()
	return s, nil
}

// names are the files, the oldest first.
func (s *spool) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

func (s *spool) stir() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// full tells whether no more jobs are to be taken.
func (s *spool) full() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.size >= maxSpool
}

// put keeps a result.
func (s *spool) put(job string, at time.Time, r wire.Result) error {
	b, err := json.Marshal(kept{at.UTC(), job, r})
	if err != nil {
		return err
	}
	s.lock.Lock()
	n := s.next
	s.next++
	s.size += int64(len(b))
	s.lock.Unlock()
	if err := write(filepath.Join(s.dir, fmt.Sprintf("%020d-%s.json", n, job)), false, b); err != nil {
		return err
	}
	s.stir()
	return nil
}

// group is results of one job that are sent together.
type group struct {
	files []string
	bytes int64
	body  wire.Results
	at    []time.Time
}

// Bounds of a group: a request below the server's bound with room to spare.
const (
	maxGroup      = wire.MaxTargets
	maxGroupBytes = wire.MaxResults / 4
)

// oldest reads the oldest results of one job, and says whether there are any. A file that cannot be read, such as one that
// was half on the disk when the power went, is put aside.
func (s *spool) oldest() (group, error) {
	var g group
	names, err := s.names()
	if err != nil {
		return g, err
	}
	for _, name := range names {
		if len(g.files) == maxGroup || g.bytes > maxGroupBytes {
			break
		}
		path := filepath.Join(s.dir, name)
		b, err := os.ReadFile(path)
		var k kept
		if err == nil {
			err = json.Unmarshal(b, &k)
		}
		if err != nil {
			if err := os.Rename(path, path+".bad"); err != nil {
				return g, err
			}
			continue
		}
		if len(g.files) > 0 && k.Job != g.body.Job {
			break
		}
		g.body.Job = k.Job
		g.body.Results = append(g.body.Results, k.Result)
		g.at = append(g.at, k.At)
		g.files = append(g.files, name)
		g.bytes += int64(len(b))
	}
	return g, nil
}

// aged is a group's body with the age that each result has now.
func (g *group) aged(now time.Time) wire.Results {
	for i := range g.body.Results {
		g.body.Results[i].AgeMS = max(now.Sub(g.at[i]).Milliseconds(), 0)
	}
	return g.body
}

// drop removes what was taken.
func (s *spool) drop(g *group) error {
	var errs []error
	for _, name := range g.files {
		errs = append(errs, os.Remove(filepath.Join(s.dir, name)))
	}
	s.lock.Lock()
	s.size = max(s.size-g.bytes, 0)
	s.lock.Unlock()
	return errors.Join(errs...)
}

// left is how many results wait.
func (s *spool) left() int {
	names, _ := s.names() // a directory that cannot be read has none to send
	return len(names)
}

// has tells whether results of a job wait.
func (s *spool) has(job string) bool {
	names, _ := s.names() // a directory that cannot be read has none to send
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "-"+job+".json") })
}

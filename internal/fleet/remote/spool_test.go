package remote

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/fleet/wire"
)

// TestSpool: results of one moment share a file, a group contains one job only, and files of an older worker or a power
// failure are read or set aside.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s, err := openSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		for _, job := range []string{"A", "B"} {
			all.Go(func() {
				if err := s.put(job, time.Now(), wire.Result{Target: int64(i)}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if files, err := os.ReadDir(s.dir); err != nil || len(files) == 0 || s.left() != 40 {
		t.Errorf("%d results in %d files, %v", s.left(), len(files), err)
	}
	for name, text := range map[string]string{
		"00000000000000000900-A.json":   `{"job":"A","result":{"target":900}}`, // of an older worker
		"00000000000000000901-2-B.json": `{"job":"B","result":{"target":1}}` + "\n" + `{"job":"B","resu`,
		"notes.txt":                     "",
		newFile + "123":                 `{"job":"B","resu`,
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = openSpool(dir); err != nil { // killed and restarted
		t.Fatal(err)
	}
	one, err := s.oldest()
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.oldest()
	if err != nil || one.body.Job == other.body.Job || len(other.files) == 0 {
		t.Errorf("groups of %s and %s are on their way, %v: want one of each job", one.body.Job, other.body.Job, err)
	}
	if third, err := s.oldest(); err != nil || len(third.files) != 0 {
		t.Errorf("a second group of %s is on its way, %v", third.body.Job, err)
	}
	s.keep(&one)
	s.keep(&other)
	got := map[string]int{}
	for {
		g, err := s.oldest()
		if err != nil {
			t.Fatal(err)
		}
		if len(g.files) == 0 {
			break
		}
		got[g.body.Job] += len(g.body.Results)
		if err := s.drop(&g); err != nil {
			t.Fatal(err)
		}
		if s.has(g.body.Job) && len(g.body.Results) < 20 {
			t.Errorf("a group of %d of %s, and there are more", len(g.body.Results), g.body.Job)
		}
	}
	if got["A"] != 21 || got["B"] != 20 || s.left() != 0 || s.next != 902 {
		t.Errorf("%v, %d left, the next is %d", got, s.left(), s.next)
	}
	if _, err := os.Stat(filepath.Join(s.dir, newFile+"123")); err == nil {
		t.Error("what a killed worker had begun to write stays")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "00000000000000000901-2-B.json.bad")); err != nil {
		t.Errorf("what was half written is not put aside: %v", err)
	}
}

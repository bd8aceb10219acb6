package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestFullDisk runs itself again in a mount namespace of its own, where PostgreSQL's disk can be small.
func TestFullDisk(t *testing.T) {
	const inside = "IPCGUARD_TEST_SMALL_DISK"
	if os.Getenv(inside) == "" {
		t.Parallel()
		peer.Need(t, "namespaces")
		dir, err := os.MkdirTemp("", "disk")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", os.Args[0],
			"-test.run=^TestFullDisk$")
		cmd.Env = append(os.Environ(), inside+"="+dir, "TMPDIR="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := os.Getenv(inside)
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "mode=755,size=160m", "tmpfs",
		dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	server := peer.StartPostgres(t, peer.PostgresOptions{Durable: true})
	s := suiteOn(t, server.Database(t))
	if _, err := s.pool.Exec(s.ctx, `CHECKPOINT`); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	n, recorded := 0, int64(0)
	for round := range 3 {
		// Use up almost all free space. PostgreSQL then lacks room for a table or for the write-ahead log, which stops
		// the whole server.
		free := s.free(dir)
		s.ok(exec.CommandContext(s.ctx, "fallocate", "-l", fmt.Sprint(free-int64(1+5*round)<<20), ballast).Run())
		var err error
		for err == nil && n < 100_000 {
			r := s.scan(Run{}, Target{}, n, model.Exposed, "f1")
			r.Document = []byte(noise(n, 20_000))
			if _, err = s.RecordResult(s.ctx, r); err == nil {
				recorded++
			}
			n++
		}
		if !errors.Is(err, ErrFull) && !errors.Is(err, ErrUnavailable) {
			t.Fatalf("after %d results: %v", recorded, err)
		}
		t.Logf("after %d results: %v", recorded, err)
		s.ok(os.Remove(ballast))
		server.Kill(t) // it may or may not be down already
		server.Start(t)
		for range 8 { // the pool finds its connections dead
			_, err := s.Sites(s.ctx)
			if err == nil {
				break
			}
			if !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
		}
		s.consistent()
		if errors.Is(err, ErrUnavailable) && s.number(`SELECT count(*) FROM hosts`) == recorded+1 {
			recorded++ // it was written, and the server died before it answered
		}
		for _, table := range []string{"hosts", "results", "documents", "addresses"} {
			if got := s.number(`SELECT count(*) FROM ` + table); got != recorded {
				t.Errorf("%d rows in %s after %d results", got, table, recorded)
			}
		}
	}
	s.record(s.scan(Run{}, Target{}, n, model.Exposed, "f1"))
}

// free returns the free space of a file system in bytes.
func (s *suite) free(dir string) int64 {
	s.Helper()
	out, err := exec.CommandContext(s.ctx, "stat", "-f", "-c", "%a %S", dir).Output()
	s.ok(err)
	var blocks, size int64
	_, err = fmt.Sscan(string(out), &blocks, &size)
	s.ok(err)
	return blocks * size
}

// noise returns text that does not compress.
func noise(seed, size int) string {
	var b strings.Builder
	for x := uint64(seed) + 1; b.Len() < size; x ^= x << 17 {
		x ^= x << 13
		x ^= x >> 7
		fmt.Fprintf(&b, "%016x", x)
	}
	return b.String()
}

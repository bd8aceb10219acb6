package peer_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
)

func psql(t *testing.T, dsn, command string) (string, error) {
	t.Helper()
	out, err := exec.Command("psql", "-XAtq", dsn, "-c", command).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	a, b := peer.Postgres(t), peer.Postgres(t)
	if out, err := psql(t, a, "CREATE TABLE x (n int); INSERT INTO x VALUES (7); SELECT n FROM x"); err != nil ||
		out != "7" {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := psql(t, b, "SELECT n FROM x"); err == nil {
		t.Errorf("another test's table is there: %s", out)
	}
}

// TestPostgresCPU lets the server work until it shows.
func TestPostgresCPU(t *testing.T) {
	t.Parallel()
	dsn := peer.Postgres(t)
	before, deadline := peer.PostgresCPU(t), time.Now().Add(time.Minute)
	for peer.PostgresCPU(t) <= before {
		if out, err := psql(t, dsn, "SELECT count(*) FROM generate_series(1, 100000)"); err != nil || out != "100000" {
			t.Fatalf("%v: %s", err, out)
		}
		if time.Now().After(deadline) {
			t.Fatal("a minute of work, and no processor time")
		}
	}
}

// TestPostgresEnds checks that committed data survives a kill, and that a stopped server is gone.
func TestPostgresEnds(t *testing.T) {
	t.Parallel()
	s := peer.StartPostgres(t, peer.PostgresOptions{Durable: true})
	dsn := s.Database(t)
	if out, err := psql(t, dsn, "CREATE TABLE x (n int); INSERT INTO x VALUES (7)"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, end := range []func(testing.TB){s.Kill, s.Stop} {
		end(t)
		if out, err := psql(t, dsn, "SELECT 1"); err == nil {
			t.Fatalf("it still answers %s", out)
		}
		s.Start(t)
		if out, err := psql(t, dsn, "SELECT n FROM x"); err != nil || out != "7" {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// TestPostgresIsStuck checks that a killed server is gone although one of its children does not notice.
func TestPostgresIsStuck(t *testing.T) {
	t.Parallel()
	s := peer.StartPostgres(t, peer.PostgresOptions{Durable: true})
	dsn := s.Database(t)
	pid, err := psql(t, dsn, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
	if err != nil {
		t.Fatalf("%v: %s", err, pid)
	}
	if out, err := exec.Command("kill", "-STOP", pid).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Kill(t)
	s.Start(t)
	if out, err := psql(t, dsn, "SELECT 1"); err != nil || out != "1" {
		t.Fatalf("%v: %s", err, out)
	}
}

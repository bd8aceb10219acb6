package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// PostgresServer is a PostgreSQL of the test: it listens only on a socket in its own directory. When the test's process
// ends in any way, it ends too and its directory is removed.
type PostgresServer struct {
	Dir string // of the socket and the data

	bin      string
	durable  bool
	owner    *account // nil if the test does not run as root
	mu       sync.Mutex
	keeper   *exec.Cmd // the parent of a running server
	leash    io.Closer
	words    *tail
	database atomic.Int64
}

// PostgresOptions configure a server.
type PostgresOptions struct {
	// Durable waits for the disk as a production server does: for tests that kill it.
	Durable bool
}

// Databases returns both kinds of database by the store's names, each as a function that creates an empty one for the
// test.
func Databases() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return filepath.Join(t.TempDir(), "fleet.db") },
		"postgres": Postgres,
	}
}

// Postgres returns the address of an empty database for the test, on one server for all tests of the binary. The
// database is dropped with the test.
func Postgres(t testing.TB) string {
	t.Helper()
	needPostgres(t)
	s, err := sharedPostgres()
	if err != nil {
		t.Fatalf("peer: starting PostgreSQL: %v", err)
	}
	return s.Database(t)
}

// sharedPostgres is started by the first test that needs it, and ends with the process.
var sharedPostgres = sync.OnceValues(func() (*PostgresServer, error) {
	s, err := newPostgres(PostgresOptions{})
	if err != nil {
		return nil, err
	}
	return s, s.start()
})

// StartPostgres starts a server for one test, which may stop, kill and restart it.
func StartPostgres(t testing.TB, o PostgresOptions) *PostgresServer {
	t.Helper()
	needPostgres(t)
	s, err := newPostgres(o)
	if err == nil {
		t.Cleanup(func() {
			s.Kill(t)
			_ = os.RemoveAll(s.Dir)
		})
		err = s.start()
	}
	if err != nil {
		t.Fatalf("peer: starting PostgreSQL: %v", err)
	}
	return s
}

func needPostgres(t testing.TB) {
	t.Helper()
	if _, err := postgresBin(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL is needed in CI: %v", err)
		}
		t.Skipf("needs PostgreSQL: %v", err)
	}
	Need(t, "psql")
}

// postgresBin returns the directory of the newest server's programs, which Debian keeps out of PATH.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errors.New("no program postgres in PATH or below /usr/lib/postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func newPostgres(o PostgresOptions) (*PostgresServer, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg") // short: a socket's path has at most 107 bytes
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{Dir: dir, bin: bin, durable: o.Durable}
	if os.Geteuid() == 0 { // postgres refuses to run as root
		if s.owner, err = unprivileged(); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, s.owner.uid, s.owner.gid); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := s.command(ctx, "initdb", "-D", s.data(), "-U", "ipcguard", "-A", "trust", "-E", "UTF8",
		"--locale=C.UTF-8", "--no-sync").CombinedOutput()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("initdb: %w: %s", err, lastLine(out))
	}
	return s, nil
}

// account is the account that a program runs as.
type account struct{ uid, gid int }

func unprivileged() (*account, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return &account{uid, gid}, nil
	}
	return nil, errors.New("no account postgres or nobody to run it as")
}

func (s *PostgresServer) data() string { return filepath.Join(s.Dir, "data") }

func (s *PostgresServer) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	s.own(cmd)
	return cmd
}

func (s *PostgresServer) own(cmd *exec.Cmd) {
	cmd.Dir = s.Dir
	if s.owner != nil {
		runAs(cmd, *s.owner)
	} else {
		ownGroup(cmd)
	}
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
}

// keeperScript runs the server until the pipe that is its input closes, which happens however the test's process ends.
// Then it removes the directory; "stop" and "kill" on the pipe only end the server. $1 is the directory, the rest the
// server.
const keeperScript = `
dir=$1; shift
"$@" </dev/null &
server=$!
echo $server
word=gone
read -r word
case $word in
stop) kill -INT $server ;;
kill) kill -KILL $server ;;
*) kill -QUIT $server ;;
esac
wait $server
[ "$word" = stop ] || [ "$word" = kill ] || rm -rf "$dir"
`

// start starts the server and waits until it answers.
func (s *PostgresServer) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper != nil {
		return errors.New("it runs already")
	}
	args := []string{
		"-c", keeperScript, "keeper", s.Dir, filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.Dir, "-c",
		"listen_addresses=",
		"-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "autovacuum_naptime=10s", "-c",
		"logging_collector=off",
	}
	if !s.durable {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	cmd := exec.CommandContext(context.Background(), "/bin/sh", args...) // it ends with its pipe
	s.own(cmd)
	s.words = &tail{}
	cmd.Stderr = s.words
	leash, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.keeper, s.leash = cmd, leash
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	err = eventually(ctx, func(ctx context.Context) error { return s.psql(ctx, "postgres", "SELECT 1") })
	if err != nil {
		return fmt.Errorf("%w; its last words: %s", err, s.words)
	}
	return nil
}

// Start starts a stopped or killed server, and waits until it answers.
func (s *PostgresServer) Start(t testing.TB) {
	t.Helper()
	// The children of a killed server need a moment to end, and until then no other server may open the data.
	deadline := time.Now().Add(30 * time.Second)
	for len(s.processes()) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if err := s.start(); err != nil {
		t.Fatalf("peer: starting PostgreSQL again: %v", err)
	}
}

// processes returns the processes whose working directory is the data directory, as with all of PostgreSQL's.
func (s *PostgresServer) processes() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range all {
		if dir, err := os.Readlink(link); err != nil || dir != s.data() {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Stop shuts the server down cleanly: it writes everything and disconnects clients. It does nothing if the server does
// not run.
func (s *PostgresServer) Stop(t testing.TB) { s.end(t, "stop") }

// childGrace is how long the children of a killed server have to notice, which takes them a moment. A child that waits
// for a lock never does if the holder of the lock ended first.
const childGrace = 5 * time.Second

// Kill ends the server with SIGKILL, like a crash. Its children end by themselves soon after, or are killed too.
func (s *PostgresServer) Kill(t testing.TB) { s.end(t, "kill") }

func (s *PostgresServer) end(t testing.TB, word string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper == nil {
		return
	}
	if _, err := io.WriteString(s.leash.(io.Writer), word+"\n"); err != nil {
		t.Errorf("peer: ending PostgreSQL: %v", err)
	}
	_ = s.leash.Close()
	if word == "kill" {
		defer time.AfterFunc(childGrace, func() {
			for _, pid := range s.processes() {
				if p, err := os.FindProcess(pid); err == nil {
					_ = p.Kill() // it may have ended by now
				}
			}
		}).Stop()
	}
	_ = s.keeper.Wait() // the exit status does not matter
	s.keeper = nil
}

// DSN returns the address of a database of the server.
func (s *PostgresServer) DSN(database string) string {
	return "postgres:///" + database + "?" + url.Values{"host": {s.Dir}, "user": {"ipcguard"}}.Encode()
}

// Database creates an empty database and returns its address. It is dropped with the test.
func (s *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.database.Add(1))
	if err := s.psql(t.Context(), "postgres", "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		t.Fatalf("peer: making a database: %v", err)
	}
	t.Cleanup(func() { // leftovers of a killed test are removed with the server
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = s.psql(ctx, "postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	})
	return s.DSN(name)
}

func (s *PostgresServer) psql(ctx context.Context, database, command string) error {
	out, err := exec.CommandContext(ctx, "psql", "-XAtq", "-h", s.Dir, "-U", "ipcguard", "-d", database, "-c",
		command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("psql: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

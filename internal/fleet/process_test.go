package fleet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ipcguard/internal/smbtest"
	"ipcguard/internal/store"
)

// TestMain lets a test start this program again: as a practice network in a process of its own, or as a server. Each
// ends when its standard input is closed.
func TestMain(m *testing.M) {
	var err error
	switch role := os.Getenv("IPCGUARD_TEST_ROLE"); role {
	case "":
		os.Exit(m.Run())
	case "practice":
		err = servePractice(os.Getenv("IPCGUARD_TEST_PROFILE"))
	case "serve", "idle":
		err = serveFleet(role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// servePractice answers on every loopback address, at each as a host with a different name.
func servePractice(profile string) error {
	var lock sync.Mutex
	hosts := map[netip.Addr]*smbtest.Host{}
	s, err := smbtest.StartMany("0.0.0.0:0", func(a netip.Addr) *smbtest.Host {
		lock.Lock()
		defer lock.Unlock()
		h := hosts[a]
		if h == nil {
			h, _ = smbtest.NewHost(profile, fmt.Sprintf("P%x", a.As4()))
			hosts[a] = h
		}
		return h
	})
	if err != nil {
		return err
	}
	fmt.Println(s.Port())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// serveFleet runs a server as the command line does.
func serveFleet(role string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	st, err := store.Open(ctx, os.Getenv("IPCGUARD_TEST_DATABASE"), store.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	o := optionsOf(slog.NewTextHandler(os.Stderr, nil))
	if role == "idle" { // with default options
		o = Options{Log: o.Log}
	}
	f, err := New(st, o)
	if err != nil {
		return err
	}
	fmt.Println(f.Name())
	return f.Serve(ctx)
}

// process is this program in another role.
type process struct {
	*exec.Cmd
	in    io.Closer
	first string // the first line of its output
}

func startProcess(t testing.TB, env ...string) *process {
	t.Helper()
	p, err := tryProcess(env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end() })
	return p
}

func tryProcess(env ...string) (*process, error) {
	p := &process{Cmd: exec.Command(os.Args[0], "-test.run=^$")}
	p.Env = append(os.Environ(), env...)
	p.Stderr = os.Stderr
	in, err := p.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	out, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.end()
		return nil, fmt.Errorf("the process ended at once: %w", err)
	}
	p.first = strings.TrimSpace(line)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return p, nil
}

// end stops the process and waits for it.
func (p *process) end() {
	p.in.Close()
	_ = p.Wait() // the status does not matter: it may have been killed
}

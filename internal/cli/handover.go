package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A planned restart passes the listening sockets to a new process as systemd does: descriptors from 3 on, their number
// in LISTEN_FDS. See sd_listen_fds(3). No connection is refused meanwhile. Open connections stay with the old process
// until they end.

const (
	socketsVariable = "LISTEN_FDS"
	socketsOf       = "LISTEN_PID"
	readyVariable   = "IPCGUARD_READY_FD" // the pipe on which the new process reports that it listens
	firstSocket     = 3
	maxSockets      = 1024
)

// handed are the listeners that this process received, by their addresses.
type handed map[string]net.Listener

// takeHanded returns the listeners that this process received.
func takeHanded() (handed, error) {
	text, pid := os.Getenv(socketsVariable), os.Getenv(socketsOf)
	if text == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return handed{}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("%s is %q", socketsVariable, text)
	}
	h := handed{}
	for i := range n {
		file := os.NewFile(uintptr(firstSocket+i), "handed socket")
		l, err := net.FileListener(file)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("handed socket %d: %w", i, err)
		}
		h[l.Addr().String()] = l
	}
	return h, nil
}

// take returns the listener of an address, once; nil if there is none.
func (h handed) take(address string) net.Listener {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil
	}
	l := h[a.String()]
	delete(h, a.String())
	return l
}

// close closes the listeners that nobody took.
func (h handed) close() {
	for _, l := range h {
		l.Close()
	}
}

// ready reports to the process before this one, and to systemd, that this process listens.
func ready() error {
	errs := []error{notifySystemd("READY=1\nMAINPID=" + strconv.Itoa(os.Getpid()))}
	if fd, err := strconv.Atoi(os.Getenv(readyVariable)); err == nil {
		f := os.NewFile(uintptr(fd), "ready")
		_, err := f.WriteString("ready\n")
		errs = append(errs, err, f.Close())
	}
	return errors.Join(errs...)
}

// notifySystemd notifies systemd, if it asked for that. See sd_notify(3).
func notifySystemd(state string) error {
	to := os.Getenv("NOTIFY_SOCKET")
	if to == "" {
		return nil
	}
	nc, err := net.Dial("unixgram", to)
	if err != nil {
		return err
	}
	defer nc.Close()
	_, err = nc.Write([]byte(state))
	return err
}

// handOver starts this program again with these listeners, and returns when the new process listens. Both then accept
// connections, until this process closes its own.
func handOver(ctx context.Context, listeners []*net.TCPListener) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	for _, l := range listeners {
		f, err := l.File()
		if err != nil {
			return err
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	said, say, err := os.Pipe()
	if err != nil {
		return err
	}
	defer said.Close()
	cmd.ExtraFiles = append(cmd.ExtraFiles, say)
	cmd.Env = append(withoutSockets(os.Environ()), fmt.Sprintf("%s=%d", socketsVariable, len(listeners)),
		fmt.Sprintf("%s=%d", readyVariable, firstSocket+len(listeners)))
	beside := besides(cmd)
	err = cmd.Start()
	say.Close()
	if err != nil {
		return err
	}
	if beside { // systemd waits for its end
		if err := awaitReady(ctx, said); err != nil {
			return errors.Join(err, cmd.Process.Kill())
		}
		return cmd.Process.Release()
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := awaitReady(ctx, said); err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(err, <-ended)
	}
	return nil
}

// handOverWait bounds how long a new process may take until it listens.
const handOverWait = 30 * time.Second

func awaitReady(ctx context.Context, said *os.File) error {
	stop := context.AfterFunc(ctx, func() { said.Close() })
	defer stop()
	if err := said.SetReadDeadline(time.Now().Add(handOverWait)); err != nil {
		return err
	}
	b := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(said, b); err != nil {
		return fmt.Errorf("the new process does not listen: %w", err)
	}
	return nil
}

func withoutSockets(env []string) []string {
	var out []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if name != socketsVariable && name != socketsOf && name != readyVariable && name != "LISTEN_FDNAMES" {
			out = append(out, v)
		}
	}
	return out
}

package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Client runs Samba's command line clients. The zero value is an anonymous client on this system.
type Client struct {
	From           *Machine // nil is this system
	User, Password string   // no user is a null session
	Domain         string
	MaxProtocol    string   // such as "NT1", "SMB2_02", "SMB3_11"; "SMB3_11" when empty
	Options        []string // further lines of the client's own smb.conf
}

// Answer is a client's output and exit.
type Answer struct {
	Text string // standard output and error, interleaved
	Exit int    // -1: ended by SIGPIPE with the connection
	// The first status in the text other than success, by name: STATUS_ACCESS_DENIED, WERR_ACCESS_DENIED.
	Status string
	CPU    time.Duration // spent by the client, user and system
}

// OK reports whether the client succeeded and printed no error status.
func (a Answer) OK() bool { return a.Exit == 0 && a.Status == "" }

func (a Answer) String() string {
	return fmt.Sprintf("exit %d, %s:\n%s", a.Exit, a.Status, a.Text)
}

// RPC runs these rpcclient commands in order on one connection.
func (c Client) RPC(t testing.TB, address string, commands ...string) Answer {
	t.Helper()
	host, port := splitAddress(t, address)
	return c.run(t, "rpcclient", "--port", port, "--command", strings.Join(commands, ";"), host)
}

// List runs smbclient -L, which lists shares.
func (c Client) List(t testing.TB, address string) Answer {
	t.Helper()
	host, port := splitAddress(t, address)
	return c.run(t, "smbclient", "--port", port, "--grepable", "--list", host)
}

// Share connects to a share with smbclient and runs these commands there.
func (c Client) Share(t testing.TB, address, share string, commands ...string) Answer {
	t.Helper()
	host, port := splitAddress(t, address)
	return c.run(t, "smbclient", "--port", port, "--command", strings.Join(commands, ";"), `\\`+host+`\`+share)
}

func (c Client) run(t testing.TB, program string, args ...string) Answer {
	t.Helper()
	Need(t, program)
	cmd := c.command(t, program, args...)
	answer, err := Run(cmd)
	if err != nil {
		t.Fatalf("peer: running %s: %v", program, err)
	}
	return answer
}

func (c Client) command(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	parent := ""
	if c.From != nil {
		parent = c.From.Dir // deleted with the machine, even if the test is killed
	}
	dir, err := os.MkdirTemp(parent, "ipcguard-client-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	protocol := c.MaxProtocol
	if protocol == "" {
		protocol = "SMB3_11"
	}
	oldest := "SMB2_02"
	if protocol == "NT1" {
		oldest = "NT1"
	}
	// A private configuration: the client neither reads nor writes the system's smb.conf and caches.
	lines := []string{
		"[global]",
		"client min protocol = " + oldest,
		"client max protocol = " + protocol,
		"client ipc min protocol = " + oldest,
		"client ipc max protocol = " + protocol,
		"lock directory = " + dir,
		"state directory = " + dir,
		"cache directory = " + dir,
		"private dir = " + dir,
		"pid directory = " + dir,
		"name resolve order = host",
	}
	config := filepath.Join(dir, "smb.conf")
	text := strings.Join(append(lines, c.Options...), "\n") + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	who := []string{"--user", "%"}
	if c.User != "" {
		file := filepath.Join(dir, "who")
		text := fmt.Sprintf("username = %s\npassword = %s\ndomain = %s\n", c.User, c.Password, c.Domain)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		who = []string{"--authentication-file", file}
	}
	args = append(append([]string{"--configfile", config}, who...), args...)
	return c.From.Command(t.Context(), program, args...)
}

func splitAddress(t testing.TB, address string) (host, port string) {
	t.Helper()
	host, port, ok := strings.Cut(address, ":")
	if !ok {
		return address, "445"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		t.Fatalf("peer: %q is not host:port", address)
	}
	return host, port
}

// statusName matches a status as printed by Samba's and impacket's programs.
var statusName = regexp.MustCompile(`\b(?:NT_)?(STATUS_[A-Z0-9_]+|WERR_[A-Z0-9_]+)\b`)

// Run runs a client and collects its output. It returns an error if the program did not run, not if the server refused
// it.
func Run(cmd *exec.Cmd) (Answer, error) {
	out, err := cmd.CombinedOutput()
	answer := Answer{Text: string(out), CPU: CPU(cmd)}
	var exit *exec.ExitError
	switch {
	// It wrote when the server had gone.
	case errors.As(err, &exit) && (exit.ExitCode() >= 0 || exit.String() == "signal: broken pipe"):
		answer.Exit = exit.ExitCode()
	case err != nil:
		return answer, fmt.Errorf("%w: %s", err, lastLine(out))
	}
	for _, found := range statusName.FindAllStringSubmatch(answer.Text, -1) {
		if name := found[1]; name != "STATUS_OK" && name != "WERR_OK" && name != "STATUS_SUCCESS" {
			answer.Status = name
			break
		}
	}
	return answer, nil
}

// CPU returns the processor time, user and system, of a command that has ended and of the children it waited for.
func CPU(cmd *exec.Cmd) time.Duration {
	if cmd.ProcessState == nil {
		return 0
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// Tshark runs tshark and returns its standard output. A capture that ends inside a packet is no failure.
func Tshark(t testing.TB, args ...string) string {
	t.Helper()
	Need(t, "tshark")
	return tshark(t, t.Context(), args)
}

// Fields returns the named fields of every frame of a capture that matches the filter, one row a frame. Several values
// of a field in a frame are joined by commas.
func Fields(t testing.TB, capture, filter string, fields ...string) [][]string {
	t.Helper()
	args := []string{"-r", capture, "-T", "fields", "-E", "separator=/t"}
	if filter != "" {
		args = append(args, "-Y", filter)
	}
	for _, field := range fields {
		args = append(args, "-e", field)
	}
	var rows [][]string
	for line := range strings.Lines(Tshark(t, args...)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

func tshark(t testing.TB, ctx context.Context, args []string) string {
	t.Helper()
	// -n: never resolve names.
	cmd := (*Machine)(nil).Command(ctx, "tshark", append([]string{"-n"}, args...)...)
	var complaint tail
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil && !strings.Contains(complaint.String(), "cut short") {
		t.Fatalf("peer: tshark %s: %v: %s", strings.Join(args, " "), err, complaint.String())
	}
	return string(out)
}

// Shell is a connected rpcclient that runs one command after the other.
type Shell struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// RPCShell connects an rpcclient that runs until it is closed.
func (c Client) RPCShell(t testing.TB, address string) *Shell {
	t.Helper()
	Need(t, "rpcclient")
	host, port := splitAddress(t, address)
	s := &Shell{cmd: c.command(t, "rpcclient", "--port", port, host)}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("peer: running rpcclient: %v", err)
	}
	return s
}

// Do runs a command and waits for a line of its output that contains this text.
func (s *Shell) Do(t testing.TB, command, text string) {
	t.Helper()
	if _, err := io.WriteString(s.in, command+"\n"); err != nil {
		t.Fatalf("peer: rpcclient %s: %v", command, err)
	}
	var said strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		said.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			t.Fatalf("peer: rpcclient %s: %v: %s", command, err, said.String())
		}
	}
}

// Close ends the rpcclient.
func (s *Shell) Close() error {
	_ = s.in.Close()
	return s.cmd.Wait()
}

package web

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"ipcguard/internal/peer"
)

// TestNewcomer is the first day of somebody with five Samba servers, and with nothing but the program: start, the
// set-up link, the five servers, what to do first, a plan for each exposed one, the commands that the page shows,
// pasted on that server, and a second scan that says closed. Everything is found by what the page shows. The number of
// steps is held; the time is told.
func TestNewcomer(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "chromium")
	t.Parallel()
	program := filepath.Join(t.TempDir(), "ipcguard")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "ipcguard/cmd/ipcguard").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var servers, exposed []*labServer
	long := os.Getenv("IPCGUARD_LONG") != ""
	for i, x := range []struct {
		name       string
		open, shut []string // how it is configured; an open one takes seconds to scan and to prove
		longer     bool     // open in the long tests alone
	}{
		{name: "FILES"}, // as Samba comes
		{name: "PRINT", open: []string{"map to guest = Bad User"}},
		{
			name: "ATTIC", open: []string{"server min protocol = NT1", "restrict anonymous = 1"},
			shut: []string{"server min protocol = NT1", "restrict anonymous = 2"}, longer: true,
		},
		{
			name: "BACKUP", open: []string{"map to guest = Bad Password"},
			shut: []string{"restrict anonymous = 2", "server signing = mandatory"}, longer: true,
		},
		{name: "VAULT", shut: []string{"restrict anonymous = 2", "map to guest = Never"}},
	} {
		open := x.shut == nil || x.longer && long
		s := newLabServer(t, program, fmt.Sprintf("127.46.5.%d", i+1), x.name,
			map[bool][]string{true: x.open, false: x.shut}[open]...)
		if servers = append(servers, s); open {
			exposed = append(exposed, s)
		}
	}
	link := serve(t, program)

	base, path, _ := strings.Cut(strings.TrimPrefix(link, "https://"), "/")
	p := tabAt(t, browser(t, chromedp.Flag("ignore-certificate-errors", true)), "https://"+base)
	p.size(1440, false)
	said := p.listen()
	w := p.walk(t)
	w.open("/" + path) // as the terminal shows it
	w.fill("Name", "ada")
	w.fill("Password", "tangerine 42")
	w.fill("The password again", "tangerine 42")
	w.click("Create the account")
	w.says("No host was scanned yet")

	w.click("Name targets")
	var names []string
	for _, s := range servers {
		names = append(names, s.Addr())
	}
	w.paste("Names, addresses or ranges", strings.Join(names, "\n"))
	w.click("Add")
	w.says("5 targets were added")
	w.click("Scan all of them")
	w.until("Ended")
	w.says("5 of 5 done")
	w.click("What to do first")
	w.says("Audit the hosts", "What fixes most", "Worst hosts", "restrict anonymous")

	// Plans start from audits: one command makes that of each server.
	audit := w.commands()[0]
	audits := make([]string, len(servers))
	w.pasted += len(servers) + 1 // and one to bring the files here
	together(t, servers, func(i int, s *labServer) {
		if out, code := s.terminal(t, audit, ""); code != 0 && code != 3 {
			t.Errorf("%s: %d\n%s", audit, code, out)
		}
		if made, err := filepath.Glob(filepath.Join(s.home, "audit-*.json")); err == nil && len(made) == 1 {
			audits[i] = made[0]
		}
	})
	w.click("Import the audits")
	w.pick("JSON files", audits...)
	w.click("Import")
	w.says("5 of 5 results were taken")
	w.click("what to do first")

	commands := make([][]string, len(exposed))
	for i, s := range exposed {
		if i > 0 {
			w.click("Overview")
		}
		w.clickBeside(s.name, "Worst hosts")
		w.click("Plan")
		w.says("The plan is made.", "Before")
		name, plan := w.save("Save the plan")
		if err := os.WriteFile(filepath.Join(s.home, name), plan, 0o600); err != nil {
			t.Fatal(err)
		}
		if commands[i] = w.commands(); len(commands[i]) != 3 {
			t.Fatalf("%s shows the commands %q", s.name, commands[i])
		}
		w.pasted += 3 // the file is copied there too, and it is applied and confirmed
	}
	w.pasted++ // the first time somebody looks before
	together(t, exposed, func(i int, s *labServer) {
		if i == 0 {
			if out, code := s.terminal(t, commands[i][0], ""); code != 0 || !strings.Contains(out, "Nothing was written") {
				t.Errorf("%s: %s: %d\n%s", s.name, commands[i][0], code, out)
				return
			}
		}
		s.applies(t, commands[i][1:])
	})
	w.click("Targets")
	w.click("Scan all of them")
	w.until("Ended")
	w.click("Overview")
	w.says("100 of 100")
	for _, s := range exposed {
		if !strings.Contains(w.main(), s.name+" is closed now") {
			t.Errorf("the overview does not say that %s is closed now: %s", s.name, w.main())
		}
		w.find(s.name, "Audit again", false) // its audit is of before
	}
	w.report()
	n := len(exposed)
	if clicks, pastes := 12+4*n, 7+3*n; w.clicks > clicks || w.fields > 4 || w.pasted > pastes {
		t.Errorf("%d clicks, %d fields and %d pastes, want at most %d, 4 and %d", w.clicks, w.fields, w.pasted, clicks,
			pastes)
	}
	said.none(t)
}

// labServer is a real Samba server on a machine of its own, with the program on it and somebody at its terminal.
type labServer struct {
	*peer.Samba
	name, home string
}

func newLabServer(t *testing.T, program, address, name string, global ...string) *labServer {
	t.Helper()
	s := &labServer{Samba: peer.StartSamba(t,
		peer.Config{Address: address, Users: []string{}, Global: append([]string{"netbios name = " + name},
			global...)}), name: name}
	s.home = filepath.Join(s.Dir, "root")
	// The program is where programs are, and what it keeps stays on this machine.
	if out, code := s.terminal(t, fmt.Sprintf(`set -e; mkdir -p %[1]s/root %[1]s/varlib/samba %[1]s/varlib/ipcguard %[1]s/bin; cp %[2]s %[1]s/bin/
		mount --bind /var/lib/samba %[1]s/varlib/samba; mount --rbind %[1]s/varlib /var/lib`, s.Dir, program), ""); code != 0 {
		t.Fatalf("%d\n%s", code, out)
	}
	return s
}

// together does something on several servers at once, as somebody does with a window for each.
func together(t *testing.T, servers []*labServer, do func(i int, s *labServer)) {
	t.Helper()
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() { do(i, s) })
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// applies types the lines that a host's page shows: it says yes, and confirms what was applied.
func (s *labServer) applies(t *testing.T, lines []string) {
	out, code := s.terminal(t, lines[0], "y\n")
	_, rest, asked := strings.Cut(out, "ipcguard confirm ")
	if code != 0 || !asked {
		t.Errorf("%s: %s: %d\n%s", s.name, lines[0], code, out)
		return
	}
	if out, code = s.terminal(t, strings.Replace(lines[1], "ID", strings.Fields(rest)[0], 1), ""); code != 0 {
		t.Errorf("%s: %s: %d\n%s", s.name, lines[1], code, out)
	}
}

// terminal types a line at the server's terminal, and answers what it asks.
func (s *labServer) terminal(t *testing.T, line, answer string) (said string, code int) {
	// script makes a terminal: without one the program does not ask.
	cmd := s.Command(t.Context(), "bash", "-c",
		`cd "$0" 2>/dev/null; PATH=$1/bin:$PATH; exec script -qec "$2" /dev/null`, s.home, s.Dir, line)
	cmd.Stdin = strings.NewReader(answer)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return err.Error(), -1
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// serve starts the fleet's server as a newcomer does, and gives the set-up link that it prints.
func serve(t *testing.T, program string) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "serve", "--state",
		filepath.Join(t.TempDir(), "serve"), "--listen", "127.46.5.100:0")
	cmd.Env = os.Environ()
	errs, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	var runs []string
	links := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(errs); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if _, run, ok := strings.Cut(lines.Text(), `msg="a run is done" `); ok {
				runs = append(runs, run)
			}
			if _, link, ok := strings.Cut(lines.Text(), "set-up link, for once: "); ok {
				links <- link
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("told to stop: %v", err)
		}
		t.Logf("the runs: %q", runs)
		if t.Failed() {
			t.Logf("the server said:\n%s", said.String())
		}
	})
	select {
	case link := <-links:
		return link
	case <-ended:
		t.Fatalf("the server ended:\n%s", said.String())
		return ""
	}
}

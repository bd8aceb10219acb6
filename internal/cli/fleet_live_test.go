//go:build linux

package cli

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// TestFleet is the whole of it on real servers: a closed Samba server that answers on many addresses, one that is made
// weak while it is watched, and a domain controller in a network of its own that only a second worker reaches. The
// event, the notification, the page and the plan tell of it; the plan is applied with the program, and the page says
// closed.
func TestFleet(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: a domain controller takes half a minute")
	}
	peer.Need(t, "smbd", "samba-dc")
	database := peer.Postgres(t)
	dir := t.TempDir()
	program := buildProgram(t, dir)

	shut := []string{"restrict anonymous = 2", "map to guest = Never"}
	many := peer.StartSamba(t, peer.Config{Address: "0.0.0.0", Global: shut})
	watched := peer.StartSamba(t, peer.Config{Address: "127.48.2.1", Global: shut})
	dc := peer.StartDC(t)

	hook := newHook(t)
	s := startServer(t, program, dir, database)

	p := s.page(t)
	p.setUp(t, s.token)
	p.post(t, "/sites", url.Values{"name": {"headquarters"}})
	w := insider(t, s, p, dc.Client, program)
	p.post(t, "/channels", url.Values{
		"kind": {"webhook"}, "name": {"hook"}, "url": {hook.url}, "key": {hook.key}, "loopback": {"on"},
		"enabled": {"on"}, "least": {"info"},
	})
	var table strings.Builder
	table.WriteString("spec,site,tags,owner,audit_source\n")
	addresses := 8 // of one smbd, whose helpers cost it seconds for each
	if os.Getenv("IPCGUARD_LONG") != "" {
		addresses = 64
	}
	for i := range addresses {
		fmt.Fprintf(&table, "127.48.1.%d:%d,,branch,bob,\n", i+1, many.Port)
	}
	fmt.Fprintf(&table, "%s,,watched,ada,%s\n", watched.Addr(), watched.ConfigFile)
	fmt.Fprintf(&table, "%s,headquarters,dc,ada,\n", dc.Addr())
	p.upload(t, "/targets/import", "targets.csv", table.String())

	run := p.run(t, url.Values{"kind": {"scan"}})
	p.until(t, "the server's own site is done", func() bool { return len(p.hosts(t, "")) == addresses+1 })
	if runEnded(p.get(t, run)) || len(p.hosts(t, "?site=headquarters")) != 0 {
		t.Error("a host of a site without a worker is done")
	}
	start(t, w) // now somebody is inside, who has neither database nor key
	p.until(t, "the other site is done", func() bool { return runEnded(p.get(t, run)) })
	for _, h := range p.hosts(t, "") {
		want := model.Closed
		if h.Site == "headquarters" {
			want = model.Exposed // a domain controller as it comes
		}
		if h.Verdict != want {
			t.Errorf("%s at %s: %s, want %s", h.Address, h.Site, h.Verdict, want)
		}
	}
	audit := p.run(t, url.Values{"kind": {"audit"}, "tag": {"watched"}})
	p.until(t, "the audit", func() bool { return runEnded(p.get(t, audit)) })

	watched.Edit(t, func(c *peer.Config) { c.Global = []string{"map to guest = Bad User"} })
	watched.Reload(t)
	for _, kind := range []string{"scan", "audit"} {
		r := p.run(t, url.Values{"kind": {kind}, "tag": {"watched"}})
		p.until(t, kind+" of the weak one", func() bool { return runEnded(p.get(t, r)) })
	}
	weak := p.hosts(t, "?tag=watched")
	if len(weak) != 1 || weak[0].Verdict != model.Exposed {
		t.Fatalf("made weak: %+v", weak)
	}
	events := p.events(t)
	if !events[store.EventBecameExposed] || !events[store.EventSettingChanged] && !events[store.EventSettingReverted] {
		t.Errorf("events: %v", events)
	}
	p.until(t, "the notification", func() bool { return hook.got(store.EventBecameExposed) })

	host := fmt.Sprintf("/hosts/%d", weak[0].ID)
	if page := p.get(t, host); !strings.Contains(page, "exposed") {
		t.Error("the host's page does not say that it is exposed")
	}
	p.post(t, host+"/plan", url.Values{"strategy": {"restrict"}})
	plan := filepath.Join(dir, "plan.json")
	if err := os.WriteFile(plan, []byte(p.get(t, host+"/plan.json")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := watched.Command(t.Context(), program, "apply", plan, "--yes", "--target", "samba:"+watched.ConfigFile,
		"--state", filepath.Join(watched.Dir, "state"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	r := p.run(t, url.Values{"kind": {"scan"}, "tag": {"watched"}})
	p.until(t, "the last scan", func() bool { return runEnded(p.get(t, r)) })
	if now := p.hosts(t, "?tag=watched"); len(now) != 1 || now[0].Verdict != model.Closed {
		t.Errorf("after apply: %+v", now)
	}
	p.until(t, "the good news", func() bool { return hook.got(store.EventBecameClosed) })
	if !hook.signed() {
		t.Error("a notification came without a good signature")
	}
	programs(t, s, p)
	secretStays(t, s, hook)
	s.stop(t)
}

// programs asks the API what the page shows, with a token that the page made.
func programs(t *testing.T, s *fleetServer, p *visitor) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/account/tokens",
		strings.NewReader(url.Values{
			"name": {"test"}, "scope": {"read"}, "until": {time.Now().Add(48 * time.Hour).Format(time.DateOnly)},
			"proof": {"correct horse battery"},
		}.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	page, _ := p.do(t, r, err)
	token := regexp.MustCompile(`ipcg_[A-Za-z0-9_-]+`).FindString(page)
	if token == "" {
		t.Fatalf("no token on the page:\n%s", page)
	}
	ask := func(secret string) (status int, body []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/hosts?site=headquarters", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		a, err := p.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, err = io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, body
	}
	if status, body := ask(token); status != http.StatusOK || !bytes.Contains(body, []byte(`"exposed"`)) {
		t.Errorf("the API says %d: %s", status, body)
	}
	if status, _ := ask(token + "x"); status != http.StatusUnauthorized {
		t.Errorf("a wrong token is answered with %d", status)
	}
	if strings.Contains(s.log(), token) {
		t.Error("the token is in the log")
	}
}

// secretStays looks for secrets where they must not be.
func secretStays(t *testing.T, s *fleetServer, h *hook) {
	t.Helper()
	log := s.log()
	for _, secret := range []string{h.key, "correct horse battery", h.url} {
		if strings.Contains(log, secret) {
			t.Errorf("a secret is in the log")
		}
	}
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(arguments, []byte("postgres:")) {
		t.Error("the database's address is in the arguments")
	}
}

// fleetServer is the program, serving.
type fleetServer struct {
	cmd        *exec.Cmd
	url, token string
	workers    string // https://HOST:PORT of the listener for workers

	mu    sync.Mutex
	lines []string
}

func (s *fleetServer) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// startServer starts a server with a listener for workers; further flags count more than its own.
func startServer(t *testing.T, program, dir, database string, flags ...string) *fleetServer {
	t.Helper()
	args := append([]string{
		"serve", "--state", filepath.Join(dir, "serve"), "--listen", "127.48.0.2:0", "--workers", "127.48.0.2:0",
		"--no-unknown-user", "--concurrency", "2",
	}, flags...)
	s := &fleetServer{cmd: exec.CommandContext(t.Context(), program, args...)}
	s.cmd.Env = append(os.Environ(), databaseVariable+"="+database)
	errs, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		told := sync.OnceFunc(func() { close(ready) })
		for lines := bufio.NewScanner(errs); lines.Scan(); {
			line := lines.Text()
			s.mu.Lock()
			s.lines = append(s.lines, line)
			s.mu.Unlock()
			if rest, ok := strings.CutPrefix(line, "ipcguard: page: "); ok {
				s.url = rest
			}
			if _, token, ok := strings.Cut(line, "/setup?token="); ok {
				s.token = token
			}
			// the last that it says
			if rest, ok := strings.CutPrefix(line, "ipcguard: workers: ipcguard worker join "); ok {
				s.workers = rest
				told()
			}
		}
	}()
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill()
			<-ended
			_ = s.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("the server said:\n%s", s.log())
		}
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("the server ended:\n%s", s.log())
	case <-time.After(4 * time.Minute):
		t.Fatalf("the server is not ready:\n%s", s.log())
	}
	return s
}

// stop ends the server as systemd does, and wants it to end well.
func (s *fleetServer) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("told to stop: %v", err)
	}
}

// insider joins a worker from a network that reaches the server by a relay alone, and gives the command that runs it.
func insider(t *testing.T, s *fleetServer, p *visitor, inside *peer.Machine, program string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "relay")
	outside, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outside.Close() })
	go forward(outside, func() (net.Conn, error) { return net.Dial("tcp", strings.TrimPrefix(s.workers, "https://")) })
	in := inside.Command(t.Context(), os.Args[0], "-test.run=^TestRelay$")
	in.Env = append(os.Environ(), relayVariable+"="+socket)
	start(t, in)

	code := p.joinCode(t, "headquarters", "inside")
	state := filepath.Join(dir, "worker")
	join := func() ([]byte, error) {
		c := inside.Command(t.Context(), program, "worker", "join", "https://"+relayAddress, "--state", state)
		c.Env = append(os.Environ(), joinVariable+"="+code)
		return c.CombinedOutput()
	}
	said, err := join()
	// the relay is not there yet
	for tries := 0; err != nil && tries < 1000 && strings.Contains(string(said), "refused"); tries++ {
		time.Sleep(100 * time.Millisecond)
		said, err = join()
	}
	if err != nil || !strings.Contains(string(said), "joined as inside for the site headquarters") {
		t.Fatalf("joining: %v\n%s", err, said)
	}
	return inside.Command(t.Context(), program, "worker", "--state", state, "--no-unknown-user")
}

// relayVariable names the socket that TestRelay leads to, from relayAddress in its own network.
const (
	relayVariable = "IPCGUARD_TEST_RELAY"
	relayAddress  = "127.0.0.1:8444"
)

// TestRelay is no test: started once more in another network, this program leads from there to a socket.
func TestRelay(t *testing.T) {
	socket := os.Getenv(relayVariable)
	if socket == "" {
		t.Skip("it is a part of TestFleet")
	}
	l, err := net.Listen("tcp", relayAddress)
	if err != nil {
		t.Fatal(err)
	}
	forward(l, func() (net.Conn, error) { return net.Dial("unix", socket) })
}

// forward joins every connection to a listener with one of its own.
func forward(l net.Listener, dial func() (net.Conn, error)) {
	for {
		a, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer a.Close()
			b, err := dial()
			if err != nil {
				return
			}
			defer b.Close()
			go func() {
				_, _ = io.Copy(b, a)
				b.Close()
			}()
			_, _ = io.Copy(a, b)
		}()
	}
}

// start runs a process until the test ends.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the worker said:\n%s", said.String())
		}
	})
}

func (s *fleetServer) page(t *testing.T) *visitor {
	t.Helper()
	return newVisitor(t, s.url)
}

// hook takes notifications and checks their signatures.
type hook struct {
	url, key string

	mu     sync.Mutex
	kinds  map[string]bool
	good   int
	forged int
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{key: "0123456789abcdef-of-the-test", kinds: map[string]bool{}}
	l, err := net.Listen("tcp", "127.48.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + l.Addr().String() + "/a-path-that-is-a-secret"
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return h
}

func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	stamp, mac, _ := strings.Cut(r.Header.Get("X-Ipcguard-Signature"), ",")
	want := hmac.New(sha256.New, []byte(h.key))
	fmt.Fprintf(want, "%s.%s", strings.TrimPrefix(stamp, "t="), body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if mac != "v1="+hex.EncodeToString(want.Sum(nil)) {
		h.forged++
		return
	}
	h.good++
	for _, kind := range []store.EventKind{store.EventBecameExposed, store.EventBecameClosed, store.EventWeakLogon} {
		if strings.Contains(string(body), `"`+string(kind)+`"`) {
			h.kinds[string(kind)] = true
		}
	}
}

func (h *hook) got(kind store.EventKind) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kinds[string(kind)]
}

func (h *hook) signed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.good > 0 && h.forged == 0
}

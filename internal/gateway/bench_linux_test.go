package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// atWork makes the test's program a gateway, atRelay one that only copies bytes: measurements need them in processes of
// their own.
const (
	atWork  = "IPCGUARD_TEST_GATEWAY"
	atRelay = "IPCGUARD_TEST_RELAY"
)

func TestMain(m *testing.M) {
	for variable, run := range map[string]func(string) error{atWork: work, atRelay: relay} {
		route := os.Getenv(variable)
		if route == "" {
			continue
		}
		if err := run(route); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// work runs a gateway until standard input ends, and prints its address.
func work(route string) error {
	listen, to, _ := strings.Cut(route, " ")
	way, err := NewWay(Route{To: to})
	if err != nil {
		return err
	}
	l, err := Listen(context.Background(), listen)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	g := New(Options{Limits: Limits{PerClient: 10000}})
	err = g.Serve(ctx, l, way)
	if ctx.Err() == nil {
		return err
	}
	now, stop := context.WithTimeout(context.Background(), time.Millisecond)
	defer stop()
	g.Shutdown(now)
	return nil
}

// relay copies bytes until standard input ends: the minimum that any proxy in Go does for a connection.
func relay(route string) error {
	listen, to, _ := strings.Cut(route, " ")
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		l.Close()
	}()
	for {
		client, err := l.Accept()
		if err != nil {
			return nil // the usual end
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer server.Close()
			go func() {
				_, _ = io.Copy(client, server)
				client.Close()
			}()
			_, _ = io.Copy(server, client)
		}()
	}
}

// startWork starts a gateway or a relay in a process of its own.
func startWork(t testing.TB, as, listen, to string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), as+"="+listen+" "+to)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	b := make([]byte, 64)
	n, err := out.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(string(b[:n]))
}

// startHAProxy starts HAProxy in TCP mode with default settings.
func startHAProxy(t testing.TB, to string) (*exec.Cmd, string) {
	t.Helper()
	peer.Need(t, "haproxy")
	const host = "127.21.5.3"
	port := peer.FreePort(t, host)
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	config := fmt.Sprintf(`global
 maxconn 1000
defaults
 mode tcp
 option splice-auto
 timeout connect 10s
 timeout client 1h
 timeout server 1h
listen smb
 bind %s:%d
 server s %s
`, host, port, to)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := (*peer.Machine)(nil).Command(t.Context(), "haproxy", "-db", "-f", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address := net.JoinHostPort(host, strconv.Itoa(port))
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if nc, err := net.Dial("tcp", address); err == nil {
			nc.Close()
			return cmd, address
		}
	}
	t.Fatal("haproxy does not listen")
	return nil, ""
}

// BenchmarkWays compares the gateway with no proxy and with HAProxy in TCP mode, in one run, in front of a server that
// only fills buffers: sequential READs and WRITEs of 1 MiB and READs of 4 KiB.
func BenchmarkWays(b *testing.B) {
	to := filler(b, "127.21.5.1:0")
	_, through := startWork(b, atWork, "127.21.5.2:0", to)
	_, haproxy := startHAProxy(b, to)
	for _, op := range []struct {
		name string
		size int
		body func(size int) smb2.Body
	}{
		{"read 1 MiB", 1 << 20, func(n int) smb2.Body { return &smb2.ReadRequest{Length: uint32(n)} }},
		{"write 1 MiB", 1 << 20, func(n int) smb2.Body { return &smb2.WriteRequest{Data: make([]byte, n)} }},
		{"read 4 KiB", 4 << 10, func(n int) smb2.Body { return &smb2.ReadRequest{Length: uint32(n)} }},
	} {
		for _, way := range []struct{ name, address string }{
			{"direct", to},
			{"haproxy", haproxy},
			{"gateway", through},
		} {
			b.Run(op.name+"/"+way.name, func(b *testing.B) {
				w := comeIn(b, way.address)
				exchange(b, w, op.body(op.size), op.size)
			})
		}
	}
}

// exchange repeats a request.
func exchange(b *testing.B, w *wire, body smb2.Body, size int) {
	command := smb2.Read
	if _, ok := body.(*smb2.WriteRequest); ok {
		command = smb2.Write
	}
	m := w.message(command, body)
	frame := append(nbss.AppendHeader(nil, nbss.SessionMessage, len(m)), m...)
	in := make([]byte, 2<<20)
	if err := w.nc.SetDeadline(time.Time{}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size))
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		w.raw(frame)
		if _, err := io.ReadFull(w.nc, in[:nbss.HeaderLen]); err != nil {
			b.Fatal(err)
		}
		n := int(in[1])<<16 + int(in[2])<<8 + int(in[3])
		if _, err := io.ReadFull(w.nc, in[:n]); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	// The fastest tenth is the cost of the way itself on a machine that others use too.
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/10].Nanoseconds())/1000, "p10-µs")
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-µs")
}

// BenchmarkRefusals measures how many null sessions are refused, one connection each, and how often the same three
// steps (connect, NEGOTIATE, SESSION_SETUP) are answered without a proxy, through HAProxy, and through a relay, in one
// run. On a shared machine the processor time of each is steadier than the rate. It also reports how many a second the
// proxy could handle on two cores of its own: here all processes share the same cores.
func BenchmarkRefusals(b *testing.B) {
	to := filler(b, "127.21.5.1:0")
	gateway, through := startWork(b, atWork, "127.21.5.2:0", to)
	bare, relayed := startWork(b, atRelay, "127.21.5.4:0", to)
	haproxy, proxied := startHAProxy(b, to)
	token := nullToken(b)
	rates, costs := map[string]float64{}, map[string]float64{}
	for _, way := range []struct {
		name, address string
		proxy         *exec.Cmd
		want          status.NTStatus // the filler accepts everybody
	}{
		{"direct", to, nil, status.Success},
		{"haproxy", proxied, haproxy, status.Success},
		{"relay", relayed, bare, status.Success},
		{"gateway", through, gateway, status.AccessDenied},
	} {
		b.Run(way.name, func(b *testing.B) {
			spent := func() float64 {
				if way.proxy == nil {
					return 0
				}
				return cpuSeconds(b, way.proxy.Process.Pid)
			}
			before := spent()
			b.SetParallelism(8) // a proxy waits for its server: more callers than cores keep the cores busy
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					nc, err := net.Dial("tcp", way.address)
					if err != nil {
						b.Error(err)
						return
					}
					w := &wire{t: b, nc: nc}
					w.negotiate(smb2.Dialect210)
					if st, _ := w.setup(token); st != way.want {
						b.Errorf("a null session: %v", st)
					}
					reset(nc)
				}
			})
			rates[way.name] = float64(b.N) / b.Elapsed().Seconds()
			costs[way.name] = (spent() - before) * 1e6 / float64(b.N)
			b.ReportMetric(rates[way.name], "sessions/s")
			b.ReportMetric(costs[way.name], "cpu-µs/op") // of the proxy only
			if way.proxy != nil && costs[way.name] > 0 { // the clients and the server share the same cores
				b.ReportMetric(2e6/costs[way.name], "proxy-alone-on-two-cores/s")
			}
			if way.name == "gateway" {
				for _, other := range []string{"direct", "haproxy", "relay"} {
					b.ReportMetric(rates["gateway"]/rates[other], "×"+other)
				}
				b.ReportMetric(costs["gateway"]/costs["haproxy"], "cpu×haproxy")
				b.ReportMetric(costs["gateway"]/costs["relay"], "cpu×relay")
			}
		})
	}
}

// BenchmarkIdle measures the cost of idle sessions.
func BenchmarkIdle(b *testing.B) {
	const sessions = 8000
	to := filler(b, "127.21.5.1:0")
	cmd, through := startWork(b, atWork, "127.21.5.2:0", to)
	for range sessions {
		comeIn(b, through)
	}
	for b.Loop() { // nothing: only their memory counts
	}
	b.ReportMetric(float64(residentMiB(b, cmd.Process.Pid)), "MiB")
}

// residentMiB returns the memory of a process.
func residentMiB(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kib int
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// cpuSeconds returns the processor time of a process. See proc(5), stat: fields 14 and 15, in hundredths.
func cpuSeconds(t testing.TB, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var user, system float64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	return (user + system) / 100
}

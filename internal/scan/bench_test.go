package scan

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
)

// TestMain lets a benchmark start this program once more, as a practice server in a process of its own: on every
// loopback address, until its standard input ends.
func TestMain(m *testing.M) {
	if profile := os.Getenv("IPCGUARD_TEST_SERVE"); profile != "" {
		if err := servePractice(profile); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func servePractice(profile string) error {
	host, err := smbtest.NewHost(profile, "PRACTICE1")
	if err != nil {
		return err
	}
	s, err := smbtest.StartMany("0.0.0.0:0", func(netip.Addr) *smbtest.Host { return host })
	if err != nil {
		return err
	}
	fmt.Println(s.Port())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// practiceProcess starts the practice server in a process of its own and returns its port.
func practiceProcess(b *testing.B, profile string) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "IPCGUARD_TEST_SERVE="+profile)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func scanAll(b *testing.B, s *Scanner, port string, n int, want model.Verdict) {
	b.Helper()
	l, err := targets.Parse(context.Background(), []string{
		fmt.Sprintf("127.47.64.0-127.47.%d.%d", 64+(n-1)/256, (n-1)%256),
	}, targets.Options{Port: portNumber(b, port)})
	if err != nil {
		b.Fatal(err)
	}
	err = s.Run(context.Background(), l, nil, func(r *model.Scan) error {
		if r.Verdict != want {
			return fmt.Errorf("%s: %s (%s)", r.Address, r.Verdict, r.Reason)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func portNumber(b *testing.B, s string) uint16 {
	b.Helper()
	var n uint16
	if _, err := fmt.Sscan(s, &n); err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkQuick asks the null-session question of many hosts; both ends are on this machine.
func BenchmarkQuick(b *testing.B) {
	port := practiceProcess(b, "samba")
	s, err := New(Options{Quick: true, Concurrency: 64})
	if err != nil {
		b.Fatal(err)
	}
	const hosts = 2048
	for b.Loop() {
		scanAll(b, s, port, hosts, model.Limited)
	}
	b.ReportMetric(float64(hosts*b.N)/b.Elapsed().Seconds(), "answers/s")
}

// BenchmarkFull scans many practice hosts as anonymous: the processor time of this side alone, per host.
func BenchmarkFull(b *testing.B) {
	port := practiceProcess(b, "samba")
	for _, hosts := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			s, err := New(Options{NoGuest: true, NoUnknownUser: true, Concurrency: 64})
			if err != nil {
				b.Fatal(err)
			}
			before := peer.SelfCPU(b)
			for b.Loop() {
				scanAll(b, s, port, hosts, model.Exposed)
			}
			b.ReportMetric(float64((peer.SelfCPU(b)-before).Microseconds())/float64(hosts*b.N), "cpu-µs/host")
		})
	}
}

// BenchmarkAgainstRpcclient compares the processor time of a full anonymous scan with that of rpcclient, which answers
// less, on one real Samba server that stands for 1, 64 and 1,024 hosts. The process that scans is warm, as rpcclient's
// never is: what a process costs to start is not counted on this side.
func BenchmarkAgainstRpcclient(b *testing.B) {
	server := peer.StartSamba(b, peer.Config{Address: "0.0.0.0"})
	port := strconv.Itoa(server.Port)
	var sids []string
	for rid := range 64 {
		sids = append(sids, fmt.Sprintf("S-1-5-21-1-2-3-%d", 1000+rid))
	}
	var theirs time.Duration
	runs := 0
	b.Run("rpcclient", func(b *testing.B) {
		for b.Loop() {
			a := peer.Client{}.RPC(b, server.Addr(), "enumdomusers", "lookupsids "+strings.Join(sids, " "), "netshareenum")
			theirs += a.CPU
			runs++
		}
		b.ReportMetric(float64(theirs.Microseconds())/float64(runs), "cpu-µs/host")
	})
	for _, hosts := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("scan/hosts=%d", hosts), func(b *testing.B) {
			s, err := New(Options{NoGuest: true, NoUnknownUser: true, Concurrency: manyAtOnce, Retries: 1, Timeouts: unhurried, Host: 10 * time.Minute})
			if err != nil {
				b.Fatal(err)
			}
			scanAll(b, s, port, 1, model.Exposed) // the helpers are warm for rpcclient, too
			before := peer.SelfCPU(b)
			for b.Loop() {
				scanAll(b, s, port, hosts, model.Exposed)
			}
			ours := float64((peer.SelfCPU(b) - before).Microseconds()) / float64(hosts*b.N)
			b.ReportMetric(ours, "cpu-µs/host")
			if runs > 0 {
				b.ReportMetric(float64(theirs.Microseconds())/float64(runs)/ours, "times-cheaper")
			}
		})
	}
}

// unhurried waits for a server that has to share its machine with whatever else runs there: the benchmarks of processor time
// do not depend on how long an answer takes.
var unhurried = smb.Timeouts{
	Connect: time.Minute, Negotiate: time.Minute, Session: time.Minute, Tree: time.Minute, Open: time.Minute, Call: time.Minute,
}

// manyAtOnce bounds how many hosts are asked at a time when one Samba server plays them all: its helpers have some 20
// places for clients, and a host takes several.
const manyAtOnce = 4

// BenchmarkDistance scans one host behind 50 ms each way and reports how many round trips that took.
func BenchmarkDistance(b *testing.B) {
	const away = 50 * time.Millisecond
	host, err := smbtest.NewHost("samba", "PRACTICE1")
	if err != nil {
		b.Fatal(err)
	}
	server, err := smbtest.Start("127.47.2.2:0", host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	for _, quick := range []bool{true, false} {
		b.Run(fmt.Sprintf("quick=%v", quick), func(b *testing.B) {
			s, err := New(Options{Quick: quick, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				if err := sleep(ctx, 2*away); err != nil {
					return nil, err
				}
				c, err := new(net.Dialer).DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return farther(c, 2*away), nil
			}})
			if err != nil {
				b.Fatal(err)
			}
			target := at(b, server.Address())
			for b.Loop() {
				if r := s.Host(context.Background(), target); len(r.Identities) == 0 {
					b.Fatal(r.Reason)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/(2*away).Seconds(), "round-trips")
		})
	}
}

// far delays what a connection sends, and keeps its order.
type far struct {
	net.Conn
	queue chan parcel
}

type parcel struct {
	due time.Time
	b   []byte
}

// farther puts a connection at a distance; all of it is charged to what is sent, as nobody waits between.
func farther(c net.Conn, distance time.Duration) net.Conn {
	f := &far{Conn: c, queue: make(chan parcel, 1024)}
	go func() {
		for p := range f.queue {
			time.Sleep(time.Until(p.due.Add(distance)))
			if _, err := c.Write(p.b); err != nil {
				return
			}
		}
	}()
	return f
}

func (f *far) Write(b []byte) (int, error) {
	f.queue <- parcel{time.Now(), append([]byte(nil), b...)}
	return len(b), nil
}

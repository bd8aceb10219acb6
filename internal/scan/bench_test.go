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
	"runtime"
	"strconv"
	"strings"
	"sync"
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

// recorded is a connection whose messages are counted: how many bytes went one way before bytes went the other. What
// was written is positive.
type recorded struct {
	net.Conn
	lock  *sync.Mutex
	sizes *[]int
}

func (c *recorded) note(n int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	last := len(*c.sizes) - 1
	if last >= 0 && ((*c.sizes)[last] > 0) == (n > 0) {
		(*c.sizes)[last] += n
	} else if n != 0 {
		*c.sizes = append(*c.sizes, n)
	}
}

func (c *recorded) Write(b []byte) (int, error) {
	c.note(len(b)) // first: the answer must not come before its question
	return c.Conn.Write(b)
}

func (c *recorded) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.note(-n)
	return n, err
}

// BenchmarkAgainstBareExchange compares the null-session question with the same number of connections, messages and
// bytes that Go's net carries without decoding, with both ends in this process.
func BenchmarkAgainstBareExchange(b *testing.B) {
	host, err := smbtest.NewHost("samba", "PRACTICE1")
	if err != nil {
		b.Fatal(err)
	}
	server, err := smbtest.Start("127.47.2.3:0", host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	var lock sync.Mutex
	var sizes []int
	o := Options{Quick: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return &recorded{c, &lock, &sizes}, err
	}}
	r := scanAddress(b, server.Address(), o)
	if r.Stats.Connections != 1 {
		b.Fatalf("%d connections, %d requests: %s", r.Stats.Connections, r.Stats.Requests, r.Reason)
	}
	const atOnce = 64
	asks := func(b *testing.B, ask func() error) float64 {
		b.SetParallelism((atOnce + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if err := ask(); err != nil {
					b.Error(err)
					return
				}
			}
		})
		speed := float64(b.N) / b.Elapsed().Seconds()
		b.ReportMetric(speed, "answers/s")
		return speed
	}
	l, err := net.Listen("tcp", "127.47.2.4:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = exchange(c, sizes, -1) }()
		}
	}()
	var bare float64
	b.Run("bare", func(b *testing.B) {
		bare = asks(b, func() error {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return err
			}
			return exchange(c, sizes, 1)
		})
	})
	b.Run("question", func(b *testing.B) {
		s, err := New(Options{Quick: true, Timeouts: unhurried})
		if err != nil {
			b.Fatal(err)
		}
		target := at(b, server.Address())
		ours := asks(b, func() error {
			if r := s.Host(context.Background(), target); r.Verdict != model.Limited {
				return fmt.Errorf("%s: %s", r.Verdict, r.Reason)
			}
			return nil
		})
		b.ReportMetric(ours/bare, "of-bare")
		b.ReportMetric(float64(r.Stats.Requests), "requests")
	})
}

// exchange plays one end of a conversation: the client's with 1, the server's with -1.
func exchange(c net.Conn, sizes []int, end int) error {
	defer c.Close()
	buf := make([]byte, 64<<10)
	for _, n := range sizes {
		var err error
		if n *= end; n > 0 {
			_, err = c.Write(buf[:n])
		} else {
			_, err = io.ReadFull(c, buf[:-n])
		}
		if err != nil {
			return err
		}
	}
	return nil
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
	var theirs, waited time.Duration
	runs := 0
	b.Run("rpcclient", func(b *testing.B) {
		for b.Loop() {
			began := time.Now()
			a := peer.Client{}.RPC(b, server.Addr(), "enumdomusers", "lookupsids "+strings.Join(sids, " "),
				"netshareenum")
			theirs, waited = theirs+a.CPU, waited+time.Since(began)
			runs++
		}
		b.ReportMetric(float64(theirs.Microseconds())/float64(runs), "cpu-µs/host")
	})
	for _, hosts := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("scan/hosts=%d", hosts), func(b *testing.B) {
			s, err := New(Options{
				NoGuest: true, NoUnknownUser: true, Concurrency: manyAtOnce, Retries: 1,
				Timeouts: unhurried, Host: 10 * time.Minute,
			})
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
				b.ReportMetric(b.Elapsed().Seconds()/float64(hosts*b.N)/(waited.Seconds()/float64(runs)),
					"times-their-wall")
			}
		})
	}
}

// unhurried waits long for a server that shares its machine with others: the benchmarks of processor time do not depend
// on how long an answer takes.
var unhurried = smb.Timeouts{
	Connect: time.Minute, Negotiate: time.Minute, Session: time.Minute, Tree: time.Minute, Open: time.Minute,
	Call: time.Minute,
}

// manyAtOnce bounds how many hosts are asked at a time when one Samba server plays them all: its helpers have about 20
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
			s, err := New(Options{Quick: quick, Dial: func(ctx context.Context, network, address string) (net.Conn,
				error,
			) {
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

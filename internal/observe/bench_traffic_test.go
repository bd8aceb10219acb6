package observe

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/peer"
)

// benchSize returns the size of the capture that is made, in megabytes: IPCGUARD_BENCH_MB, 64 unless set. The issue's
// figures are of 800.
func benchSize(b *testing.B) int {
	if s := os.Getenv("IPCGUARD_BENCH_MB"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			b.Fatalf("IPCGUARD_BENCH_MB=%q", s)
		}
		return n * 1e6
	}
	return 64e6
}

func readAll(b *testing.B, path string, calls int64) time.Duration {
	start := time.Now()
	rows, _ := readCapture(b, path, TrafficOptions{})
	took := time.Since(start)
	var got int64
	for _, u := range rows {
		if u.Layer == model.LayerCall {
			got += u.Count
		}
	}
	if got != calls {
		b.Fatalf("%d calls, %d were made", got, calls)
	}
	return took
}

// gopacketAlone reads the packets of a capture; decode also decodes their layers.
func gopacketAlone(b *testing.B, path string, decode bool) time.Duration {
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	start := time.Now()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	var eth layers.Ethernet
	var ip layers.IPv4
	var tcp layers.TCP
	var payload gopacket.Payload
	parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &ip, &tcp, &payload)
	var decoded []gopacket.LayerType
	for {
		data, _, err := r.ZeroCopyReadPacketData()
		if err == io.EOF {
			return time.Since(start)
		}
		if err != nil {
			b.Fatal(err)
		}
		if decode {
			if err := parser.DecodeLayers(data, &decoded); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func tsharkAlone(b *testing.B, path string) time.Duration {
	start := time.Now()
	peer.Tshark(b, "-r", path, "-Y", "smb||smb2||dcerpc", "-T", "fields", "-e", "frame.number", "-e", "smb2.cmd", "-e",
		"smb2.nt_status",
		"-e", "smb2.filename", "-e", "dcerpc.opnum")
	return time.Since(start)
}

// BenchmarkObserve reads a capture of file copies and pipe traffic. x-tshark and x-gopacket are how many times as fast
// as these it is, in the same run.
func BenchmarkObserve(b *testing.B) {
	path, calls := observetest.Traffic(b, benchSize(b))
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	gopacketAlone(b, path, false) // the file is in memory for all
	b.SetBytes(info.Size())
	var took time.Duration
	for b.Loop() {
		took += readAll(b, path, calls)
	}
	took /= time.Duration(b.N)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-sys")
	b.ReportMetric(float64(gopacketAlone(b, path, false))/float64(took), "x-gopacket-read")
	b.ReportMetric(float64(gopacketAlone(b, path, true))/float64(took), "x-gopacket-decode")
	if os.Getenv("IPCGUARD_BENCH_TSHARK") != "no" {
		b.ReportMetric(float64(tsharkAlone(b, path))/float64(took), "x-tshark")
	}
}

// BenchmarkObserveRPC reads 10,000 small RPC packets. x-tshark excludes the start of both programs.
func BenchmarkObserveRPC(b *testing.B) {
	path := filepath.Join(b.TempDir(), "rpc.pcap")
	empty := filepath.Join(b.TempDir(), "empty.pcap")
	m, done := observetest.Create(b, path)
	m.Connect(1)
	m.Logon(b)
	const calls = 5000
	m.Calls(b, calls)
	m.Disconnect()
	done()
	_, done = observetest.Create(b, empty)
	done()
	var took, idle time.Duration
	for b.Loop() {
		took += readAll(b, path, calls)
		idle += readAll(b, empty, 0)
	}
	took = (took - idle) / time.Duration(b.N)
	b.ReportMetric(float64(took.Nanoseconds())/(2*calls), "ns/packet")
	b.ReportMetric(float64(tsharkAlone(b, path)-tsharkAlone(b, empty))/float64(took), "x-tshark")
}

// BenchmarkObserveSmall reads a capture of small packets: one connection with call after call. ns/packet is the time
// for one.
func BenchmarkObserveSmall(b *testing.B) {
	const calls = 30000
	path := filepath.Join(b.TempDir(), "small.pcap")
	m, done := observetest.Create(b, path)
	m.Connect(1)
	m.Logon(b)
	m.Calls(b, calls)
	m.Disconnect()
	done()
	benchmarkMade(b, path, m.Packets, calls)
}

// BenchmarkObserveShort reads a capture of many short flows: connect, log on, one call, disconnect.
func BenchmarkObserveShort(b *testing.B) {
	const flows = 4000
	path := filepath.Join(b.TempDir(), "short.pcap")
	m, done := observetest.Create(b, path)
	for i := range flows {
		m.Connect(i)
		m.Logon(b)
		m.Calls(b, 1)
		m.Disconnect()
	}
	done()
	benchmarkMade(b, path, m.Packets, flows)
}

func benchmarkMade(b *testing.B, path string, packets int, calls int64) {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	var took time.Duration
	for b.Loop() {
		took += readAll(b, path, calls)
	}
	took /= time.Duration(b.N)
	b.ReportMetric(float64(took.Nanoseconds())/float64(packets), "ns/packet")
	if os.Getenv("IPCGUARD_BENCH_TSHARK") != "no" {
		b.ReportMetric(float64(tsharkAlone(b, path))/float64(took), "x-tshark")
	}
}

package dcerpc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// frames splits a classic pcap file.
func frames(t testing.TB, name string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.LittleEndian.Uint32(b) {
	case 0xA1B2C3D4, 0xA1B23C4D:
	case 0xD4C3B2A1, 0x4D3CB2A1:
		order = binary.BigEndian
	default:
		return nil // pcapng, which package observe reads itself
	}
	var list [][]byte
	for b = b[24:]; len(b) >= 16; {
		n := int(order.Uint32(b[8:]))
		if n > len(b)-16 {
			break
		}
		list = append(list, b[16:16+n])
		b = b[16+n:]
	}
	return list
}

// packetsIn finds the packets that lie completely in a frame, wherever they begin: the test knows nothing about SMB.
func packetsIn(frame []byte) (list []PDU) {
	for i := 0; i+headerSize <= len(frame); i++ {
		b := frame[i:]
		if b[0] != 5 || b[1] > 1 || b[4]&^drepLittle != 0 || b[5] != 0 || b[6] != 0 || b[7] != 0 {
			continue
		}
		p, n, err := Parse(b)
		if err != nil || n == headerSize && p.Type < TypeShutdown || p.Type > TypeOrphaned {
			continue
		}
		list = append(list, p)
		i += n - 1
	}
	return list
}

// tsharkPackets returns the types that tshark decoded, by frame number from 1.
func tsharkPackets(t testing.TB, name string) map[int]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	column := -1
	types := map[int]string{}
	for lines.Scan() {
		w := strings.Split(lines.Text(), "\t")
		if column < 0 {
			for i, name := range w {
				if name == "dcerpc.pkt_type" {
					column = i
				}
			}
			continue
		}
		if column < len(w) && w[column] != "" {
			n, _ := strconv.Atoi(w[0])
			types[n] = w[column]
		}
	}
	if column < 0 || lines.Err() != nil {
		t.Fatalf("%s: %v", name, lines.Err())
	}
	return types
}

// TestCaptures decodes every RPC packet that lies completely in one frame of the captures, encodes it again, and
// compares the counts with tshark's for the same frames.
func TestCaptures(t *testing.T) {
	shared := peer.Shared(t, "")
	files, err := filepath.Glob(filepath.Join(shared, "captures", "*", "*.pcap*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	total, requests, agree, spanning, alone := 0, 0, 0, 0, 0
	for _, file := range files {
		set := filepath.Base(filepath.Dir(file))
		expected := filepath.Join(shared, "captures", "expected", set+"__"+filepath.Base(file)+".tshark.tsv.gz")
		if _, err := os.Stat(expected); set == "expected" || err != nil {
			continue
		}
		t.Run(set+" "+filepath.Base(file), func(t *testing.T) {
			seen := tsharkPackets(t, expected)
			list := frames(t, file)
			if list == nil {
				t.Skip("pcapng, which this test does not read")
			}
			for i, frame := range list {
				var types []string
				for _, p := range packetsIn(frame) {
					types = append(types, strconv.Itoa(int(p.Type)))
					decodeCaptured(t, i+1, &p)
					total++
					if p.Type == TypeRequest {
						requests++
					}
				}
				switch want, ok := seen[i+1]; {
				case ok && strings.Join(types, ",") == want:
					agree++
				case ok && len(types) < 1+strings.Count(want, ","):
					spanning++ // tshark reassembled packets that span frames
				case ok:
					t.Errorf("frame %d: %v, tshark saw %s", i+1, types, want)
				case len(types) > 0:
					alone++ // tshark did not see the pipe being opened, and took the bytes for those of a file
				}
			}
		})
	}
	t.Logf(
		"%d packets, %d of them requests; tshark agrees on %d frames, put %d together from several, took %d for data",
		total, requests, agree, spanning, alone)
	if total < 1000 || agree < 20*(spanning+alone) {
		t.Error("too few packets found, or too little agreement with tshark")
	}
}

func decodeCaptured(t *testing.T, frame int, p *PDU) {
	t.Helper()
	if p.BigEndian() {
		if _, err := bodyOf(p); err != nil {
			t.Errorf("frame %d: %v", frame, err)
		}
		return
	}
	got, err := again(p)
	if err != nil {
		t.Errorf("frame %d: %v", frame, err)
		return
	}
	if p.Type == TypeBindAck || p.Type == TypeAlterContextReply || p.Type == TypeAuth3 || p.Type == TypeFault ||
		p.Type == TypeBindNak {
		q, _, err := Parse(got) // padding and reserved bytes may have any value
		if err != nil || q.Type != p.Type || q.FragLength != p.FragLength {
			t.Errorf("frame %d: %v: %d bytes became %d: %v", frame, p.Type, p.FragLength, q.FragLength, err)
		}
		return
	}
	if n := len(got); n != int(p.FragLength) || !bytes.Contains(got, p.Body) {
		t.Errorf("frame %d: %v does not encode to the same bytes:\n%x\n%x", frame, p.Type, got, p.Body)
	}
}

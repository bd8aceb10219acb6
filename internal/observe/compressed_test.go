package observe

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/format/xca/xcatest"
	"ipcguard/internal/observe/observetest"
	"ipcguard/internal/peer"
	"ipcguard/internal/smb/smb2"
)

// algorithms are those of [MS-XCA], by their number.
var algorithms = map[uint16]func([]byte) []byte{
	smb2.CompressLZNT1: xcatest.LZNT1, smb2.CompressLZ77: xcatest.LZ77, smb2.CompressLZ77Huffman: xcatest.LZ77Huffman,
}

// unchained compresses all of a message except its first bytes.
func unchained(algorithm uint16, plain int) func([]byte) []byte {
	return func(msg []byte) []byte {
		le := binary.LittleEndian
		out := le.AppendUint32([]byte("\xFCSMB"), uint32(len(msg)-plain))
		out = le.AppendUint16(le.AppendUint16(out, algorithm), 0)
		out = append(le.AppendUint32(out, uint32(plain)), msg[:plain]...)
		return append(out, algorithms[algorithm](msg[plain:])...)
	}
}

// chained compresses a message as Windows does: the header plain, the middle compressed, and a pattern for the end.
func chained(algorithm uint16) func([]byte) []byte {
	return func(msg []byte) []byte {
		le := binary.LittleEndian
		out := le.AppendUint32([]byte("\xFCSMB"), uint32(len(msg)))
		flags := uint16(smb2.CompressionChained)
		add := func(algorithm uint16, head []byte, data ...byte) {
			out = le.AppendUint16(le.AppendUint16(out, algorithm), flags)
			out = le.AppendUint32(out, uint32(len(head)+len(data)))
			out = append(append(out, head...), data...)
			flags = 0
		}
		end := len(msg)
		for end > smb2.HeaderLen && msg[end-1] == msg[len(msg)-1] {
			end--
		}
		add(smb2.CompressNone, nil, msg[:smb2.HeaderLen]...)
		if end > smb2.HeaderLen {
			add(algorithm, le.AppendUint32(nil, uint32(end-smb2.HeaderLen)),
				algorithms[algorithm](msg[smb2.HeaderLen:end])...)
		}
		if end < len(msg) {
			add(smb2.CompressPatternV1, []byte{msg[len(msg)-1], 0, 0, 0}, le.AppendUint32(nil, uint32(len(msg)-end))...)
		}
		return out
	}
}

// TestCompressed reads the same traffic plain and compressed in every way: the rows are the same, and tshark agrees.
func TestCompressed(t *testing.T) {
	peer.Need(t, "tshark")
	const calls = 25
	read := func(name string, pack func([]byte) []byte) ([]string, *Coverage, string) {
		path := filepath.Join(t.TempDir(), name+".pcap")
		m, done := observetest.Create(t, path)
		m.Pack = pack
		m.Connect(1)
		m.Logon(t)
		m.Calls(t, calls)
		m.Copies(6)
		m.Calls(t, calls)
		m.Disconnect()
		done()
		rows, cov := readCapture(t, path, TrafficOptions{})
		return observetest.Short(rows), cov, path
	}
	want, plain, path := read("plain", nil)
	tshark := func(path string) string {
		return peer.Tshark(t, "-r", path, "-Y", "smb2 && !(smb2.cmd == 8) && !(smb2.cmd == 9)", "-T", "fields", "-E",
			"occurrence=l",
			"-e", "smb2.cmd", "-e", "smb2.msg_id", "-e", "smb2.filename", "-e", "dcerpc.opnum", "-e", "dcerpc.pkt_type")
	}
	says := tshark(path)
	if strings.Count(says, "\t21\t0\n") != 2*calls { // opnum, request
		t.Fatalf("tshark of the plain traffic:\n%s", says)
	}
	for algorithm := range algorithms {
		for name, pack := range map[string]func([]byte) []byte{
			"whole": unchained(algorithm, 0), "behind the header": unchained(algorithm, smb2.HeaderLen),
			"chained": chained(algorithm),
		} {
			name = smb2.CompressionNames([]uint16{algorithm})[0] + " " + name
			t.Run(name, func(t *testing.T) {
				got, cov, path := read("packed", pack)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("rows (-plain +compressed):\n%s", diff)
				}
				if frames := plain.Read["SMB frames"] - 2; cov.Read["SMB frames decompressed"] != frames || len(cov.Unreadable) > 0 || cov.Bytes.Share() != 1 {
					t.Errorf("%d frames: %+v", frames, cov)
				}
				if cov.Bytes.Readable >= plain.Bytes.Readable {
					t.Errorf("nothing was compressed: %d bytes of %d", cov.Bytes.Readable, plain.Bytes.Readable)
				}
				if diff := cmp.Diff(strings.Split(says, "\n"), strings.Split(tshark(path), "\n")); diff != "" {
					t.Errorf("tshark (-plain +compressed):\n%s", diff)
				}
			})
		}
	}
	// What is unknown or malformed is counted, and what follows it is read.
	broken := func(algorithm uint16, damage func(frame []byte)) func([]byte) []byte {
		return func(msg []byte) []byte {
			if msg[12] != byte(smb2.IOCTL) {
				return msg
			}
			frame := unchained(smb2.CompressLZ77, 0)(msg)
			binary.LittleEndian.PutUint16(frame[8:], algorithm)
			damage(frame)
			return frame
		}
	}
	for name, pack := range map[string]func([]byte) []byte{
		"LZ4":             broken(smb2.CompressLZ4, func([]byte) {}),
		"another size":    broken(smb2.CompressLZ77, func(b []byte) { b[4]++ }),
		"an offset of -1": broken(smb2.CompressLZ77, func(b []byte) { copy(b[12:], "\xFF\xFF\xFF\xFF") }),
	} {
		_, cov, _ := read("broken", pack)
		if n := cov.Unreadable["compressed frames that could not be decompressed"]; n == 0 || cov.Bytes.Opaque == 0 || cov.Bytes.Readable == 0 {
			t.Errorf("%s: %+v", name, cov)
		}
	}
}

package ntlm

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// captured returns the bytes after each NTLMSSP signature in the shared captures, roughly cut: seeds for fuzzing. The
// messages themselves are tested in smb1, where frames are reassembled.
func captured(tb testing.TB) [][]byte {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "captures", "*", "*.pcap"))
	if err != nil {
		tb.Fatal(err)
	}
	var out [][]byte
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		for range 8 {
			i := bytes.Index(b, []byte(signature))
			if i < 0 {
				break
			}
			out = append(out, bytes.Clone(b[i:min(len(b), i+700)]))
			b = b[i+len(signature):]
		}
	}
	return out
}

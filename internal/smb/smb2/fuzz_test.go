package smb2_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"ipcguard/internal/smb/smb2"
)

// echo is an ECHO request, the smallest message.
const echo = "fe534d4240000000000000000d000100000000000000000005000000000000000000000000000000" +
	"0000000000000000000000000000000000000000000000000400" + "0000"

// seeds adds one message of each kind from the captures, where they are.
func seeds(f *testing.F, kind smb2.Kind) {
	b, err := hex.DecodeString(echo)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	if _, err := os.Stat(filepath.Join("..", "..", "..", "..", "shared", "captures")); err != nil {
		f.Logf("../shared not present: seeded with an ECHO alone (%v)", err)
		return
	}
	seen := map[string]int{}
	everyFrame(f, func(_ string, _ *flow, frame []byte) {
		if smb2.KindOf(frame) != kind || len(frame) > 4096 {
			return
		}
		k := "encrypted"
		var h smb2.Header
		if h.Unmarshal(frame) == nil {
			k = key(&h)
		}
		if seen[k]++; seen[k] <= 3 {
			f.Add(frame)
		}
	})
}

// FuzzFrame takes a frame apart. Nothing may panic, and what decodes must survive being encoded and decoded again.
func FuzzFrame(f *testing.F) {
	seeds(f, smb2.KindPlain)
	f.Fuzz(func(t *testing.T, frame []byte) {
		c := smb2.NewChain(frame)
		total := 0
		for c.Next() {
			total += len(c.Message)
			m, err := smb2.Parse(c.Message)
			if err != nil {
				continue
			}
			lists(m)
			first := m.AppendMarshal(nil)
			if len(first) > 2*len(c.Message)+512 {
				t.Fatalf("%d bytes encode to %d", len(c.Message), len(first))
			}
			if bytes.Equal(first, c.Message) {
				continue
			}
			again, err := smb2.Parse(first)
			if err != nil {
				t.Fatalf("%T does not decode again: %v\n% x\n% x", m.Body, err, c.Message, first)
			}
			if second := again.AppendMarshal(nil); !bytes.Equal(first, second) {
				t.Fatalf("%T is not stable\n% x\n% x", m.Body, first, second)
			}
		}
		if c.Err() == nil && total != len(frame) {
			t.Fatalf("a chain of %d bytes in a frame of %d", total, len(frame))
		}
	})
}

func lists(m *smb2.Message) {
	switch b := m.Body.(type) {
	case *smb2.CreateRequest:
		_, _ = b.Contexts.List()
		_ = b.Name.String()
	case *smb2.CreateResponse:
		_, _ = b.Contexts.List()
	case *smb2.ErrorResponse:
		_, _ = b.Contexts()
	case *smb2.NegotiateRequest:
		_ = checkContexts(b.Contexts)
	case *smb2.NegotiateResponse:
		_ = checkContexts(b.Contexts)
		_ = smb2.FileTime(b.SystemTime)
	case *smb2.IOCTLRequest:
		_ = new(smb2.ValidateNegotiateRequest).Unmarshal(b.Input)
	case *smb2.IOCTLResponse:
		_ = new(smb2.ValidateNegotiateResponse).Unmarshal(b.Output)
	}
}

// FuzzTransforms reads the headers of encrypted and compressed frames. What decompresses is no larger than allowed.
func FuzzTransforms(f *testing.F) {
	seeds(f, smb2.KindEncrypted)
	f.Add([]byte("\xFCSMB\x08\x00\x00\x00\x04\x00\x01\x00\x08\x00\x00\x00a\x00\x00\x00\x08\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var h smb2.TransformHeader
		if h.Unmarshal(frame) == nil && !bytes.Equal(h.AppendMarshal(nil), frame[:smb2.TransformLen]) {
			t.Fatal("a transform header encodes differently")
		}
		zeros := func(_ uint16, _ []byte, size int) ([]byte, error) { return make([]byte, size), nil }
		out, size, err := smb2.Decompress(frame, 1<<16, zeros)
		if err == nil && len(out) != min(size, 1<<16) {
			t.Fatalf("%d of %d bytes decompressed", len(out), size)
		}
		if head, _, err2 := smb2.Decompress(frame, 100, zeros); err == nil &&
			(err2 != nil || !bytes.Equal(head, out[:min(len(out), 100)])) {
			t.Fatalf("the beginning alone: %v", err2)
		}
	})
}

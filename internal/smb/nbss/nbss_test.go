package nbss_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"ipcguard/internal/smb/nbss"
)

func TestReadFrame(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789"), 10000)
	for name, payload := range map[string][]byte{"empty": {}, "small": []byte("hello"), "big": big} {
		frame := append(nbss.AppendHeader(nil, nbss.SessionMessage, len(payload)), payload...)
		for _, buf := range [][]byte{nil, make([]byte, 16), make([]byte, 1<<17)} {
			typ, got, err := nbss.ReadFrame(iotest.HalfReader(bytes.NewReader(frame)), buf, 1<<20)
			if err != nil || typ != nbss.SessionMessage || !bytes.Equal(got, payload) {
				t.Errorf("%s: type %d, %d bytes, %v", name, typ, len(got), err)
			}
		}
		for _, cut := range []int{1, 3, 4, len(frame) - 1} {
			if cut >= len(frame) {
				continue
			}
			if _, _, err := nbss.ReadFrame(bytes.NewReader(frame[:cut]), nil, 1<<20); !errors.Is(err,
				io.ErrUnexpectedEOF) {
				t.Errorf("%s cut at %d: %v", name, cut, err)
			}
		}
	}
	if _, _, err := nbss.ReadFrame(bytes.NewReader(nil), nil, 10); err != io.EOF {
		t.Errorf("nothing: %v", err)
	}
	if _, seen, err := nbss.ReadFrame(bytes.NewReader([]byte("HTTP/1.1")), nil, 10); !errors.Is(err, nbss.ErrType) ||
		string(seen) != "HTTP" {
		t.Errorf("HTTP: %q, %v", seen, err)
	}
}

func TestTooLargeTakesNoMemory(t *testing.T) {
	huge := []byte{0, 0xFF, 0xFF, 0xFF}
	if n := testing.AllocsPerRun(10, func() {
		if _, _, err := nbss.ReadFrame(bytes.NewReader(huge), nil, 1<<20); !errors.Is(err, nbss.ErrTooLarge) {
			t.Fatal(err)
		}
	}); n > 12 {
		t.Errorf("%v allocations", n)
	}
	// An announced length alone is not worth memory either.
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = nbss.ReadFrame(bytes.NewReader(huge), nil, nbss.MaxLen)
		}
	})
	if got := r.AllocedBytesPerOp(); got > 32<<10 {
		t.Errorf("%d bytes for a frame that never came", got)
	}
}

func TestCallRequest(t *testing.T) {
	r := nbss.CallRequest{
		Called:  nbss.Name{Name: nbss.ServerName, Suffix: nbss.SuffixServer},
		Calling: nbss.Name{Name: "scanner", Suffix: nbss.SuffixWorkstation},
	}
	b := r.AppendMarshal(nil)
	if len(b) != nbss.HeaderLen+68 {
		t.Fatalf("%d bytes", len(b))
	}
	// A space is 0x20: "CA". The suffix 0x20 closes the called name with "CA", 0x00 the calling name with "AA".
	if got := string(b[5:37]); got != "CKFDENECFDEFFCFGEFFCCACACACACACA" {
		t.Errorf("called name %s", got)
	}
	if got := string(b[39:71]); got != "FDEDEBEOEOEFFCCACACACACACACACAAA" {
		t.Errorf("calling name %s", got)
	}
	got, err := nbss.ParseCallRequest(b[nbss.HeaderLen:])
	if err != nil || got.Called != r.Called || got.Calling.Name != "SCANNER" {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range b[nbss.HeaderLen:] {
		if _, err := nbss.ParseCallRequest(b[nbss.HeaderLen : nbss.HeaderLen+n]); err == nil {
			t.Errorf("cut at %d it parses", n)
		}
	}
	if long := (&nbss.CallRequest{Called: nbss.Name{Name: "a name of more than fifteen letters"}}).AppendMarshal(
		nil); len(long) != len(b) {
		t.Errorf("a long name makes %d bytes", len(long))
	}
}

func TestCallResponse(t *testing.T) {
	for _, reason := range []nbss.CallError{0, nbss.NotListeningOnCalled, nbss.CalledNotPresent, 0x42} {
		typ, payload, err := nbss.ReadFrame(bytes.NewReader(nbss.AppendCallResponse(nil, reason)), nil, 10)
		if err != nil {
			t.Fatal(err)
		}
		err = nbss.ParseCallResponse(typ, payload)
		var got nbss.CallError
		if reason == 0 && err != nil || reason != 0 && (!errors.As(err, &got) || got != reason) {
			t.Errorf("reason %#x came as %v", byte(reason), err)
		}
	}
	if nbss.ParseCallResponse(nbss.SessionMessage, nil) == nil ||
		nbss.ParseCallResponse(nbss.NegativeResponse, nil) == nil ||
		nbss.ParseCallResponse(nbss.Retarget, make([]byte, 6)) == nil {
		t.Error("what is no positive response is taken for one")
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add((&nbss.CallRequest{}).AppendMarshal(nil))
	f.Add(append(nbss.AppendHeader(nil, nbss.SessionMessage, 4), "\xFESMB"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		typ, payload, err := nbss.ReadFrame(bytes.NewReader(b), nil, 1<<16)
		if err != nil {
			return
		}
		frame := append(nbss.AppendHeader(nil, typ, len(payload)), payload...)
		if b[1]&0xFE == 0 && !bytes.Equal(frame, b[:len(frame)]) {
			t.Fatalf("% x became % x", b, frame)
		}
		_ = nbss.ParseCallResponse(typ, payload)
		if r, err := nbss.ParseCallRequest(payload); err == nil {
			r.AppendMarshal(nil)
		}
	})
}

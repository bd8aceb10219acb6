package dcerpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
)

func packet(t testing.TB, h Header, body Body) []byte {
	t.Helper()
	b, err := AppendPDU(nil, h, body, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// endless answers the bind, and a request with endless fragments.
type endless struct {
	t    testing.TB
	size int
	sent int
	asks int
}

func (e *endless) Transact(_ context.Context, in []byte, _ int) ([]byte, error) {
	e.asks++
	p, _, err := Parse(in)
	if err != nil {
		return nil, err
	}
	if p.Type == TypeBind {
		ack := &BindAck{MaxXmit: 5840, MaxRecv: 5840, Results: []ContextResult{{Transfer: NDR20}}}
		return packet(e.t, Header{Type: TypeBindAck, Flags: FlagFirst | FlagLast, CallID: p.CallID}, ack), nil
	}
	return packet(e.t, Header{Type: TypeResponse, Flags: FlagFirst, CallID: p.CallID},
		&Response{Stub: make([]byte, e.size)}), nil
}

func (e *endless) Write(_ context.Context, b []byte) (int, error) { return len(b), nil }

func (e *endless) Read(context.Context, int) ([]byte, bool, error) {
	e.sent++
	return packet(e.t, Header{Type: TypeResponse, CallID: 2}, &Response{Stub: make([]byte, e.size)}), false, nil
}

// TestEndlessFragments: the client gives up on an endless response, by bytes and by fragments.
func TestEndlessFragments(t *testing.T) {
	for _, size := range []int{0, 8, 5000, 60000} {
		e := &endless{t: t, size: size}
		c := NewClient(e)
		if _, err := c.Bind(t.Context(), SAMR); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), SAMR, 0, nil); !errors.Is(err, ErrLimit) {
			t.Errorf("fragments of %d bytes: %v", size, err)
		}
		if e.sent > DefaultLimits.Fragments || e.sent*size > DefaultLimits.Bytes+size {
			t.Errorf("%d fragments of %d bytes were taken", e.sent, size)
		}
		asks := e.asks
		if _, err := c.Call(t.Context(), SAMR, 0, nil); err == nil || e.asks != asks {
			t.Errorf("the association goes on after that: %v", err)
		}
	}
}

// TestWrongAnswers: each of these is an error, not a response.
func TestWrongAnswers(t *testing.T) {
	whole := FlagFirst | FlagLast
	ack := packet(t, Header{Type: TypeBindAck, Flags: whole, CallID: 1},
		&BindAck{MaxRecv: 5840, Results: []ContextResult{{Transfer: NDR20}}})
	bigEndian := packet(t, Header{Type: TypeResponse, Flags: whole, CallID: 2}, &Response{})
	bigEndian[4] = 0
	for _, i := range []int{8, 10, 12} {
		slicesReverse(bigEndian[i:min(i+2+2*(i/12), 16)])
	}
	for name, b := range map[string][]byte{
		"another call":      packet(t, Header{Type: TypeResponse, Flags: whole, CallID: 3}, &Response{}),
		"another context":   packet(t, Header{Type: TypeResponse, Flags: whole, CallID: 2}, &Response{ContextID: 1}),
		"a request":         packet(t, Header{Type: TypeRequest, Flags: whole, CallID: 2}, &Request{}),
		"a second bind_ack": packet(t, Header{Type: TypeBindAck, Flags: whole, CallID: 2}, &BindAck{}),
		"a middle fragment": packet(t, Header{Type: TypeResponse, CallID: 2}, &Response{}),
		"nothing":           nil,
		"garbage":           bytes.Repeat([]byte("HTTP"), 10),
		"the other order":   bigEndian,
		"half a packet": packet(t, Header{Type: TypeResponse, Flags: whole, CallID: 2},
			&Response{Stub: make([]byte, 99)})[:50],
		"a short fault": packet(t, Header{Type: TypeFault, Flags: whole, CallID: 2}, &Padding{}),
		"two first packets": bytes.Repeat(packet(t, Header{Type: TypeResponse, Flags: FlagFirst, CallID: 2},
			&Response{}), 2),
		"context in between": append(packet(t, Header{Type: TypeResponse, Flags: FlagFirst, CallID: 2}, &Response{}),
			packet(t, Header{Type: TypeResponse, Flags: FlagLast, CallID: 2}, &Response{ContextID: 5})...),
	} {
		c := NewClient(&replay{append(append([]byte(nil), ack...), b...), len(ack)})
		if _, err := c.Bind(t.Context(), SAMR); err != nil {
			t.Fatal(err)
		}
		if out, err := c.Call(t.Context(), SAMR, 0, nil); err == nil {
			t.Errorf("%s is an answer: %x", name, out)
		}
		if c.broken == nil {
			t.Errorf("%s leaves the association usable", name)
		}
	}
	for name, results := range map[string][]ContextResult{
		"no result":            nil,
		"two results":          {{Transfer: NDR20}, {Transfer: NDR20}},
		"an encoding not ours": {{Transfer: NDR64}},
	} {
		b := packet(t, Header{Type: TypeBindAck, Flags: whole, CallID: 1}, &BindAck{Results: results})
		if r, err := NewClient(&replay{b, 1000}).Bind(t.Context(), SAMR); err == nil {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func slicesReverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// TestInterleavedCalls: an observer tracks a bounded number of calls, and counts those that it drops.
func TestInterleavedCalls(t *testing.T) {
	r := NewReassembler(Limits{Calls: 2, Bytes: 100})
	var got []string
	var dropped int
	push := func(flags Flags, id uint32, stub string) {
		t.Helper()
		r.Push(packet(t, Header{Type: TypeRequest, Flags: flags, CallID: id},
			&Request{Opnum: uint16(id), Stub: []byte(stub)}))
		for {
			call, ok, err := r.Next()
			var one *FragmentError
			switch {
			case errors.As(err, &one):
				dropped++
				continue
			case err != nil:
				t.Fatal(err)
			case ok:
				got = append(got, string(call.Stub))
				continue
			}
			return
		}
	}
	push(FlagLast, 7, "midstream")
	push(FlagFirst, 1, "a")
	push(FlagFirst, 2, "A")
	push(FlagFirst, 3, "too many")
	push(0, 1, "b")
	push(FlagLast, 2, "B")
	push(FlagLast, 1, "c")
	push(FlagLast, 3, "rest")
	push(FlagFirst, 4, string(make([]byte, 60)))
	push(0, 4, string(make([]byte, 60)))
	if len(got) != 2 || got[0] != "AB" || got[1] != "abc" || dropped != 4 {
		t.Errorf("%q, %d dropped", got, dropped)
	}
	if !r.Idle() || r.bytes != 0 {
		t.Errorf("something is left: %+v", r)
	}
}

// TestCountsBeforeBytes: a count that exceeds the available bytes allocates nothing.
func TestCountsBeforeBytes(t *testing.T) {
	b := binary.LittleEndian.AppendUint32(nil, 0)       // resume
	b = binary.LittleEndian.AppendUint32(b, 0x20000)    // buffer
	b = binary.LittleEndian.AppendUint32(b, 0x0FFFFFFF) // entries
	b = binary.LittleEndian.AppendUint32(b, 0x20004)    // array
	b = binary.LittleEndian.AppendUint32(b, 0x0FFFFFFF) // maximum count
	b = append(b, make([]byte, 1000)...)
	allocated := testing.AllocsPerRun(10, func() {
		if err := UnmarshalNDR(b, false, new(SamrEnumerateResponse)); !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	})
	if allocated > 20 {
		t.Errorf("%v allocations", allocated)
	}
}

// TestZeroCopy: an observer processes gigabytes; a complete packet allocates nothing.
func TestZeroCopy(t *testing.T) {
	r := NewReassembler(Limits{})
	b := packet(t, Header{Type: TypeRequest, Flags: FlagFirst | FlagLast, CallID: 1},
		&Request{Opnum: 15, Stub: make([]byte, 4000)})
	if n := testing.AllocsPerRun(100, func() {
		r.Push(b)
		if call, ok, err := r.Next(); !ok || err != nil || len(call.Stub) != 4000 || &call.Stub[0] != &b[24] {
			t.Fatal(ok, err)
		}
		if _, ok, _ := r.Next(); ok {
			t.Fatal("twice")
		}
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkReassembler(b *testing.B) {
	r := NewReassembler(Limits{})
	p := packet(b, Header{Type: TypeRequest, Flags: FlagFirst | FlagLast, CallID: 1},
		&Request{Opnum: 15, Stub: make([]byte, 400)})
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		r.Push(p)
		for {
			if _, ok, err := r.Next(); !ok || err != nil {
				break
			}
		}
	}
}

// TestNextPacket returns fragments one by one, however the bytes are split, and keeps none of them. After an invalid
// packet every call is an error.
func TestNextPacket(t *testing.T) {
	r := NewReassembler(Limits{Bytes: 1, Fragments: 1, Calls: 1}) // limits of reassembly
	first := packet(t, Header{Type: TypeRequest, Flags: FlagFirst, CallID: 2},
		&Request{Opnum: 7, Stub: make([]byte, 100)})
	var got []uint16
	for range 3 {
		for i := range first {
			r.Push(first[i : i+1])
			p, ok, err := r.NextPacket()
			if err != nil || ok != (i == len(first)-1) {
				t.Fatalf("byte %d: %v %v", i, ok, err)
			}
			if ok {
				q, err := p.Request()
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, q.Opnum)
			}
		}
	}
	if len(got) != 3 || got[2] != 7 || !r.Idle() {
		t.Errorf("%v, and kept: %v", got, !r.Idle())
	}
	r.Push(bytes.Repeat([]byte("HTTP"), 10))
	for range 2 {
		if _, ok, err := r.NextPacket(); ok || err == nil {
			t.Errorf("no packet: %v %v", ok, err)
		}
	}
}

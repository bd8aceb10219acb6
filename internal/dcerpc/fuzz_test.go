package dcerpc

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
)

// seedPDUs returns packets of each kind, encoded by this package.
func seedPDUs(t testing.TB) [][]byte {
	t.Helper()
	object := UUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	auth := &Auth{Type: AuthNTLM, Level: AuthLevelPrivacy, PadLength: 12, ContextID: 1, Token: make([]byte, 16)}
	whole := FlagFirst | FlagLast
	var list [][]byte
	for _, p := range []struct {
		h    Header
		body Body
		auth *Auth
	}{
		{Header{Type: TypeBind, Flags: whole, CallID: 1}, &Bind{MaxXmit: 5840, MaxRecv: 5840, Contexts: []Context{
			{ID: 0, Abstract: SAMR, Transfer: []SyntaxID{NDR20, NDR64}},
			{ID: 1, Abstract: SAMR, Transfer: []SyntaxID{FeatureSyntax(FeatureSecurityContextMultiplexing)}},
		}}, nil},
		{
			Header{Type: TypeAlterContext, Flags: whole, CallID: 1},
			&Bind{Contexts: []Context{{ID: 2, Abstract: LSARPC, Transfer: []SyntaxID{NDR20}}}}, nil,
		},
		{
			Header{Type: TypeBindAck, Flags: whole, CallID: 1},
			&BindAck{
				MaxXmit: 4280, MaxRecv: 4280, AssocGroup: 9, Secondary: `\PIPE\lsass`,
				Results: []ContextResult{{Accepted: true, Transfer: NDR20}, {Result: ResultNegotiateAck}},
			}, auth,
		},
		{
			Header{Type: TypeAlterContextReply, Flags: whole, CallID: 1},
			&BindAck{Results: []ContextResult{{Accepted: true, Transfer: NDR20}}}, nil,
		},
		{
			Header{Type: TypeBindNak, Flags: whole, CallID: 1},
			&BindNak{Reason: NakVersionNotSupported, Versions: [][2]uint8{{5, 0}, {5, 1}}}, nil,
		},
		{Header{Type: TypeAuth3, Flags: whole, CallID: 1}, &Padding{}, auth},
		{
			Header{Type: TypeRequest, Flags: FlagFirst, CallID: 2},
			&Request{AllocHint: 8, Opnum: 64, Stub: []byte("half")}, nil,
		},
		{
			Header{Type: TypeRequest, Flags: FlagLast, CallID: 2},
			&Request{AllocHint: 4, Opnum: 64, Stub: []byte("half")},
			nil,
		},
		{
			Header{Type: TypeRequest, Flags: whole | FlagObject, CallID: 3},
			&Request{Opnum: 1, Object: &object, Stub: []byte("stub")}, auth,
		},
		{Header{Type: TypeResponse, Flags: whole, CallID: 3}, &Response{Stub: []byte("answer")}, auth},
		{
			Header{Type: TypeFault, Flags: whole | FlagDidNotExecute, CallID: 3},
			&FaultBody{Status: 5, Stub: []byte{}},
			nil,
		},
		{Header{Type: TypeCancel, Flags: whole, CallID: 3}, nil, nil},
		{Header{Type: TypeOrphaned, Flags: whole, CallID: 3}, nil, nil},
		{Header{Type: TypeShutdown, Flags: whole, CallID: 0}, nil, nil},
	} {
		b, err := AppendPDU(nil, p.h, p.body, p.auth)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

// bodyOf decodes the body of any packet.
func bodyOf(p *PDU) (Body, error) {
	switch p.Type {
	case TypeBind, TypeAlterContext:
		b, err := p.Bind()
		return &b, err
	case TypeBindAck, TypeAlterContextReply:
		b, err := p.BindAck()
		return &b, err
	case TypeBindNak:
		b, err := p.BindNak()
		return &b, err
	case TypeRequest:
		b, err := p.Request()
		return &b, err
	case TypeResponse:
		b, err := p.Response()
		return &b, err
	case TypeFault:
		b, err := p.Fault()
		return &b, err
	case TypeAuth3:
		return &Padding{}, nil
	}
	return nil, nil
}

// again encodes a parsed packet.
func again(p *PDU) ([]byte, error) {
	body, err := bodyOf(p)
	if err != nil {
		return nil, err
	}
	var auth *Auth
	if p.HasAuth {
		auth = &p.Auth
	}
	return AppendPDU(nil, p.Header, body, auth)
}

func TestCanonicalPDUs(t *testing.T) {
	for _, b := range seedPDUs(t) {
		p, n, err := Parse(b)
		if err != nil || n != len(b) {
			t.Fatalf("%x: %d of %d bytes, %v", b, n, len(b), err)
		}
		got, err := again(&p)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%v: %v\ngot  %x\nwant %x", p.Type, err, got, b)
		}
	}
}

func FuzzPDU(f *testing.F) {
	for _, b := range seedPDUs(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, n, err := Parse(b)
		if err != nil {
			return
		}
		if n > len(b) || n < headerSize {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		first, err := again(&p)
		if err != nil {
			return
		}
		q, _, err := Parse(first)
		if err != nil {
			t.Fatalf("what was encoded does not parse: %v\n%x\n%x", err, b, first)
		}
		if second, err := again(&q); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%x\n%x", err, first, second)
		}
	})
}

// collect pushes a stream in pieces and returns the output as bytes.
func collect(b []byte, r *rand.Rand) (out []byte, end error) {
	in := NewReassembler(Limits{Bytes: 1 << 16, Fragments: 16, Calls: 2})
	for len(b) > 0 {
		n := len(b)
		if r != nil {
			n = min(n, 1+r.IntN(40))
		}
		in.Push(append([]byte(nil), b[:n]...))
		b = b[n:]
		for {
			call, ok, err := in.Next()
			var one *FragmentError
			if errors.As(err, &one) {
				out = append(out, "error"...)
				continue
			}
			if err != nil {
				return out, err
			}
			if !ok {
				break
			}
			out = append(append(out, byte(call.PDU.Type), byte(call.Fragments), byte(call.Opnum)), call.Stub...)
			out = append(out, call.PDU.Body...)
		}
	}
	return out, nil
}

// FuzzReassembler: how the bytes are split into writes must not matter.
func FuzzReassembler(f *testing.F) {
	f.Add(bytes.Join(seedPDUs(f), nil), uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		whole, err1 := collect(b, nil)
		cut, err2 := collect(b, rand.New(rand.NewPCG(seed, 0)))
		if !bytes.Equal(whole, cut) || (err1 == nil) != (err2 == nil) {
			t.Fatalf("whole %v: %x\ncut   %v: %x", err1, whole, err2, cut)
		}
	})
}

// FuzzStub decodes any bytes as any call's arguments. What decodes must encode, and decode to the same again.
func FuzzStub(f *testing.F) {
	for _, s := range goldenStubs(f) {
		for i, l := range layouts {
			if l.iface == s.iface && l.opnum == s.opnum {
				f.Add(uint16(i), s.request, false, s.bytes)
			}
		}
	}
	f.Fuzz(func(t *testing.T, index uint16, request, big bool, b []byte) {
		l := layouts[int(index)%len(layouts)]
		fresh := l.answer
		if request {
			fresh = l.request
		}
		m := fresh()
		if UnmarshalNDR(b, big, m) != nil {
			return
		}
		first, err := encode(m, big)
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if len(first) > 16*len(b)+1024 {
			t.Fatalf("%d bytes became %d", len(b), len(first))
		}
		n := fresh()
		if err := UnmarshalNDR(first, big, n); err != nil {
			t.Fatalf("%+v\n%x: %v", m, first, err)
		}
		if second, _ := encode(n, big); !bytes.Equal(first, second) {
			t.Fatalf("%+v\n%x\n%+v\n%x", m, first, n, second)
		}
		if e, ok := m.(*REnumServicesStatusWResponse); ok {
			e.Services()
		}
	})
}

// FuzzServer writes any bytes to a server.
func FuzzServer(f *testing.F) {
	f.Add(bytes.Join(seedPDUs(f), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := (&Endpoint{Secondary: `\PIPE\x`, Handlers: map[SyntaxID]Handler{SAMR: echo}}).NewServer()
		_ = s.Write(b)
		for s.Pending() > 0 {
			out, _ := s.Read(100)
			if len(out) == 0 {
				t.Fatal("pending bytes that cannot be read")
			}
		}
	})
}

// replay answers a client with recorded bytes.
type replay struct {
	b     []byte
	chunk int
}

func (r *replay) Transact(ctx context.Context, _ []byte, max int) ([]byte, error) {
	b, _, err := r.Read(ctx, max)
	return b, err
}

func (r *replay) Write(_ context.Context, b []byte) (int, error) { return len(b), nil }

func (r *replay) Read(_ context.Context, max int) ([]byte, bool, error) {
	n := min(len(r.b), r.chunk, max)
	b := r.b[:n]
	r.b = r.b[n:]
	return b, len(r.b) > 0, nil
}

// FuzzClient answers a client with any bytes: the client must always return.
func FuzzClient(f *testing.F) {
	seeds := seedPDUs(f)
	f.Add(append(append([]byte(nil), seeds[2]...), seeds[9]...), 64)
	f.Add(append(append([]byte(nil), seeds[3]...), seeds[10]...), 64)
	f.Fuzz(func(t *testing.T, b []byte, chunk int) {
		c := NewClient(&replay{b, max(1, chunk&0xFFFF)})
		if _, err := c.Bind(t.Context(), SAMR); err != nil {
			return
		}
		_, _ = SAMRClient{c}.Connect5(t.Context(), "x", 1)
		_, _ = c.AlterContext(t.Context(), LSARPC)
	})
}

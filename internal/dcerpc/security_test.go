package dcerpc

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"testing"
)

// seal is trivial packet security: each byte inverted, and a checksum over the packet.
type seal struct {
	kind   uint8
	rounds int
}

func (s *seal) Type() uint8        { return s.kind }
func (s *seal) Level() uint8       { return AuthLevelPrivacy }
func (s *seal) SignatureSize() int { return 4 }

func (s *seal) Token(_ context.Context, in []byte) ([]byte, error) {
	s.rounds++
	return append([]byte("token"), in...), nil
}

func turned(b []byte) {
	for i := range b {
		b[i] ^= 0x5A
	}
}

func sum(b []byte) []byte {
	n := crc32.ChecksumIEEE(b)
	return []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
}

func (s *seal) Wrap(packet []byte, from, to int) ([]byte, error) {
	signature := sum(packet)
	turned(packet[from:to])
	return signature, nil
}

func (s *seal) Unwrap(packet []byte, from, to int, signature []byte) error {
	turned(packet[from:to])
	if !bytes.Equal(sum(packet), signature) {
		return errors.New("wrong signature")
	}
	return nil
}

// sealed is a server that checks each fragment and seals its echo.
type sealed struct {
	t      *testing.T
	s      seal
	in     []byte
	out    [][]byte
	spoil  bool
	tokens int
}

func (s *sealed) Write(_ context.Context, b []byte) (int, error) {
	p, _, err := Parse(b)
	if err != nil {
		return 0, err
	}
	h := Header{Flags: FlagFirst | FlagLast, CallID: p.CallID}
	auth := &Auth{Type: s.s.Type(), Level: AuthLevelPrivacy}
	reply := func(body Body) []byte {
		packet, err := AppendPDU(nil, h, body, auth)
		if err != nil {
			s.t.Fatal(err)
		}
		return packet
	}
	switch p.Type {
	case TypeBind, TypeAlterContext:
		s.tokens++
		if !bytes.HasPrefix(p.Auth.Token, []byte("token")) {
			s.t.Errorf("token %q", p.Auth.Token)
		}
		h.Type = p.Type + 1
		if s.tokens < 3 {
			auth.Token = []byte("more")
		}
		if auth.Token == nil {
			auth = nil
		}
		s.out = append(s.out, reply(&BindAck{MaxRecv: 4280, Results: []ContextResult{{Transfer: NDR20}}}))
	case TypeAuth3:
		s.tokens++
	case TypeRequest:
		if len(b) > 4280 {
			s.t.Errorf("fragment of %d bytes", len(b))
		}
		own := append([]byte(nil), b...)
		end := len(own) - len(p.Auth.Token)
		if err := s.s.Unwrap(own[:end], headerSize+requestHead, end-trailerSize, own[end:]); err != nil {
			s.t.Error(err)
		}
		if (end-trailerSize-headerSize-requestHead)%authAlign != 0 {
			s.t.Errorf("stub and padding of %d bytes", end-trailerSize-headerSize-requestHead)
		}
		q, _, _ := Parse(own)
		r, _ := q.Request()
		s.in = append(s.in, r.Stub...)
		if p.Flags&FlagLast != 0 {
			s.answer(p.CallID)
		}
	}
	return len(b), nil
}

func (s *sealed) answer(id uint32) {
	for first := FlagFirst; ; first = 0 {
		n := min(1000, len(s.in))
		h := Header{Type: TypeResponse, Flags: first, CallID: id}
		if n == len(s.in) {
			h.Flags |= FlagLast
		}
		auth := &Auth{Type: s.s.Type(), Level: AuthLevelPrivacy, PadLength: uint8(-n & 15), Token: make([]byte, 4)}
		packet, err := AppendPDU(nil, h, &Response{Stub: s.in[:n]}, auth)
		if err != nil {
			s.t.Fatal(err)
		}
		signature, _ := s.s.Wrap(packet[:len(packet)-4], headerSize+requestHead, len(packet)-4-trailerSize)
		copy(packet[len(packet)-4:], signature)
		if s.spoil {
			packet[30] ^= 1
		}
		s.out = append(s.out, packet)
		if s.in = s.in[n:]; len(s.in) == 0 {
			return
		}
	}
}

func (s *sealed) Transact(ctx context.Context, in []byte, max int) ([]byte, error) {
	if _, err := s.Write(ctx, in); err != nil {
		return nil, err
	}
	b, _, err := s.Read(ctx, max)
	return b, err
}

func (s *sealed) Read(context.Context, int) ([]byte, bool, error) {
	if len(s.out) == 0 {
		return nil, false, nil
	}
	b := s.out[0]
	s.out = s.out[1:]
	return b, false, nil
}

// TestPacketSecurity seals every fragment both ways, after a bind with auth3 (NTLM) and with alter_context (others).
func TestPacketSecurity(t *testing.T) {
	for kind, tokens := range map[uint8]int{AuthNTLM: 2, AuthSPNEGO: 3} {
		server := &sealed{t: t, s: seal{kind: kind}}
		c := NewClient(server)
		c.SetSecurity(&seal{kind: kind})
		if _, err := c.Bind(t.Context(), WINREG); err != nil {
			t.Fatal(err)
		}
		if server.tokens != tokens {
			t.Errorf("auth type %d: %d tokens", kind, server.tokens)
		}
		for _, n := range []int{1, 16, 1000, 20000} {
			stub := bytes.Repeat([]byte("q"), n)
			got, err := c.Call(t.Context(), WINREG, 0, stub)
			if err != nil || !bytes.Equal(got, stub) {
				t.Fatalf("%d bytes: %d back, %v", n, len(got), err)
			}
		}
		server.spoil = true
		if _, err := c.Call(t.Context(), WINREG, 0, []byte("x")); err == nil {
			t.Error("a changed packet is accepted")
		}
	}
	plain := packet(t, Header{Type: TypeResponse, Flags: FlagFirst | FlagLast, CallID: 2}, &Response{})
	c := NewClient(&replay{plain, 1000})
	c.security, c.secured, c.bound, c.callID = &seal{kind: AuthNTLM}, true, true, 1
	c.contexts[SAMR] = 0
	c.in.unwrap = c.open
	if _, err := c.Call(t.Context(), SAMR, 0, nil); !errors.Is(err, errNoSignature) {
		t.Errorf("an answer without a signature: %v", err)
	}
}

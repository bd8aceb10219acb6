package smb_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/smb"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/status"
)

// fake1 is an SMB1 server that behaves until a request for which hook returns the response.
type fake1 struct {
	caps   uint32
	buffer uint32
	hook   func(m *smb1.Message, body smb1.Body) (frames [][]byte, mine bool)

	mu      sync.Mutex
	message []byte // what was written to the pipe
}

func (f *fake1) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		_, msg, err := nbss.ReadFrame(r, nil, 1<<20)
		if err != nil {
			return
		}
		m, err := smb1.Parse(msg)
		if err != nil {
			return
		}
		body, err := m.Decode(0)
		if err != nil {
			return
		}
		frames, mine := [][]byte(nil), false
		if f.hook != nil {
			frames, mine = f.hook(m, body)
		}
		if !mine {
			frames = [][]byte{f.answer(m, body)}
		}
		for _, b := range frames {
			if b == nil {
				return
			}
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}
}

// frame1 is an answer to m with a status.
func frame1(m *smb1.Message, s status.NTStatus, bodies ...smb1.Body) []byte {
	h := m.Header
	h.Flags |= smb1.FlagsReply
	h.UID, h.TID = 7, 9
	h.SetStatus(s)
	b, err := smb1.Append(make([]byte, nbss.HeaderLen), &h, bodies...)
	if err != nil {
		panic(err)
	}
	nbss.PutHeader(b)
	return b
}

func (f *fake1) answer(m *smb1.Message, body smb1.Body) []byte {
	ok := func(bodies ...smb1.Body) []byte { return frame1(m, status.Success, bodies...) }
	switch body := body.(type) {
	case *smb1.NegotiateRequest:
		return ok(&smb1.NegotiateResponse{
			MaxMpxCount: 2, MaxBufferSize: f.buffer, Capabilities: f.caps | smb1.CapUnicode | smb1.CapStatus32,
			Challenge: []byte("12345678"), DomainName: "LAB", ServerName: "FAKE", SecurityMode: 3,
		})
	case *smb1.SessionSetupRequest:
		answers := []smb1.Body{&smb1.SessionSetupResponse{NativeOS: "fake", NativeLanMan: "fake"}}
		if len(m.Blocks) == 2 {
			answers = append(answers, &smb1.TreeConnectResponse{Words: 3, Service: smb1.ServicePipe})
		}
		return ok(answers...)
	case *smb1.TreeConnectRequest:
		return ok(&smb1.TreeConnectResponse{Words: 3, Service: smb1.ServicePipe})
	case *smb1.NTCreateRequest:
		return ok(&smb1.NTCreateResponse{FID: 3})
	case *smb1.OpenRequest:
		return ok(&smb1.OpenResponse{FID: 3})
	case *smb1.WriteRequest:
		f.mu.Lock()
		defer f.mu.Unlock()
		if body.WriteMode&smb1.WriteMessageStart != 0 {
			f.message = nil
		}
		f.message = append(f.message, body.Data...)
		return ok(&smb1.WriteResponse{Count: uint32(len(body.Data))})
	case *smb1.ReadRequest:
		return ok(&smb1.ReadResponse{Data: []byte("read")})
	case *smb1.TransRequest:
		return ok(&smb1.TransResponse{Code: smb1.Transaction, TotalDataCount: uint32(len(body.Data)), Data: body.Data})
	}
	return frame1(m, status.NotImplemented, &smb1.Generic{Code: body.Command()})
}

// dial1 starts the server and opens a pipe on it.
func dial1(t *testing.T, f *fake1, o smb.Options) (*smb.Conn, smb.Pipe) {
	t.Helper()
	l, err := net.Listen("tcp", "127.42.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(c)
		}
	}()
	if f.buffer == 0 {
		f.buffer = 4356
	}
	o.Dialects, o.NoExtendedSecurity = []smb.Dialect{smb.SMB1}, true
	if o.Timeouts.Call == 0 {
		o.Timeouts.Call = time.Minute
	}
	c, err := smb.Dial(t.Context(), l.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := c.SessionSetup(t.Context(), anonymous())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.TreeConnect(t.Context(), "IPC$")
	if err != nil {
		t.Fatal(err)
	}
	p, err := tree.OpenPipe(t.Context(), "samr")
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

// part1 is one answer to a TRANSACTION.
func part1(m *smb1.Message, total, at int, data string) []byte {
	return frame1(m, status.Success, &smb1.TransResponse{
		Code: smb1.Transaction, TotalDataCount: uint32(total), DataDisplacement: uint32(at), Data: []byte(data),
	})
}

// onTransaction answers TRANSACTION alone.
func onTransaction(answer func(m *smb1.Message) [][]byte) func(*smb1.Message, smb1.Body) ([][]byte, bool) {
	return func(m *smb1.Message, _ smb1.Body) ([][]byte, bool) {
		if m.Command != smb1.Transaction {
			return nil, false
		}
		return answer(m), true
	}
}

// TestSMB1Answers checks what the caller gets for good and bad answers to TRANSACTION.
func TestSMB1Answers(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(m *smb1.Message) [][]byte
		want   string // the answer
		err    string // or the reason
	}{
		{"one part", func(m *smb1.Message) [][]byte { return [][]byte{part1(m, 3, 0, "abc")} }, "abc", ""},
		{"three parts", func(m *smb1.Message) [][]byte {
			return [][]byte{part1(m, 6, 0, "ab"), part1(m, 6, 2, "cd"), part1(m, 6, 4, "ef")}
		}, "abcdef", ""},
		{"the total shrinks", func(m *smb1.Message) [][]byte {
			return [][]byte{part1(m, 9, 0, "ab"), part1(m, 4, 2, "cd")}
		}, "abcd", ""},
		{"the total grows", func(m *smb1.Message) [][]byte {
			return [][]byte{part1(m, 4, 0, "ab"), part1(m, 9, 2, "cd")}
		}, "", "TRANSACTION answered"},
		{"beyond the total", func(m *smb1.Message) [][]byte {
			return [][]byte{part1(m, 4, 0, "ab"), part1(m, 4, 3, "cd")}
		}, "", "TRANSACTION answered"},
		{"the same part again and again", func(m *smb1.Message) [][]byte {
			return [][]byte{part1(m, 40, 0, "ab"), part1(m, 40, 2, ""), part1(m, 40, 2, "")}
		}, "", "TRANSACTION answered"},
		{"parts without end", func(m *smb1.Message) (out [][]byte) {
			for range 100 {
				out = append(out, part1(m, 60000, 0, "a"))
			}
			return out
		}, "", "more than 64 parts"},
		{"an error", func(m *smb1.Message) [][]byte {
			return [][]byte{frame1(m, status.PipeBroken, &smb1.Generic{Code: smb1.Transaction})}
		}, "", "STATUS_PIPE_BROKEN"},
		{"an error after a part", func(m *smb1.Message) [][]byte {
			return [][]byte{part1(m, 6, 0, "ab"), frame1(m, status.PipeBroken, &smb1.Generic{Code: smb1.Transaction})}
		}, "", "STATUS_PIPE_BROKEN"},
		{"success without data", func(m *smb1.Message) [][]byte {
			return [][]byte{frame1(m, status.Success, &smb1.Generic{Code: smb1.Transaction})}
		}, "", "neither data nor an error"},
		{"success without data after a part", func(m *smb1.Message) [][]byte {
			return [][]byte{part1(m, 6, 0, "ab"), frame1(m, status.Success, &smb1.Generic{Code: smb1.Transaction})}
		}, "", "in the middle of its answer"},
		{"another MID", func(m *smb1.Message) [][]byte {
			b := part1(m, 3, 0, "abc")
			b[nbss.HeaderLen+30] ^= 0x40
			return [][]byte{b}
		}, "", "not asked"},
		{"another command", func(m *smb1.Message) [][]byte {
			return [][]byte{frame1(m, status.Success, &smb1.EchoMessage{})}
		}, "", "an answer to ECHO"},
		{"a request", func(m *smb1.Message) [][]byte {
			b := part1(m, 3, 0, "abc")
			b[nbss.HeaderLen+9] = 0
			return [][]byte{b}
		}, "", "sent a request"},
		{"SMB2", func(*smb1.Message) [][]byte {
			b := make([]byte, 4+64)
			copy(b[4:], "\xFESMB")
			nbss.PutHeader(b)
			return [][]byte{b}
		}, "", "SMB2 answer"},
		{"cut short", func(m *smb1.Message) [][]byte {
			b := part1(m, 3, 0, "abc")
			b = b[:len(b)-2]
			nbss.PutHeader(b)
			return [][]byte{b}
		}, "", "malformed answer"},
		{"a frame of 16 MiB", func(*smb1.Message) [][]byte { return [][]byte{{0, 0xFF, 0xFF, 0xFF}} }, "", "frame"},
		{"dropped", func(*smb1.Message) [][]byte { return [][]byte{nil} }, "", "dropped"},
		{"silence", func(*smb1.Message) [][]byte { return nil }, "", "timed out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := smb.Options{}
			if test.name == "silence" {
				o.Timeouts.Call = 100 * time.Millisecond
			}
			_, p := dial1(t, &fake1{caps: smb1.CapNTSMBs, hook: onTransaction(test.answer)}, o)
			got, err := p.Transact(t.Context(), []byte("in"), 4096)
			if test.err == "" {
				if err != nil || string(got) != test.want {
					t.Errorf("%q, %v, want %q", got, err, test.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Fatalf("%q, error %v, want %q", got, err, test.err)
			}
			var transport *smb.TransportError
			// Nothing is an answer, too: only this pipe is of no more use.
			answered := strings.HasPrefix(test.err, "STATUS_") || test.name == "success without data"
			if errors.As(err, &transport) == answered {
				t.Errorf("%v is a failure of the transport: %v", err, !answered)
			}
		})
	}
}

func TestSMB1LongMessages(t *testing.T) {
	f := &fake1{caps: smb1.CapNTSMBs, buffer: 1200}
	_, p := dial1(t, f, smb.Options{})
	long := bytes.Repeat([]byte("0123456789"), 300)
	n, err := p.Write(t.Context(), long)
	if err != nil || n != len(long) {
		t.Fatalf("%d, %v", n, err)
	}
	if f.message[0] != byte(len(long)&0xFF) || f.message[1] != byte(len(long)>>8) || !bytes.Equal(f.message[2:], long) {
		t.Errorf("the message in parts came as %d bytes, %x…", len(f.message), f.message[:8])
	}
	if got, err := p.Transact(t.Context(), long, 4096); err != nil || string(got) != "read" {
		t.Errorf("%q, %v", got, err)
	}
	if n, err = p.Write(t.Context(), []byte("short")); err != nil || n != 5 || string(f.message) != "short" {
		t.Errorf("%d, %v, %q", n, err, f.message)
	}
}

func TestSMB1Overflow(t *testing.T) {
	parts := []string{"cd", "ef"}
	f := &fake1{caps: smb1.CapNTSMBs}
	f.hook = func(m *smb1.Message, body smb1.Body) ([][]byte, bool) {
		switch body.(type) {
		case *smb1.TransRequest:
			return [][]byte{frame1(m, status.BufferOverflow,
				&smb1.TransResponse{Code: smb1.Transaction, TotalDataCount: 2, Data: []byte("ab")})}, true
		case *smb1.ReadRequest:
			part := parts[0]
			parts = parts[1:]
			s := status.BufferOverflow
			if len(parts) == 0 {
				s = status.Success
			}
			return [][]byte{frame1(m, s, &smb1.ReadResponse{Data: []byte(part)})}, true
		}
		return nil, false
	}
	_, p := dial1(t, f, smb.Options{})
	if got, err := p.Transact(t.Context(), nil, 100); err != nil || string(got) != "abcdef" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSMB1Together sends more requests at once than MaxMpxCount allows; each gets its own answer.
func TestSMB1Together(t *testing.T) {
	_, p := dial1(t, &fake1{caps: smb1.CapNTSMBs}, smb.Options{})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			in := bytes.Repeat([]byte{byte(i)}, i+1)
			if got, err := p.Transact(t.Context(), in, 4096); err != nil || !bytes.Equal(got, in) {
				t.Errorf("request %d: %x, %v", i, got, err)
			}
		})
	}
	wg.Wait()
}

// TestSMB1TreeWithLogon distinguishes a refused tree connect, chained to the logon, from a refused logon.
func TestSMB1TreeWithLogon(t *testing.T) {
	counters := new(smb.Counters)
	f := &fake1{caps: smb1.CapNTSMBs}
	dial1(t, f, smb.Options{Counters: counters})
	if n := counters.Requests.Load(); n != 3 { // negotiate, logon with tree, open
		t.Errorf("%d requests to open a pipe, want 3", n)
	}
	for _, refuseTree := range []bool{true, false} {
		f := &fake1{caps: smb1.CapNTSMBs, buffer: 4356}
		f.hook = func(m *smb1.Message, body smb1.Body) ([][]byte, bool) {
			if m.Command != smb1.SessionSetupAndX {
				return nil, false
			}
			if refuseTree {
				return [][]byte{frame1(m, status.AccessDenied, &smb1.SessionSetupResponse{},
					&smb1.Generic{Code: smb1.TreeConnectAndX})}, true
			}
			return [][]byte{frame1(m, status.AccessDenied, &smb1.Generic{Code: smb1.SessionSetupAndX})}, true
		}
		l, err := net.Listen("tcp", "127.42.0.2:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			if c, err := l.Accept(); err == nil {
				f.serve(c)
			}
		}()
		c, err := smb.Dial(context.Background(), l.Addr().String(),
			smb.Options{Dialects: []smb.Dialect{smb.SMB1}, NoExtendedSecurity: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := c.SessionSetup(t.Context(), anonymous())
		if !refuseTree {
			if !errors.Is(err, status.AccessDenied) {
				t.Errorf("a refused logon: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("a refused tree connect: the logon fails with %v", err)
		}
		if _, err := s.TreeConnect(t.Context(), "IPC$"); !errors.Is(err, status.AccessDenied) {
			t.Errorf("a refused tree connect: %v", err)
		}
	}
}

// TestSMB1OldServer opens a pipe on a server that supports only OPEN_ANDX.
func TestSMB1OldServer(t *testing.T) {
	_, p := dial1(t, &fake1{}, smb.Options{})
	if got, err := p.Transact(t.Context(), []byte("echo"), 100); err != nil || string(got) != "echo" {
		t.Errorf("%q, %v", got, err)
	}
}

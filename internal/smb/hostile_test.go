package smb_test

import (
	"context"
	"encoding/asn1"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/smb"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// waits are long, as a busy machine may need, except for one layer, whose server is silent there.
func waits(silent string) smb.Timeouts {
	of := func(layer string) time.Duration {
		if layer == silent {
			return time.Second
		}
		return time.Minute
	}
	return smb.Timeouts{
		Connect: time.Minute, Negotiate: of("negotiate"), Session: of("session"), Tree: of("tree"), Open: of("open"),
		Call: of("call"),
	}
}

// nobody is an Authenticator whose server is content with its first token.
type nobody struct{}

func (nobody) Mechanism() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 10}
}

func (nobody) Start(context.Context) ([]byte, error) { return []byte("NTLMSSP\x00"), nil }

func (nobody) Next(context.Context, []byte) (b []byte, err error) { return []byte("token"), nil }
func (nobody) SessionKey() []byte                                 { return nil }
func (nobody) MIC([]byte) []byte                                  { return nil }
func (nobody) VerifyMIC([]byte, []byte) error                     { return nil }
func (nobody) Anonymous() bool                                    { return true }

// listen serves each connection with f on a loopback address of this package's own.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.41.1.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				f(c)
			})
		}
	})
	return l.Addr().String()
}

// question is one request as the scripted server sees it.
type question struct {
	smb2.Header
	raw []byte
}

// reply makes the frame of an answer.
func (q question) reply(st status.NTStatus, body smb2.Body, change ...func(*smb2.Header)) []byte {
	h := smb2.Header{
		Command: q.Command, Status: uint32(st), Credits: max(1, q.Credits), Flags: smb2.FlagResponse,
		MessageID: q.MessageID,
		SessionID: 77, TreeID: 5,
	}
	for _, f := range change {
		f(&h)
	}
	m := smb2.Message{Header: h, Body: body}
	frame := m.AppendMarshal(make([]byte, nbss.HeaderLen))
	nbss.PutHeader(frame)
	return frame
}

// honest answers as a server of 2.1 that accepts every logon and echoes writes to a pipe.
func honest(q question) []byte {
	switch q.Command {
	case smb2.Negotiate:
		return q.reply(0, &smb2.NegotiateResponse{
			Dialect: smb2.Dialect210, SecurityMode: 1, MaxTransact: 1 << 16,
			MaxRead: 1 << 16, MaxWrite: 1 << 16,
		})
	case smb2.SessionSetup:
		return q.reply(0, &smb2.SessionSetupResponse{SessionFlags: smb2.SessionIsNull})
	case smb2.TreeConnect:
		return q.reply(0, &smb2.TreeConnectResponse{ShareType: smb2.SharePipe})
	case smb2.Create:
		return q.reply(0, &smb2.CreateResponse{FileID: smb2.FileID{1}})
	case smb2.IOCTL:
		return q.reply(0, &smb2.IOCTLResponse{CtlCode: smb2.FSCTLPipeTransceive, Output: []byte("answer")})
	}
	return q.reply(0, new(smb2.Empty))
}

// script serves connections with a function from question to frame; nil sends nothing.
func script(t *testing.T, answer func(question) []byte) string {
	return listen(t, func(c net.Conn) {
		for {
			_, msg, err := nbss.ReadFrame(c, nil, 1<<20)
			if err != nil {
				return
			}
			q := question{raw: msg}
			if q.Unmarshal(msg) != nil {
				return
			}
			if _, err := c.Write(answer(q)); err != nil {
				return
			}
		}
	})
}

// climb goes up the ladder and returns the first error.
func climb(t *testing.T, address string, w smb.Timeouts) error {
	t.Helper()
	c, err := smb.Dial(t.Context(), address, smb.Options{Dialects: dialects2(), Timeouts: w})
	if err != nil {
		return err
	}
	defer c.Close()
	session, err := c.SessionSetup(t.Context(), nobody{})
	if err != nil {
		return err
	}
	tree, err := session.TreeConnect(t.Context(), "IPC$")
	if err != nil {
		return err
	}
	pipe, err := tree.OpenPipe(t.Context(), "lsarpc")
	if err != nil {
		return err
	}
	out, err := pipe.Transact(t.Context(), []byte("question"), 4096)
	if err == nil && string(out) != "answer" {
		return errors.New("wrong answer " + string(out))
	}
	return err
}

// at misbehaves at one command and is honest otherwise.
func at(command smb2.Command, f func(question) []byte) func(question) []byte {
	return func(q question) []byte {
		if q.Command == command {
			return f(q)
		}
		return honest(q)
	}
}

func TestHonestScript(t *testing.T) {
	if err := climb(t, script(t, honest), waits("")); err != nil {
		t.Fatal(err)
	}
}

// misbehave checks that a server ends as a TransportError with the words, without a wait that is not for silence, and
// with little memory.
func misbehave(t *testing.T, address, layer, words string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	silent := ""
	if words == "timed out" || words == "credits" {
		silent = layer
	}
	start := time.Now()
	err := climb(t, address, waits(silent))
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	var te *smb.TransportError
	if !errors.As(err, &te) || te.Layer != layer || !strings.Contains(te.Reason, words) {
		t.Errorf("%v, want a failure of %s with %q", err, layer, words)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes allocated", grown)
	}
	if took > time.Minute { // what a wait that nothing ended takes; a busy machine takes less
		t.Errorf("took %v", took)
	}
}

func TestForeignSpeakers(t *testing.T) {
	for words, banner := range map[string]string{
		"TLS alert":   "\x15\x03\x01\x00\x02\x02\x46",
		"TLS":         "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03",
		"HTTP answer": "HTTP/1.1 400 Bad Request\r\n\r\n",
		"SSH banner":  "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
		"SMTP":        "220 mail.example ESMTP\r\n",
		"not SMB":     "\x00\x00\x00\x24\xDE\xAD\xBE\xEF and some more bytes that say nothing",
		"FF 00 01 02": "\xFF\x00\x01\x02",
	} {
		t.Run(words, func(t *testing.T) {
			misbehave(t, listen(t, func(c net.Conn) {
				_, _ = io.WriteString(c, banner)
				_, _ = io.Copy(io.Discard, c)
			}), "negotiate", words)
		})
	}
}

func TestHostileServers(t *testing.T) {
	garbage := make([]byte, 200)
	copy(garbage, "\x00\x00\x00\xC4\xFESMB\x40\x00")
	for name, c := range map[string]struct {
		layer, words string
		answer       func(question) []byte
	}{
		"silent":       {"negotiate", "timed out", func(question) []byte { return nil }},
		"silent later": {"tree", "timed out", at(smb2.TreeConnect, func(question) []byte { return nil })},
		"16 MiB":       {"negotiate", "too large", func(question) []byte { return []byte{0, 0xFF, 0xFF, 0xFF} }},
		"16 MiB later": {
			"open", "too large",
			at(smb2.Create, func(question) []byte { return []byte{0, 0xFF, 0xFF, 0xFF} }),
		},
		"1 MiB never sent": {
			"call", "timed out",
			at(smb2.IOCTL, func(question) []byte { return []byte{0, 0x10, 0, 0} }),
		},
		"garbage": {
			"session", "sent a request",
			at(smb2.SessionSetup, func(question) []byte { return garbage }),
		},
		"not SMB later": {
			"session", "not SMB",
			at(smb2.SessionSetup, func(question) []byte { return []byte("HTTP/1.1 200 OK\r\n") }),
		},
		"NetBIOS later": {
			"session", "NetBIOS frame",
			at(smb2.SessionSetup, func(question) []byte { return []byte{0x83, 0, 0, 1, 0x8F} }),
		},
		"empty": {
			"session", "not SMB",
			at(smb2.SessionSetup, func(question) []byte { return []byte{0, 0, 0, 0} }),
		},
		"SMB1 later": {"session", "SMB1 answer", at(smb2.SessionSetup, func(question) []byte {
			return append([]byte("\x00\x00\x00\x40\xFFSMB"), make([]byte, 60)...)
		})},
		"compressed": {"session", "compressed", at(smb2.SessionSetup, func(question) []byte {
			return append([]byte("\x00\x00\x00\x40\xFCSMB"), make([]byte, 60)...)
		})},
		"encrypted": {"session", "does not encrypt", at(smb2.SessionSetup, func(question) []byte {
			return append([]byte("\x00\x00\x00\x40\xFDSMB"), make([]byte, 60)...)
		})},
		"foreign dialect": {"negotiate", "not offered", at(smb2.Negotiate, func(q question) []byte {
			return q.reply(0, &smb2.NegotiateResponse{Dialect: 0x0777})
		})},
		"3.1.1 without hash": {"negotiate", "preauthentication", at(smb2.Negotiate, func(q question) []byte {
			return q.reply(0, &smb2.NegotiateResponse{Dialect: smb2.Dialect311})
		})},
		"other command": {
			"negotiate", "where the answer to NEGOTIATE belongs",
			at(smb2.Negotiate, func(q question) []byte { q.Command = smb2.Echo; return q.reply(0, new(smb2.Empty)) }),
		},
		"a request": {"tree", "sent a request", at(smb2.TreeConnect, func(q question) []byte {
			return q.reply(0, new(smb2.Empty), func(h *smb2.Header) { h.Flags = 0 })
		})},
		"wrong MessageId": {"tree", "not asked", at(smb2.TreeConnect, func(q question) []byte {
			return q.reply(0, new(smb2.Empty), func(h *smb2.Header) { h.MessageID += 9 })
		})},
		"short body": {
			"tree", "malformed",
			at(smb2.TreeConnect, func(q question) []byte { return q.reply(0, new(smb2.Empty)) }),
		},
		"too much output": {"call", "asked for", at(smb2.IOCTL, func(q question) []byte {
			return q.reply(0, &smb2.IOCTLResponse{Output: make([]byte, 9000)})
		})},
		"endless setup": {"session", "without end", at(smb2.SessionSetup, func(q question) []byte {
			return q.reply(status.MoreProcessingRequired,
				&smb2.SessionSetupResponse{SecurityBuffer: []byte("NTLMSSP\x00")})
		})},
		"looping NextCommand": {"tree", "NextCommand", at(smb2.TreeConnect, func(q question) []byte {
			return q.reply(0, &smb2.TreeConnectResponse{}, func(h *smb2.Header) { h.NextCommand = 8 })
		})},
		"endless empty message": {"call", "without end", func(q question) []byte {
			switch q.Command {
			case smb2.IOCTL:
				return q.reply(status.BufferOverflow, &smb2.IOCTLResponse{Output: []byte("some")})
			case smb2.Read:
				return q.reply(status.BufferOverflow, &smb2.ReadResponse{})
			}
			return honest(q)
		}},
		"endless pending": {"tree", "STATUS_PENDING", at(smb2.TreeConnect, func(q question) []byte {
			var all []byte
			for range 20 {
				all = append(all, q.reply(status.Pending, new(smb2.ErrorResponse),
					func(h *smb2.Header) { h.Flags |= smb2.FlagAsync })...)
			}
			return all
		})},
		"pending and silence": {"tree", "timed out", at(smb2.TreeConnect, func(q question) []byte {
			return q.reply(status.Pending, new(smb2.ErrorResponse), func(h *smb2.Header) { h.Flags |= smb2.FlagAsync })
		})},
		"no credits": {"tree", "credits", at(smb2.SessionSetup, func(q question) []byte {
			return q.reply(0, &smb2.SessionSetupResponse{}, func(h *smb2.Header) { h.Credits = 0 })
		})},
	} {
		t.Run(name, func(t *testing.T) {
			answer := c.answer
			if name == "no credits" { // one for NEGOTIATE, one for SESSION_SETUP, none behind
				answer = func(q question) []byte {
					if q.Command == smb2.Negotiate {
						q.Credits = 1
					}
					return c.answer(q)
				}
			}
			misbehave(t, script(t, answer), c.layer, c.words)
		})
	}
}

// TestPendingThenAnswer is an honest slow server.
func TestPendingThenAnswer(t *testing.T) {
	if err := climb(t, script(t, at(smb2.IOCTL, func(q question) []byte {
		return append(q.reply(status.Pending, new(smb2.ErrorResponse),
			func(h *smb2.Header) { h.Flags |= smb2.FlagAsync }), honest(q)...)
	})), waits("")); err != nil {
		t.Error(err)
	}
}

// TestDropAnywhere cuts the server's side of the conversation at every byte.
func TestDropAnywhere(t *testing.T) {
	total := 0
	for cut := 0; ; cut++ {
		done := make(chan int, 1)
		address := listen(t, func(c net.Conn) {
			sent := 0
			defer func() { done <- sent }()
			for {
				_, msg, err := nbss.ReadFrame(c, nil, 1<<20)
				if err != nil {
					return
				}
				var q question
				if q.Unmarshal(msg) != nil {
					return
				}
				b := honest(q)
				if sent+len(b) >= cut {
					_, _ = c.Write(b[:cut-sent])
					sent = cut
					return
				}
				_, _ = c.Write(b)
				sent += len(b)
			}
		})
		err := climb(t, address, waits(""))
		if err == nil {
			total = cut
			break
		}
		var te *smb.TransportError
		if !errors.As(err, &te) || !te.Dropped() || te.Timeout() {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if <-done != cut {
			break
		}
	}
	if total < 500 {
		t.Errorf("the conversation ended well after %d bytes", total)
	}
}

// TestTrickle is a server that sends a byte now and then: the wait bounds the whole answer, not each byte.
func TestTrickle(t *testing.T) {
	address := listen(t, func(c net.Conn) {
		_, msg, err := nbss.ReadFrame(c, nil, 1<<20)
		if err != nil {
			return
		}
		var q question
		if q.Unmarshal(msg) != nil {
			return
		}
		for _, b := range honest(q) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	misbehave(t, address, "negotiate", "timed out")
}

// TestLateAnswer keeps a connection whose one request timed out.
func TestLateAnswer(t *testing.T) {
	var late []byte
	asked := 0
	address := script(t, at(smb2.TreeConnect, func(q question) []byte {
		if asked++; asked == 1 {
			late = honest(q)
			return nil
		}
		answers := append(late, honest(q)...)
		late = nil
		return answers
	}))
	c, err := smb.Dial(t.Context(), address, smb.Options{Dialects: dialects2(), Timeouts: waits("tree")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	session, err := c.SessionSetup(t.Context(), nobody{})
	if err != nil {
		t.Fatal(err)
	}
	var te *smb.TransportError
	if _, err := session.TreeConnect(t.Context(), "IPC$"); !errors.As(err, &te) || !te.Timeout() {
		t.Fatalf("%v, want a time-out", err)
	}
	_, err = session.TreeConnect(t.Context(), "IPC$")
	// A busy machine takes more than the short wait.
	for tries := 0; tries < 30 && errors.As(err, &te) && te.Timeout(); tries++ {
		_, err = session.TreeConnect(t.Context(), "IPC$")
	}
	if err != nil {
		t.Errorf("the connection did not survive: %v", err)
	}
}

func TestCancelAndClose(t *testing.T) {
	address := script(t, at(smb2.TreeConnect, func(question) []byte { return nil }))
	c, err := smb.Dial(t.Context(), address, smb.Options{Dialects: dialects2()})
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.SessionSetup(t.Context(), nobody{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := session.TreeConnect(ctx, "IPC$"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	time.AfterFunc(20*time.Millisecond, func() { c.Close() })
	if _, err := session.TreeConnect(t.Context(), "IPC$"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := session.TreeConnect(t.Context(), "IPC$"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the close: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	silent := script(t, func(question) []byte { return nil })
	if _, err := smb.Dial(ctx, silent, smb.Options{Dialects: dialects2()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a context that ends in the negotiation: %v", err)
	}
}

func TestConnectFailures(t *testing.T) {
	l, err := net.Listen("tcp", "127.41.1.2:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	var te *smb.TransportError
	if _, err := smb.Dial(t.Context(), closed, smb.Options{}); !errors.As(err, &te) || te.Layer != "connect" ||
		te.Reason != "connection refused" {
		t.Errorf("a closed port: %v", err)
	}
	if _, err := smb.Dial(t.Context(), "no-such-host.invalid:445", smb.Options{}); !errors.As(err, &te) ||
		te.Layer != "connect" || !strings.Contains(te.Reason, "resolve") {
		t.Errorf("an unknown name: %v", err)
	}
	refusing := listen(t, func(c net.Conn) {
		if _, _, err := nbss.ReadFrame(c, nil, 1<<20); err == nil {
			_, _ = c.Write(nbss.AppendCallResponse(nil, nbss.CalledNotPresent))
		}
	})
	if _, err := smb.Dial(t.Context(), refusing, smb.Options{NetBIOS: true}); !errors.Is(err, nbss.CalledNotPresent) ||
		!errors.As(err, &te) {
		t.Errorf("a refused call: %v", err)
	}
}

// TestIdleMemory bounds the memory of an idle connection.
func TestIdleMemory(t *testing.T) {
	address := script(t, honest)
	const n = 200
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		c, err := smb.Dial(t.Context(), address, smb.Options{Dialects: dialects2()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.SessionSetup(t.Context(), nobody{}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := int(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse) / n
	t.Logf("%d bytes a connection, with the server's side of it", per)
	if per > 64<<10 {
		t.Errorf("%d bytes a connection", per)
	}
}

// BenchmarkNullSession is the null-session question, both ends in this process.
func BenchmarkNullSession(b *testing.B) {
	l, err := net.Listen("tcp", "127.41.1.3:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for {
					_, msg, err := nbss.ReadFrame(c, buf, 1<<20)
					var q question
					if err != nil || q.Unmarshal(msg) != nil {
						return
					}
					if _, err := c.Write(honest(q)); err != nil {
						return
					}
				}
			}()
		}
	}()
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c, err := smb.Dial(b.Context(), l.Addr().String(), smb.Options{Dialects: dialects2()})
			if err != nil {
				b.Error(err)
				return
			}
			session, err := c.SessionSetup(b.Context(), nobody{})
			if err == nil {
				var tree smb.Tree
				if tree, err = session.TreeConnect(b.Context(), "IPC$"); err == nil {
					var pipe smb.Pipe
					if pipe, err = tree.OpenPipe(b.Context(), "lsarpc"); err == nil {
						for range 2 {
							_, err = pipe.Transact(b.Context(), bindLSA, 4096)
						}
					}
				}
			}
			if err != nil {
				b.Error(err)
			}
			c.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "hosts/s")
}

package smb_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
)

// altered changes bytes of what a connection receives. A change is three bytes: the distance from the byte changed
// before, in two, and the value to flip it with.
type altered struct {
	net.Conn
	at, next int
	change   []byte
}

func (c *altered) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for len(c.change) >= 3 {
		target := c.next + int(c.change[0])<<8 + int(c.change[1])
		if target >= c.at+n {
			break
		}
		b[target-c.at] ^= c.change[2]
		c.next, c.change = target+1, c.change[3:]
	}
	c.at += n
	return n, err
}

// lookAround logs on as anonymous, opens a pipe, sends it a message and looks at a share.
func lookAround(ctx context.Context, o smb.Options) (answer []byte, err error) {
	conn, err := smb.Dial(ctx, "192.0.2.1:445", o)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	session, err := conn.SessionSetup(ctx, ntlm.NewAnonymous(ntlm.Options{}))
	if err != nil {
		return nil, err
	}
	tree, err := session.TreeConnect(ctx, "IPC$")
	if err != nil {
		return nil, err
	}
	bind := []byte("\x05\x00\x0b\x03\x10\x00\x00\x00\x48\x00\x00\x00\x01\x00\x00\x00\xb8\x10\xb8\x10\x00\x00\x00\x00" +
		"\x01\x00\x00\x00\x00\x00\x01\x00" +
		"\x78\x57\x34\x12\x34\x12\xcd\xab\xef\x00\x01\x23\x45\x67\x89\xab\x00\x00\x00\x00" + // lsarpc 0.0
		"\x04\x5d\x88\x8a\xeb\x1c\xc9\x11\x9f\xe8\x08\x00\x2b\x10\x48\x60\x02\x00\x00\x00") // NDR 2.0
	pipe, answer, err := tree.OpenTransact(ctx, "lsarpc", bind, 1<<16)
	if err != nil {
		return nil, err
	}
	if err := pipe.Close(ctx); err != nil {
		return nil, err
	}
	return answer, session.Logoff(ctx)
}

// FuzzAnswers changes bytes of a server's answers. Nothing in a null session is signed, so that the client cannot know.
// It ends, within its timeouts, and takes no more from a pipe than it asked for; with nothing changed it succeeds. The
// time is that of a bubble, which passes only while everybody waits.
func FuzzAnswers(f *testing.F) {
	const encrypts = 4 // the bit of dialect that makes the server encrypt its answers to strangers
	for _, dialect := range []byte{0, 1, 2, 3, encrypts, encrypts + 3} {
		f.Add(dialect, []byte(nil))
		f.Add(dialect, []byte{0, 2, 0x10})               // the length of a frame
		f.Add(dialect, []byte{0, 12, 0x22, 0, 60, 0xff}) // the status, and the first body
		f.Add(dialect, []byte{1, 40, 0x7f})
	}
	f.Fuzz(func(t *testing.T, dialect byte, change []byte) {
		synctest.Test(t, func(t *testing.T) {
			host, err := smbtest.NewHost("samba", "FUZZ")
			if err != nil {
				t.Fatal(err)
			}
			host.Profile.SMB1 = true
			host.Profile.EncryptAnswers = dialect&encrypts != 0
			ours, theirs := net.Pipe()
			go smbtest.Serve(theirs, host)
			defer ours.Close()
			dialects := [][]smb.Dialect{nil, {smb.SMB1}, {smb.SMB210}, {smb.SMB311}}
			answer, err := lookAround(t.Context(), smb.Options{
				Dialects: dialects[int(dialect)%len(dialects)],
				Dial: func(context.Context, string, string) (net.Conn, error) {
					return &altered{Conn: ours, change: change}, nil
				},
			})
			if len(change) < 3 && (err != nil || len(answer) < 3 || answer[2] != 12) { // bind_ack
				t.Errorf("with nothing changed: %x, %v", answer, err)
			}
			if len(answer) > 1<<16 {
				t.Errorf("%d bytes of an answer", len(answer))
			}
		})
	})
}

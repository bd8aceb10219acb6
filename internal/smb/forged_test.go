package smb_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/status"
)

// onTheWay starts a practice server with somebody on the way to it: ours is the client's end, and near and far are what
// he has of both connections.
func onTheWay(t *testing.T) (ours, near, far net.Conn) {
	t.Helper()
	host, err := smbtest.NewHost("samba", "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	ours, near = net.Pipe()
	far, theirs := net.Pipe()
	go smbtest.Serve(theirs, host)
	return ours, near, far
}

// between lets somebody change what a practice server of SMB 3.0 sends, frame by frame.
func between(t *testing.T, change func(message []byte) []byte) *smb.Conn {
	t.Helper()
	ours, near, far := onTheWay(t)
	go func() {
		io.Copy(far, near)
		far.Close()
	}()
	go func() {
		defer near.Close()
		pass(far, near, change)
	}()
	return dialled(t, ours, smb.Options{})
}

// pass sends every frame from one side to the other, as changed; an empty one is left out.
func pass(from, to net.Conn, change func(message []byte) []byte) {
	for {
		head := make([]byte, nbss.HeaderLen)
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		message := make([]byte, binary.BigEndian.Uint32(head)&0xFFFFFF)
		if _, err := io.ReadFull(from, message); err != nil {
			return
		}
		if message = change(message); len(message) == 0 {
			continue
		}
		frame := append(make([]byte, nbss.HeaderLen), message...)
		nbss.PutHeader(frame)
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// dialled is a conversation in SMB 3.0 over a connection.
func dialled(t *testing.T, ours net.Conn, o smb.Options) *smb.Conn {
	t.Helper()
	o.Dialects, o.Timeouts = []smb.Dialect{smb.SMB300}, waits("")
	o.Dial = func(context.Context, string, string) (net.Conn, error) { return ours, nil }
	c, err := smb.Dial(t.Context(), "192.0.2.1:445", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Anyone can encrypt with the key of an anonymous session. So its frames prove nothing to a user's session on the same
// connection, whatever the number that somebody on the way gave to the anonymous one.
func TestForgedWithAStrangersKey(t *testing.T) {
	const setup, treeConnect = 1, 3
	stranger := ntlm.NewAnonymous(ntlm.Options{}) // its key crosses the wire, sealed with a key of zeros
	// wanted makes the end of a stranger's logon ask for encryption.
	wanted := func(m []byte) {
		binary.LittleEndian.PutUint16(m[66:], binary.LittleEndian.Uint16(m[66:])|smb2.SessionEncryptData)
	}
	refusal := func(m []byte, id uint64) []byte {
		binary.LittleEndian.PutUint32(m[8:], uint32(status.AccessDenied))
		known := smbcrypt.DeriveKeys(smb2.Dialect300, smbcrypt.AES128CCM, stranger.SessionKey(), nil)
		forger, err := smbcrypt.NewTransform(smbcrypt.AES128CCM, known.ServerCipher, known.ClientCipher, id)
		if err != nil {
			t.Error(err)
			return m
		}
		return forger.AppendEncrypt(nil, m)
	}
	var transport *smb.TransportError
	user := func() *ntlm.Client { return ntlm.NewUser("anna", "", "Passw0rd!", ntlm.Options{}) }

	t.Run("its own number", func(t *testing.T) {
		var strangers uint64
		c := between(t, func(m []byte) []byte {
			switch command := binary.LittleEndian.Uint16(m[12:]); {
			case command == setup && binary.LittleEndian.Uint32(m[8:]) == 0 && strangers == 0:
				strangers = binary.LittleEndian.Uint64(m[40:])
				wanted(m)
			case command == treeConnect:
				return refusal(m, strangers)
			}
			return m
		})
		if _, err := c.SessionSetup(t.Context(), stranger); err != nil {
			t.Fatal(err)
		}
		s, err := c.SessionSetup(t.Context(), user())
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.TreeConnect(t.Context(), "IPC$")
		if !errors.As(err, &transport) || !strings.Contains(err.Error(), "wrong signature") {
			t.Errorf("a forged refusal is taken for the server's: %v", err)
		}
	})
	t.Run("the user's number", func(t *testing.T) {
		stranger = ntlm.NewAnonymous(ntlm.Options{})
		var users uint64
		c := between(t, func(m []byte) []byte {
			switch command := binary.LittleEndian.Uint16(m[12:]); {
			case command == setup && binary.LittleEndian.Uint32(m[8:]) == 0 && users == 0:
				users = binary.LittleEndian.Uint64(m[40:])
			case command == setup && binary.LittleEndian.Uint32(m[8:]) == 0:
				binary.LittleEndian.PutUint64(m[40:], users)
				wanted(m)
			case command == treeConnect:
				return refusal(m, users)
			}
			return m
		})
		s, err := c.SessionSetup(t.Context(), user())
		if err != nil {
			t.Fatal(err)
		}
		_, second := c.SessionSetup(t.Context(), stranger)
		if !errors.As(second, &transport) || !strings.Contains(second.Error(), "two sessions one number") {
			t.Errorf("the second session has the number of the first: %v", second)
		}
		if _, err = s.TreeConnect(t.Context(), "IPC$"); !errors.As(err, &transport) {
			t.Errorf("a forged refusal is taken for the server's: %v", err)
		}
	})
}

// A session that somebody on the way numbered 0 is not that of the plain answers, which have no number: a plain refusal
// does not pass for one that only the server could encrypt.
func TestForgedForSessionZero(t *testing.T) {
	const setup, logoff = 1, 2
	ours, near, far := onTheWay(t)
	forged := make(chan []byte, 1)
	go func() {
		defer near.Close()
		pass(far, near, func(m []byte) []byte {
			if binary.LittleEndian.Uint16(m[12:]) == setup && binary.LittleEndian.Uint32(m[8:]) == 0 {
				binary.LittleEndian.PutUint64(m[40:], 0)
				binary.LittleEndian.PutUint32(m[16:], binary.LittleEndian.Uint32(m[16:])&^uint32(smb2.FlagSigned))
				binary.LittleEndian.PutUint16(m[66:], binary.LittleEndian.Uint16(m[66:])|smb2.SessionEncryptData)
				f := append(append([]byte(nil), m[:64]...), 9, 0, 0, 0, 0, 0, 0, 0, 0) // an error response
				binary.LittleEndian.PutUint16(f[12:], logoff)
				binary.LittleEndian.PutUint64(f[24:], binary.LittleEndian.Uint64(m[24:])+1)
				binary.LittleEndian.PutUint32(f[8:], uint32(status.AccessDenied))
				forged <- f
			}
			return m
		})
	}()
	go func() {
		defer far.Close()
		pass(near, far, func(m []byte) []byte {
			if smb2.KindOf(m) != smb2.KindEncrypted {
				return m
			}
			frame := append(make([]byte, nbss.HeaderLen), <-forged...)
			nbss.PutHeader(frame)
			near.Write(frame)
			return nil
		})
	}()
	// Without signatures: those of other answers would tell, too.
	c := dialled(t, ours, smb.Options{Unsigned: true})
	s, err := c.SessionSetup(t.Context(), ntlm.NewUser("anna", "", "Passw0rd!", ntlm.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var transport *smb.TransportError
	if err = s.Logoff(t.Context()); !errors.As(err, &transport) || !strings.Contains(err.Error(), "should be encrypted is not") {
		t.Errorf("a forged refusal is taken for the server's: %v", err)
	}
}

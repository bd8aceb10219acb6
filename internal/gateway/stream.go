package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/smb/nbss"
)

const (
	// restLen is the size of an idle stream's buffer in bytes. A READ or CLOSE request fits.
	restLen = 128

	// roomLen is the size of an active stream's buffer in bytes: a SESSION_SETUP fits, whose token has a 16-bit length,
	// and so does a READ or WRITE of 64 KiB.
	roomLen = 72 << 10

	// stallAfter is the timeout for one piece of a frame. Windows' own limit for a request is 60 s.
	stallAfter = 2 * time.Minute

	// pieceLen is the size of a piece in bytes, which makes about 9 KiB/s.
	pieceLen = 1 << 20
)

// rooms lends buffers to streams that have more to read than fits their own. A stream that has read everything returns
// its buffer, unless few are lent: a busy stream then reads a frame at once.
type rooms struct {
	pool sync.Pool
	kept atomic.Int32
}

// maxKept bounds the idle streams that keep a buffer: 18 MiB in total.
const maxKept = 256

func (r *rooms) get() *[roomLen]byte {
	if b, ok := r.pool.Get().(*[roomLen]byte); ok {
		return b
	}
	return new([roomLen]byte)
}

// keep reports whether a stream may keep its buffer.
func (r *rooms) keep() bool {
	if r.kept.Add(1) <= maxKept {
		return true
	}
	r.kept.Add(-1)
	return false
}

// stream is one direction of a connection: bytes are read from one side, judged, and written to the other.
//
//	buf   | passed, to be written | not judged yet |     |
//	      p                       r                w     len
type stream struct {
	from net.Conn
	to   *side

	rest    [restLen]byte
	rooms   *rooms
	room    *[roomLen]byte // lent while there is more than fits rest
	kept    bool           // the room counts as kept
	buf     []byte
	p, r, w int

	added *latency  // nil: not measured
	read  time.Time // when its last bytes were read

	left    int    // bytes of the current frame not passed or dropped yet
	limited bool   // a deadline is set
	calls   []byte // the types of NetBIOS session packets that the next frame may have: a request or its responses
}

// side is the end that a stream writes to. Both pumps of a connection may write whole frames to it.
type side struct {
	net.Conn
	mu sync.Mutex
}

func (s *side) send(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.Write(b)
	return err
}

// unread returns the bytes that were read and not judged yet.
func (s *stream) unread() []byte { return s.buf[s.r:s.w] }

// fill reads until n bytes, at most roomLen, are unjudged. io.EOF means that the frame did not begin,
// io.ErrUnexpectedEOF that it ended early.
func (s *stream) fill(n int) error {
	for s.w-s.r < n {
		if err := s.flush(); err != nil {
			return err
		}
		s.makeRoom(n)
		m, err := s.from.Read(s.buf[s.w:])
		s.w += m
		s.read = time.Now()
		if m == 0 && err != nil {
			if errors.Is(err, io.EOF) && s.w > s.r {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// makeRoom provides a buffer for reading: the stream's own if nothing is pending, a lent one otherwise. All passed
// bytes must be written.
func (s *stream) makeRoom(n int) {
	switch {
	case s.r == s.w && s.room != nil && (s.kept || s.rooms.keep()):
		s.kept = true
		s.p, s.r, s.w = 0, 0, 0
	case s.r == s.w:
		s.release()
	case s.room == nil:
		s.room = s.rooms.get()
		s.w = copy(s.room[:], s.unread())
		s.p, s.r, s.buf = 0, 0, s.room[:]
	case s.r+n > len(s.buf):
		s.w = copy(s.buf, s.unread())
		s.p, s.r = 0, 0
	}
}

// release returns a lent buffer.
func (s *stream) release() {
	if s.room != nil {
		s.rooms.pool.Put(s.room)
		s.room = nil
	}
	if s.kept {
		s.rooms.kept.Add(-1)
		s.kept = false
	}
	s.p, s.r, s.w, s.buf = 0, 0, 0, s.rest[:]
}

// flush writes the passed bytes.
func (s *stream) flush() error {
	if s.p == s.r {
		return nil
	}
	b := s.buf[s.p:s.r]
	s.p = s.r
	err := s.to.send(b)
	if err == nil && s.added != nil {
		s.added.add(time.Since(s.read))
	}
	return err
}

// pass forwards n bytes. Bytes that are in the buffer, or fit, are written with the next flush; the rest of longer ones
// is forwarded unread.
func (s *stream) pass(n int) error {
	if n > s.w-s.r && n <= roomLen {
		if err := s.fill(n); err != nil {
			return unexpected(err)
		}
	}
	s.left -= n
	if n <= s.w-s.r {
		s.r += n
		return nil
	}
	s.to.mu.Lock()
	defer s.to.mu.Unlock()
	n -= s.w - s.r
	b := s.buf[s.p:s.w]
	s.p, s.r = s.w, s.w
	if _, err := s.to.Write(b); err != nil {
		return err
	}
	return s.move(n)
}

// move forwards n unread bytes inside the kernel if possible, piece by piece, each with its own timeout. By the
// benchmark that takes three quarters of the time of a copy through the buffer, for a READ as for a WRITE of 1 MiB.
func (s *stream) move(n int) error {
	for n > 0 {
		piece := min(n, pieceLen)
		if err := s.deadline(time.Now().Add(stallAfter)); err != nil {
			return err
		}
		if _, err := io.CopyN(s.to.Conn, s.from, int64(piece)); err != nil {
			return unexpected(err)
		}
		n -= piece
	}
	return nil
}

// deadline sets the read deadline; zero is none.
func (s *stream) deadline(t time.Time) error {
	if t.IsZero() && !s.limited {
		return nil
	}
	s.limited = !t.IsZero()
	return s.from.SetReadDeadline(t)
}

// passRest forwards the rest of the frame.
func (s *stream) passRest() error { return s.pass(s.left) }

// through forwards everything until the other end closes, or refusals are enforced: what comes then may be a logon.
func (s *stream) through(observing func() bool) error {
	s.r = s.w
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.deadline(time.Time{}); err != nil {
		return err
	}
	if s.room == nil {
		s.room = s.rooms.get()
	}
	for {
		n, err := s.from.Read(s.room[:])
		if !observing() {
			return refusal{ReasonProtocol, "data behind what is no SMB"}
		}
		if n > 0 {
			if err := s.to.send(s.room[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// dropRest discards the rest of the frame.
func (s *stream) dropRest() error {
	if err := s.flush(); err != nil {
		return err
	}
	for s.left > 0 {
		if s.r == s.w {
			if err := s.fill(1); err != nil {
				return unexpected(err)
			}
		}
		m := min(s.left, s.w-s.r)
		s.r += m
		s.p = s.r
		s.left -= m
	}
	return nil
}

// frame reads the header of the next frame and returns the number of bytes that follow. The first unread byte is its
// type.
func (s *stream) frame() (int, error) {
	if err := s.fill(nbss.HeaderLen); err != nil {
		return 0, err
	}
	typ, n, err := nbss.ParseHeader([nbss.HeaderLen]byte(s.unread()))
	s.left = nbss.HeaderLen + n
	calls := s.calls
	if err != nil || typ != nbss.KeepAlive {
		s.calls = nil
	}
	switch {
	case err != nil:
		return 0, refusal{ReasonProtocol, err.Error()}
	case typ == nbss.SessionMessage, typ == nbss.KeepAlive && n == 0:
		return n, nil
	case bytes.IndexByte(calls, typ) >= 0 && n <= maxCall:
		return n, nil
	}
	return 0, refusal{ReasonProtocol, fmt.Sprintf("a NetBIOS packet of type 0x%02X, where none is due", typ)}
}

// maxCall is the longest NetBIOS session request in bytes: two names of 255. See RFC 1002 4.3.2.
const maxCall = 2 * 255

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

package conversation

import (
	"bytes"
	"time"

	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/nbss"
)

// prefixLen is the number of bytes needed to decide what to keep of a frame: 4 bytes of framing, an SMB2 header of 64,
// the fixed part of a READ or WRITE of 48, and 16 bytes of an RPC header.
const prefixLen = nbss.HeaderLen + 128

// framer splits one direction into frames.
//
//	buf empty                between two frames
//	buf, keep == 0           the first bytes of a frame, too few to decide
//	buf, keep > 0            a frame of size bytes, of which keep are wanted
//	skip > 0                 inside a frame, after all that is wanted
//	seek                     anywhere; buf holds the last few bytes, which may begin a frame
type framer struct {
	buf  []byte
	keep int
	size int
	skip int
	seek bool

	fate   fate  // of the bytes to skip
	why    fate  // of the bytes skipped while seeking
	sought int64 // their number so far
}

// lost begins to seek.
func (f *framer) lost(why fate) {
	if !f.seek {
		f.seek, f.why = true, why
	}
}

// data splits the received bytes. Frames that are complete in b are not copied.
func (c *Conversation) data(d flow.Direction, b []byte, at time.Time) {
	f := &c.st.framers[d]
	for len(b) > 0 {
		switch {
		case f.skip > 0:
			n := min(f.skip, len(b))
			c.account(f.fate, n)
			f.skip -= n
			b = b[n:]
		case f.seek:
			b = c.seek(f, d, b, at)
		case len(f.buf) == 0:
			keep, size := c.decide(f, d, b)
			switch {
			case f.seek:
			case size > 0 && keep <= len(b): // all of it, or all that is wanted
				if keep > 0 {
					f.fate = c.message(d, b[nbss.HeaderLen:keep], size-nbss.HeaderLen, at)
				}
				f.skip = size
			default:
				c.hold(f, b)
				f.keep, f.size = keep, size
				b = nil
			}
		default:
			b = c.fill(f, d, b, at)
		}
	}
}

// fill adds to a frame that arrives in parts.
func (c *Conversation) fill(f *framer, d flow.Direction, b []byte, at time.Time) []byte {
	target := f.keep
	switch {
	case target > 0:
	case len(f.buf) < nbss.HeaderLen:
		target = nbss.HeaderLen
	default:
		target = min(frameSize(f.buf), prefixLen)
	}
	n := min(target-len(f.buf), len(b))
	c.hold(f, b[:n])
	b = b[n:]
	if len(f.buf) < target {
		return b
	}
	if f.keep == 0 {
		keep, size := c.decide(f, d, f.buf)
		switch {
		case f.seek: // buf does not begin a frame; let seek look at it again
		case size == 0: // too few bytes to decide
		case keep <= len(f.buf):
			f.keep, f.size = max(keep, 1), size
			if keep == 0 {
				c.account(f.fate, len(f.buf))
				c.drop(f, size-len(f.buf))
				return b
			}
		default:
			f.keep, f.size = keep, size
			return b
		}
		if f.keep == 0 {
			return b
		}
	}
	have := len(f.buf)
	f.fate = c.message(d, f.buf[nbss.HeaderLen:f.keep], f.size-nbss.HeaderLen, at)
	c.account(f.fate, have)
	c.drop(f, f.size-have)
	return b
}

// drop ends the current frame, of which rest bytes are still missing.
func (c *Conversation) drop(f *framer, rest int) {
	c.release(f)
	f.keep, f.size, f.skip = 0, 0, rest
}

// frameSize returns the header and payload size of the frame at b.
func frameSize(b []byte) int {
	return nbss.HeaderLen + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
}

// decide parses the beginning of a frame: its size, and how many bytes are wanted, including framing. A size of 0 asks
// for more bytes.
func (c *Conversation) decide(f *framer, d flow.Direction, b []byte) (keep, size int) {
	if len(b) < nbss.HeaderLen {
		return 0, 0
	}
	size = frameSize(b)
	f.fate = fateRead
	if typ, _, err := nbss.ParseHeader([nbss.HeaderLen]byte(b)); err != nil {
		f.lost(fateForeign)
		return 0, 0
	} else if typ != nbss.SessionMessage || size == nbss.HeaderLen {
		if size > nbss.HeaderLen+2*34+256 { // the longest session packet is a request with two names and scopes
			f.lost(fateForeign)
		}
		return 0, size
	}
	if len(b) < min(size, prefixLen) {
		return 0, 0
	}
	if size < nbss.HeaderLen+8 || !isSMB(b[nbss.HeaderLen:]) {
		f.lost(fateForeign)
		return 0, 0
	}
	msg := b[nbss.HeaderLen:min(len(b), size)]
	c.f.counts.Frames++
	keep, f.fate = c.want(d, msg, size-nbss.HeaderLen)
	if keep == 0 {
		return 0, size
	}
	if keep < size-nbss.HeaderLen && keep > prefixLen {
		c.f.giveUp(cutFrame)
	}
	return nbss.HeaderLen + keep, size
}

func isSMB(b []byte) bool {
	return b[0] >= 0xFC && b[1] == 'S' && b[2] == 'M' && b[3] == 'B'
}

// hold copies bytes of a frame.
func (c *Conversation) hold(f *framer, b []byte) {
	if f.buf == nil {
		if n := len(c.f.spare); n > 0 {
			f.buf, c.f.spare = c.f.spare[n-1], c.f.spare[:n-1]
		}
	}
	f.buf = append(f.buf, b...)
	c.charge(len(b))
}

const (
	maxSpare     = 16        // frames rarely arrive in parts: at a time one connection is inside of one
	maxSpareSize = 128 << 10 // larger buffers are freed
)

func (c *Conversation) release(f *framer) {
	c.charge(-len(f.buf))
	if cap(f.buf) > 0 && cap(f.buf) <= maxSpareSize && len(c.f.spare) < maxSpare {
		c.f.spare = append(c.f.spare, f.buf[:0])
	}
	f.buf = nil
}

// startLen is the number of bytes that identify the start of a frame: framing, protocol identifier, and SMB2's
// StructureSize.
const startLen = nbss.HeaderLen + 6

// isStart reports whether a frame may begin at b, which has startLen bytes.
func isStart(b []byte) bool {
	size := frameSize(b)
	if b[0] != 0 || size < nbss.HeaderLen+32 || !isSMB(b[nbss.HeaderLen:]) {
		return false
	}
	return b[nbss.HeaderLen] != 0xFE || b[8] == 64 && b[9] == 0 && size >= nbss.HeaderLen+64
}

// findStart returns the offset of a frame's start; -1 if there is none. It does not find a start that is cut off at the
// end of b.
func findStart(b []byte) int {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte("SMB"))
		if i < 0 {
			return -1
		}
		i += from
		if p := i - nbss.HeaderLen - 1; p >= 0 && p+startLen <= len(b) && isStart(b[p:]) {
			return p
		}
		from = i + 3
	}
}

// seek skips bytes up to the next start of a frame.
func (c *Conversation) seek(f *framer, d flow.Direction, b []byte, at time.Time) []byte {
	if len(f.buf) > 0 {
		old := len(f.buf)
		n := min(len(b), startLen)
		c.hold(f, b[:n])
		if p := findStart(f.buf); p >= 0 && p < old {
			f.passed(p)
			c.found(f, f.why)
			rest := append([]byte(nil), f.buf[p:]...)
			c.release(f)
			f.seek = false
			c.data(d, rest, at)
			return b[n:]
		}
		if n == len(b) { // the end may contain part of a start
			tail := append([]byte(nil), f.buf[max(0, len(f.buf)-startLen+1):]...)
			f.passed(len(f.buf) - len(tail))
			c.release(f)
			c.hold(f, tail)
			return nil
		}
		f.passed(old)
		c.release(f)
	}
	if p := findStart(b); p >= 0 {
		f.passed(p)
		c.found(f, f.why)
		f.seek = false
		return b[p:]
	}
	tail := min(len(b), startLen-1)
	f.passed(len(b) - tail)
	c.hold(f, b[len(b)-tail:])
	return nil
}

// gap skips n lost bytes.
func (c *Conversation) gap(d flow.Direction, n int) {
	f := &c.st.framers[d]
	if f.skip > 0 { // inside the unwanted part
		m := min(f.skip, n)
		if f.fate == fateRead {
			c.f.counts.Unneeded += int64(m)
		} else {
			c.f.counts.Lost += int64(m)
		}
		f.skip -= m
		n -= m
	}
	if n == 0 {
		return
	}
	c.f.counts.Lost += int64(n)
	defer c.damaged(d)
	if f.seek {
		f.passed(len(f.buf))
		c.release(f)
		return
	}
	have := len(f.buf)
	c.account(fateUndecodable, have)
	if have < nbss.HeaderLen {
		c.release(f)
		f.lost(fateUndecodable)
		return
	}
	c.f.giveUp(gapInFrame)
	rest := frameSize(f.buf) - have - n
	c.drop(f, max(rest, 0))
	f.fate = fateUndecodable
	if rest < 0 {
		f.lost(fateUndecodable)
	}
}

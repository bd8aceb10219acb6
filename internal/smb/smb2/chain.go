package smb2

import "fmt"

// MaxChain bounds the messages of one frame. Windows' longest chains have below ten; a server grants no more than
// some thousand credits, and each message takes one.
const MaxChain = 512

// Chain walks the messages of a plain frame:
//
//	for c := smb2.NewChain(frame); c.Next(); {
//		m, err := smb2.Parse(c.Message)
//	}
type Chain struct {
	Message []byte // the current message with its padding; it lies in the frame
	rest    []byte
	n       int
	err     error
}

// NewChain starts at the first message of a frame.
func NewChain(frame []byte) Chain { return Chain{rest: frame} }

// Next steps to the next message. False is the end, or an error in Err.
func (c *Chain) Next() bool {
	if len(c.rest) == 0 && c.n > 0 || c.err != nil {
		return false
	}
	if c.n == MaxChain {
		c.err = fmt.Errorf("smb2: %w: more than %d messages", ErrChain, MaxChain)
		return false
	}
	if len(c.rest) < HeaderLen {
		c.err = fmt.Errorf("smb2: header: %w: %d bytes", ErrShort, len(c.rest))
		return false
	}
	if [4]byte(c.rest[:4]) != protocolID {
		c.err = fmt.Errorf("smb2: header: %w", ErrProtocol)
		return false
	}
	next := le.Uint32(c.rest[OffsetNext:])
	switch {
	case next == 0:
		c.Message, c.rest = c.rest[:len(c.rest):len(c.rest)], nil
	case next < HeaderLen || next%8 != 0 || uint64(next) > uint64(len(c.rest)-HeaderLen):
		c.err = fmt.Errorf("smb2: %w: %d of %d", ErrChain, next, len(c.rest))
		return false
	default:
		c.Message, c.rest = c.rest[:next:next], c.rest[next:]
	}
	c.n++
	return true
}

// Err is why the walk ended early.
func (c *Chain) Err() error { return c.err }

// AppendChain appends messages as a chain: each but the last padded to 8 bytes, with its NextCommand set. It returns
// where in dst each message starts.
func AppendChain(dst []byte, messages ...*Message) ([]byte, []int) {
	starts := make([]int, len(messages))
	for i, m := range messages {
		starts[i] = len(dst)
		dst = m.AppendMarshal(dst)
		if i == len(messages)-1 {
			break
		}
		for (len(dst)-starts[i])%8 != 0 {
			dst = append(dst, 0)
		}
		le.PutUint32(dst[starts[i]+OffsetNext:], uint32(len(dst)-starts[i]))
	}
	return dst, starts
}

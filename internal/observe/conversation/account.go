package conversation

// fate is what happened to the bytes of a frame. Every byte of a stream gets one when it leaves the framer, so their
// sum is the number of bytes received.
type fate uint8

const (
	fateRead        fate = iota // plain or decrypted, and parsed as far as needed
	fateOpaque                  // encrypted or compressed, and not undone
	fateBefore                  // of a frame that began before the first byte seen
	fateForeign                 // not SMB
	fateUndecodable             // of a frame with a hole, a cut or malformed frame, or skipped after one
)

// account counts n bytes.
func (c *Conversation) account(as fate, n int) {
	counts := &c.f.counts
	switch as {
	case fateRead:
		counts.Readable += int64(n)
	case fateOpaque:
		counts.Opaque += int64(n)
	case fateBefore:
		counts.Before += int64(n)
	case fateForeign:
		counts.Foreign += int64(n)
	case fateUndecodable:
		counts.Undecodable += int64(n)
	}
}

// passed counts bytes that are skipped while searching for a frame. Their fate is decided when one is found.
func (f *framer) passed(n int) { f.sought += int64(n) }

// found ends a search.
func (c *Conversation) found(f *framer, why fate) {
	c.account(why, int(f.sought))
	f.sought = 0
}

// ended counts the bytes that a direction holds at the end of its connection: an incomplete frame, or a search that
// found none. On a connection that never spoke SMB they are foreign.
func (c *Conversation) ended(f *framer) {
	if !f.seek {
		c.account(fateUndecodable, len(f.buf))
		return
	}
	f.passed(len(f.buf))
	why := f.why
	if c.st.smb1 == nil && c.st.smb2 == nil {
		why = fateForeign
	}
	c.found(f, why)
}

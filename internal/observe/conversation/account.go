package conversation

// fate is what became of the bytes of a frame. Every byte that a stream is given gets one when it leaves the framer, so the
// sum of all is what was given.
type fate uint8

const (
	fateRead        fate = iota // plain, or decrypted, and understood as far as it matters
	fateOpaque                  // encrypted or compressed, and stays so
	fateBefore                  // of a frame that began before the first byte seen
	fateForeign                 // no SMB
	fateUndecodable             // of a frame with a hole, a cut one, one that breaks the protocol's rules, or passed over behind one
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

// passed counts bytes that were passed over in search of a frame. What they are is decided when one is found.
func (f *framer) passed(n int) { f.sought += int64(n) }

// found ends a search.
func (c *Conversation) found(f *framer, why fate) {
	c.account(why, int(f.sought))
	f.sought = 0
}

// ended accounts for what a direction holds at the end of its connection: a frame that is not whole, or the bytes of a
// search in which none was found. On a connection that never spoke SMB these are foreign.
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

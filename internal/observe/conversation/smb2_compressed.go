package conversation

import (
	"ipcguard/internal/format/xca"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
)

// undo decompresses the algorithms of [MS-XCA]. It does not know LZ4, which Windows 11 24H2 and Server 2025 offer as
// their last choice.
func undo(algorithm uint16, src []byte, size int) ([]byte, error) {
	switch algorithm {
	case smb2.CompressLZNT1:
		return xca.LZNT1(src, size)
	case smb2.CompressLZ77:
		return xca.LZ77(src, size)
	case smb2.CompressLZ77Huffman:
		return xca.LZ77Huffman(src, size)
	}
	return nil, smb2.ErrCompressed
}

// decompress handles a frame with a compression header, which had n bytes on the wire; whole means that all of it was
// kept. If a message is too long for a pipe, its beginning is enough: it is file data, and is skipped as it would be
// uncompressed.
func (c *smb2Conn) decompress(d flow.Direction, msg []byte, whole bool, n int) fate {
	head, size, err := smb2.Decompress(msg, prefixLen-nbss.HeaderLen, undo)
	if err != nil || smb2.KindOf(head) != smb2.KindPlain {
		c.f.giveUp(compressed)
		return fateOpaque
	}
	wanted := c.want(d, head, size)
	if wanted == 0 {
		c.f.counts.Decompressed++
		return fateRead
	}
	if !whole || size > maxPipeFrame {
		c.f.giveUp(cutFrame)
		return fateUndecodable
	}
	plain, _, err := smb2.Decompress(msg, size, undo)
	if err != nil {
		c.f.giveUp(compressed)
		return fateOpaque
	}
	c.f.counts.Decompressed++
	c.st.dialect = dialect.Name(c.dialect)
	c.message(d, plain[:min(wanted, len(plain))])
	return fateRead
}

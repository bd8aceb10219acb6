package smb1

import "encoding/binary"

// MaxChain bounds an AndX chain. The longest chain that [MS-CIFS] allows has four blocks (session setup, tree connect,
// open, read); Zeek stops at ten.
const MaxChain = 10

// Block is one command of a message, not yet decoded; its slices alias the message.
type Block struct {
	Command Command
	Words   []byte
	Bytes   []byte
	Offset  int // of WordCount, from the start of the message
}

// begin is the offset of the bytes.
func (b *Block) begin() int { return b.Offset + 1 + len(b.Words) + 2 }

// Message is a message split into blocks.
type Message struct {
	Header
	Blocks   []Block
	Raw      []byte // the whole message
	Trailing []byte // what stands behind the last block; data of a large read or write does
}

// Parse splits a message; the result aliases b.
func Parse(b []byte) (*Message, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return nil, err
	}
	m := &Message{Header: h, Raw: b}
	command, offset := h.Command, HeaderLen
	for {
		block, rest, err := parseBlock(b, command, offset, h.Reply())
		if err != nil {
			return nil, err
		}
		m.Blocks, m.Trailing = append(m.Blocks, block), rest
		if !command.AndX() || len(block.Words) < 4 || Command(block.Words[0]) == NoAndX {
			return m, nil
		}
		next := int(binary.LittleEndian.Uint16(block.Words[2:]))
		if next == 0 && h.Reply() && h.Status != 0 {
			return m, nil // an error ends the chain, whatever the link still says
		}
		if next < block.begin() {
			return nil, malformed("AndX goes from %d back to %d", offset, next)
		}
		if len(m.Blocks) == MaxChain {
			return nil, malformed("a chain of more than %d commands", MaxChain)
		}
		command, offset = Command(block.Words[0]), next
	}
}

// parseBlock reads the block at an offset and returns what follows it.
func parseBlock(b []byte, command Command, offset int, reply bool) (block Block, rest []byte, err error) {
	if offset >= len(b) {
		return Block{}, nil, malformed("%v at %d of %d bytes", command, offset, len(b))
	}
	words := 2 * int(b[offset])
	rest = b[offset+1:]
	extended := reply && command == NTCreateAndX && words == 2*createWordsSaid && len(rest) >= 2*createWordsSent+2
	if extended {
		words = 2 * createWordsSent
	}
	if len(rest) < words {
		return Block{}, nil, malformed("%v has %d words in %d bytes", command, words/2, len(rest))
	}
	block = Block{Command: command, Words: rest[:words:words], Offset: offset}
	rest = rest[words:]
	if len(rest) == 0 && command == NTCancel {
		return block, nil, nil
	}
	if len(rest) < 2 {
		return Block{}, nil, malformed("%v has no ByteCount", command)
	}
	n := int(binary.LittleEndian.Uint16(rest))
	rest = rest[2:]
	if extended {
		n = min(n, len(rest)) // Windows 2000 leaves garbage in this ByteCount
	}
	if n > len(rest) {
		return Block{}, nil, malformed("%v has %d bytes, %d are there", command, n, len(rest))
	}
	block.Bytes = rest[:n:n]
	return block, rest[n:], nil
}

// The extended answer to NT_CREATE_ANDX has 50 words and says 42. See [MS-SMB] 2.2.4.9.2, note 50.
const (
	createWordsSaid = 42
	createWordsSent = 50
)

// Body is one command as a struct; Decode gives them and Append takes them.
type Body interface {
	// Command is the command that carries this body.
	Command() Command
	encode(w *writer)
}

// Generic is a command without a struct, and every answer that says nothing but its status.
type Generic struct {
	Code  Command
	Link  bool   // the words begin with an AndX link, which Append writes
	Words []byte // an even number, without the link
	Bytes []byte
}

// Command is Code.
func (g *Generic) Command() Command { return g.Code }

func (g *Generic) encode(w *writer) {
	if g.Link {
		w.andX()
	}
	w.raw(g.Words[:min(len(g.Words), 2*0xFD)&^1])
	w.bytes()
	w.raw(g.Bytes)
}

// Append writes a message; the header's command is that of the first body. It fails when the bytes of a block or an
// offset do not fit in 16 bits, and when a body that ends chains is not the last.
func Append(b []byte, h *Header, bodies ...Body) ([]byte, error) {
	if len(bodies) == 0 || len(bodies) > MaxChain {
		return nil, malformed("%d commands in a message", len(bodies))
	}
	start := len(b)
	head := *h
	head.Command = bodies[0].Command()
	b = head.Append(b)
	link := -1
	for _, body := range bodies {
		w := &writer{b: b, start: start, block: len(b), uni: h.Unicode()}
		if link >= 0 {
			if w.at() > 0xFFFF {
				return nil, malformed("a chain that goes beyond 64 KiB")
			}
			w.b[link] = byte(body.Command())
			w.setU16(link+2, uint16(w.at()))
		}
		w.u8(0)
		body.encode(w)
		n := len(w.b) - w.count - 2
		if n > 0xFFFF {
			if c := body.Command(); c != ReadAndX && c != WriteAndX {
				return nil, malformed("%v has %d bytes, more than 65535", c, n)
			}
			n &= 0xFFFF // their data has a length of its own
		}
		w.setU16(w.count, uint16(n))
		link = -1
		if body.Command().AndX() && w.b[w.block] >= 2 {
			link = w.block + 1
		}
		b = w.b
		if link < 0 && body != bodies[len(bodies)-1] {
			return nil, malformed("nothing can follow %v", body.Command())
		}
	}
	return b, nil
}

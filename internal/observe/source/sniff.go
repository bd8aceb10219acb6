package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Sniff returns as much of the beginning of r as known needs to recognize it. It never waits for more than that, so
// that a slow pipe is recognized early. At the end of r, or when its buffer is full, it returns what there is.
func Sniff(r *bufio.Reader, known func(head []byte) bool) []byte {
	for want := 1; ; want = r.Buffered() + 1 {
		_, err := r.Peek(want)
		head, _ := r.Peek(r.Buffered())
		if err != nil || len(head) == r.Size() || known(head) {
			return head
		}
	}
}

// Interruptible makes reading r end with the cause of ctx when that ends, even if no data arrive: a pending read of a
// pipe continues in the background until the program ends, and its bytes are lost.
func Interruptible(ctx context.Context, r io.Reader) io.Reader {
	i := &interruptible{ctx: ctx, parts: make(chan part)}
	go func() {
		for {
			b := make([]byte, 64<<10)
			n, err := r.Read(b)
			select {
			case i.parts <- part{b[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return i
}

type part struct {
	b   []byte
	err error
}

type interruptible struct {
	ctx   context.Context
	parts chan part
	at    part
}

func (i *interruptible) Read(p []byte) (int, error) {
	if len(i.at.b) == 0 && i.at.err == nil {
		select {
		case i.at = <-i.parts:
		case <-i.ctx.Done():
			return 0, context.Cause(i.ctx)
		}
	}
	n := copy(p, i.at.b)
	if i.at.b = i.at.b[n:]; len(i.at.b) == 0 && i.at.err != nil {
		return n, i.at.err
	}
	return n, nil
}

// kinds are common kinds of files that are not supported, by their first bytes, and how to convert them.
var kinds = []struct{ magic, what, hint string }{
	{"snoop\x00\x00\x00", "a snoop capture", "editcap FILE out.pcapng makes a capture of it that is read"},
	{"GMBU", "a Network Monitor capture", "editcap FILE out.pcapng makes a capture of it that is read"},
	{"RTSS", "a Network Monitor 1 capture", "editcap FILE out.pcapng makes a capture of it that is read"},
	{"\x04\x22\x4d\x18", "compressed with lz4", "unpack it first: lz4 -d FILE"},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first: 7z x FILE"},
	{"Rar!", "a RAR archive", "unpack it first"},
	{"MSCF", "a cabinet archive", "unpack it first: expand FILE -F:* FOLDER, or cabextract FILE"},
}

// compressions are the streams that Decompress supports, by their first bytes. Those of xz and zstd name a window that
// the reader must hold.
var compressions = []struct {
	magic, name string
	windowed    bool
}{
	{"\x1f\x8b", "gzip", false},
	{"\xfd7zXZ\x00", "xz", true},
	{"\x28\xb5\x2f\xfd", "zstd", true},
	{"BZh", "bzip2", false},
}

// DescribeStream is Describe for a stream and its head as [Peek] returned them. Where the decompressor tells that its
// input ended early, and it works by blocks, nothing else is supposed.
func DescribeStream(head []byte, stream *bufio.Reader) (what, hint string) {
	for _, c := range compressions {
		if !c.windowed || !bytes.HasPrefix(head, []byte(c.magic)) {
			continue
		}
		if _, err := stream.Peek(1); errors.Is(err, io.ErrUnexpectedEOF) {
			return "compressed with " + c.name + ", and cut inside its first block, so that nothing known could be unpacked from it", ""
		}
	}
	return Describe(head)
}

// Describe returns what an unsupported file is, and what to do about it; empty if unknown.
func Describe(head []byte) (what, hint string) {
	for _, k := range kinds {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.what, k.hint
		}
	}
	for _, c := range compressions {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			if c.windowed {
				return fmt.Sprintf("compressed with %s, and cut, damaged or made for a window of more than %d MiB, "+
					"so that nothing known could be unpacked from it",
					c.name, maxExpansion>>20), ""
			}
			return "compressed with " + c.name + ", and cut or damaged before anything known could be unpacked from it",
				""
		}
	}
	switch {
	case len(head) == 0:
		return "empty", ""
	case isETL(head):
		return "an event trace (ETL)",
			"pktmon etl2pcap FILE, or Microsoft's etl2pcapng, makes a capture of it if packets are in it"
	case IsArchive(head):
		return "a zip archive", "name it as a file"
	}
	return "", ""
}

// isETL recognizes an event trace by its first buffer: WMI_BUFFER_HEADER begins with the buffer's size, a multiple of 1
// KiB, and twice its used size; the first event is the trace's own header, whose marker is 0xC0 0x02 or 0x01. See
// evntrace.h.
func isETL(b []byte) bool {
	const header = 0x48
	if len(b) < header+4 {
		return false
	}
	size := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	return size >= 1<<10 && size <= 16<<20 && size%(1<<10) == 0 && b[header+3] == 0xC0 &&
		(b[header+2] == 1 || b[header+2] == 2)
}

package model

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Bounds of one document. The deepest result, a scan, nests nine levels. An object, an array or a null may take some
// three hundred bytes as an element of a list, and twice that while the list grows; a name, a text or a number some
// forty. So a document of tiny values would need a hundred times its size: those that every document may have are free,
// and the others must have a size. An audit of the 40,000 shares that a configuration may define has 10 MB with 120,000
// objects of 77 bytes each, and 12 bytes for each other value.
const (
	maxDepth     = 64
	objectsFree  = 20_000 // the largest known scan has 400, with 60 bytes each
	objectWeight = 48     // bytes that each further object must have on average
	maxObjects   = 250_000
	valuesFree   = 100_000
	valueWeight  = 6 // bytes that each further name, text, number, true or false must have on average
	maxValues    = 2_500_000
)

// keptObjects bounds the objects of all documents of a file that are kept in memory together.
const keptObjects = 1_000_000

// MaxResult bounds one result in bytes: a hundred times the largest known scan or audit.
const MaxResult = 64 << 20

// MaxEvidence bounds a file of results that are kept in memory together, in bytes: those of a few thousand hosts.
const MaxEvidence = 256 << 20

// ErrTooLarge reports a document larger than any that this program writes. The wrapping error names the bound.
var ErrTooLarge = errors.New("larger than this program reads")

// DocumentLimits bounds what ReadDocuments reads; zero is no bound.
type DocumentLimits struct {
	Document int64 // bytes of one document; default MaxResult
	Whole    int64 // bytes of all
	Objects  int   // total objects; for a reader that keeps them
}

// KeptResults returns the limits of a reader that keeps every result.
func KeptResults() DocumentLimits {
	return DocumentLimits{Document: MaxResult, Whole: MaxEvidence, Objects: keptObjects}
}

// ReadDocuments calls do for each document of a stream, as JSON within the bounds: one document, an array of them, or
// one a line, in any encoding of UTF8. do may keep the bytes. An error of do stops the reading and is returned
// unchanged.
func ReadDocuments(r io.Reader, l DocumentLimits, do func(b []byte) error) error {
	if l.Document == 0 {
		l.Document = MaxResult
	}
	b := bufio.NewReader(UTF8(r))
	first, err := firstByte(b)
	if err != nil {
		return fmt.Errorf("there is nothing in it: %w", err)
	}
	in := &boundedReader{r: b, limits: l, left: l.Document, whole: l.Whole}
	d := json.NewDecoder(in)
	if first == '[' {
		if _, err := d.Token(); err != nil {
			return err
		}
	}
	objects := 0
	for d.More() {
		in.left = l.Document
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		n, err := checkDocument(raw)
		if err != nil {
			return err
		}
		if objects += n; l.Objects > 0 && objects > l.Objects {
			return fmt.Errorf("%w: more than %d objects in one file", ErrTooLarge, l.Objects)
		}
		if err := do(raw); err != nil {
			return err
		}
	}
	if in.err != nil {
		return in.err
	}
	if first == '[' {
		_, err := d.Token()
		return err
	}
	return nil
}

// firstByte peeks at the first byte that is not white space.
func firstByte(b *bufio.Reader) (byte, error) {
	for {
		c, err := b.ReadByte()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c, b.UnreadByte()
		}
	}
}

// boundedReader stops an endless document or stream.
type boundedReader struct {
	r      io.Reader
	limits DocumentLimits
	left   int64 // bytes of one document
	whole  int64
	err    error // of the reader, except io.EOF
}

// Read implements io.Reader.
func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left < 0 {
		b.err = fmt.Errorf("%w: one document has more than %d MiB", ErrTooLarge, b.limits.Document>>20)
		return 0, b.err
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if b.whole -= int64(n); b.limits.Whole > 0 && b.whole < 0 {
		n, err = 0, fmt.Errorf("%w: the file has more than %d MiB", ErrTooLarge, b.limits.Whole>>20)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// CheckDocument checks the JSON of a document against the bounds on its depth and on the number of its values, so that
// decoding it takes a small multiple of its size, whatever it holds. The decoder reports any other error.
func CheckDocument(b []byte) error {
	_, err := checkDocument(b)
	return err
}

func checkDocument(b []byte) (objects int, err error) {
	c := counter{
		objects: min(objectsFree+len(b)/objectWeight, maxObjects),
		values:  min(valuesFree+len(b)/valueWeight, maxValues),
	}
	most := c
	for i := 0; i < len(b); i++ {
		switch x := b[i]; {
		case x == '"':
			i = endOfString(b, i+1)
			c.values--
		case x == '{' || x == '[':
			if c.depth++; c.depth > maxDepth {
				return 0, fmt.Errorf("%w: more than %d levels within one another", ErrTooLarge, maxDepth)
			}
			c.objects--
		case x == '}' || x == ']':
			c.depth--
		case x == 'n': // null is an empty object where a list has objects
			c.objects--
			i = endOfWord(b, i)
		case x == '-' || x >= '0' && x <= '9' || x == 't' || x == 'f':
			c.values--
			i = endOfWord(b, i)
		}
		switch {
		case c.objects < 0:
			return 0, fmt.Errorf("%w: more than %d objects in a document of %d bytes", ErrTooLarge, most.objects, len(b))
		case c.values < 0:
			return 0, fmt.Errorf("%w: more than %d texts and numbers in a document of %d bytes",
				ErrTooLarge, most.values, len(b))
		}
	}
	return most.objects - c.objects, nil
}

// counter is what a document may still have.
type counter struct{ depth, objects, values int }

// endOfWord returns the index of the last byte of the number, true, false or null that begins at i.
func endOfWord(b []byte, i int) int {
	for i+1 < len(b) {
		switch c := b[i+1]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '.', c == '-', c == '+', c == 'E':
			i++
		default:
			return i
		}
	}
	return i
}

// endOfString returns the index of the closing quote of the string that continues at i.
func endOfString(b []byte, i int) int {
	for i < len(b) {
		n := bytes.IndexAny(b[i:], `"\`)
		switch {
		case n < 0:
			return len(b)
		case b[i+n] == '"':
			return i + n
		}
		i += n + 2
	}
	return len(b)
}

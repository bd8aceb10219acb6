package model

import (
	"bytes"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// UTF8 reads a text that a person hands in: in UTF-8, or in UTF-16 behind its byte order mark, as > of PowerShell 5.1
// writes it. The mark is left out; halves of characters become U+FFFD.
func UTF8(r io.Reader) io.Reader {
	return transform.NewReader(r, unicode.BOMOverride(transform.Nop))
}

// UTF8Text is UTF8 for what was read already.
func UTF8Text(b []byte) []byte {
	out, err := io.ReadAll(UTF8(bytes.NewReader(b)))
	if err != nil { // neither the reader nor the decoder gives one
		return b
	}
	return out
}

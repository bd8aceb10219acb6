package model

import (
	"bytes"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// UTF8 decodes text that a user supplies: UTF-8, or UTF-16 with a byte order mark, as > of PowerShell 5.1 writes it.
// The mark is removed; unpaired surrogates become U+FFFD.
func UTF8(r io.Reader) io.Reader {
	return transform.NewReader(r, unicode.BOMOverride(transform.Nop))
}

// UTF8Text is UTF8 for a byte slice.
func UTF8Text(b []byte) []byte {
	out, err := io.ReadAll(UTF8(bytes.NewReader(b)))
	if err != nil { // neither the reader nor the decoder returns one
		return b
	}
	return out
}

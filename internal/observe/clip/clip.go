// Package clip cuts texts that are longer than any name on Windows, so that whoever is observed cannot make observe
// hold what it likes. A text that was cut says so, and stays apart from others with the same beginning.
package clip

import (
	"crypto/sha256"
	"fmt"
	"unicode/utf8"
)

// Max is the longest text that is kept, in bytes. Windows' names of hosts, accounts and pipes end at 256.
const Max = 256

// Text returns s, or its beginning with its length and 64 bits of its SHA-256 if it is longer than [Max]: two accounts
// with the same long beginning remain two. The result has at most Max bytes and shares no memory with a longer s.
func Text(s string) string {
	if len(s) <= Max {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	end := fmt.Sprintf("…[cut, %d bytes, %x]", len(s), sum[:8])
	keep := Max - len(end)
	for keep > 0 && !utf8.RuneStart(s[keep]) {
		keep--
	}
	return s[:keep] + end
}

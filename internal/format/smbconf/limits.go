package smbconf

import (
	"errors"
	"fmt"
)

// Limits. Samba has none except for nested includes; these are some ten times what its largest users have, and limit
// the cost of a file to some 300 MB and a few seconds. Work and memory are linear in what was read below them.
const (
	maxDepth    = 100       // nested includes; Samba's own bound
	maxFile     = 16 << 20  // bytes of one file; a configuration is some KiB
	maxBytes    = 32 << 20  // bytes of all files, counting repeated includes
	maxFiles    = 10_000    // files with two includes each would otherwise go on for 2^100
	maxLine     = 1 << 20   // bytes of one line with its continuations
	maxSections = 20_000    // shares
	maxParams   = 300_000   // assignments
	maxCopied   = 1_000_000 // assignments that shares inherit from [global] or, by copy, from one another
	maxProblems = 1000      // lines without effect that are listed; further ones are counted
)

// ErrLimit means that a configuration is larger than that of any real server. The wrapping error names the bound.
var ErrLimit = errors.New("the configuration is larger than this program reads")

func limit(file string, line int, format string, args ...any) error {
	return fmt.Errorf("smb.conf: %w: %s:%d: more than %s", ErrLimit, file, line, fmt.Sprintf(format, args...))
}

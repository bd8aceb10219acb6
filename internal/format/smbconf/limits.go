package smbconf

import (
	"errors"
	"fmt"
)

// Limits. Samba has none but on includes within one another; they are some ten times what its largest users have, and
// keep what a file may cost to some 300 MB and a few seconds. Work and memory are linear in what was read below them.
const (
	maxDepth    = 100       // files that include one another; Samba's own bound
	maxFile     = 16 << 20  // bytes of one file; a configuration is some KiB
	maxBytes    = 32 << 20  // bytes of all files, one that is included again counting again
	maxFiles    = 10_000    // files that include two others each would otherwise go on for 2^100
	maxLine     = 1 << 20   // bytes of one line with what continues it
	maxSections = 20_000    // shares
	maxParams   = 300_000   // assignments
	maxCopied   = 1_000_000 // assignments that shares take over from [global] or, by copy, from one another
	maxProblems = 1000      // lines without effect that are told; further ones are counted
)

// ErrLimit says that a configuration is larger than any that a server has. The error around it names the bound.
var ErrLimit = errors.New("the configuration is larger than this program reads")

func limit(file string, line int, format string, args ...any) error {
	return fmt.Errorf("smb.conf: %w: %s:%d: more than %s", ErrLimit, file, line, fmt.Sprintf(format, args...))
}

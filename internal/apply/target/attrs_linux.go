package target

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxAttrs bounds extended attributes; the kernel allows 64 KiB for one and for the list of names.
const maxAttrs = 64 << 10

// readAttrs reads a file's extended attributes: access lists, security labels, what users store.
func readAttrs(f *os.File) (map[string][]byte, error) {
	list := make([]byte, maxAttrs)
	n, err := unix.Flistxattr(int(f.Fd()), list)
	if errors.Is(err, unix.ENOTSUP) || n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		value := make([]byte, maxAttrs)
		n, err := unix.Fgetxattr(int(f.Fd()), name, value)
		if err != nil {
			return nil, err
		}
		out[name] = value[:n]
	}
	return out, nil
}

// writeAttrs gives a new file these attributes and no others.
func writeAttrs(f *os.File, want map[string][]byte) error {
	have, err := readAttrs(f)
	if err != nil {
		return err
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			if err := unix.Fremovexattr(int(f.Fd()), name); err != nil {
				return err
			}
		}
	}
	for name, value := range want {
		if string(have[name]) == string(value) && have[name] != nil {
			continue
		}
		if err := unix.Fsetxattr(int(f.Fd()), name, value, 0); err != nil {
			return err
		}
	}
	return nil
}

package hive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"
)

// Windows limits the SYSTEM hive to 400 MB; larger ones are not audited.
const maxUnpacked = 512 << 20

// OpenFile opens a hive by its path, packed with xz or gzip or plain, together with its transaction logs (NAME.LOG1,
// NAME.LOG2, NAME.LOG in any case, each packed or plain). Packed files are unpacked into temporary files that Close
// removes.
func OpenFile(path string) (*Hive, error) {
	var open files
	h, err := open.hive(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), open.close())
	}
	h.close = open.close
	return h, nil
}

// files is what Close has to close and remove.
type files []func() error

func (fs *files) close() error {
	var errs []error
	for _, f := range *fs {
		errs = append(errs, f())
	}
	*fs = nil
	return errors.Join(errs...)
}

func (fs *files) hive(path string) (*Hive, error) {
	r, size, err := fs.open(path)
	if err != nil {
		return nil, err
	}
	block := make([]byte, 512)
	if n, _ := r.ReadAt(block, 0); n == len(block) {
		if b, err := parseBase(block); err == nil && b.sumOK && b.primary == b.secondary {
			return Open(r, size)
		}
	}
	var logs []Log
	var problems []string
	for _, p := range besides(path) {
		lr, n, err := fs.open(p)
		if errors.Is(err, errEmpty) {
			continue
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", filepath.Base(p), err))
			continue
		}
		logs = append(logs, Log{filepath.Base(p), lr, n})
	}
	h, err := Open(r, size, logs...)
	if err == nil {
		h.info.Problems = append(problems, h.info.Problems...)
	}
	return h, err
}

// besides returns the logs of a hive, LOG1 first.
func besides(path string) []string {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, ext := range []string{".LOG1", ".LOG2", ".LOG"} {
		for _, e := range list {
			if strings.EqualFold(unpackedName(e.Name()), unpackedName(name)+ext) {
				out = append(out, filepath.Join(dir, e.Name()))
				break
			}
		}
	}
	return out
}

func unpackedName(name string) string {
	for _, ext := range []string{".xz", ".gz"} {
		if len(name) > len(ext) && strings.EqualFold(name[len(name)-len(ext):], ext) {
			return name[:len(name)-len(ext)]
		}
	}
	return name
}

var errEmpty = errors.New("the file is empty")

func (fs *files) open(path string) (io.ReaderAt, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, errors.Unwrap(err)
	}
	*fs = append(*fs, f.Close)
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, errors.New("not a regular file")
	}
	if st.Size() == 0 {
		return nil, 0, errEmpty
	}
	var magic [6]byte
	n, _ := f.ReadAt(magic[:], 0)
	var z io.Reader
	switch {
	case bytes.Equal(magic[:n], []byte("\xfd7zXZ\x00")):
		if err := checkWindow(f); err != nil {
			return nil, 0, err
		}
		z, err = xz.NewReader(bufio.NewReaderSize(f, 1<<16))
	case n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		z, err = gzip.NewReader(bufio.NewReaderSize(f, 1<<16))
	default:
		return f, st.Size(), nil
	}
	if err != nil {
		return nil, 0, err
	}
	return fs.unpack(z)
}

// unpack writes a packed hive to a temporary file. It checks the first bytes before it continues: a small file can
// unpack to gigabytes of zeros.
func (fs *files) unpack(z io.Reader) (io.ReaderAt, int64, error) {
	var sig [4]byte
	if _, err := io.ReadFull(z, sig[:]); err != nil {
		return nil, 0, fmt.Errorf("unpacking: %w", err)
	}
	if string(sig[:]) != "regf" {
		return nil, 0, &FormatError{0, "not a registry hive (no regf signature)"}
	}
	t, err := os.CreateTemp("", "ipcguard-hive-*")
	if err != nil {
		return nil, 0, err
	}
	*fs = append(*fs, func() error { return errors.Join(t.Close(), os.Remove(t.Name())) })
	n, err := io.Copy(t, io.MultiReader(bytes.NewReader(sig[:]), io.LimitReader(z, maxUnpacked)))
	if err != nil {
		return nil, 0, fmt.Errorf("unpacking: %w", err)
	}
	if n > maxUnpacked {
		return nil, 0, fmt.Errorf("unpacking: larger than %d MiB", maxUnpacked>>20)
	}
	return t, n, nil
}

// checkWindow refuses an xz file whose first block needs a larger window than xz -9 does (64 MiB): the decoder would
// allocate whatever the file says, up to 4 GiB. The window is one byte of the LZMA2 filter's properties: 2 or 3,
// shifted left by half of it.
func checkWindow(r io.ReaderAt) error {
	var b [64]byte
	n, _ := r.ReadAt(b[:], 12) // after the stream header
	i := bytes.Index(b[:n], []byte{0x21, 1})
	if i < 0 || i+2 >= n {
		return errors.New("xz: no LZMA2 filter in the first block")
	}
	if c := b[i+2]; c > 40 || uint64(2|c&1)<<(c/2+11) > 64<<20 {
		return errors.New("xz: the file asks for a window over 64 MiB")
	}
	return nil
}

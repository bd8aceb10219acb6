package source

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"sync"
)

// File is one file of a folder, or of an archive in it.
type File struct {
	Path string // for messages
	Open func() (io.ReadCloser, error)
}

// Files lists the regular files of a folder and its subfolders, and those in its zip archives; or those of one archive;
// or one file. An archive within an archive is an ordinary file. unread counts what could not be opened.
func Files(ctx context.Context, root string, unread func(n int64)) ([]File, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return appendFile(nil, root)
	}
	var out []File
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			unread(1)
			return nil
		case !entry.Type().IsRegular():
			return ctx.Err() // no links and devices: folders of captures and logs have neither
		}
		more, err := appendFile(out, name)
		if err != nil {
			unread(1)
			return ctx.Err()
		}
		out = more
		return ctx.Err()
	})
	return out, err
}

// appendFile appends a file, or the files of an archive.
func appendFile(out []File, name string) ([]File, error) {
	f, err := os.Open(name)
	if err != nil {
		return out, err
	}
	defer f.Close()
	head := make([]byte, len(zipMagic))
	if _, err := io.ReadFull(f, head); err != nil || !IsArchive(head) {
		return append(out, File{name, func() (io.ReadCloser, error) { return os.Open(name) }}), nil
	}
	a := &archive{name: name, file: f}
	z, err := readArchive(f, a)
	a.file = nil
	if err != nil {
		return out, fmt.Errorf("%s: %w", name, err)
	}
	for _, m := range z.File {
		if m.Mode().IsRegular() {
			out = append(out, File{name + "!" + m.Name, func() (io.ReadCloser, error) { return a.open(m) }})
		}
	}
	return out, nil
}

var zipMagic = []byte("PK\x03\x04")

// IsArchive reports, from the first bytes of a file, whether it is a zip archive.
func IsArchive(head []byte) bool { return bytes.HasPrefix(head, zipMagic) }

// maxDirectory bounds an archive's central directory, which takes several times as much in memory: about 100,000 files.
const maxDirectory = 8 << 20

// ErrArchive means that an archive's central directory is missing, damaged or too long.
var ErrArchive = errors.New("a zip archive that cannot be read")

// readArchive reads the central directory. Files are read later through members.
func readArchive(f *os.File, members io.ReaderAt) (*zip.Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// The directory's size is in the record at the archive's end, which a comment of 64 KiB may follow.
	const record, comment = 22, 1<<16 - 1
	end := make([]byte, min(info.Size(), record+comment))
	if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err != nil {
		return nil, err
	}
	at := bytes.LastIndex(end, []byte("PK\x05\x06"))
	if at < 0 || at+record > len(end) || binary.LittleEndian.Uint32(end[at+12:]) > maxDirectory {
		return nil, ErrArchive
	}
	z, err := zip.NewReader(members, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return z, nil
}

// archive is a zip archive whose directory was read once. Its file is open while one of its members is.
type archive struct {
	name string

	lock    sync.Mutex
	file    *os.File
	members int // that are open
}

// ReadAt implements io.ReaderAt.
func (a *archive) ReadAt(p []byte, off int64) (int, error) { return a.file.ReadAt(p, off) }

func (a *archive) open(m *zip.File) (io.ReadCloser, error) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.members == 0 {
		f, err := os.Open(a.name)
		if err != nil {
			return nil, err
		}
		a.file = f
	}
	a.members++
	r, err := m.Open()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", a.name, err), a.closed())
	}
	packed := int64(min(m.CompressedSize64, math.MaxInt64/maxRatio))
	return &member{bounded{r: r, packed: func() int64 { return packed }}, r, a}, nil
}

// closed counts a closed member. The caller holds the lock.
func (a *archive) closed() error {
	if a.members--; a.members > 0 {
		return nil
	}
	f := a.file
	a.file = nil
	return f.Close()
}

// member is an open file of an archive.
type member struct {
	bounded
	opened  io.Closer
	archive *archive
}

// Close closes the archive with its last member.
func (m *member) Close() error {
	m.archive.lock.Lock()
	defer m.archive.lock.Unlock()
	return errors.Join(m.opened.Close(), m.archive.closed())
}

// Read opens the file and calls read with it and its base name.
func (f *File) Read(ctx context.Context, read func(context.Context, string, io.Reader) error) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := read(ctx, path.Base(filepath.ToSlash(f.Path)), r); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}

// Twins finds files with the same content, compressed or not. Its zero value is ready to use.
type Twins struct{ byHead map[[sha256.Size]byte][]*File }

// Of returns the path of an earlier file with the same content as f, or nothing. It compares completely only files with
// the same beginning.
func (t *Twins) Of(f *File) string {
	head := f.Head()
	if len(head) == 0 {
		return ""
	}
	if t.byHead == nil {
		t.byHead = make(map[[sha256.Size]byte][]*File)
	}
	key := sha256.Sum256(head)
	for _, before := range t.byHead[key] {
		if same, err := before.same(f); err == nil && same {
			return before.Path
		}
	}
	t.byHead[key] = append(t.byHead[key], f)
	return ""
}

func (f *File) same(other *File) (bool, error) {
	a, err := f.sum()
	if err != nil {
		return false, err
	}
	b, err := other.sum()
	return a == b, err
}

// sum hashes a file's decompressed content, as far as it can be decompressed.
func (f *File) sum() (sum [sha256.Size]byte, err error) {
	r, err := f.Open()
	if err != nil {
		return sum, err
	}
	defer r.Close()
	plain, err := Decompress(r)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	if n, err := io.Copy(h, plain); err != nil && n == 0 {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// headLen is the number of decompressed bytes that identify a file.
const headLen = 64 << 10

// Head returns enough of a file's content to identify it, as Peek does; nil if it cannot be read.
func (f *File) Head() []byte {
	r, err := f.Open()
	if err != nil {
		return nil
	}
	defer r.Close()
	_, head := Peek(r, headLen, func([]byte) bool { return false })
	return head
}

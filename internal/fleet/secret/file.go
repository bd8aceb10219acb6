package secret

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"filippo.io/age"
)

// maxFile bounds a key file in bytes, and maxIdentities what it holds: one a year for longer than anybody keeps a disk.
const (
	maxFile       = 64 << 10
	maxIdentities = 64
)

// Create reads the key file, or makes it where there is none. made tells which. Two programs that start at once get the
// same key, and a program that is killed leaves no half of one.
func Create(path string) (key Key, made bool, err error) {
	key, err = Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return Key{}, false, fmt.Errorf("secret: %w", err)
	}
	temp, err := writeBeside(path, line(id))
	if err != nil {
		return Key{}, false, err
	}
	defer os.Remove(temp)
	// A link takes the name only when nobody has it, and shows a whole file or none.
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := exclusively(path, line(id)); err != nil && !errors.Is(err, fs.ErrExist) { // no links on this file system
			return Key{}, false, fmt.Errorf("secret: %w", err)
		}
	}
	if key, err = Load(path); err != nil {
		return Key{}, false, err
	}
	return key, key.Recipient() == id.Recipient().String(), nil
}

// Load reads a key file. It is refused when other accounts can read or write it.
func Load(path string) (Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return Key{}, fmt.Errorf("secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat() // of what was opened, not of what stands there a moment later
	if err != nil {
		return Key{}, fmt.Errorf("secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Key{}, fmt.Errorf("secret: %s is not a regular file", path)
	}
	// Windows has no such bits: there the directory's access list counts, which the state directory sets.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return Key{}, fmt.Errorf("secret: other accounts can reach %s (mode %04o): its key must count as known; chmod 600 it when it cannot have been read", path, mode)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Key{}, fmt.Errorf("secret: %w", err)
	}
	key, err := parse(b)
	if err != nil {
		return Key{}, fmt.Errorf("secret: %s %w", path, err)
	}
	return key, nil
}

// Rotate puts a new identity before the ones of the file, and returns the new key. What the older ones sealed still opens.
func Rotate(path string) (Key, error) {
	old, err := Load(path)
	if err != nil {
		return Key{}, err
	}
	if len(old.identities) == maxIdentities {
		return Key{}, fmt.Errorf("secret: %s holds %d keys already", path, maxIdentities)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return Key{}, fmt.Errorf("secret: %w", err)
	}
	return replace(path, append([]*age.X25519Identity{id}, old.identities...))
}

// Forget leaves nothing but the newest identity in the file, and returns that key. What only older ones open is lost.
func Forget(path string) (Key, error) {
	old, err := Load(path)
	if err != nil {
		return Key{}, err
	}
	return replace(path, old.identities[:1])
}

// replace puts another key file in the place of the one that is there, in one step.
func replace(path string, identities []*age.X25519Identity) (Key, error) {
	var content []byte
	for _, id := range identities {
		content = append(content, line(id)...)
	}
	temp, err := writeBeside(path, content)
	if err != nil {
		return Key{}, err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return Key{}, fmt.Errorf("secret: %w", err)
	}
	return Load(path)
}

// parse reads the lines of a key file. Its errors quote nothing of it.
func parse(b []byte) (Key, error) {
	if len(b) > maxFile {
		return Key{}, errors.New("is too long for a key file")
	}
	all, err := age.ParseIdentities(bytes.NewReader(b))
	if err != nil {
		return Key{}, errors.New("is not a key file")
	}
	if len(all) > maxIdentities {
		return Key{}, fmt.Errorf("holds more than %d keys", maxIdentities)
	}
	var key Key
	for _, i := range all {
		x, ok := i.(*age.X25519Identity)
		if !ok {
			return Key{}, errors.New("holds a key that is not X25519")
		}
		key.identities = append(key.identities, x)
	}
	return key, nil
}

// line is one identity as age-keygen writes it.
func line(id *age.X25519Identity) []byte {
	return fmt.Appendf(nil, "# public key: %s\n%s\n", id.Recipient(), id)
}

// writeBeside writes a file of a name of its own in the same directory, so that it can take the other's name in one step.
func writeBeside(path string, content []byte) (string, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:12])
	if err := exclusively(name, content); err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	return name, nil
}

// exclusively makes a file that was not there, for its owner alone, and sees it onto the disk.
func exclusively(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

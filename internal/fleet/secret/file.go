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

// maxFile bounds a key file in bytes, and maxIdentities its identities: one a year for longer than a disk lives.
const (
	maxFile       = 64 << 10
	maxIdentities = 64
)

// Create reads the key file, or creates it if it does not exist; made says which. Two programs that start at once get
// the same key, and a killed program leaves no partial file.
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
	// A link fails if the name exists, and makes a complete file visible or none.
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		// This file system has no links.
		if err := exclusively(path, line(id)); err != nil && !errors.Is(err, fs.ErrExist) {
			return Key{}, false, fmt.Errorf("secret: %w", err)
		}
	}
	if key, err = Load(path); err != nil {
		return Key{}, false, err
	}
	return key, key.Recipient() == id.Recipient().String(), nil
}

// Load reads a key file. It refuses a file that other accounts can read or write.
func Load(path string) (Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return Key{}, fmt.Errorf("secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat() // of the opened file, not of what may replace it
	if err != nil {
		return Key{}, fmt.Errorf("secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Key{}, fmt.Errorf("secret: %s is not a regular file", path)
	}
	// Windows has no such bits: there the access list of the state directory protects the file.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return Key{},
			fmt.Errorf("secret: other accounts can reach %s (mode %04o): its key must count as known; chmod 600 it "+
				"when it cannot have been read", path, mode)
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

// Rotate adds a new identity before the others in the file, and returns the new key. It still opens what the older ones
// sealed.
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

// Forget removes all but the newest identity from the file and returns that key. What only older ones open is lost.
func Forget(path string) (Key, error) {
	old, err := Load(path)
	if err != nil {
		return Key{}, err
	}
	return replace(path, old.identities[:1])
}

// replace replaces the key file atomically.
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

// parse parses a key file. Its errors quote nothing of it.
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

// line formats one identity as age-keygen does.
func line(id *age.X25519Identity) []byte {
	return fmt.Appendf(nil, "# public key: %s\n%s\n", id.Recipient(), id)
}

// writeBeside writes a temporary file in the same directory, so that it can replace path atomically.
func writeBeside(path string, content []byte) (string, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:12])
	if err := exclusively(name, content); err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	return name, nil
}

// exclusively creates a file that does not exist, readable only by its owner, and syncs it.
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

//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOutputIsNarrow writes results over files of every mode: they are the owner's alone afterwards, and no wider than
// they were.
func TestOutputIsNarrow(t *testing.T) {
	var a app
	for was, want := range map[os.FileMode]os.FileMode{
		0o644: 0o600, 0o666: 0o600, 0o640: 0o600, 0o600: 0o600, 0o200: 0o200, 0o755: 0o600,
	} {
		for how, write := range map[string]func(path string) error{
			"create": func(path string) error {
				o, err := a.create(path)
				if err != nil {
					return err
				}
				if _, err := o.Write([]byte("new")); err != nil {
					return err
				}
				return o.Close()
			},
			"go on": func(path string) error {
				o, err := goOn(path, &earlier{size: 3})
				if err != nil {
					return err
				}
				return o.Close()
			},
		} {
			path := filepath.Join(t.TempDir(), "out.json")
			if err := os.WriteFile(path, []byte("new of before"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, was); err != nil {
				t.Fatal(err)
			}
			if err := write(path); err != nil {
				t.Errorf("%s over %04o: %v", how, was, err)
				continue
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != want || info.Size() != 3 {
				t.Errorf("%s over %04o: mode %v, %d bytes, %v; want %04o", how, was, info.Mode(), info.Size(), err,
					want)
			}
		}
	}
	o, err := a.create(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

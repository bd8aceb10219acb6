//go:build unix

package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// childTarget is a Samba configuration without a server.
func childTarget(file string, fault func(string)) (Target, []model.Change) {
	return &Samba{config: file, system: quiet{}, fault: fault},
		[]model.Change{samba("global", "restrict anonymous", absent, value(2))}
}

func newHost(t *testing.T) host {
	t.Helper()
	s, path := silentSamba(t, commented)
	return host{
		path, s, func() string {
			got := readAll(t, path)
			entries, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(entries) != 1 {
				t.Errorf("%v is left, %v", entries, err)
			}
			return got
		}, commented,
		strings.Replace(commented, "\r\n; restrict", "\r\n\trestrict anonymous = 2\r\n; restrict", 1),
	}
}

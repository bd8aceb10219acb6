//go:build unix

package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/model"
)

// childTarget is a Samba configuration without a server.
func childTarget(file string, fault func(string)) (apply.Target, []model.Change) {
	s := target.OpenSambaOn(file, applytest.Quiet{})
	s.Fault = fault
	return s, []model.Change{applytest.Parameter("global", "restrict anonymous", applytest.Absent, applytest.Value(2))}
}

func newHost(t *testing.T) host {
	t.Helper()
	path := applytest.WriteConf(t, applytest.Commented)
	return host{
		path, target.OpenSambaOn(path, applytest.Quiet{}), func() string {
			got := applytest.Read(t, path)
			entries, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(entries) != 1 {
				t.Errorf("%v is left, %v", entries, err)
			}
			return got
		}, applytest.Commented,
		strings.Replace(applytest.Commented, "\r\n; restrict", "\r\n\trestrict anonymous = 2\r\n; restrict", 1),
	}
}

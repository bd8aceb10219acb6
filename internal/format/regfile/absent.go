package regfile

import (
	"errors"
	"strings"

	"ipcguard/internal/format/registry"
)

func isAbsent(err error) bool { return errors.Is(err, registry.ErrNotExist) }

// missing lists the topmost key on the way to key that does not exist yet: removing it removes all that was made.
func missing(r registry.Reader, key string) []string {
	parts := registry.SplitPath(registry.Canonical(key))
	for i := 1; i <= len(parts); i++ {
		k := strings.Join(parts[:i], `\`)
		if _, err := r.Values(k); isAbsent(err) {
			return []string{k}
		}
	}
	return nil
}

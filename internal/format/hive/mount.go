package hive

import (
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/format/registry"
)

// Mounted is a hive at its key in a machine's registry.
type Mounted struct {
	*Hive
	at string
}

var _ registry.Reader = (*Mounted)(nil)

// Mount mounts the hive at a path such as HKLM\SYSTEM, so that it is a registry.Reader for whole paths.
func (h *Hive) Mount(at string) *Mounted { return &Mounted{h, registry.Canonical(at)} }

func (m *Mounted) open(key string) (*Key, error) {
	whole := registry.Canonical(key)
	if len(whole) < len(m.at) || !strings.EqualFold(whole[:len(m.at)], m.at) ||
		(len(whole) > len(m.at) && whole[len(m.at)] != '\\') {
		return nil, fmt.Errorf("hive: %s is not under %s: %w", key, m.at, registry.ErrNotExist)
	}
	return m.Key(whole[len(m.at):])
}

// Value implements registry.Reader.
func (m *Mounted) Value(key, name string) (registry.Value, error) {
	k, err := m.open(key)
	if err != nil {
		return registry.Value{}, err
	}
	v, err := k.Value(name)
	v.Key = registry.Canonical(key)
	return v, err
}

// Values implements registry.Reader.
func (m *Mounted) Values(key string) ([]registry.Value, error) {
	k, err := m.open(key)
	if err != nil {
		return nil, err
	}
	vs, err := k.Values()
	for i := range vs {
		vs[i].Key = registry.Canonical(key)
	}
	return vs, err
}

// Subkeys implements registry.Reader.
func (m *Mounted) Subkeys(key string) ([]string, error) {
	k, err := m.open(key)
	if err != nil {
		return nil, err
	}
	kids, err := k.Subkeys()
	names := make([]string, len(kids))
	for i, kid := range kids {
		names[i] = kid.Name
	}
	return names, err
}

// Security returns the descriptor of a key.
func (m *Mounted) Security(key string) ([]byte, error) {
	k, err := m.open(key)
	if err != nil {
		return nil, err
	}
	b, err := k.Security()
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return b, err
}

package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ipcguard/internal/format/hive"
	"ipcguard/internal/format/registry"
)

// hives holds the hives of one machine, each at its key; together they form its registry.
type hives struct {
	list []*hive.Mounted
	at   []string
}

var _ registry.Reader = (*hives)(nil)

// hiveOrder is the order in which hives are read and reported.
var hiveOrder = []string{"SYSTEM", "SOFTWARE", "SAM", "SECURITY"}

// hivePlaces are the keys of the hives, by their usual file names.
var hivePlaces = map[string]string{
	"SYSTEM": `HKLM\SYSTEM`, "SOFTWARE": `HKLM\SOFTWARE`, "SAM": `HKLM\SAM`,
	"SECURITY": `HKLM\SECURITY`,
}

func (h *hives) find(key string) (*hive.Mounted, error) {
	whole := registry.Canonical(key)
	for i, at := range h.at {
		if len(whole) >= len(at) && strings.EqualFold(whole[:len(at)], at) &&
			(len(whole) == len(at) || whole[len(at)] == '\\') {
			return h.list[i], nil
		}
	}
	return nil, fmt.Errorf("no hive holds %s: %w", key, registry.ErrNotExist)
}

// covers reports whether the hive of a key is available and, for the current control set, whether that set is known.
func (h *hives) covers(key string) bool {
	m, err := h.find(key)
	if err == nil && strings.HasPrefix(registry.Fold(registry.Canonical(key))+`\`, currentControlSet) {
		_, err = m.ControlSet()
	}
	return err == nil
}

// currentControlSet is the key below which a hive answers with the set that Select\Current names.
const currentControlSet = `HKLM\SYSTEM\CURRENTCONTROLSET\`

// Value implements registry.Reader.
func (h *hives) Value(key, name string) (registry.Value, error) {
	m, err := h.find(key)
	if err != nil {
		return registry.Value{}, err
	}
	return m.Value(key, name)
}

// Values implements registry.Reader.
func (h *hives) Values(key string) ([]registry.Value, error) {
	m, err := h.find(key)
	if err != nil {
		return nil, err
	}
	return m.Values(key)
}

// Subkeys implements registry.Reader.
func (h *hives) Subkeys(key string) ([]string, error) {
	m, err := h.find(key)
	if err != nil {
		return nil, err
	}
	return m.Subkeys(key)
}

// hiveFile audits a hive and the other hives of the same machine next to it.
func (o *Options) hiveFile(path string) (*facts, error) {
	h, err := hive.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	kind, err := kindOfHive(h)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), h.Close())
	}
	s := &hiveSet{facts: newFacts("hive", path, "windows")}
	defer s.close()
	s.add(kind, path, h)
	for _, other := range hiveOrder {
		// SYSTEM belongs to the SOFTWARE next to it only if both have their usual names: SYSTEM_B may be of another
		// machine.
		if other != kind && usualName(path, kind) {
			s.open(other, beside(filepath.Dir(path), other))
		}
	}
	return s.read(o)
}

// hiveFolder audits the hives of Windows\System32\config.
func (o *Options) hiveFolder(name, folder string) (*facts, error) {
	s := &hiveSet{facts: newFacts("hive", name, "windows")}
	defer s.close()
	for _, kind := range hiveOrder {
		s.open(kind, beside(folder, kind))
	}
	if !s.covers(`HKLM\SYSTEM`) {
		s.problem("%s: there is no SYSTEM hive that can be read", folder)
	}
	return s.read(o)
}

var packed = []string{"", ".xz", ".gz"}

func usualName(path, name string) bool {
	base := filepath.Base(path)
	return slices.ContainsFunc(packed, func(ext string) bool { return strings.EqualFold(base, name+ext) })
}

// beside finds a file by its name in any case, packed or not.
func beside(folder, name string) string {
	list, err := os.ReadDir(folder)
	if err != nil {
		return ""
	}
	for _, ext := range packed {
		for _, e := range list {
			if !e.IsDir() && strings.EqualFold(e.Name(), name+ext) {
				return filepath.Join(folder, e.Name())
			}
		}
	}
	return ""
}

// kindOfHive identifies a hive by the keys under its root, whatever the file is called.
func kindOfHive(h *hive.Hive) (string, error) {
	root, err := h.Root()
	if err != nil {
		return "", err
	}
	for _, k := range []struct{ key, hive string }{
		{"Select", "SYSTEM"},
		{"ControlSet001", "SYSTEM"},
		{"Policy", "SECURITY"},
		{"SAM", "SAM"},
		{"Microsoft", "SOFTWARE"},
	} {
		if _, err := root.Subkey(k.key); err == nil {
			return k.hive, nil
		} else if !errors.Is(err, registry.ErrNotExist) {
			return "", err
		}
	}
	return "", errors.New("a registry hive, and none of SYSTEM, SOFTWARE, SAM and SECURITY by its keys")
}

// hiveSet collects one machine's hives.
type hiveSet struct {
	*facts
	hives
	opened []*hive.Hive
}

func (s *hiveSet) open(kind, path string) {
	if path == "" {
		return
	}
	h, err := hive.OpenFile(path)
	if err != nil {
		s.problem("%s: %v", path, err)
		return
	}
	s.add(kind, path, h)
}

func (s *hiveSet) add(kind, path string, h *hive.Hive) {
	info := h.Info()
	for _, p := range info.Problems {
		s.problem("%s: %s", path, p)
	}
	if info.Dirty {
		s.why("%s was not cleanly closed; %d entries of its logs were applied", path, info.Replayed)
	}
	if kind == "SYSTEM" {
		if _, err := h.ControlSet(); err != nil {
			s.problem("%s: which control set is in force cannot be known: %v", path, err)
		}
	}
	s.source.Parts = append(s.source.Parts, path)
	s.list, s.at, s.opened = append(s.list, h.Mount(hivePlaces[kind])), append(s.at, hivePlaces[kind]),
		append(s.opened, h)
}

func (s *hiveSet) close() {
	for _, h := range s.opened {
		_ = h.Close() // it was only read
	}
}

func (s *hiveSet) read(o *Options) (*facts, error) {
	if len(s.list) == 0 {
		return nil, errors.New(strings.Join(s.problems, "; "))
	}
	w := &windowsReader{facts: s.facts, catalog: o.Catalog, in: &s.hives, covers: s.covers}
	w.all()
	w.accounts()
	return s.facts, nil
}

package hive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"ipcguard/internal/format/registry"
)

const noOffset = 0xffffffff

// Key is one key of a hive.
type Key struct {
	h     *Hive
	depth int
	path  string

	Name    string
	Written time.Time
	kids    uint32 // declared number of subkeys
	kidList uint32
	values  uint32
	valList uint32
	secure  uint32
}

// key reads a key node.
//
//	+0 "nk" · +2 flags · +4 last written · +16 parent · +20 number of subkeys · +28 their list
//	+36 number of values · +40 their list · +44 security · +72 name length · +76 name (flag 0x20: one byte a character)
func (h *Hive) key(off uint32, depth int) (*Key, error) {
	b, err := h.record(off, "nk", 76)
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, &FormatError{
			baseSize + int64(off),
			"keys are nested deeper than Windows allows, probably in a circle",
		}
	}
	le := binary.LittleEndian
	n := int(le.Uint16(b[72:]))
	if 76+n > len(b) {
		return nil, &FormatError{baseSize + int64(off), "a key's name is longer than its cell"}
	}
	return &Key{
		h: h, depth: depth,
		Name:    decodeName(b[76:76+n], le.Uint16(b[2:])&0x20 != 0),
		Written: filetime(le.Uint64(b[4:])),
		kids:    le.Uint32(b[20:]), kidList: le.Uint32(b[28:]),
		values: le.Uint32(b[36:]), valList: le.Uint32(b[40:]), secure: le.Uint32(b[44:]),
	}, nil
}

func decodeName(b []byte, oneByte bool) string {
	if !oneByte {
		return registry.DecodeUTF16(b)
	}
	ascii := true
	for _, c := range b {
		ascii = ascii && c < 0x80
	}
	if ascii {
		return string(b)
	}
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

func cutName(b []byte) string {
	s := registry.DecodeUTF16(b)
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// filetime converts 100 ns since 1601 to a time.
func filetime(n uint64) time.Time {
	const toUnix = 116444736000000000
	if n > 1<<63 {
		return time.Time{}
	}
	d := int64(n) - toUnix
	return time.Unix(d/1e7, d%1e7*100).UTC()
}

// Root returns the hive's root key, which a machine mounts under a name such as HKLM\SYSTEM.
func (h *Hive) Root() (*Key, error) { return h.key(h.root, 0) }

// Key looks up a path from the root. CurrentControlSet is replaced by the control set that Select\Current names.
func (h *Hive) Key(path string) (*Key, error) {
	k, err := h.Root()
	if err != nil {
		return nil, err
	}
	for i, name := range registry.SplitPath(path) {
		next, err := k.Subkey(name)
		if i == 0 && errors.Is(err, registry.ErrNotExist) && strings.EqualFold(name, "CurrentControlSet") {
			var set string
			if set, err = h.ControlSet(); err == nil {
				next, err = k.Subkey(set)
			}
		}
		if err != nil {
			return nil, err
		}
		k = next
	}
	return k, nil
}

// ControlSet returns the name of the control set in force, such as ControlSet001. Select\Current names it, and it must
// exist.
func (h *Hive) ControlSet() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		return h.ccs, nil
	}
	k, err := h.Key("Select")
	if err != nil {
		return "", err
	}
	v, err := k.Value("Current")
	if err != nil {
		return "", err
	}
	n, err := v.DWord()
	if err != nil {
		return "", fmt.Errorf("hive: Select: %w", err)
	}
	set := fmt.Sprintf("ControlSet%03d", n)
	if _, err := h.Key(set); err != nil {
		return "", fmt.Errorf("hive: Select names %s: %w", set, err)
	}
	h.ccs, h.done = set, true
	return set, nil
}

// Path returns the key's path below the root.
func (k *Key) Path() string { return k.path }

// Subkey finds a direct subkey by name, using the same hints and hashes as Windows.
func (k *Key) Subkey(name string) (*Key, error) {
	want := registry.Fold(name)
	hash, hint, plain := hints(want)
	var found *Key
	err := k.each(func(off uint32, kind byte, mark uint32) (bool, error) {
		switch {
		case plain && kind == 'h' && mark != hash:
			return true, nil
		case plain && kind == 'f' && byte(mark) != 0 && foldHint(mark) != hint:
			return true, nil
		}
		sub, err := k.h.key(off, k.depth+1)
		if err != nil {
			return false, err
		}
		if registry.Fold(sub.Name) != want {
			return true, nil
		}
		found = sub
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("hive: %s\\%s: %w", k.path, name, registry.ErrNotExist)
	}
	found.path = join(k.path, found.Name)
	return found, nil
}

// Subkeys lists the direct subkeys. Unreadable ones are omitted and named in the error.
func (k *Key) Subkeys() ([]*Key, error) {
	var out []*Key
	var bad []error
	err := k.each(func(off uint32, _ byte, _ uint32) (bool, error) {
		sub, err := k.h.key(off, k.depth+1)
		if err != nil {
			if bad = append(bad, err); len(bad) > 20 { // enough to show that the list is broken
				return false, nil
			}
			return true, nil
		}
		sub.path = join(k.path, sub.Name)
		out = append(out, sub)
		return true, nil
	})
	return out, errors.Join(append(bad, err)...)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + `\` + name
}

// each calls f with every element of the subkeys list: its key's offset, the kind of its list ('i', 'f' or 'h') and its
// hint or hash. An index root may contain only leaves, so that no list can contain itself, and all lists together may
// not hold more keys than fit the hive.
func (k *Key) each(f func(off uint32, kind byte, mark uint32) (bool, error)) error {
	if k.kids == 0 || k.kidList == noOffset {
		return nil
	}
	left := int64(k.h.size)/minKeyCell + 1
	list, err := k.h.cell(k.kidList)
	if err != nil {
		return err
	}
	if len(list) < 4 || string(list[:2]) != "ri" {
		_, err := k.leaf(k.kidList, list, &left, f)
		return err
	}
	n := int(binary.LittleEndian.Uint16(list[2:]))
	if 4+4*n > len(list) {
		return &FormatError{baseSize + int64(k.kidList), "an index root counts more lists than its cell holds"}
	}
	for i := range n {
		off := binary.LittleEndian.Uint32(list[4+4*i:])
		leaf, err := k.h.cell(off)
		if err != nil {
			return err
		}
		if more, err := k.leaf(off, leaf, &left, f); err != nil || !more {
			return err
		}
	}
	return nil
}

func (k *Key) leaf(off uint32, b []byte, left *int64, f func(uint32, byte, uint32) (bool, error)) (bool, error) {
	at := baseSize + int64(off)
	if len(b) < 4 || b[0] != 'l' {
		return false, &FormatError{at, "no list of subkeys here"}
	}
	kind, step := b[1], 8
	switch kind {
	case 'i':
		step = 4
	case 'f', 'h':
	default:
		return false, &FormatError{at, "no list of subkeys here"}
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	if 4+step*n > len(b) {
		return false, &FormatError{at, "a list counts more subkeys than its cell holds"}
	}
	if *left -= int64(n); *left < 0 {
		return false, &FormatError{at, "the lists hold more subkeys than fit the hive"}
	}
	for i := range n {
		e := b[4+step*i:]
		var mark uint32
		if step == 8 {
			mark = binary.LittleEndian.Uint32(e[4:])
		}
		if more, err := f(binary.LittleEndian.Uint32(e), kind, mark); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// hints returns the hash and the four-byte hint of an upper-case name, and whether both are reliable: beyond ASCII the
// writer's upper-casing may differ from ours, and then every name is compared.
func hints(upper string) (hash, hint uint32, ok bool) {
	for _, u := range utf16.Encode([]rune(upper)) {
		if u >= 0x80 {
			return 0, 0, false
		}
		hash = 37*hash + uint32(u)
	}
	for i := 0; i < 4 && i < len(upper); i++ {
		hint |= uint32(upper[i]) << (8 * i)
	}
	return hash, hint, true
}

// foldHint converts a hint to upper case; hints keep the name's case.
func foldHint(n uint32) uint32 {
	for i := 0; i < 32; i += 8 {
		if c := byte(n >> i); c >= 'a' && c <= 'z' {
			n -= 0x20 << i
		}
	}
	return n
}

// Security returns the key's self-relative security descriptor.
//
//	+0 "sk" · +4 next · +8 previous · +12 reference count · +16 size · +20 descriptor
func (k *Key) Security() ([]byte, error) {
	if k.secure == noOffset {
		return nil, fmt.Errorf("hive: %s: security descriptor: %w", k.path, registry.ErrNotExist)
	}
	b, err := k.h.record(k.secure, "sk", 20)
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(b[16:])
	if uint64(n) > uint64(len(b)-20) {
		return nil, &FormatError{baseSize + int64(k.secure), "a security descriptor is longer than its cell"}
	}
	return b[20 : 20+n], nil
}

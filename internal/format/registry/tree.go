package registry

import (
	"fmt"
	"slices"
	"strings"
)

// Tree is a registry in memory. Keys and names compare as in Windows and keep their first case. The zero Tree is empty
// and ready to use.
type Tree struct {
	root node
}

type node struct {
	name   string
	kids   map[string]*node
	values map[string]Value
}

// Set stores a value, creating its key and the keys above it.
func (t *Tree) Set(v Value) {
	v.Key = Canonical(v.Key)
	n := t.make(v.Key)
	if n.values == nil {
		n.values = map[string]Value{}
	}
	n.values[Fold(v.Name)] = v
}

// AddKey creates a key and the keys above it.
func (t *Tree) AddKey(key string) { t.make(key) }

// DeleteValue removes a value if it exists.
func (t *Tree) DeleteValue(key, name string) {
	if n := t.find(key); n != nil {
		delete(n.values, Fold(name))
	}
}

// DeleteValues removes every value of a key and keeps the key.
func (t *Tree) DeleteValues(key string) {
	if n := t.find(key); n != nil {
		clear(n.values)
	}
}

// DeleteKey removes a key with everything below it, if it exists.
func (t *Tree) DeleteKey(key string) {
	parts := SplitPath(Canonical(key))
	if len(parts) == 0 {
		return
	}
	last := len(parts) - 1
	if n := t.find(strings.Join(parts[:last], `\`)); n != nil {
		delete(n.kids, Fold(parts[last]))
	}
}

// Value implements Reader.
func (t *Tree) Value(key, name string) (Value, error) {
	if n := t.find(key); n != nil {
		if v, ok := n.values[Fold(name)]; ok {
			return v, nil
		}
	}
	return Value{}, fmt.Errorf("registry: %s\\%s: %w", key, name, ErrNotExist)
}

// Values implements Reader: the values sorted by name.
func (t *Tree) Values(key string) ([]Value, error) {
	n := t.find(key)
	if n == nil {
		return nil, fmt.Errorf("registry: %s: %w", key, ErrNotExist)
	}
	out := make([]Value, 0, len(n.values))
	for _, v := range n.values {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b Value) int { return strings.Compare(Fold(a.Name), Fold(b.Name)) })
	return out, nil
}

// Subkeys implements Reader: the names sorted.
func (t *Tree) Subkeys(key string) ([]string, error) {
	n := t.find(key)
	if n == nil {
		return nil, fmt.Errorf("registry: %s: %w", key, ErrNotExist)
	}
	out := make([]string, 0, len(n.kids))
	for _, k := range n.kids {
		out = append(out, k.name)
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(Fold(a), Fold(b)) })
	return out, nil
}

func (t *Tree) find(key string) *node {
	n := &t.root
	for _, p := range SplitPath(Canonical(key)) {
		if n = n.kids[Fold(p)]; n == nil {
			return nil
		}
	}
	return n
}

func (t *Tree) make(key string) *node {
	n := &t.root
	for _, p := range SplitPath(Canonical(key)) {
		k := n.kids[Fold(p)]
		if k == nil {
			k = &node{name: p}
			if n.kids == nil {
				n.kids = map[string]*node{}
			}
			n.kids[Fold(p)] = k
		}
		n = k
	}
	return n
}

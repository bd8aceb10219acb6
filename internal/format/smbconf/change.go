package smbconf

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Assign is one change of a parameter: a new value, or with Remove no value of its own.
type Assign struct {
	Section, Name, Value string
	Remove               bool
}

// AssignError says which of several changes cannot be made.
type AssignError struct {
	Index int
	Err   error
}

// Error returns the change's error.
func (e *AssignError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *AssignError) Unwrap() error { return e.Err }

// Change combines several changes of a configuration in one file, with the result of Set and Remove one after another,
// and returns which of them were needed. The error is an *AssignError if one of them cannot be made.
//
// Changes of parameters in existing sections, as plans have them, are made and verified all at once: this reads the
// file only a few times, however many changes there are.
func Change(path string, o Options, list []Assign) (e *Edit, needed []int, err error) {
	if o.ReadFile == nil {
		o.ReadFile = ReadFile
	}
	before, err := o.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("smb.conf: %w", err)
	}
	if after, needed, ok := together(path, o, before, list); ok {
		return &Edit{path, before, after}, needed, nil
	}
	now := before
	o = o.instead(path, func() []byte { return now })
	for i, a := range list {
		var e *Edit
		if a.Remove {
			e, err = Remove(path, o, a.Section, a.Name)
		} else {
			e, err = Set(path, o, a.Section, a.Name, a.Value)
		}
		if err != nil {
			return nil, nil, &AssignError{i, err}
		}
		if string(e.After) != string(now) {
			now, needed = e.After, append(needed, i)
		}
	}
	return &Edit{path, before, now}, needed, nil
}

// instead reads other content in place of a file.
func (o Options) instead(path string, content func() []byte) Options {
	read := o.ReadFile
	o.ReadFile = func(name string) ([]byte, error) {
		if filepath.Clean(name) == filepath.Clean(path) {
			return content(), nil
		}
		return read(name)
	}
	return o
}

// at is a parameter of a section, both folded.
type at struct{ section, name string }

// together makes the smallest change for each of several at once. ok is false if one depends on another, or on the
// effect of earlier ones.
func together(path string, o Options, before []byte, list []Assign) (after []byte, needed []int, ok bool) {
	was, err := load(path, o)
	if err != nil || was.Broken != nil {
		return nil, nil, false
	}
	places, names := map[at]*sectionLines{}, map[string]bool{}
	for _, a := range list {
		p := at{foldName(a.Section), key(a.Name)}
		if isGlobal(a.Section) {
			p.section = foldName(was.Global.Name)
		}
		if a.Remove || places[p] != nil || was.Section(a.Section) == nil ||
			unwritable(a.Section, a.Name, a.Value) != "" {
			return nil, nil, false
		}
		places[p], names[p.name] = &sectionLines{section: p.section, name: p.name, first: o.Ksmbd}, true
	}
	ends, lines := map[string]*logical{}, false
	r := newReader(path, o)
	r.seen = func(l logical, s *Section) {
		lines = true
		section := foldName(s.Name)
		if name, _, found := strings.Cut(l.text, "="); found && l.text[0] != '[' {
			if p := places[at{section, key(trimOne(name))}]; p != nil {
				p.params = append(p.params, logical{start: l.start, end: l.end})
			}
		}
		l.text = strings.Clone(l.text[:1]) // the rest of it is not kept
		ends[section] = &l
	}
	r.read(path, before, 0)

	var patches []patch
	for i, a := range list {
		p := at{foldName(a.Section), key(a.Name)}
		if isGlobal(a.Section) {
			p.section = foldName(was.Global.Name)
		}
		here := places[p]
		here.any, here.end = lines, ends[p.section]
		if here.end == nil { // the section is in an included file
			return nil, nil, false
		}
		first := here.patches(before, true, a.Section, a.Name, a.Value)[0]
		if string(before[first.from:first.to]) != first.text {
			patches, needed = append(patches, first), append(needed, i)
		}
	}
	after, ok = spliceAll(before, patches)
	return after, needed, ok && workTogether(path, o, after, was, list, names)
}

// spliceAll applies all changes to a text; those at one position in their order. It returns false if two overlap.
func spliceAll(b []byte, patches []patch) ([]byte, bool) {
	slices.SortStableFunc(patches, func(x, y patch) int { return x.from - y.from })
	var out []byte
	done := 0
	for _, x := range patches {
		if x.from < done {
			return nil, false
		}
		out = append(append(out, b[done:x.from]...), x.text...)
		done = x.to
	}
	return append(out, b[done:]...), true
}

// workTogether is works for several changes.
func workTogether(path string, o Options, after []byte, was *Config, list []Assign, names map[string]bool) bool {
	is, err := load(path, o.instead(path, func() []byte { return after }))
	if err != nil || is.Broken != nil || !keepsAllBut(was, is, "global", names) {
		return false
	}
	return !slices.ContainsFunc(list, func(a Assign) bool {
		p, own := is.Section(a.Section).Own(a.Name)
		k, _ := Lookup(a.Name)
		return !own || p.Value != a.Value || p.Inverse != k.Inverse
	})
}

// IndexOf returns the index of the change that an error of Change is about; false if it is about the file.
func IndexOf(err error) (int, bool) {
	var e *AssignError
	if errors.As(err, &e) {
		return e.Index, true
	}
	return 0, false
}

package smbconf

import (
	"fmt"
	"slices"
	"strings"
)

// storedShare is a share of Samba's registry: its header and its lines.
type storedShare struct {
	lines []logical
	begun bool
	only  bool // the files have no share of this name
}

// storedReader reads the shares of Samba's registry into a configuration.
type storedReader struct {
	*reader
	shares map[string]*storedShare // by their folded names
}

// AddRegistry reads the shares of Samba's registry, as "net conf list" shows it, on top of the files, as smbd does with
// "registry shares", and returns them:
//   - a share that the files have goes on with these lines, and any other begins with the defaults of [global]; the
//     registry's own [global] does not count
//   - a copy takes what the files say of the other share, or the registry; smbd reads a share of the registry when a
//     client asks for it, so a copy of one works in a connection that has asked for the other before
//   - where smbd finds nothing to copy it reads no more of this share, and serves what it has of it
//
// A share whose lines in force are not all known has Unread set. [M] samba-4.17.12
func (c *Config) AddRegistry(list []byte, o Options) ([]*Section, error) {
	if o.ReadFile == nil {
		o.ReadFile = ReadFile
	}
	if len(list) > maxBytes {
		return nil, limit(RegistryFile, 1, "%d MiB", maxBytes>>20)
	}
	r := &storedReader{newReader(RegistryFile, o), map[string]*storedShare{}}
	r.c, r.section = c, c.Global
	for _, s := range r.split(list) {
		if r.limit == nil {
			r.add(s)
		}
	}
	if r.limit != nil {
		return nil, r.limit
	}
	var out []*Section
	for name := range r.shares {
		if s := c.byName[name]; s != nil {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *Section) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// split takes the list apart into its shares.
func (r *storedReader) split(list []byte) (order []*storedShare) {
	var now *storedShare
	lines := 0
	for l := range r.o.lines(list) {
		if lines++; lines > maxParams+maxSections { // they are all kept until their shares are read
			r.limit = limit(RegistryFile, l.number, "%d lines", maxParams+maxSections)
			return order
		}
		if len(l.text) > maxLine {
			r.limit = limit(RegistryFile, l.number, "%d KiB in one line", maxLine>>10)
			return order
		}
		if l.text[0] == '[' {
			name, _, ok := strings.Cut(l.text[1:], "]")
			if now = nil; !ok || name == "" || isGlobal(name) {
				continue
			}
			if now = r.shares[foldName(name)]; now == nil {
				now = &storedShare{only: r.c.Share(name) == nil}
				r.shares[foldName(name)] = now
				order = append(order, now)
			}
		}
		if now != nil {
			now.lines = append(now.lines, l)
		}
	}
	return order
}

// copied returns the share that a line copies.
func copied(l logical) (name string, ok bool) {
	first, value, ok := strings.Cut(l.text, "=")
	return trimOne(value), ok && l.text[0] != '[' && key(trimOne(first)) == "copy"
}

// add reads one share, and before it those that it copies.
func (r *storedReader) add(s *storedShare) {
	if s.begun {
		return
	}
	s.begun = true
	for _, l := range s.lines {
		if name, ok := copied(l); ok && r.shares[foldName(name)] != nil {
			r.add(r.shares[foldName(name)])
		}
	}
	r.header(RegistryFile, s.lines[0])
	to := r.section
	for _, l := range s.lines[1:] {
		if r.limit != nil {
			return
		}
		if l.text[0] == '[' {
			continue // the same share again
		}
		if name, ok := copied(l); ok {
			r.doubt(to, l, r.unsettled(to, name))
		}
		gaps := len(r.c.gaps)
		why := r.param(RegistryFile, l, 0)
		if r.c.Broken != nil {
			why, r.c.Broken = r.c.Broken.Why, nil
		}
		if why != "" {
			r.doubt(to, l, why+"; smbd reads no more of this share")
			r.section = r.c.Global // it does not end as others do
			return
		}
		if len(r.c.gaps) > gaps {
			r.doubt(to, l, r.c.gaps[gaps].Why)
		}
	}
	r.endSection()
	r.section = r.c.Global
}

// doubt records why the lines of a share are not all known; the first reason counts.
func (r *storedReader) doubt(s *Section, l logical, why string) {
	if why != "" && s.Unread == "" {
		s.Unread = fmt.Sprintf("%s:%d: %s", RegistryFile, l.number, why)
	}
}

// unsettled says why it is not known what a share takes from the one that it copies; empty if it is. Without the lines
// of a share that only the registry has, strangers may get in whom those would refuse.
func (r *storedReader) unsettled(to *Section, name string) string {
	from, stored := r.c.Share(name), r.shares[foldName(name)]
	on := func(line string) bool { p, _ := to.Get(line); v, _ := p.Bool(); return v }
	switch {
	case from == nil:
		return "" // reading the line says so
	case from.Unread != "":
		return fmt.Sprintf("copy: the lines of %.80q are not all known", name)
	case stored != nil && stored.only && (on("guest ok") || on("guest only")):
		return fmt.Sprintf("copy: smbd takes the lines of %.80q only in a connection that has asked for it before", name)
	}
	return ""
}

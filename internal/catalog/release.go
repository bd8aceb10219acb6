package catalog

import (
	"regexp"
	"strconv"
	"strings"
)

var dotted = regexp.MustCompile(`^\d+(\.\d+)*`)

// olderRelease tells whether release a comes before b; both are numbers with dots, and what follows them does not count.
func olderRelease(a, b string) bool {
	x, y := strings.Split(dotted.FindString(a), "."), strings.Split(dotted.FindString(b), ".")
	for i := range max(len(x), len(y)) {
		var m, n int // where there is no number it is 0
		if i < len(x) {
			m, _ = strconv.Atoi(x[i])
		}
		if i < len(y) {
			n, _ = strconv.Atoi(y[i])
		}
		if m != n {
			return m < n
		}
	}
	return false
}

// ProductRelease finds a product by its name or, where releases of a product are no products of their own, by its name and
// a release of it: samba-4.13.
func (c *Catalog) ProductRelease(name string) (p *Product, release string) {
	if p := c.Product(name); p != nil {
		return p, ""
	}
	id, release, ok := strings.Cut(name, "-")
	if p = c.Product(id); !ok || p == nil || p.System == "windows" || dotted.FindString(release) == "" {
		return nil, ""
	}
	return p, release
}

// UnknownTo tells why a release does not know a setting by the name under which it is written, or nothing where it does, or
// where it is not known which release it is. An older name of the same setting is known to older releases, too.
func (s *Setting) UnknownTo(release, written string) string {
	if s.Since == "" || release == "" || !olderRelease(release, s.Since) || fold(written) != fold(s.bareName()) {
		return ""
	}
	return "it is a parameter from " + s.Since + " on; " + release + " does not know it, and ignores the line"
}

// MissingIn tells why a release would make nothing of a setting under the name that it has today, and by which name it knows
// the same; nothing where it does know it, or where it is not known which release it is.
func (s *Setting) MissingIn(release string) string {
	why := s.UnknownTo(release, s.bareName())
	if why != "" && s.Before != "" {
		why += "; there " + s.Before + " is the same"
	}
	return why
}

// bareName is the setting's name without its section.
func (s *Setting) bareName() string {
	if section, name, ok := strings.Cut(s.ID, ":"); ok && section == "IPC$" {
		return name
	}
	return s.ID
}

// holds tells whether the default is that of a release. Where the release is not known, those that every current one has
// hold.
func (d *Default) holds(release string) bool {
	switch {
	case d.Before != "":
		return release != "" && olderRelease(release, d.Before)
	case d.From != "":
		return release != "" && !olderRelease(release, d.From)
	}
	return true
}

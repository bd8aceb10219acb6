package catalog

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	dotted = regexp.MustCompile(`^\d+(\.\d+)*`)
	// oneRelease is a release as a person or a package names one: 4.13, 4.20.0rc1, 4.13.13-Debian. A bare "4" is dozens
	// of releases, and so is "4.13.x".
	oneRelease = regexp.MustCompile(`^\d{1,4}(\.\d{1,4}){1,3}((rc|pre)\d*)?([-+~][-+~.\w]*)?$`)
)

// olderRelease reports whether release a is older than b; both are numbers with dots, and any suffix is ignored.
func olderRelease(a, b string) bool {
	x, y := strings.Split(dotted.FindString(a), "."), strings.Split(dotted.FindString(b), ".")
	for i := range max(len(x), len(y)) {
		var m, n int // a missing number is 0
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

// ProductRelease finds a product by its name or, if its releases are not separate products, by its name and a release:
// samba-4.13.
func (c *Catalog) ProductRelease(name string) (p *Product, release string) {
	if p := c.Product(name); p != nil {
		return p, ""
	}
	id, release, ok := strings.Cut(name, "-")
	if p = c.Product(id); !ok || p == nil || p.System == "windows" || !oneRelease.MatchString(release) ||
		olderRelease(release, "1") { // nobody has released a 0
		return nil, ""
	}
	return p, release
}

// Unmeasured says that a release of a product was never measured, and which ones stand for it. It is empty if the
// release was measured, or if no release is known.
func (p *Product) Unmeasured(release string) string {
	if len(p.Measured) == 0 || release == "" {
		return ""
	}
	title := p.Title
	if p.System == "ksmbd" { // its releases are those of its tools
		title = "ksmbd-tools"
		if !olderRelease(release, noTools) {
			return "there are no ksmbd-tools " + release + ", and the number of a kernel does not tell which they are"
		}
	}
	release = dotted.FindString(release)
	var below, above string
	for _, m := range p.Measured {
		switch {
		case release == m || strings.HasPrefix(release, m+"."):
			return ""
		case olderRelease(m, release):
			below = m
		case above == "":
			above = m
		}
	}
	beside := "by " + below + above + ", the nearest release that was"
	if below != "" && above != "" {
		beside = "by " + below + " and " + above + ", the nearest releases that were"
	}
	return title + " " + release + " was never measured: it is judged " + beside
}

// UnknownTo says why a release does not know a setting by the name under which it is written; it is empty if the
// release knows it or is itself unknown. Older releases also know an older name of the same setting.
func (s *Setting) UnknownTo(release, written string) string {
	if s.Since == "" || release == "" || !olderRelease(release, s.Since) || fold(written) != fold(s.bareName()) {
		return ""
	}
	return "it is a parameter from " + s.Since + " on; " + release + " does not know it, and ignores the line"
}

// MissingIn says why a release would ignore a setting under its current name, and by which name the release knows it;
// it is empty if the release knows it or is itself unknown.
func (s *Setting) MissingIn(release string) string {
	why := s.UnknownTo(release, s.bareName())
	if why != "" && s.Before != "" {
		why += "; there " + s.Before + " is the same"
	}
	return why
}

// bareName returns the setting's name without its section.
func (s *Setting) bareName() string {
	if section, name, ok := strings.Cut(s.ID, ":"); ok && section == "IPC$" {
		return name
	}
	return s.ID
}

// holds reports whether the default is that of a release. For an unknown release, the defaults that every current
// release has apply.
func (d *Default) holds(release string) bool {
	switch {
	case d.Before != "":
		return release != "" && olderRelease(release, d.Before)
	case d.From != "":
		return release != "" && !olderRelease(release, d.From)
	}
	return true
}

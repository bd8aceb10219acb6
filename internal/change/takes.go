package change

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// takes reports whether a setting takes the value that a change gives it.
func takes(c *catalog.Catalog, s *catalog.Setting, m *model.Change) error {
	if c.ExportOnly(s) && !m.ExportOnly {
		return errors.New("this setting is exported for a trial, and never applied")
	}
	if !m.To.Present {
		return nil // its default
	}
	if m.To.Type != s.Type && (m.To.Type != "" || strings.HasPrefix(s.Type, "REG_")) {
		return fmt.Errorf("the setting is of type %s, not %.40q", s.Type, m.To.Type)
	}
	if m.To.Raw != nil {
		return errors.New("a plan says what a value means, and never which bytes to write")
	}
	data, ok := s.Value(m.To)
	if !ok {
		return fmt.Errorf("%.200q is none of its values", m.To.String())
	}
	if list, ok := data.([]string); ok {
		return cleanNames(c, s, m, list)
	}
	if _, ok := data.(bool); ok && s.Type == "bool" {
		return nil
	}
	for _, known := range c.Known(s) {
		if v, ok := s.Value(model.Value{Present: true, Data: known}); ok && same(s, v, data) {
			return nil
		}
	}
	return fmt.Errorf("%.200q is none of the values that are known of it", m.To.String())
}

// same compares strings exactly, because a system may distinguish them, and everything else by meaning.
func same(s *catalog.Setting, a, b any) bool {
	x, ok1 := a.(string)
	y, ok2 := b.(string)
	if ok1 && ok2 && s.Type != "enum" {
		return x == y
	}
	return s.Same(a, b)
}

// Bounds of a list: more than 32 KiB in the list of pipes keeps the Server service of NT 4.0 from starting (Q175529),
// and no name of a pipe, share, account or address is longer than 256 characters.
const (
	maxList = 32 << 10
	maxName = 256
)

// cleanNames refuses lists that contain anything but names. Existing entries of a list may stay; members of a group are
// added only as the catalog asks for.
func cleanNames(c *catalog.Catalog, s *catalog.Setting, m *model.Change, list []string) error {
	before, _ := m.From.List()
	var members []string
	if s.Type == "members" {
		for _, v := range c.Known(s) {
			names, _ := model.List(v)
			members = append(members, names...)
		}
	}
	total := 0
	for _, n := range list {
		total += 2 * (len(n) + 1)
		known := slices.Contains(before, n)
		switch {
		case n == "", len(n) > maxName, strings.ContainsFunc(n, unprintable):
		case s.Type == "members" && strings.Contains(n, ","): // it would be two members in a template
		case s.Type == "members" && !known && !slices.Contains(members, n):
		case !strings.HasPrefix(s.Type, "REG_") && !known && strings.ContainsAny(n, `"%=`):
		default:
			continue
		}
		return fmt.Errorf("%.80q is no name for its list", n)
	}
	if total > maxList {
		return fmt.Errorf("its list would have more than %d bytes", maxList)
	}
	return nil
}

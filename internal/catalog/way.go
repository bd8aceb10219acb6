package catalog

import "ipcguard/internal/model"

// Way is one way to block IPC$ on a system, with its price and what it leaves open. See data/ways.yaml for the fields.
type Way struct {
	ID         string   `json:"id"`
	System     string   `json:"system"`
	Sets       []WaySet `json:"sets,omitempty"`
	Ports      []string `json:"ports,omitempty"` // of a host firewall rule, which is not a setting
	Takes      string   `json:"takes"`
	Leaves     string   `json:"leaves"`
	Spares     string   `json:"spares,omitempty"`
	Shares     bool     `json:"shares,omitempty"`
	KeepsIPC   bool     `json:"keeps_ipc,omitempty"`
	ByList     bool     `json:"by_list,omitempty"`
	OnlyExport bool     `json:"only_export,omitempty"`
	Note       string   `json:"note,omitempty"` // what to know before choosing it
	Sources    []string `json:"sources"`
}

// WaySet is one setting of a way and its value.
type WaySet struct {
	Scope
	Setting string `json:"setting"`
	Value   any    `json:"value"`
}

// NeededPipes stands for the list of the pipes that the host needs.
const NeededPipes = "needed-pipes"

// WaysFor returns the ways to block on a system, the default first.
func (c *Catalog) WaysFor(system string) []*Way {
	var out []*Way
	for i := range c.Ways {
		if c.Ways[i].System == system {
			out = append(out, &c.Ways[i])
		}
	}
	return out
}

// SetsOn returns the settings that a way changes on this platform, and those that it would change on others. Of
// settings with a scope the first that may fit counts.
func (c *Catalog) SetsOn(w *Way, p model.Platform) (sets []WaySet, others []string) {
	scoped := false
	for _, s := range w.Sets {
		switch {
		case s.Scope.empty():
			sets = append(sets, s)
		case !scoped && c.fits(s.Scope, p) != no:
			sets, scoped = append(sets, s), true
		default:
			others = append(others, s.Setting)
		}
	}
	return sets, others
}

// Afar says whether a change of a setting may be written over an administrator's connection that the change could
// affect: a setting that is not known to leave that connection alone is never written remotely.
type Afar struct {
	Values  []any  `json:"values,omitempty"`   // only these values are safe; none: every value is
	NotOver string `json:"not_over,omitempty"` // unless the connection uses this dialect
}

// SafeFromAfar reports whether writing a value of this setting cannot cut the connection used for it: authenticated,
// over a pipe, in this dialect ("NT LM 0.12" for SMB1, "3.1.1" …).
func (s *Setting) SafeFromAfar(v model.Value, dialect string) bool {
	if s.Afar == nil || s.Afar.NotOver != "" && s.Afar.NotOver == dialect {
		return false
	}
	if len(s.Afar.Values) == 0 {
		return true
	}
	data, ok := s.Value(v)
	if !ok {
		return false
	}
	for _, want := range s.Afar.Values {
		if s.Same(data, want) {
			return true
		}
	}
	return false
}

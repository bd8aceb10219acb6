// Package export writes a plan as files for people who make changes with other tools: a .reg file, a PowerShell script,
// a group policy backup, Ansible tasks, an edited smb.conf. Each comes with its undo, which restores the previous
// state: values with their types, and their absence.
//
//	plan ─► change (place, before, after) ─► one writer a form ─► files in memory
//
// The rules of the room:
//
//   - What a form cannot express is left out and reported, never written in a way that does something else.
//   - A plan with a change that the catalog does not have is refused as a whole.
//   - A name or value of a plan is data. Scripts contain it quoted, whatever it is.
//   - The same plan gives the same bytes, except for the time that a group policy backup must contain.
//   - Nothing is written to disk or changed; only the smb.conf to edit is read.
package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// Forms returns the export forms.
func Forms() []string { return []string{"reg", "powershell", "gpo", "ansible", "smbconf"} }

// File is one file of an export. Name is relative, with slashes.
type File struct {
	Name string
	Data []byte
}

// Result is an export: its files, and what the form cannot express.
type Result struct {
	Files   []File
	LeftOut []string // one sentence a change
	Notes   []string // what to know before using the files
}

// Options contain what is not in a plan.
type Options struct {
	Source string    // smbconf: the path of the smb.conf to edit
	Time   time.Time // gpo: the time of the backup; zero is the year 2000
	Read   ReadFile  // smbconf: nil reads from disk
}

// ReadFile reads a file of a configuration.
type ReadFile func(name string) ([]byte, error)

// Errors of an export.
var (
	ErrForm    = errors.New("export: no such form")
	ErrEmpty   = errors.New("export: the plan has no changes")
	ErrNothing = errors.New("export: nothing of this plan can be said in this form")
)

// Export exports a plan in one form.
func Export(p *model.Plan, form string, o Options) (*Result, error) {
	if !slices.Contains(Forms(), form) {
		return nil, fmt.Errorf("%w as %q: want one of %s", ErrForm, form, strings.Join(Forms(), ", "))
	}
	if len(p.Changes) == 0 {
		return nil, ErrEmpty
	}
	c, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	list, err := items(c, p)
	if err != nil {
		return nil, err
	}
	return write(c, p, list, form, o)
}

// write writes checked changes.
func write(c *catalog.Catalog, p *model.Plan, list []*item, form string, o Options) (*Result, error) {
	var err error
	r := &Result{}
	until := func(product string) bool { // reports whether the host is this product or an earlier one
		certain, _ := c.Fit(catalog.Scope{Until: product}, p.Platform)
		return certain && p.Platform.Product != ""
	}
	switch form {
	case "reg":
		err = regFile(r, list)
	case "powershell":
		err = powershell(r, p, list, until)
	case "gpo":
		err = groupPolicy(r, p, list, o)
	case "ansible":
		err = ansible(r, p, list)
	case "smbconf":
		err = sambaConf(r, list, o)
	}
	if err != nil {
		return nil, err
	}
	if len(r.Files) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNothing, strings.Join(r.LeftOut, "; "))
	}
	for _, i := range list {
		if i.Untested != "" {
			r.Notes = append(r.Notes, i.Setting+": "+i.Untested)
		}
		if i.When == "reboot" || i.When == "service-restart" {
			r.Notes = append(r.Notes, i.Setting+" is not in force until: "+i.TakesEffect)
		}
	}
	return r, nil
}

// item is one change to export.
type item struct {
	*change.Change
	linux bool // of a firewall rule: the host is not Windows
}

// items checks all changes against the catalog.
func items(c *catalog.Catalog, p *model.Plan) ([]*item, error) {
	list, err := change.All(c, p)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	out := make([]*item, len(list))
	for i, ch := range list {
		out[i] = &item{ch, p.Platform.System != "windows"}
	}
	return out, nil
}

// value returns a state as a registry value.
func (i *item) value(s change.State) registry.Value {
	return registry.Value{Key: i.Place.Key, Name: i.Place.Name, Type: s.Type, Data: s.Data}
}

// says reports whether a form that writes values by their meaning can express both states of a registry value, and
// notes it if not: an unusual value must be restored byte for byte.
func (i *item) says(r *Result, types ...registry.Type) bool {
	for _, s := range []change.State{i.Before, i.After} {
		if !s.Present {
			continue
		}
		if _, plain := s.Plain(); !plain || !slices.Contains(types, s.Type) {
			r.leave(i, fmt.Sprintf("this form cannot write %s, as it is before, byte for byte (--as reg can)", i.From))
			return false
		}
	}
	return true
}

// members returns those that join a group, and those that leave it.
func (i *item) members() (added, withdrawn []string) {
	return minus(i.After.Names, i.Before.Names), minus(i.Before.Names, i.After.Names)
}

// leave notes a change that a form cannot express.
func (r *Result) leave(i *item, why string) {
	r.LeftOut = append(r.LeftOut, fmt.Sprintf("%s (%s): %s", i.Setting, i.Where, why))
}

func minus(a, b []string) []string {
	out := []string{}
	for _, s := range a {
		if !slices.ContainsFunc(b, func(o string) bool { return strings.EqualFold(o, s) }) {
			out = append(out, s)
		}
	}
	return out
}

// reversed returns the changes in undo order.
func reversed(list []*item) []*item {
	out := slices.Clone(list)
	slices.Reverse(out)
	return out
}

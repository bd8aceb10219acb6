// Package export turns a plan into files for people whose changes go through other hands: a .reg file, a PowerShell
// script, a group policy backup, Ansible tasks, an edited smb.conf. Each comes with its undo twin, which brings back what
// was there: values with their type, and absence where there was nothing.
//
//	plan ─► change (place, before, after) ─► one writer a form ─► files in memory
//
// The rules of the room:
//
//   - What a form cannot say is left out and told, never written in a way that does something else.
//   - A plan that holds a change which is none of the catalog's is refused whole.
//   - A name or value of a plan is data. In a script it stands quoted, whatever it holds.
//   - The same plan gives the same bytes, but for the time that a group policy backup has to carry.
//   - Nothing is written to a disk here and nothing is changed; only the smb.conf to be edited is read.
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

// Forms lists what a plan can be exported as.
func Forms() []string { return []string{"reg", "powershell", "gpo", "ansible", "smbconf"} }

// File is one file of an export. Name is relative, with slashes.
type File struct {
	Name string
	Data []byte
}

// Result is an export: its files, and what the form could not say.
type Result struct {
	Files   []File
	LeftOut []string // one sentence a change
	Notes   []string // what to know before using the files
}

// Options say what a plan alone does not.
type Options struct {
	Source string    // of smbconf: the path of the smb.conf to edit
	Time   time.Time // of gpo: when the backup was made; zero is the year 2000
	Read   ReadFile  // of smbconf; nil reads from the disk
}

// ReadFile reads a file of a configuration.
type ReadFile func(name string) ([]byte, error)

// Errors of an export.
var (
	ErrForm    = errors.New("export: no such form")
	ErrEmpty   = errors.New("export: the plan has no changes")
	ErrNothing = errors.New("export: nothing of this plan can be said in this form")
)

// Export writes a plan in one form.
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

// write writes changes that were checked.
func write(c *catalog.Catalog, p *model.Plan, list []*item, form string, o Options) (*Result, error) {
	var err error
	r := &Result{}
	until := func(product string) bool { // tells whether the host is this product or an earlier one
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

// item is one change on its way into a form.
type item struct {
	*change.Change
	linux bool // of a firewall rule: the host is no Windows
}

// items checks every change against the catalog.
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

// value is a state of a registry value, at its place.
func (i *item) value(s change.State) registry.Value {
	return registry.Value{Key: i.Place.Key, Name: i.Place.Name, Type: s.Type, Data: s.Data}
}

// says tells whether a form that writes values by their meaning can say both states of a registry value, and notes it
// where it cannot: what is odd has to come back byte for byte.
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

// members are those that join a group, and those that leave it.
func (i *item) members() (added, withdrawn []string) {
	return minus(i.After.Names, i.Before.Names), minus(i.Before.Names, i.After.Names)
}

// leave notes a change that a form cannot say.
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

// reversed is the order of undoing.
func reversed(list []*item) []*item {
	out := slices.Clone(list)
	slices.Reverse(out)
	return out
}

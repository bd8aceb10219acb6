// Package export turns a plan into files for people whose changes go through other hands: a .reg file, a PowerShell
// script, a group policy backup, Ansible tasks, an edited smb.conf. Each comes with its undo twin, which brings back what
// was there: values with their type, and absence where there was nothing.
//
//	plan ─► items (place, before, after) ─► one writer a form ─► files in memory
//
// The rules of the room:
//
//   - What a form cannot say is left out and told, never written in a way that does something else.
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
	Source string           // of smbconf: the path of the smb.conf to edit
	Time   time.Time        // of gpo: when the backup was made; zero is the year 2000
	Read   ReadFile         // of smbconf; nil reads from the disk
	c      *catalog.Catalog // set by Export
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
	o.c = c
	list, err := items(c, p)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	switch form {
	case "reg":
		err = regFile(r, list)
	case "powershell":
		err = powershell(r, p, list)
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

// kind is where a change lives.
type kind int

const (
	inRegistry kind = iota // a value of the Windows registry
	inPolicy               // [System Access] of the security policy
	inGroup                // members of a group
	inSamba                // a parameter of smb.conf
	inKsmbd                // a parameter of ksmbd.conf
	inFirewall             // a rule of the host's firewall
)

// item is one change in the terms of its place.
type item struct {
	*model.Change
	kind    kind
	setting *catalog.Setting

	key, name        string // of the registry, or the section and parameter
	before, after    registry.Value
	present          bool // before
	linux            bool // of a firewall rule: the host is no Windows
	text, undo       string
	undoKnown        bool // of a policy: the value before is known
	added, withdrawn []string
}

// items works out where each change lives, and checks that it can be written as it stands.
func items(c *catalog.Catalog, p *model.Plan) ([]*item, error) {
	var out []*item
	for i := range p.Changes {
		ch := &p.Changes[i]
		it := &item{Change: ch, setting: c.Setting(ch.Setting)}
		if err := it.place(p.Platform.System); err != nil {
			return nil, fmt.Errorf("export: change %s of %s: %w", ch.ID, ch.Setting, err)
		}
		out = append(out, it)
	}
	return out, nil
}

var errPlace = errors.New("its place is none that can be written")

func (i *item) place(system string) error {
	where := i.Where
	switch {
	case i.To.Type == "firewall-rule":
		i.kind, i.linux = inFirewall, system != "windows"
		return nil
	case i.To.Type == "members":
		i.kind = inGroup
		before, ok1 := texts(i.From.Data)
		after, ok2 := texts(i.To.Data)
		if !ok1 || !ok2 {
			return errPlace
		}
		i.added, i.withdrawn = minus(after, before), minus(before, after)
		return nil
	case strings.HasPrefix(strings.ToUpper(where), `HKLM\`):
		i.kind = inRegistry
		at := strings.LastIndexByte(where, '\\')
		i.key, i.name = where[:at], where[at+1:]
		var err error
		if i.after, err = i.value(i.To); err != nil {
			return err
		}
		if i.present = i.From.Present; i.present {
			i.before, err = i.value(i.From)
		}
		return err
	case system == "windows" && strings.HasPrefix(where, "[System Access] "):
		i.kind, i.name = inPolicy, strings.TrimPrefix(where, "[System Access] ")
		i.text = fmt.Sprint(plain(i.To.Data))
		switch {
		case i.From.Present:
			i.undo, i.undoKnown = fmt.Sprint(plain(i.From.Data)), true
		case i.Effective != nil:
			i.undo, i.undoKnown = fmt.Sprint(plain(i.Effective)), true
		}
		return nil
	case system == "samba", system == "ksmbd":
		i.kind = inSamba
		if rest, ok := strings.CutPrefix(where, "ksmbd.conf "); ok {
			i.kind, where = inKsmbd, rest
		}
		section, name, ok := strings.Cut(strings.TrimPrefix(where, "["), "] ")
		if !ok || !strings.HasPrefix(where, "[") || section == "" || name == "" {
			return errPlace
		}
		i.key, i.name, i.present = section, name, i.From.Present
		i.text, i.undo, i.undoKnown = parameter(i.To.Data), parameter(i.From.Data), true
		return nil
	}
	return errPlace
}

// value makes a registry value of one of a plan. What does not fit its type is an error, never another value.
func (i *item) value(v model.Value) (registry.Value, error) {
	switch v.Type {
	case "REG_DWORD":
		n, ok := plain(v.Data).(int)
		if !ok || n < 0 || int64(n) > 0xffffffff {
			return registry.Value{}, fmt.Errorf("%v is no REG_DWORD", v.Data)
		}
		return registry.NewDWord(i.key, i.name, uint32(n)), nil
	case "REG_MULTI_SZ":
		list, ok := texts(v.Data)
		if !ok {
			return registry.Value{}, fmt.Errorf("%v is no REG_MULTI_SZ", v.Data)
		}
		return registry.NewStrings(i.key, i.name, list), nil
	case "REG_SZ", "REG_EXPAND_SZ":
		s, ok := v.Data.(string)
		if !ok || strings.ContainsRune(s, 0) {
			return registry.Value{}, fmt.Errorf("%v is no %s", v.Data, v.Type)
		}
		out := registry.NewText(i.key, i.name, s)
		if v.Type == "REG_EXPAND_SZ" {
			out.Type = registry.ExpandSZ
		}
		return out, nil
	case "REG_BINARY":
		b, ok := v.Bytes()
		if !ok {
			return registry.Value{}, fmt.Errorf("%v is no REG_BINARY", v.Data)
		}
		return registry.Value{Key: i.key, Name: i.name, Type: registry.Binary, Data: b}, nil
	}
	return registry.Value{}, fmt.Errorf("values of type %q cannot be written", v.Type)
}

// leave notes a change that a form cannot say.
func (r *Result) leave(i *item, why string) {
	r.LeftOut = append(r.LeftOut, fmt.Sprintf("%s (%s): %s", i.Setting, i.Where, why))
}

// plain makes a whole number of what JSON read as a float.
func plain(v any) any {
	switch n := v.(type) {
	case float64:
		if n == float64(int64(n)) {
			return int(n)
		}
	case bool:
		if n {
			return 1
		}
		return 0
	}
	return v
}

func texts(v any) ([]string, bool) {
	switch l := v.(type) {
	case []string:
		return l, true
	case []any:
		out := []string{}
		for _, e := range l {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, true
	case nil:
		return []string{}, true
	}
	return nil, false
}

// parameter writes a value as smb.conf has it.
func parameter(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case bool:
		if x {
			return "yes"
		}
		return "no"
	}
	if l, ok := texts(v); ok {
		out := make([]string, len(l))
		for i, s := range l {
			if strings.ContainsAny(s, " ,;\t") {
				s = `"` + s + `"`
			}
			out[i] = s
		}
		return strings.Join(out, " ")
	}
	return fmt.Sprint(plain(v))
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

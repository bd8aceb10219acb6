// Package gpo reads group policy objects from a folder, in both layouts on disk, and joins several in their order of
// precedence.
//
//	backup                                    SYSVOL
//	{ID}/bkupInfo.xml, Backup.xml             {GUID}/GPT.INI
//	{ID}/DomainSysvol/GPO/Machine/…           {GUID}/Machine/…
//	manifest.xml beside several {ID}          Policies/ with several {GUID}
//
// Machine (and User) contain registry.pol and Microsoft/Windows NT/SecEdit/GptTmpl.inf. Names on disk may have any
// case, because Windows ignores it. A missing part is normal; an unreadable part is reported as a problem, and the rest
// is still read.
//
// See [MS-GPOL] 2.2, [MS-GPREG], [MS-GPSB] and [MS-GPOD] for the origin of the parts.
package gpo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"ipcguard/internal/format/auditpol"
	"ipcguard/internal/format/inf"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
)

// Limits: a policy's parts have a few tens of KiB, and no domain applies more than 999 objects to one machine. Parsed,
// a part takes up to five times its size.
const (
	maxPart = 64 << 20
	maxGPOs = 10_000
	maxAll  = 128 << 20 // bytes of all parts of the objects of a folder
)

// GPO is one group policy object.
type GPO struct {
	Name   string // the display name, else the folder's name
	ID     string // its GUID, {…}
	Domain string
	Backup string // when the backup was made, as written; empty for SYSVOL
	Folder string

	Policy   []regpol.Instruction // Machine/registry.pol
	User     []regpol.Instruction // User/registry.pol
	Template *inf.File            // GptTmpl.inf, or nil
	Audit    *auditpol.Policy     // audit.csv, or nil
	Parts    []string             // the files that were read
	Problems []string             // what could not be read, with file and position

	budget *int64 // remaining bytes that may be read
}

// Setting is one registry value that policies set, and its origin.
type Setting struct {
	Value registry.Value
	GPO   *GPO
	Part  string // registry.pol or GptTmpl.inf
}

// ErrNone means that a folder holds no group policy object.
var ErrNone = errors.New("no group policy object here")

// Read finds every object in a folder of fsys: the folder itself, or those in it, of either layout. Objects in a folder
// come in the order of manifest.xml, or else by name, which is not their precedence.
func Read(fsys fs.FS, folder string) ([]*GPO, error) {
	left := int64(maxAll)
	g, err := readOne(fsys, folder, &left)
	if err == nil {
		return []*GPO{g}, nil
	}
	if !errors.Is(err, ErrNone) {
		return nil, err
	}
	list, err := fs.ReadDir(fsys, folder)
	if err != nil {
		return nil, fmt.Errorf("gpo: %w", err)
	}
	var out []*GPO
	for _, e := range list {
		if !e.IsDir() || len(out) >= maxGPOs {
			continue
		}
		g, err := readOne(fsys, path.Join(folder, e.Name()), &left)
		if err == nil {
			out = append(out, g)
		} else if !errors.Is(err, ErrNone) {
			return out, err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("gpo: %s: %w (no bkupInfo.xml, Backup.xml or GPT.INI)", folder, ErrNone)
	}
	sortByManifest(fsys, folder, out)
	return out, nil
}

// readOne reads the object in its own folder.
func readOne(fsys fs.FS, folder string, budget *int64) (*GPO, error) {
	g := &GPO{Folder: folder, Name: path.Base(folder), budget: budget}
	base := ""
	if p, ok := find(fsys, folder, "DomainSysvol", "GPO"); ok {
		base = p
	}
	isBackup := base != ""
	for _, info := range []string{"Backup.xml", "bkupInfo.xml"} { // the second is shorter and has the time
		if p, ok := find(fsys, folder, info); ok {
			isBackup = true
			g.backupInfo(fsys, p)
		}
	}
	if !isBackup {
		p, ok := find(fsys, folder, "GPT.INI")
		if !ok {
			return nil, fmt.Errorf("gpo: %s: %w", folder, ErrNone)
		}
		base = folder
		g.gptIni(fsys, p)
	}
	if base == "" {
		g.problem(folder, errors.New("the backup has no DomainSysvol/GPO: there are no settings in it"))
		return g, nil
	}
	g.Policy = g.policy(fsys, base, "Machine")
	g.User = g.policy(fsys, base, "User")
	if p, ok := find(fsys, base, "Machine", "Microsoft", "Windows NT", "SecEdit", "GptTmpl.inf"); ok {
		g.template(fsys, p)
	}
	if p, ok := find(fsys, base, "Machine", "Microsoft", "Windows NT", "Audit", "audit.csv"); ok {
		if b := g.read(fsys, p); len(b) > 0 {
			var err error
			text, _ := registry.ReadText(bytes.NewReader(b), maxPart) // truncation shows in what is missing
			if g.Audit, err = auditpol.Parse(text); err != nil && !errors.Is(err, auditpol.ErrNone) {
				g.problem(p, err)
			}
		}
	}
	return g, nil
}

func (g *GPO) problem(file string, err error) {
	g.Problems = append(g.Problems, fmt.Sprintf("%s: %v", file, err))
}

func (g *GPO) read(fsys fs.FS, p string) []byte {
	st, err := fs.Stat(fsys, p)
	if err == nil && (!st.Mode().IsRegular() || st.Size() > maxPart) {
		err = fmt.Errorf("not a regular file of at most %d MiB", maxPart>>20)
	}
	if err == nil && st.Size() > *g.budget {
		err = fmt.Errorf("not read: the policies in this folder have more than %d MiB", maxAll>>20)
	}
	var b []byte
	if err == nil {
		*g.budget -= st.Size()
		b, err = fs.ReadFile(fsys, p)
	}
	if err != nil {
		g.problem(p, err)
		return nil
	}
	g.Parts = append(g.Parts, p)
	return b
}

func (g *GPO) policy(fsys fs.FS, base, class string) []regpol.Instruction {
	p, ok := find(fsys, base, class, "registry.pol")
	if !ok {
		return nil
	}
	b := g.read(fsys, p)
	if len(b) == 0 {
		return nil // an empty file sets nothing
	}
	ins, err := regpol.Parse(b)
	if err != nil {
		g.problem(p, err)
	}
	return ins
}

func (g *GPO) template(fsys fs.FS, p string) {
	b := g.read(fsys, p)
	if b == nil {
		return
	}
	f, err := inf.Parse(b)
	if err != nil {
		g.problem(p, err)
	}
	if _, bad := f.RegistryValues(); len(bad) > 0 {
		g.problem(p, errors.Join(bad...))
	}
	g.Template = f
}

// find descends by names in any case.
func find(fsys fs.FS, dir string, names ...string) (string, bool) {
	for _, name := range names {
		exact := path.Join(dir, name)
		if _, err := fs.Stat(fsys, exact); err == nil {
			dir = exact
			continue
		}
		list, err := fs.ReadDir(fsys, dir)
		if err != nil {
			return "", false
		}
		i := slices.IndexFunc(list, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), name) })
		if i < 0 {
			return "", false
		}
		dir = path.Join(dir, list[i].Name())
	}
	return dir, true
}

// Result is the combined settings of several objects for a machine.
type Result struct {
	Registry registry.Tree        // HKLM (and HKCU for the User parts)
	Origin   map[string]Setting   // by Key: the effective setting
	Lost     map[string][]Setting // by Key: settings that a later one replaced, in order
	// By Key, of values and whole keys: removed by a **del. of this object, and not set again.
	Removed map[string]*GPO
	Soft    map[string]bool // by Key: set only by **soft., so that an existing value stays
	// Of templates: section, setting (both in lower case), without [Registry Values].
	Security map[string]map[string]Entry
}

// Entry is one line of a template's other sections.
type Entry struct {
	Line inf.Line
	GPO  *GPO
}

// removed records what an instruction removes: values by name, or all of a key.
func (r *Result) removed(g *GPO, in regpol.Instruction, v registry.Value) {
	switch in.Kind {
	case regpol.DeleteValue:
		r.Removed[Key(v.Key, v.Name)] = g
	case regpol.DeleteValues:
		for _, n := range in.Names {
			r.Removed[Key(v.Key, n)] = g
		}
	case regpol.DeleteAll:
		r.Removed[Key(v.Key, "")] = g
	case regpol.DeleteKeys:
		for _, n := range in.Names {
			r.Removed[wholeKey(v.Key+`\`+n)] = g
		}
	}
}

// Removes reports whether the policies remove a value, and which one does. A value that is set is not removed.
func (r *Result) Removes(key, name string) (*GPO, bool) {
	if _, err := r.Registry.Value(key, name); err == nil {
		return nil, false
	}
	for _, k := range []string{Key(key, name), Key(key, "")} {
		if g := r.Removed[k]; g != nil {
			return g, true
		}
	}
	for key = registry.Canonical(key); key != ""; key, _ = registry.SplitValue(key) {
		if g := r.Removed[wholeKey(key)]; g != nil {
			return g, true
		}
	}
	return nil, false
}

// wholeKey returns the key in Removed for a registry key with everything below it; no value's Key ends like this.
func wholeKey(key string) string { return Key(key, "") + `\` }

// soft records whether a value that is being set yields to an existing one.
func (r *Result) soft(in regpol.Instruction, v registry.Value) {
	k := Key(v.Key, v.Name)
	_, set := r.Origin[k]
	_, gone := r.Removes(v.Key, v.Name)
	switch {
	case in.Kind == regpol.SetValue:
		delete(r.Soft, k)
	case in.Kind == regpol.SetIfAbsent && !set && !gone:
		r.Soft[k] = true
	}
}

// Key returns the map key of a value in Result.
func Key(key, name string) string { return registry.Fold(registry.Canonical(key) + `\` + name) }

// Join applies objects one after another: the last has the highest precedence, as Windows applies them. Within one
// object the template comes after registry.pol; both rarely set the same value, and the order of the two client
// extensions depends on their registration ([MS-GPOL] 3.2.5.1.10).
func Join(gpos ...*GPO) *Result {
	r := &Result{
		Origin: map[string]Setting{}, Lost: map[string][]Setting{}, Removed: map[string]*GPO{},
		Soft: map[string]bool{}, Security: map[string]map[string]Entry{},
	}
	for _, g := range gpos {
		r.policy(g, "HKLM", g.Policy)
		r.policy(g, "HKCU", g.User)
		if g.Template == nil {
			continue
		}
		vs, _ := g.Template.RegistryValues()
		for _, v := range vs {
			r.Registry.Set(v)
			delete(r.Soft, Key(v.Key, v.Name))
			r.won(Setting{v, g, "GptTmpl.inf"})
		}
		for _, s := range g.Template.Sections {
			name := strings.ToLower(s.Name)
			if name == "registry values" || name == "unicode" || name == "version" {
				continue
			}
			if r.Security[name] == nil {
				r.Security[name] = map[string]Entry{}
			}
			for _, l := range s.Lines {
				if l.Key != "" {
					r.Security[name][strings.ToLower(l.Key)] = Entry{l, g}
				}
			}
		}
	}
	return r
}

func (r *Result) policy(g *GPO, root string, ins []regpol.Instruction) {
	deleted := false
	for _, in := range ins {
		v := in.Value
		v.Key = root + `\` + v.Key
		r.soft(in, v)
		regpol.Apply(&r.Registry, root, []regpol.Instruction{in})
		switch in.Kind {
		case regpol.SetValue, regpol.SetIfAbsent:
			if now, err := r.Registry.Value(v.Key, v.Name); err == nil && now.Type == v.Type &&
				string(now.Data) == string(v.Data) {
				r.won(Setting{v, g, "registry.pol"})
			}
		case regpol.DeleteValue, regpol.DeleteValues, regpol.DeleteAll, regpol.DeleteKeys:
			deleted = true
			r.removed(g, in, v)
		}
	}
	// Once is enough: a value that is set again after its deletion replaces its setting, which is lost either way.
	if deleted {
		r.forget()
	}
}

func (r *Result) won(s Setting) {
	k := Key(s.Value.Key, s.Value.Name)
	if old, ok := r.Origin[k]; ok {
		r.Lost[k] = append(r.Lost[k], old)
	}
	r.Origin[k] = s
}

// forget moves settings whose value was deleted to the lost ones.
func (r *Result) forget() {
	for k, s := range r.Origin {
		if _, err := r.Registry.Value(s.Value.Key, s.Value.Name); err != nil {
			r.Lost[k] = append(r.Lost[k], s)
			delete(r.Origin, k)
		}
	}
}

// Get returns a setting of a template, such as LSAAnonymousNameLookup in System Access, without its quotes.
func (r *Result) Get(section, key string) (value string, from *GPO, ok bool) {
	e, ok := r.Security[strings.ToLower(section)][strings.ToLower(key)]
	return strings.Trim(e.Line.Value, `"`), e.GPO, ok
}

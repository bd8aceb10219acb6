package audit

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/regfile"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// maxChanges bounds the changes of a .reg file to the audited keys, which have a few dozen values each.
const maxChanges = 100_000

// change is one change of the registry by a file: it sets or removes a value.
type change struct {
	spot
	name   string
	value  *registry.Value // nil removes it; with an empty name and all set, the whole key
	all    bool
	origin string
}

// regFile reads the changes that importing a .reg file makes to the audited keys. A file may be an export of the whole
// registry; the rest of it is skipped.
func regFile(c *catalog.Catalog, path string) ([]change, []string, error) {
	if err := regular(path, 1<<40); err != nil { // package regfile has its own bound
		return nil, nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	matters := auditedKeys(c)
	var out []change
	key, at, audited := "", spot{}, false
	_, err = regfile.Read(file, func(op regfile.Op) error {
		if op.Value.Key != key {
			key, at = op.Value.Key, spotOf(op.Value.Key)
			audited = matters(at.key, false)
		}
		all := op.Kind == regfile.DeleteKey
		if op.Kind == regfile.AddKey || !audited && !(all && matters(at.key, true)) {
			return nil
		}
		if len(out) == maxChanges {
			return fmt.Errorf("reg file: line %d: more than %d changes to keys that are audited; the rest is not read",
				op.Line, maxChanges)
		}
		ch := change{spot: at, name: op.Value.Name, all: all, origin: fmt.Sprintf("%s:%d", path, op.Line)}
		if op.Kind == regfile.SetValue {
			ch.value = &op.Value
		}
		out = append(out, ch)
		return nil
	})
	return out, located(path, err), nil
}

// auditedKeys returns a function that reports whether a key has settings of the catalog or, with above, has such a key
// below it, for the removal of keys.
func auditedKeys(c *catalog.Catalog) func(key string, above bool) bool {
	in, over := map[string]bool{}, map[string]bool{}
	add := func(key string) {
		key = registry.Fold(key)
		in[key] = true
		for i := range len(key) {
			if key[i] == '\\' {
				over[key[:i]] = true
			}
		}
		over[key] = true
	}
	for _, key := range []string{keyLsa, keyServer, keySelect, keyVersion, keyProductType, keyName, keyActiveName} {
		add(key)
	}
	for i := range c.Settings {
		if s := &c.Settings[i]; s.System == "windows" {
			for _, p := range places(s) {
				key, _ := registry.SplitValue(p)
				add(key)
			}
		}
	}
	add(keyShares)
	services := registry.Fold(keyServices + `\`)
	return func(key string, above bool) bool {
		key = registry.Fold(key)
		if name, ok := strings.CutPrefix(key, services); ok && !strings.Contains(name, `\`) && ofInterest(c, name) {
			return true
		}
		return in[key] || above && over[key]
	}
}

// ofInterest reports whether the catalog knows a service.
func ofInterest(c *catalog.Catalog, name string) bool {
	return slices.ContainsFunc(c.Services, func(s catalog.Service) bool {
		return slices.ContainsFunc(s.Detect.Services, func(pattern string) bool { return matches(pattern, name) })
	})
}

// located returns joined errors one a line, each with its file.
func located(path string, err error) []string {
	if err == nil {
		return nil
	}
	var out []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		out = append(out, path+": "+line)
	}
	return out
}

// apply applies changes to the facts in order: the last one wins. tree collects the resulting registry.
func (f *facts) apply(c *catalog.Catalog, tree *registry.Tree, changes []change) {
	w := &windowsReader{facts: f, catalog: c, in: tree, covers: func(string) bool { return false }}
	bySetting := map[string][]string{} // by place in upper case: settings
	for i := range c.Settings {
		if s := &c.Settings[i]; s.System == "windows" {
			for _, p := range places(s) {
				k := registry.Fold(p)
				bySetting[k] = append(bySetting[k], s.ID)
			}
		}
	}
	// keys, and places in upper case with the change that wrote them.
	touched, origins := map[string]bool{}, map[string]string{}
	for _, ch := range changes {
		key := ch.key
		switch {
		case ch.all:
			tree.DeleteKey(key)
			for place, ids := range bySetting {
				if strings.HasPrefix(place, registry.Fold(key)+`\`) {
					f.gone(ids, ch.origin)
				}
			}
		case ch.value == nil:
			tree.DeleteValue(key, ch.name)
			f.gone(bySetting[registry.Fold(key+`\`+ch.name)], ch.origin)
		default:
			v := *ch.value
			v.Key = key
			tree.Set(v)
			touched[key] = true
			origins[registry.Fold(key+`\`+ch.name)] = ch.origin
			for _, id := range bySetting[registry.Fold(key+`\`+ch.name)] {
				f.values[id] = w.value(c.Setting(id), v)
				f.origin[id] = ch.origin
				delete(f.soft, id)
			}
		}
	}
	for i := range c.Settings {
		if s := &c.Settings[i]; s.System == "windows" {
			f.policyFirst(w, s, origins)
		}
	}
	for key := range touched {
		if strings.EqualFold(key, keyLsa) || strings.EqualFold(key, keyServer) {
			w.names(key)
		}
	}
	// Drop the lints of values that a later change replaced.
	last := map[string]lint{}
	var kept []lint
	for _, l := range f.lints {
		if l.id == "wrong-type" {
			last[l.setting] = l
			continue
		}
		kept = append(kept, l)
	}
	for id, l := range last {
		if s := c.Setting(id); s != nil && f.values[id].Present && f.values[id].Type != s.Type ||
			l.severity == model.Info {
			kept = append(kept, l)
		}
	}
	f.lints = kept
}

// policyFirst takes the value of a policy's key for a setting that has other keys too, in whichever order they were
// written.
func (f *facts) policyFirst(w *windowsReader, s *catalog.Setting, origins map[string]string) {
	list := places(s)
	if len(list) < 2 {
		return
	}
	for _, place := range list {
		v, err := w.in.Value(registry.SplitValue(place))
		if err != nil {
			continue
		}
		from, now := origins[registry.Fold(place)]
		if place == s.Where && !now {
			return // not from these changes, and taken already
		}
		f.values[s.ID] = w.value(s, v)
		delete(f.soft, s.ID)
		if place != s.Where {
			f.origin[s.ID] = strings.TrimSpace(from + " " + place)
			f.hints[s.ID] = w.policyWins(s, place, v)
		} else {
			f.origin[s.ID] = from
		}
		return
	}
}

func (f *facts) gone(ids []string, origin string) {
	for _, id := range ids {
		f.values[id] = model.Value{}
		f.origin[id] = origin
		delete(f.soft, id)
	}
}

// regSource audits a single .reg file.
func (o *Options) regSource(path string) (*facts, error) {
	f := newFacts("reg", path, "windows")
	tree := &registry.Tree{}
	if err := f.regFile(o.Catalog, tree, path); err != nil {
		return nil, err
	}
	f.dump(o.Catalog, tree)
	return f, nil
}

// regFile adds the changes of a .reg file.
func (f *facts) regFile(c *catalog.Catalog, tree *registry.Tree, path string) error {
	changes, problems, err := regFile(c, path)
	if err != nil {
		return err
	}
	for _, p := range problems {
		f.problem("%s", p)
	}
	f.source.Parts = append(f.source.Parts, path)
	f.force(c, tree, path, changes)
	return nil
}

// force adds the changes that are about the registry in force.
func (f *facts) force(c *catalog.Catalog, tree *registry.Tree, path string, changes []change) {
	changes, why, unread := inForce(changes)
	for _, p := range unread {
		f.problem("%s: %s", path, p)
	}
	f.platform.Why = append(f.platform.Why, why...)
	f.apply(c, tree, changes)
}

// dump reads what a partial registry says about the machine: role, product and name.
func (f *facts) dump(c *catalog.Catalog, tree *registry.Tree) {
	w := &windowsReader{facts: f, catalog: c, in: tree, covers: func(string) bool { return false }}
	_, noRole := tree.Value(keyProductType, "ProductType")
	_, noRelease := tree.Values(keyVersion)
	switch {
	case noRole == nil || noRelease == nil:
		w.product()
		f.why("what the file does not set is unknown")
	default:
		f.why("the file does not say which product or role it is for; --product and --role do. What it does not set " +
			"is unknown")
	}
	if _, err := tree.Subkeys(keyServices); err == nil {
		w.covers = func(key string) bool { return key == keyServices }
		w.installed()
	}
	if made, err := tree.Values(keyShares); err == nil {
		w.madeShares(made)
	}
	if len(f.values) == 0 && !f.partial {
		f.why("none of the values that are audited is in the file")
	}
}

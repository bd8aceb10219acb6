package audit

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/gpo"
	"ipcguard/internal/format/inf"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
	"ipcguard/internal/model"
)

// policies reads the group policy objects in a folder, or one that consists only of a GptTmpl.inf or registry.pol.
func policies(name string) ([]*gpo.GPO, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		list, err := gpo.Read(os.DirFS(name), ".")
		for _, g := range list {
			if g.Name == "." {
				g.Name = filepath.Base(name)
			}
			g.Folder = filepath.Join(name, filepath.FromSlash(g.Folder))
			for i, p := range g.Parts {
				g.Parts[i] = filepath.Join(name, filepath.FromSlash(p))
			}
			for i, p := range g.Problems {
				g.Problems[i] = filepath.Join(name, filepath.FromSlash(p))
			}
		}
		return list, err
	}
	if err := regular(name, 64<<20); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	g := &gpo.GPO{Name: name, Folder: name, Parts: []string{name}}
	if strings.HasPrefix(string(b), "PReg") {
		g.Policy, err = regpol.Parse(b)
		g.Problems = located(name, err)
		return []*gpo.GPO{g}, nil
	}
	g.Template, err = inf.Parse(b)
	g.Problems = located(name, err)
	_, bad := g.Template.RegistryValues()
	g.Problems = append(g.Problems, located(name, errors.Join(bad...))...)
	return []*gpo.GPO{g}, nil
}

// policySource audits policy objects: several are joined, and the last one wins.
func (o *Options) policySource(name string, list ...*gpo.GPO) *facts {
	f := newFacts("gpo", name, "windows")
	f.policy(o.Catalog, list...)
	f.giveWay()
	f.why("a policy does not say which product or role it is applied to; --product and --role do. What it does not " +
		"set is left as the machine has it, which is unknown here")
	return f
}

func (f *facts) policy(c *catalog.Catalog, list ...*gpo.GPO) {
	for _, g := range list {
		f.source.Parts = append(f.source.Parts, g.Parts...)
		for _, p := range g.Problems {
			f.problem("%s", p)
		}
	}
	joined := gpo.Join(list...)
	w := &windowsReader{facts: f, catalog: c, in: &joined.Registry, covers: func(string) bool { return false }}
	for i := range c.Settings {
		s := &c.Settings[i]
		if s.System != "windows" {
			continue
		}
		w.setting(s)
		if v := f.values[s.ID]; v.Data != nil {
			v.Raw = nil // the system chooses the bytes when the policy is applied
			f.values[s.ID] = v
		}
		for _, place := range slices.Backward(places(s)) {
			key, value := registry.SplitValue(place)
			if joined.Soft[gpo.Key(key, value)] {
				f.soft[s.ID] = true
			}
			if from, ok := joined.Origin[gpo.Key(key, value)]; ok {
				f.origin[s.ID] = from.GPO.Name + ", " + from.Part
				if lost := joined.Lost[gpo.Key(key, value)]; len(lost) > 0 {
					f.hints[s.ID] = fmt.Sprintf("it wins over %s", lost[len(lost)-1].GPO.Name)
				}
			} else if from, gone := joined.Removes(key, value); gone && !f.values[s.ID].Present {
				f.values[s.ID] = model.Value{} // **del. removes it at the next refresh
				f.origin[s.ID] = from.Name + ", registry.pol"
			}
		}
		if section, key, ok := strings.Cut(s.GptTmpl, "/"); ok {
			f.securitySetting(joined, s, section, key)
		}
	}
	for _, g := range list {
		if g.Audit != nil {
			f.auditSettings(c, g.Audit, g.Name+", audit.csv")
		}
	}
	f.serviceStarts(list)
	f.groupMembers(joined)
	w.names(keyLsa, keyServer)
}

// securitySetting takes a line of a template such as [System Access] EnableGuestAccount.
func (f *facts) securitySetting(joined *gpo.Result, s *catalog.Setting, section, key string) {
	text, from, ok := joined.Get(section, key)
	if !ok {
		return
	}
	v := model.Value{Present: true, Type: "policy", Data: text}
	if n, err := strconv.Atoi(text); err == nil {
		v.Data = n
	}
	if s.Type == "members" {
		v = model.Value{Present: true, Type: s.Type, Data: members(text)}
	}
	f.values[s.ID] = v
	f.origin[s.ID] = from.Name + ", GptTmpl.inf"
}

// serviceStarts takes [Service General Setting]: "LanmanServer",4,"". See [MS-GPSB] 2.2.8.
func (f *facts) serviceStarts(list []*gpo.GPO) {
	byService := map[string]string{
		"lanmanserver": "LanmanServer.Start", "spooler": "Spooler.Start",
		"remoteregistry": "RemoteRegistry.Start",
	}
	for _, g := range list {
		if g.Template == nil {
			continue
		}
		for _, l := range g.Template.Lines("Service General Setting") {
			text := l.Value
			if l.Key != "" {
				text = l.Key + "," + l.Value
			}
			fields := strings.SplitN(text, ",", 3)
			if len(fields) < 2 {
				continue
			}
			id := byService[strings.ToLower(strings.Trim(strings.TrimSpace(fields[0]), `"`))]
			n, err := strconv.Atoi(strings.TrimSpace(fields[1]))
			if id == "" || err != nil {
				continue
			}
			f.values[id] = model.Value{Present: true, Type: "REG_DWORD", Data: n}
			f.origin[id] = g.Name + ", GptTmpl.inf"
		}
	}
}

// groupMembers takes the members that a policy assigns to Pre-Windows 2000 Compatible Access. See [MS-GPSB] 2.2.6.
func (f *facts) groupMembers(joined *gpo.Result) {
	text, from, ok := joined.Get("Group Membership", "*S-1-5-32-554__Members")
	if !ok {
		return
	}
	f.values["PreWindows2000Members"] = model.Value{Present: true, Type: "members", Data: members(text)}
	f.origin["PreWindows2000Members"] = from.Name + ", GptTmpl.inf"
}

// members parses the names and SIDs of a template's list: *S-1-5-32-544,Guests. See [MS-GPSB] 2.2.6.
func members(text string) []string {
	out := []string{}
	for m := range strings.SplitSeq(text, ",") {
		if m = strings.TrimPrefix(strings.TrimSpace(m), "*"); m != "" {
			out = append(out, m)
		}
	}
	return out
}

// isPolicyFile reports whether a name is that of a single file of a policy.
func isPolicyFile(name string) bool {
	switch strings.ToLower(path.Base(filepath.ToSlash(name))) {
	case "gpttmpl.inf", "registry.pol":
		return true
	}
	return strings.EqualFold(filepath.Ext(name), ".inf")
}

package audit

import (
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/psobject"
	"ipcguard/internal/model"
)

// smbObjects tells the output of Get-SmbServerConfiguration, of which two properties at least are among the first, and of
// Get-SmbShare, whose shares have a scope.
func smbObjects(c *catalog.Catalog, head string) bool {
	known := 0
	for i := range c.Settings {
		if p := c.Settings[i].PowerShell; p != "" && strings.Contains(head, p) {
			known++
		}
	}
	return known >= 2 || strings.Contains(head, "ScopeName") && strings.Contains(head, "Name") && strings.Contains(head, "Path")
}

// serverObjects takes what the cmdlets of the SMB server show: the values in effect, defaults among them.
func serverObjects(f *facts, c *catalog.Catalog, text string) error {
	objects, err := psobject.Parse(text)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if host, ok := o.Get("PSComputerName"); ok && f.host == "" {
			f.host = host
		}
		configuration := f.configuration(c, o)
		if name, ok := o.Get("Name"); ok && !configuration && name != "" {
			f.shares = append(f.shares, shareOf(name, o))
		}
	}
	f.why("the cmdlets show what is in effect, defaults among it; they do not tell product and role: --product and --role do")
	return nil
}

// configuration takes an object of Get-SmbServerConfiguration, and tells whether it is one.
func (f *facts) configuration(c *catalog.Catalog, o psobject.Object) bool {
	is := false
	for i := range c.Settings {
		s := &c.Settings[i]
		text, ok := o.Get(s.PowerShell)
		if s.PowerShell == "" || !ok {
			continue
		}
		is = true
		data, ok := property(s, text)
		if !ok {
			f.problem("%s: %s is %.80q, which is not understood", f.source.Name, s.PowerShell, text)
			continue
		}
		f.values[s.ID] = model.Value{Present: true, Type: s.Type, Data: data}
		f.origin[s.ID] = f.source.Name
		f.hints[s.ID] = "Get-SmbServerConfiguration shows it as in effect, written or by default"
	}
	return is
}

// property reads a property in the shape of its setting.
func property(s *catalog.Setting, text string) (any, bool) {
	switch text = strings.TrimSpace(text); {
	case s.Type == "REG_MULTI_SZ":
		return slices.DeleteFunc(strings.Split(strings.Trim(text, "{}"), ","), func(n string) bool { return strings.TrimSpace(n) == "" }), true
	case strings.EqualFold(text, "True"):
		return 1, true
	case strings.EqualFold(text, "False"):
		return 0, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// ownShares are those that Windows makes by itself.
var ownShares = []string{"IPC$", "ADMIN$", "print$", "NETLOGON", "SYSVOL"}

func shareOf(name string, o psobject.Object) model.Share {
	path, _ := o.Get("Path")
	special, _ := o.Get("Special")
	own := strings.EqualFold(special, "True") || slices.ContainsFunc(ownShares, func(n string) bool { return strings.EqualFold(n, name) })
	return model.Share{Name: name, Path: path, Default: own || len(name) == 2 && name[1] == '$'}
}

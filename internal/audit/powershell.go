package audit

import (
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/psobject"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

// smbObjects recognizes the output of Get-SmbServerConfiguration, by at least two of its first properties, and of
// Get-SmbShare, whose shares have a scope, a descriptor or an enumeration mode.
func smbObjects(c *catalog.Catalog, head string) bool {
	known := 0
	for i := range c.Settings {
		if p := c.Settings[i].PowerShell; p != "" && strings.Contains(head, p) {
			known++
		}
	}
	shares := strings.Contains(head, "ScopeName") || strings.Contains(head, "FolderEnumerationMode") ||
		strings.Contains(head, "MSFT_SmbShare") ||
		strings.Contains(head, "SecurityDescriptor") && strings.Contains(head, "Special")
	return known >= 2 || shares && strings.Contains(head, "Name") && strings.Contains(head, "Path")
}

// serverObjects takes the output of the SMB server's cmdlets: effective values, including defaults.
func serverObjects(f *facts, c *catalog.Catalog, text string) error {
	objects, err := psobject.Parse(text)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if host, ok := o.Get("PSComputerName"); ok && f.host == "" {
			f.host = host
		}
		name, named := o.Get("Name")
		if _, path := o.Get("Path"); named && path { // a share, which has its own EncryptData
			if name != "" {
				f.shares = append(f.shares, shareOf(name, o))
			}
			continue
		}
		f.configuration(c, o)
	}
	f.descriptors(objects)
	f.why("the cmdlets show what is in effect, defaults among it; they do not tell product and role: --product and " +
		"--role do")
	return nil
}

// descriptors reports which identities of strangers the share descriptors admit.
func (f *facts) descriptors(objects []psobject.Object) {
	var open []string
	for _, o := range objects {
		name, _ := o.Get("Name")
		text, _ := o.Get("SecurityDescriptor")
		d, err := sddl.Parse(text)
		if name == "" || text == "" || err != nil {
			continue
		}
		const readData = 1 // FILE_READ_DATA, [MS-SMB2] 2.2.13.1.1
		switch {
		case d.Check(sddl.AnonymousToken(false), readData, sddl.FileRights) == sddl.Granted:
			open = append(open, name+" (anonymous callers)")
		case d.Check(sddl.GuestToken(), readData, sddl.FileRights) == sddl.Granted:
			open = append(open, name+" (guests)")
		}
	}
	if len(open) > 0 {
		f.why("lists of shares let in: %s; anonymous callers also need NullSessionShares or RestrictNullSessAccess = "+
			"0 to come so far", someOf(open))
	}
}

// configuration takes an object of Get-SmbServerConfiguration.
func (f *facts) configuration(c *catalog.Catalog, o psobject.Object) {
	for i := range c.Settings {
		s := &c.Settings[i]
		text, ok := o.Get(s.PowerShell)
		if s.PowerShell == "" || !ok {
			continue
		}
		data, ok := property(s, text)
		if !ok {
			f.problem("%s: %s is %.80q, which is not understood", f.source.Name, s.PowerShell, text)
			continue
		}
		f.values[s.ID] = model.Value{Present: true, Type: s.Type, Data: data}
		f.origin[s.ID] = f.source.Name
		f.hints[s.ID] = "Get-SmbServerConfiguration shows it as in effect, written or by default"
	}
}

// property parses a property as the type of its setting.
func property(s *catalog.Setting, text string) (any, bool) {
	switch text = strings.TrimSpace(text); {
	case s.Type == "REG_MULTI_SZ":
		names := []string{}
		for n := range strings.SplitSeq(strings.Trim(text, "{}"), ",") {
			if n = strings.TrimSpace(n); n != "" {
				names = append(names, n)
			}
		}
		return names, true
	case strings.EqualFold(text, "True"):
		return 1, true
	case strings.EqualFold(text, "False"):
		return 0, true
	}
	if n, ok := dialect(s, text); ok {
		return n, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// dialect parses a word such as SMB302 as the catalog's value for 3.0.2; None, which is 0, leaves the lowest.
func dialect(s *catalog.Setting, text string) (int, bool) {
	for i := range s.Values {
		digits := strings.ReplaceAll(s.Values[i].Means, ".", "")
		n, ok := model.Whole(s.Values[i].Value)
		if !ok || strings.Trim(digits, "0123456789") != "" || digits == s.Values[i].Means {
			return 0, false
		}
		if strings.EqualFold(text, "SMB"+(digits + "00")[:3]) ||
			i == 0 && (strings.EqualFold(text, "None") || text == "0") {
			return n, true
		}
	}
	return 0, false
}

// ownShares are the shares that Windows creates.
var ownShares = []string{"IPC$", "ADMIN$", "print$", "NETLOGON", "SYSVOL"}

func shareOf(name string, o psobject.Object) model.Share {
	path, _ := o.Get("Path")
	special, _ := o.Get("Special")
	own := strings.EqualFold(special, "True") ||
		slices.ContainsFunc(ownShares, func(n string) bool { return strings.EqualFold(n, name) })
	return model.Share{Name: name, Path: path, Default: own || len(name) == 2 && name[1] == '$'}
}

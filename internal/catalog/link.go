package catalog

import "strings"

// Link is the address of the very page, and where it can be named the section, that a citation "TAG KEY place" is about;
// empty where it is in no place that a browser reaches.
func (c *Catalog) Link(cited string) string {
	fields := strings.SplitN(cited, " ", 3)
	if len(fields) < 2 {
		return ""
	}
	key, place := fields[1], ""
	if len(fields) > 2 {
		place = fields[2]
	}
	s := c.Source(key)
	if s == nil {
		return ""
	}
	if page := s.Pages[strings.TrimSpace(key+" "+place)]; page != "" {
		return page
	}
	if s.Page != "" && (place != "" || !strings.Contains(s.Page, "{place}")) {
		r := strings.NewReplacer("{key}", key, "{lower}", strings.ToLower(key), "{place}", place, "{thousand}", thousand(key))
		return r.Replace(s.Page)
	}
	if !strings.HasPrefix(s.Where, "https://") || strings.Contains(s.Where, " ") {
		return ""
	}
	return s.Where
}

// thousand is the number of a key without its last three digits, as archives sort by it: 143 of Q143474.
func thousand(key string) string {
	n := strings.TrimLeft(key, "Q")
	if len(n) < 4 {
		return "000"
	}
	n = n[:len(n)-3]
	return strings.Repeat("0", max(0, 3-len(n))) + n
}

// SettingLink is where a setting is documented: its own place in smb.conf(5), else the first of its sources that has an
// address.
func (c *Catalog) SettingLink(s *Setting) string {
	if s.System == "samba" {
		name, _, _ := strings.Cut(strings.TrimPrefix(s.ID, "IPC$:"), ":") // what follows is the interface that it is for
		return "https://www.samba.org/samba/docs/current/man-html/smb.conf.5.html#" + strings.ToUpper(strings.ReplaceAll(name, " ", ""))
	}
	for _, cited := range s.Sources {
		if link := c.Link(cited); link != "" {
			return link
		}
	}
	return ""
}

// RefLink is the page of a reference of another list: a CVE, a Nessus plugin, a technique of ATT&CK.
func RefLink(ref string) string {
	switch list, id, _ := strings.Cut(ref, " "); {
	case strings.HasPrefix(ref, "CVE-"):
		return "https://www.cve.org/CVERecord?id=" + ref
	case list == "Nessus":
		return "https://www.tenable.com/plugins/nessus/" + id
	case list == "ATT&CK":
		return "https://attack.mitre.org/techniques/" + strings.ReplaceAll(id, ".", "/") + "/"
	}
	return ""
}

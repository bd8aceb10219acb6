package catalog

import "strings"

// Link returns the URL of the page, and the section if possible, of a citation "TAG KEY section"; empty if no browser
// can reach it.
func (c *Catalog) Link(cited string) string {
	fields := strings.SplitN(cited, " ", 3)
	if len(fields) < 2 {
		return ""
	}
	key, section := fields[1], ""
	if len(fields) > 2 {
		section = fields[2]
	}
	s := c.Source(key)
	if s == nil {
		return ""
	}
	if page := s.Pages[strings.TrimSpace(key+" "+section)]; page != "" {
		return page
	}
	if s.Page != "" && (section != "" || !strings.Contains(s.Page, "{section}")) {
		r := strings.NewReplacer("{key}", key, "{lower}", strings.ToLower(key), "{section}", section, "{thousand}",
			thousand(key))
		return r.Replace(s.Page)
	}
	if !strings.HasPrefix(s.Where, "https://") || strings.Contains(s.Where, " ") {
		return ""
	}
	return s.Where
}

// thousand returns a key's number without its last three digits, by which archives group articles: 143 for Q143474.
func thousand(key string) string {
	n := strings.TrimLeft(key, "Q")
	if len(n) < 4 {
		return "000"
	}
	n = n[:len(n)-3]
	return strings.Repeat("0", max(0, 3-len(n))) + n
}

// SettingLink returns the URL of a setting's documentation: its own entry in smb.conf(5), else the first of its sources
// that has a URL.
func (c *Catalog) SettingLink(s *Setting) string {
	if s.System == "samba" {
		name, _, _ := strings.Cut(strings.TrimPrefix(s.ID, "IPC$:"), ":") // the suffix is the interface that it is for
		return "https://www.samba.org/samba/docs/current/man-html/smb.conf.5.html#" +
			strings.ToUpper(strings.ReplaceAll(name, " ", ""))
	}
	for _, cited := range s.Sources {
		if link := c.Link(cited); link != "" {
			return link
		}
	}
	return ""
}

// RefLink returns the URL of an external reference: a CVE, a Nessus plugin, an ATT&CK technique.
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

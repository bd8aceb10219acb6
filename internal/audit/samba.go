package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// smbConf audits a configuration file of Samba, or of ksmbd when it is named so, as its server would read it.
func (o *Options) smbConf(path string) (*facts, error) {
	system := "samba"
	if strings.Contains(strings.ToLower(filepath.Base(path)), "ksmbd") {
		system = "ksmbd"
	}
	f := newFacts("smbconf", path, system)
	c, err := smbconf.Load(path, smbconf.Options{Copied: true, ReadFile: copied})
	if err != nil {
		return nil, err
	}
	if !c.Known() {
		head, err := headOf(path)
		if err != nil {
			return nil, err
		}
		return nil, notAudited(path, string(head))
	}
	f.source.Parts = c.Files
	f.config(o, c)
	f.why("the version cannot be known from a configuration file; defaults are those of Samba 4.17")
	return f, nil
}

// copied reads a file that may have come by way of Windows. Samba itself reads no UTF-16.
func copied(name string) ([]byte, error) {
	b, err := smbconf.ReadFile(name)
	return model.UTF8Text(b), err
}

// config takes a configuration in.
func (f *facts) config(o *Options, c *smbconf.Config) {
	f.platform.Product = f.platform.System
	if c.Broken != nil {
		f.problem("%s: the server does not start with this configuration, or keeps the one it had", c.Broken)
	}
	if c.Registry {
		f.problem("%s: more settings are in Samba's registry, which a file does not show; on the host itself, 'ipcguard audit local' reads them", f.source.Name)
	}
	f.partial = f.partial || c.Partial
	if gaps := c.Unread(); len(gaps) > 0 {
		f.unread = gaps[0].String()
	}
	for _, p := range c.Problems {
		if len(f.problems) < 1000 {
			f.problems = append(f.problems, p.String())
		}
	}
	f.sambaRole(c)
	s := &sambaReader{f, c, o}
	s.settings()
	s.sharesOf()
	s.names()
	if p, ok := c.Global.Get("netbios name"); ok {
		f.host = p.Value
	}
	if system := f.platform.System; system == "ksmbd" {
		f.platform.Role = model.Standalone
	}
}

// sambaRole reads server role, security and domain logons. See smb.conf(5).
func (f *facts) sambaRole(c *smbconf.Config) {
	p := &f.platform
	role, _ := value(c.Global, "server role")
	security, _ := value(c.Global, "security")
	logons := false
	if x, ok := c.Global.Get("domain logons"); ok {
		logons, _ = x.Bool()
	}
	switch role {
	case "active directory domain controller", "domain controller", "dc":
		p.Role = model.DomainController
		f.why("the role is domain controller: server role says so")
	case "member server", "member":
		p.Role = model.Member
		f.why("the role is member: server role says so")
	case "standalone server", "standalone":
		p.Role = model.Standalone
		f.why("the role is standalone: server role says so")
	case "", "auto":
		switch {
		case logons:
			f.why("the role is a domain controller in the manner of NT 4.0 (domain logons = yes), which was not measured")
		case security == "ads" || security == "domain":
			p.Role = model.Member
			f.why("the role is member: security = %s", security)
		case f.unread != "":
			f.why("the role is not known: neither server role nor security is in what was read")
		default:
			p.Role = model.Standalone
			f.why("the role is standalone: neither server role nor security says otherwise")
		}
	default: // classic primary, classic backup, ipa
		f.why("the role is %q, which was not measured", role)
	}
}

// value is a parameter's word in lower case.
func value(s *smbconf.Section, name string) (string, bool) {
	p, ok := s.Get(name)
	return strings.ToLower(strings.TrimSpace(p.Value)), ok
}

type sambaReader struct {
	*facts
	conf *smbconf.Config
	o    *Options
}

// settings reads every setting of the catalog that belongs to this system: [global] ones, [IPC$] ones by their prefix,
// and those of shares, of which the most open counts.
func (s *sambaReader) settings() {
	for i := range s.o.Catalog.Settings {
		c := &s.o.Catalog.Settings[i]
		if c.System != s.platform.System {
			continue
		}
		section, name, found := strings.Cut(c.ID, ":")
		if !found || section != "IPC$" && section != "ksmbd" { // a colon may be part of a name, too
			section, name = "global", c.ID
		}
		if strings.Contains(c.Where, "[SHARE]") {
			section = "SHARE"
		}
		switch section {
		case "IPC$":
			s.ipc(c.ID, name, c.Type)
		case "SHARE":
			s.shared(c.ID, name, c.Type)
		default:
			p, ok := s.conf.Global.Get(name)
			s.take(c.ID, c.Type, p, ok)
		}
	}
}

// take notes one assignment, or its absence. What is not there is absent only where everything was read.
func (s *sambaReader) take(id, typ string, p smbconf.Param, ok bool) {
	if !ok {
		if s.unread == "" {
			s.values[id] = model.Value{}
		} else {
			s.hints[id] = s.unread
		}
		return
	}
	if gap, may := s.conf.MayReplace(p); may && id != "config backend" {
		s.hints[id] = "what was not read may replace it: " + gap.String()
	}
	v := model.Value{Present: true, Data: p.Value, Raw: model.Hex(p.Value)}
	switch typ {
	case "bool":
		if b, ok := p.Bool(); ok {
			v.Data = b
		}
	case "int":
		if n, ok := p.Int(); ok {
			v.Data = n
		}
	case "list":
		v.Data, _ = model.List(p.List())
	}
	s.values[id] = v
	s.origin[id] = fmt.Sprintf("%s:%d", p.File, p.Line)
}

// forced are the parameters that Samba overwrites in [IPC$]. See lp_add_ipc in source3/param/loadparm.c.
var forced = map[string]bool{"guest ok": true, "available": true, "path": true}

// ipc reads a parameter as [IPC$] has it: its own line, else the default for shares that [global] gives. Without a
// section of its own IPC$ is made from those defaults too.
func (s *sambaReader) ipc(id, name, typ string) {
	section := s.conf.Share("IPC$")
	if section == nil {
		if forced[name] {
			s.take(id, typ, smbconf.Param{}, false)
			return
		}
		p, ok := s.conf.Global.Get(name)
		s.take(id, typ, p, ok)
		return
	}
	if forced[name] {
		p, ok := section.Own(name)
		s.take(id, typ, p, ok)
		return
	}
	p, ok := section.Get(name)
	s.take(id, typ, p, ok)
}

// shared reads a parameter of every share: the assignment that lets strangers in is the one that is shown.
func (s *sambaReader) shared(id, name, typ string) {
	s.take(id, typ, smbconf.Param{}, false)
	for _, section := range s.conf.Shares {
		if strings.EqualFold(section.Name, "IPC$") {
			continue
		}
		p, ok := section.Get(name)
		if !ok {
			continue
		}
		if on, isBool := p.Bool(); !s.values[id].Present || isBool && on {
			s.take(id, typ, p, true)
			s.origin[id] += " [" + section.Name + "]"
		}
	}
}

// sharesOf lists the shares. A share that is not available is none.
func (s *sambaReader) sharesOf() {
	s.shares = []model.Share{{Name: "IPC$", Default: true}}
	for _, section := range s.conf.Shares {
		if strings.EqualFold(section.Name, "IPC$") {
			continue
		}
		if p, ok := section.Get("available"); ok {
			if on, ok := p.Bool(); ok && !on {
				continue
			}
		}
		sh := model.Share{Name: section.Name, Default: strings.EqualFold(section.Name, "print$")}
		if p, ok := section.Get("guest ok"); ok {
			sh.Guest, _ = p.Bool()
		}
		if p, ok := section.Get("guest only"); ok {
			sh.GuestOnly, _ = p.Bool()
		}
		if p, ok := section.Get("path"); ok {
			sh.Path = p.Value
		}
		s.shares = append(s.shares, sh)
	}
}

// What smbconf says about lines without effect.
var (
	unknownLine = regexp.MustCompile(`unknown parameter "(.+)" is ignored`)
	globalLine  = regexp.MustCompile(`the global parameter "(.+)" has no effect in \[(.+)\]`)
)

// names judges lines that Samba ignores: names that are a slip of one of the catalog's, and global parameters of the
// catalog in a share.
func (s *sambaReader) names() {
	for _, p := range s.conf.Problems {
		if m := unknownLine.FindStringSubmatch(p.Why); m != nil && len(m[1]) > 5 {
			if c := s.meant(m[1]); c != nil {
				s.lints = append(s.lints, lint{id: "misspelt-setting", setting: c.ID, evidence: fmt.Sprintf("%s:%d: %q is no parameter and is ignored; %q was probably meant", p.File, p.Line, m[1], bareName(c))})
			}
		}
		if m := globalLine.FindStringSubmatch(p.Why); m != nil {
			if c := s.o.Catalog.Setting(m[1]); c != nil && c.System == s.platform.System {
				s.lints = append(s.lints, lint{id: "setting-without-effect", setting: c.ID, evidence: fmt.Sprintf("%s:%d: %s stands in [%s], where it does nothing: it belongs in [global]", p.File, p.Line, m[1], m[2]), fix: "Move the line to [global], or remove it."})
			}
		}
	}
}

// bareName is a setting's name without its section.
func bareName(c *catalog.Setting) string {
	if _, name, ok := strings.Cut(c.ID, ":"); ok {
		return name
	}
	return c.ID
}

// meant is the setting that a name is a slip of, or nil.
func (s *sambaReader) meant(written string) *catalog.Setting {
	for i := range s.o.Catalog.Settings {
		c := &s.o.Catalog.Settings[i]
		if c.System == s.platform.System && slips(strings.ToLower(written), strings.ToLower(bareName(c))) <= 2 {
			return c
		}
	}
	return nil
}

// samba looks for what several parameters say together.
func (j *judging) samba() {
	for _, name := range []string{"guest ok", "available", "path"} {
		id := "IPC$:" + name
		if v := j.values[id]; v.Present {
			j.add(lint{id: "ipc-section-ignored", setting: id, settings: []string{"restrict anonymous"}, evidence: fmt.Sprintf("%s: [IPC$] %s = %s is overwritten by Samba", j.origin[id], name, model.Text(v.Data))})
		}
	}
	j.privilegedGuest()
	restrict, known := j.number("restrict anonymous")
	if known && restrict == 1 {
		j.add(lint{id: "restrict-anonymous-one", setting: "restrict anonymous", evidence: "restrict anonymous is 1: lsarpc, winreg, svcctl, spoolss and others still answer strangers"})
	}
	var guests []string
	for _, s := range j.shares {
		if s.OpenToGuests() {
			guests = append(guests, s.Name)
		}
	}
	if len(guests) == 0 {
		return
	}
	if known && restrict >= 2 {
		j.add(lint{id: "guest-share-beside-restrict", setting: "guest ok", settings: []string{"restrict anonymous"}, evidence: fmt.Sprintf("restrict anonymous is %d, and guest ok lets strangers into %s", restrict, strings.Join(guests, ", "))})
	}
	if encrypt, _ := j.setting("server smb encrypt").Effective.(string); encrypt == "required" || encrypt == "mandatory" {
		j.add(lint{id: "contradictory-settings", setting: "server smb encrypt", settings: []string{"guest ok"}, evidence: fmt.Sprintf("server smb encrypt is %s, which refuses strangers, and guest ok is set for %s", encrypt, strings.Join(guests, ", "))})
	}
}

// privilegedGuest tells that strangers have root's rights. Where nobody gets a session without a password it is a trap, and no
// open door.
func (j *judging) privilegedGuest() {
	s := j.setting("guest account")
	if s.State != model.StateWeak {
		return
	}
	l := lint{id: "guest-account-root", setting: s.ID, evidence: "guest account is " + model.Text(s.Effective) + ": whoever comes in without a password has every right on this host"}
	var in []string
	for _, id := range model.Strangers() {
		if j.audit.Access[id].Session != model.Denied {
			in = append(in, id.Callers())
		}
	}
	if len(in) == 0 {
		l.severity = model.Medium
		l.evidence += "; nobody does here"
	} else {
		l.evidence += "; here that are " + strings.Join(in, ", ")
	}
	j.add(l)
}

// regular refuses what is no regular file of a sane size before it is read whole.
func regular(path string, most int64) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s: no regular file", path)
	}
	if st.Size() > most {
		return fmt.Errorf("%s: %d bytes, more than the %d MiB that such a file may have", path, st.Size(), most>>20)
	}
	return nil
}

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

// smbConf audits a configuration file of Samba or ksmbd, as its server would read it. The user says whose it is, or
// else its name.
func (o *Options) smbConf(path string) (*facts, error) {
	system := "samba"
	if strings.Contains(strings.ToLower(filepath.Base(path)), "ksmbd") {
		system = "ksmbd"
	}
	if p, _ := o.Catalog.ProductRelease(o.Product); p != nil && (p.System == "samba" || p.System == "ksmbd") {
		system = p.System
	}
	f := newFacts("smbconf", path, system)
	c, err := smbconf.Load(path, smbconf.Options{Copied: true, ReadFile: copied, Ksmbd: system == "ksmbd"})
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
	f.release(o)
	f.config(o, c)
	if on, ok := f.values["registry shares"].Truth(); ok && on && !c.Registry {
		f.problem("%s: registry shares = yes: there may be shares in Samba's registry, which a file does not show; "+
			"on the host itself, 'ipcguard audit local' reads them", path)
	}
	allow, _ := f.values["usershare allow guests"].Truth()
	if most, told := f.values["usershare max shares"].Whole(); allow && system == "samba" && (!told || most > 0) {
		f.problem("%s: usershare allow guests = yes: users may have made shares that take strangers, which a file "+
			"does not show; on the host itself, 'ipcguard audit local' reads them", path)
	}
	switch {
	case f.platform.Version != "":
	case system == "ksmbd":
		f.why("the version cannot be known from a configuration file; ksmbd.mountd --version tells it")
	default:
		f.why("the version cannot be known from a configuration file; defaults are those of Samba 4.17 (--product " +
			"samba-4.13 names a release)")
	}
	return f, nil
}

// scannedRelease matches the product of a scan and captures the release.
var scannedRelease = regexp.MustCompile(`^Samba (\d+\.\d+\S*)$`)

// release determines the release of the server: from the user, or from the only scan.
func (f *facts) release(o *Options) {
	if p, version := o.Catalog.ProductRelease(o.Product); p != nil && p.System == f.platform.System && version != "" {
		f.platform.Version = version
		f.why("the release is %s because --product says so", version)
		f.unmeasured(o)
		return
	}
	if len(o.Scans) != 1 || f.platform.System != "samba" {
		return
	}
	if m := scannedRelease.FindStringSubmatch(o.Scans[0].Server.Product); m != nil {
		f.platform.Version = m[1]
		f.why("the release is %s because the scan of %s was told so", m[1], o.Scans[0].Target)
		f.unmeasured(o)
	}
}

// unmeasured tells of a release that was never measured.
func (f *facts) unmeasured(o *Options) {
	if p := o.Catalog.Product(f.platform.System); p != nil {
		if why := p.Unmeasured(f.platform.Version); why != "" {
			f.platform.Unmeasured = why
			f.why("%s", why)
		}
	}
}

// copied reads a file that may have been saved on Windows. Samba itself does not read UTF-16.
func copied(name string) ([]byte, error) {
	b, err := smbconf.ReadFile(name)
	return model.UTF8Text(b), err
}

// config takes the values of a configuration.
func (f *facts) config(o *Options, c *smbconf.Config) {
	f.platform.Product = f.platform.System
	if c.Registry {
		f.problem("%s: more settings are in Samba's registry, which a file does not show; on the host itself, "+
			"'ipcguard audit local' reads them", f.source.Name)
	}
	f.partial = f.partial || c.Partial
	if gaps := c.Unread(); len(gaps) > 0 {
		f.unread = gaps[0].String()
	}
	if c.Broken != nil && f.unread == "" {
		f.unread = "the reading stops at " + c.Broken.String()
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
	s.defaultsOf()
	s.accountsOf()
	s.names()
	if p, ok := c.Global.Get("netbios name"); ok {
		f.host = p.Value
	}
	if system := f.platform.System; system == "ksmbd" {
		f.platform.Role = model.Standalone
	}
}

// sambaRole determines Samba's role: server role decides, unless security contradicts it; then security decides. See
// lp_find_server_role in lib/param/loadparm_server_role.c.
func (f *facts) sambaRole(c *smbconf.Config) {
	word := func(name string) string {
		p, _ := c.Global.Get(name)
		return strings.ToLower(strings.Join(strings.Fields(p.Value), ""))
	}
	role, security := word("server role"), word("security")
	inDomain := security == "ads" || security == "domain"
	member := role == "memberserver" || role == "member"
	p := &f.platform
	switch {
	case role == "" || role == "auto":
		f.roleBySecurity(c, security, inDomain)
		return
	case security != "" && security != "auto" && member != inDomain:
		f.roleBySecurity(c, security, inDomain)
		f.problems = append(f.problems,
			fmt.Sprintf("%s: server role = %s contradicts security = %s: Samba goes by security", f.source.Name, role,
				security))
		return
	case member:
		p.Role = model.Member
	case role == "standaloneserver" || role == "standalone":
		p.Role = model.Standalone
	case strings.HasPrefix(role, "activedirectory") || role == "domaincontroller" || role == "dc":
		p.Role = model.DomainController
	default: // classic primary, classic backup, ipa
		f.why("the role is %q, which was not measured", role)
		return
	}
	f.why("the role is %s: server role says so", strings.ReplaceAll(string(p.Role), "-", " "))
}

func (f *facts) roleBySecurity(c *smbconf.Config, security string, inDomain bool) {
	logons := false
	if x, ok := c.Global.Get("domain logons"); ok {
		logons, _ = x.Bool()
	}
	switch {
	case inDomain:
		f.platform.Role = model.Member
		f.why("the role is member: security = %s", security)
	case logons:
		f.why("the role is a domain controller in the manner of NT 4.0 (domain logons = yes), which was not measured")
	case f.unread != "":
		f.why("the role is not known: neither server role nor security is in what was read")
	default:
		f.platform.Role = model.Standalone
		f.why("the role is standalone: neither server role nor security says otherwise")
	}
}

type sambaReader struct {
	*facts
	conf *smbconf.Config
	o    *Options
}

// settings reads every setting of the catalog for this system: those of [global], those of [IPC$] by their prefix, and
// those of shares, of which the most open counts.
func (s *sambaReader) settings() {
	for i := range s.o.Catalog.Settings {
		c := &s.o.Catalog.Settings[i]
		if c.System != s.platform.System || c.PerAccount() {
			continue
		}
		section, name, found := strings.Cut(c.ID, ":")
		if !found || section != smbconf.IPC && section != "ksmbd" { // a name may contain a colon, too
			section, name = "global", c.ID
		}
		if c.PerShare() {
			section = "SHARE"
		}
		switch section {
		case smbconf.IPC:
			s.ipc(c.ID, name, c.Type)
		case "SHARE":
			s.shared(c.ID, name, c.Type)
		default:
			p, ok := s.conf.Global.Get(name)
			s.take(c.ID, c.Type, p, ok)
			s.beginnings(c)
		}
	}
}

// take records an assignment or its absence. A missing one is absent only if everything was read.
func (s *sambaReader) take(id, typ string, p smbconf.Param, ok bool) {
	if !ok {
		if s.unread == "" {
			s.values[id] = model.Value{}
		} else {
			s.hints[id] = s.unread
		}
		return
	}
	if c := s.o.Catalog.Setting(id); c != nil && s.platform.System == "samba" {
		if why := c.UnknownTo(s.platform.Version, p.Written); why != "" {
			s.values[id] = model.Value{}
			s.lints = append(s.lints, lint{
				id: "setting-without-effect", setting: id,
				evidence: fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Written, why),
				fix: fmt.Sprintf("Use what %s has for it%s: ipcguard explain '%s'.", s.platform.Version, older(c),
					id),
			})
			return
		}
	}
	if gap, may := s.conf.MayReplace(p); may && id != "config backend" {
		s.hints[id] = "what was not read may replace it: " + gap.String()
	}
	if s.conf.Broken != nil {
		s.hints[id] = "what was not read may replace it: " + s.unread
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

// beginnings leaves a parameter of ksmbd unknown if a line only begins with its name, unless the tools' release is
// known to ignore such lines.
func (s *sambaReader) beginnings(c *catalog.Setting) {
	for _, p := range s.conf.Beginnings {
		if strings.EqualFold(p.Name, bareName(c)) && catalog.KsmbdTakesBeginnings(s.platform.Version) {
			delete(s.values, c.ID)
			s.hints[c.ID] = fmt.Sprintf("%s:%d: ksmbd-tools before 3.5.3 take %q for it, later ones ignore it", p.File,
				p.Line, p.Written)
		}
	}
}

// older returns, in parentheses, what a release before a setting's first has in its place.
func older(s *catalog.Setting) string {
	if s.Before == "" {
		return ""
	}
	return " (" + s.Before + ")"
}

// ipc reads a parameter of [IPC$]: its own line, else the share default of [global].
func (s *sambaReader) ipc(id, name, typ string) {
	p, ok := s.conf.Get(smbconf.IPC, name)
	s.take(id, typ, p, ok)
	if ok {
		ipc := s.conf.Share(smbconf.IPC)
		own := false
		if ipc != nil {
			_, own = ipc.Own(name)
		}
		s.inherited[id] = !own
	}
}

// shared reads a parameter of every share, and reports the assignment that lets strangers in.
func (s *sambaReader) shared(id, name, typ string) {
	s.take(id, typ, smbconf.Param{}, false)
	for _, section := range s.conf.Shares {
		if strings.EqualFold(section.Name, smbconf.IPC) {
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

// encryptLine is the line with which a share asks for encryption.
const encryptLine = "server smb encrypt"

// encrypted returns whether a share requires encryption, if this release has the parameter.
func (s *sambaReader) encrypted(section *smbconf.Section) string {
	p, _ := section.Get(encryptLine)
	if c := s.o.Catalog.Setting(encryptLine); c.UnknownTo(s.platform.Version, p.Written) != "" {
		return ""
	}
	return strings.ToLower(p.Value)
}

// sharesOf lists the shares with the lines that decide who can access each.
func (s *sambaReader) sharesOf() {
	s.shares = []model.Share{{Name: smbconf.IPC, Default: true}}
	for _, section := range s.conf.Shares {
		if !strings.EqualFold(section.Name, smbconf.IPC) {
			s.shares = append(s.shares, s.share(section))
		}
	}
}

// defaultsOf records what a new share starts with, in the file or with net usershare.
func (s *sambaReader) defaultsOf() {
	if fresh := s.conf.Fresh(""); fresh != nil && s.unread == "" {
		d := s.share(fresh)
		d.Off = off(fresh)
		s.defaults = &d
	}
}

// accountsOf lists the lines about single computer accounts, if nothing of the configuration is missing.
func (s *sambaReader) accountsOf() {
	if s.platform.System != "samba" || s.unread != "" {
		return
	}
	s.accounts = []model.AccountLine{}
	for i := range s.o.Catalog.Settings {
		c := &s.o.Catalog.Settings[i]
		if !c.PerAccount() {
			continue
		}
		for _, p := range s.conf.Global.All() {
			account, ok := c.Account(p.Name)
			if !ok {
				continue
			}
			v := model.Value{Present: true, Type: c.Type, Data: p.Value, Raw: model.Hex(p.Value)}
			if on, ok := p.Bool(); ok {
				v.Data = on
			}
			s.accounts = append(s.accounts, model.AccountLine{
				Setting: c.ID, Account: account,
				Where: c.LineFor(account), Value: v, Origin: fmt.Sprintf("%s:%d", p.File, p.Line),
			})
		}
	}
}

func (s *sambaReader) share(section *smbconf.Section) model.Share {
	text := func(name string) string { p, _ := section.Get(name); return unquoted(p.Value) }
	list := func(name string) []string { p, _ := section.Get(name); return p.List() }
	on := func(name string) bool {
		p, ok := section.Get(name)
		v, _ := p.Bool()
		return ok && v
	}
	sh := model.Share{
		Name: section.Name, Default: strings.EqualFold(section.Name, "print$"), Path: text("path"),
		Guest: on("guest ok"), GuestOnly: on("guest only"), Printer: on("printable"), Off: off(section),
		ValidUsers: list("valid users"), InvalidUsers: list("invalid users"),
		HostsAllow: list("hosts allow"), HostsDeny: list("hosts deny"),
		Encrypt: s.encrypted(section), ForceUser: text("force user"), Unread: section.Unread,
	}
	sh.Unsure = s.unsure(&sh, text("force group"))
	for _, first := range []string{"", "root "} {
		if command := text(first + "preexec"); command != "" && on(first+"preexec close") {
			sh.Program = first + "preexec"
		}
	}
	if sh.Guest {
		sh.GuestAt = s.comesFrom(section, "guest ok")
	}
	if sh.GuestOnly {
		sh.GuestOnlyAt = s.comesFrom(section, "guest only")
	}
	if sh.Encrypt != "" {
		sh.EncryptAt = s.comesFrom(section, encryptLine)
	}
	return sh
}

// unquoted returns a text as smbd uses it: without the surrounding quotes, unless there are others inside. See
// lp_string in source3/param/loadparm.c. [M] samba-4.17.12
func unquoted(text string) string {
	if inner := strings.Trim(text, `"`); !strings.Contains(inner, `"`) {
		return inner
	}
	return text
}

// off returns the line that makes a share unavailable to everyone, or an empty string.
func off(section *smbconf.Section) string {
	for _, name := range []string{"-valid", "available"} {
		p, ok := section.Get(name)
		if on, _ := p.Bool(); ok && !on {
			if p.Made {
				return "it has no path, so Samba takes it from everybody"
			}
			return name + " = " + p.Value
		}
	}
	return ""
}

// comesFrom returns the section whose line a share has, and whose change would change it: [global], or the share that
// it was copied from. Empty is the share itself, also if the line is in an included file, or if the other section has
// another line by now.
func (s *sambaReader) comesFrom(section *smbconf.Section, name string) string {
	p, _ := section.Get(name)
	if _, own := section.Own(name); own || p.File != s.conf.Global.File {
		return ""
	}
	from, at := s.conf.Global, "global"
	if p.Copied != "" {
		if from, at = s.conf.Share(p.Copied), p.Copied; from == nil {
			return ""
		}
		if _, own := from.Own(name); !own { // it has the line from elsewhere
			from, at = s.conf.Global, "global"
		}
	}
	if now, ok := from.Own(name); ok && now.File == p.File && now.Line == p.Line {
		return at
	}
	return ""
}

// smbconf's messages about lines without effect.
var (
	unknownLine = regexp.MustCompile(`unknown parameter "(.+)" is ignored`)
	globalLine  = regexp.MustCompile(`the global parameter "(.+)" has no effect in \[(.+)\]`)
)

// names checks lines that Samba ignores: names that are misspellings of the catalog's, and the catalog's global
// parameters in a share.
func (s *sambaReader) names() {
	for _, p := range s.conf.Problems {
		if m := unknownLine.FindStringSubmatch(p.Why); m != nil && len(m[1]) > 5 {
			if c := s.meant(m[1]); c != nil && !strings.EqualFold(m[1], bareName(c)) {
				s.lints = append(s.lints, lint{
					id: "misspelt-setting", setting: c.ID,
					evidence: fmt.Sprintf("%s:%d: %q is no parameter and is ignored; %q was probably meant", p.File,
						p.Line, m[1], bareName(c)),
				})
			}
		}
		if m := globalLine.FindStringSubmatch(p.Why); m != nil {
			if c := s.o.Catalog.Setting(m[1]); c != nil && c.System == s.platform.System {
				s.lints = append(s.lints, lint{
					id: "setting-without-effect", setting: c.ID,
					evidence: fmt.Sprintf("%s:%d: %s stands in [%s], where it does nothing: it belongs in [global]",
						p.File, p.Line, m[1], m[2]), fix: "Move the line to [global], or remove it.",
				})
			}
		}
	}
}

// bareName returns a setting's name without its section.
func bareName(c *catalog.Setting) string {
	if _, name, ok := strings.Cut(c.ID, ":"); ok {
		return name
	}
	return c.ID
}

// meant returns the setting of which a name is a misspelling, or nil.
func (s *sambaReader) meant(written string) *catalog.Setting {
	for i := range s.o.Catalog.Settings {
		c := &s.o.Catalog.Settings[i]
		if c.System == s.platform.System && slips(strings.ToLower(written), strings.ToLower(bareName(c))) <= 2 {
			return c
		}
	}
	return nil
}

// unanswered reports a server that answers no client although each of its lines is valid.
func (j *judging) unanswered() {
	high, low := j.setting("server max protocol").Effective, j.setting("server min protocol").Effective
	if j.audit.Access[model.User].Session == model.Denied && catalog.Dialect(high) < catalog.Dialect(low) {
		j.audit.Problems = append(j.audit.Problems,
			fmt.Sprintf("server max protocol is %v and server min protocol %v: no dialect is left, and Samba refuses "+
				"every client", high, low))
	}
}

// samba checks combinations of parameters.
func (j *judging) samba() {
	for _, name := range []string{"guest ok", "available", "path"} {
		id := "IPC$:" + name
		if v := j.values[id]; v.Present {
			j.add(lint{
				id: "ipc-section-ignored", setting: id, settings: []string{"restrict anonymous"},
				evidence: fmt.Sprintf("%s: [IPC$] %s = %s is overwritten by Samba", j.origin[id], name,
					model.Text(v.Data)),
			})
		}
	}
	j.privilegedGuest()
	j.unanswered()
	restrict, known := j.number("restrict anonymous")
	if known && restrict == 1 {
		j.add(lint{
			id: "restrict-anonymous-one", setting: "restrict anonymous",
			evidence: "restrict anonymous is 1: lsarpc, winreg, svcctl, spoolss and others still answer strangers",
		})
	}
	var open, lines []string
	for _, s := range j.shares {
		if s.OpenToGuests() {
			open = append(open, s.Name)
		}
		if s.Guest || s.GuestOnly {
			lines = append(lines, s.Name)
		}
	}
	if known && restrict >= 2 && len(open) > 0 {
		j.add(lint{
			id: "guest-share-beside-restrict", setting: "guest ok", settings: []string{"restrict anonymous"},
			evidence: fmt.Sprintf("restrict anonymous is %d, and guest ok lets strangers into %s", restrict,
				someOf(open)),
		})
	}
	if encrypt, _ := j.setting("server smb encrypt").Effective.(string); len(lines) > 0 &&
		(encrypt == "required" || encrypt == "mandatory") {
		j.add(lint{
			id: "contradictory-settings", setting: "server smb encrypt", settings: []string{"guest ok"},
			evidence: fmt.Sprintf("server smb encrypt is %s, which refuses strangers, and guest ok is set for %s",
				encrypt, someOf(lines)),
		})
	}
}

// someOf names shares in a sentence: a server may have thousands.
func someOf(names []string) string {
	const most = 20
	if n := len(names) - most; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n)
	}
	return strings.Join(names, ", ")
}

// privilegedGuest reports that strangers have root's rights. If all sessions need a password it is a trap, not an
// exposure.
func (j *judging) privilegedGuest() {
	s := j.setting("guest account")
	if s.State != model.StateWeak {
		return
	}
	l := lint{
		id: "guest-account-root", setting: s.ID,
		evidence: "guest account is " + model.Text(s.Effective) +
			": whoever comes in without a password has every right on this host",
	}
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

// regular refuses anything but a regular file of limited size, before it is read whole.
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

package smbconf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Options holds what the file itself does not say.
type Options struct {
	// Macros are the values of known %-macros, such as 'L' or 'h'. Other macros in an include path are reported and not
	// followed: Samba expands them when a client connects.
	Macros map[byte]string
	// Copied says that the configuration may come from another machine. A missing include from another folder then
	// counts as not read, rather than as missing.
	Copied bool
	// Root is prepended to absolute paths, for a configuration of another machine.
	Root string
	// ReadFile reads a file; nil is the function of this name.
	ReadFile func(name string) ([]byte, error)
	// Registry is the output of "net conf list" on the configuration's host; nil is unknown. It is read where Samba
	// reads its registry.
	Registry []byte
	// AsWritten reads what is stored alone: a copy, whose share may be elsewhere, gives nothing, and no line is made.
	AsWritten bool
	// Ksmbd says that the configuration is that of the Linux kernel's server, which has parameters of its own.
	Ksmbd bool

	once bool // read once, like testparm, for tests of the first reading
}

// RegistryFile is the File of a Param from Samba's registry.
const RegistryFile = "Samba's registry"

// Load reads a configuration and everything it includes. The error is only about the file itself: errors inside are in
// the Config, which is never nil if the error is.
func Load(path string, o Options) (*Config, error) {
	if o.ReadFile == nil {
		o.ReadFile = ReadFile
	}
	c, err := load(path, o)
	if err != nil || c.Broken != nil {
		return c, err
	}
	// "config file" names the file to use instead; smbd reads it from the start, once.
	p, ok := c.Global.Get("config file")
	if !ok || p.Value == "" {
		return c, nil
	}
	other, ok := expand(p.Value, o.Macros)
	if !ok {
		c.unread(p, false, "config file: the path has a macro that is not known here, so the file was not read")
		return c, nil
	}
	next, err := load(filepath.Join(o.Root, other), o)
	if errors.Is(err, fs.ErrNotExist) && o.elsewhere(path, other) {
		c.unread(p, false,
			fmt.Sprintf("config file: %s is not here and was not read; smbd uses it instead of this file", other))
		return c, nil
	}
	if err != nil {
		c.problem(p.File, p.Line, fmt.Sprintf("config file: %v; this file is used", err))
		return c, nil
	}
	next.Files = append([]string{path}, next.Files...)
	next.problem(p.File, p.Line, "config file: smbd uses that file instead of this one")
	return next, nil
}

func load(path string, o Options) (*Config, error) {
	b, err := o.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("smb.conf: %w", err)
	}
	r := newReader(path, o)
	r.read(path, b, 0)
	r.endSection()
	if p, ok := r.c.Global.Get("config backend"); ok && strings.EqualFold(p.Value, "registry") && r.limit == nil {
		r.backend(p)
	}
	if r.c.Broken == nil && r.limit == nil && !o.once {
		r.again()
	}
	if r.limit != nil {
		return nil, r.limit
	}
	r.c.countUntold()
	return r.c, nil
}

func newReader(path string, o Options) *reader {
	c := &Config{
		Global: &Section{Name: "global", File: path, Line: 1, set: map[string]Param{}},
		byName: map[string]*Section{},
	}
	return &reader{c: c, o: o, section: c.Global}
}

// backend discards what the file says, as Samba does, and reads the registry instead.
func (r *reader) backend(p Param) {
	kept := map[string]Param{fold(p.Name): p}
	r.c = &Config{
		Files: r.c.Files, Problems: r.c.Problems, Registry: true,
		Global: &Section{Name: "global", File: p.File, Line: p.Line, Params: []Param{p}, set: kept},
		byName: map[string]*Section{}, untold: r.c.untold, global: true,
	}
	r.section, r.defaults, r.order, r.reopened = r.c.Global, nil, nil, false
	if r.o.Registry == nil {
		r.c.unread(p, true, "config backend = registry: the settings are in Samba's registry and not in this file")
		return
	}
	r.read(RegistryFile, r.o.Registry, 0)
	r.endSection()
}

// ReadFile reads a file up to the maximum size of a configuration.
func ReadFile(name string) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s: larger than %d MiB", name, maxFile>>20)
	}
	return os.ReadFile(name)
}

func (c *Config) problem(file string, line int, why string) {
	if len(c.Problems) >= maxProblems {
		c.untold++
		return
	}
	c.Problems = append(c.Problems, Problem{file, line, why})
}

// unread records a place whose contents were not read. A config file or backend replaces everything.
func (c *Config) unread(p Param, registry bool, why string) {
	c.Partial = true
	c.problem(p.File, p.Line, why)
	c.gaps = append(c.gaps, gap{Problem{p.File, p.Line, why}, math.MaxInt, registry})
}

// elsewhere reports whether a file is from another folder than the one that names it, in a configuration that may be a
// copy.
func (o *Options) elsewhere(file, named string) bool {
	a, err1 := filepath.Abs(filepath.Dir(file))
	b, err2 := filepath.Abs(filepath.Dir(named))
	return o.Copied && (err1 != nil || err2 != nil || a != b)
}

// countUntold adds a problem that says how many are not in the list.
func (c *Config) countUntold() {
	if c.untold > 0 {
		last := c.Problems[len(c.Problems)-1]
		c.Problems = append(c.Problems, Problem{
			last.File, last.Line,
			fmt.Sprintf("%d more problems after this line are not listed", c.untold),
		})
	}
}

type reader struct {
	c       *Config
	o       Options
	section *Section
	// defaults are the initial values of the next share; nil if [global] has changed since they were computed.
	defaults map[string]Param
	// What was read so far, and the error if it was too much.
	bytes, params, copied int
	limit                 error
	// order is what was read of all files, for the second reading; reopened says that the second reading may find
	// something.
	order            []step
	reopened, second bool
	// seen, if set, is called with each logical line of the main file and its section, for the editor.
	seen func(l logical, s *Section)
}

// step is the start of a section, or one of its assignments.
type step struct {
	s     *Section
	param int // in s.Params; -1 is the start
}

// enter continues in a section.
func (r *reader) enter(s *Section) {
	r.section = s
	r.order = append(r.order, step{s, -1})
}

// again reads everything a second time on top of the first, as smbd does in each connection after a logon, for %U: the
// shares already exist, with what they inherited from [global] then, and a copy now takes the final values of the other
// share. So a line far below affects copies above it, which testparm, with its one reading, does not show. See
// auth3_check_password and lp_load_ex in source3; [M] samba-4.17.12.
func (r *reader) again() {
	if !r.reopened { // then nothing below was unknown above
		return
	}
	r.section, r.second = r.c.Global, true
	for _, at := range r.order {
		if at.param < 0 {
			r.endSection()
			r.section = at.s
			continue
		}
		p := at.s.Params[at.param]
		// Options do not decide about access: they stay as testparm has them.
		if at.s == r.c.Global || isOption(fold(p.Name), p) {
			continue
		}
		if p.Name == "copy" && r.copy(p) != "" {
			return // smbd gives up this reading here, and keeps what it read before
		}
		at.s.set[fold(p.Name)] = p
	}
	r.endSection()
}

// read processes one file; false means that Samba gives up.
func (r *reader) read(file string, b []byte, depth int) bool {
	r.c.Files = append(r.c.Files, file)
	if r.bytes += len(b); r.bytes > maxBytes {
		r.limit = limit(file, 1, "%d MiB with what is included", maxBytes>>20)
		return false
	}
	for l := range r.o.lines(b) {
		var why string
		if len(l.text) > maxLine {
			r.limit = limit(file, l.number, "%d KiB in one line", maxLine>>10)
			return false
		}
		if l.text[0] == '[' {
			why = r.header(file, l)
		} else {
			why = r.param(file, l, depth)
		}
		if r.c.Broken != nil || r.limit != nil {
			return false
		}
		if why != "" {
			r.c.Broken = &Problem{file, l.number, why}
			r.c.problem(file, l.number,
				why+": "+r.o.server()+" stops here: it does not start with this configuration, or keeps the one that it had")
			r.c.Partial = true
			return false
		}
		if r.seen != nil && depth == 0 {
			r.seen(l, r.section)
		}
	}
	return true
}

func (r *reader) header(file string, l logical) string {
	name, _, ok := strings.Cut(l.text[1:], "]")
	r.endSection()
	switch {
	case !ok:
		return "a section without its ]"
	case isGlobal(name):
		r.enter(r.c.Global)
		r.c.global = true
		return ""
	case name == "":
		return "a section without a name"
	}
	share := r.c.Share(name)
	if share == nil {
		r.enter(&Section{
			Name: name, File: file, Line: l.number, set: map[string]Param{},
			inherits: r.shareDefaults(file, l.number),
		})
		r.c.Shares = append(r.c.Shares, r.section)
		r.c.byName[foldName(name)] = r.section
		if len(r.c.Shares) > maxSections {
			r.limit = limit(file, l.number, "%d sections", maxSections)
		}
	} else {
		r.enter(share)
		r.reopened = true
		r.section.Name = name // Samba shows the last spelling
		// A repeated share keeps its parameters and loses its parametric options.
		maps.DeleteFunc(r.section.set, isOption)
		if anyOption(r.section.inherits) {
			r.take(len(r.section.inherits), file, l.number)
			r.section.inherits = maps.Clone(r.section.inherits)
			maps.DeleteFunc(r.section.inherits, isOption)
		}
	}
	return ""
}

// endSection does what Samba does at the end of a share's section: a share without a path becomes unavailable, and
// [printers] printable. See service_ok in source3/param/loadparm.c.
func (r *reader) endSection() {
	s := r.section
	if s == r.c.Global || r.o.AsWritten {
		return
	}
	empty := func(name string) bool { p, ok := s.Get(name); return !ok || p.Value == "" }
	put := func(name, value string) {
		old, written := s.set[fold(name)]
		s.set[fold(name)] = Param{
			Name: name, Written: name, Value: value, Known: true, File: s.File, Line: s.Line,
			Made: !written || old.Made,
		}
	}
	if strings.EqualFold(s.Name, "printers") {
		put("printable", "yes")
	}
	if empty("path") && empty("msdfs proxy") && !strings.EqualFold(s.Name, "homes") && !strings.EqualFold(s.Name, IPC) {
		put("available", "no")
	}
}

// shareDefaults returns the current share parameters of [global].
func (r *reader) shareDefaults(file string, line int) map[string]Param {
	if r.defaults == nil {
		r.defaults = map[string]Param{}
		for k, p := range r.c.Global.set {
			if known()[k].Share {
				r.defaults[k] = p
			}
		}
		r.take(len(r.c.Global.set), file, line)
	}
	return r.defaults
}

// take counts assignments that a share inherits.
func (r *reader) take(n int, file string, line int) {
	if r.copied += n; r.copied > maxCopied {
		r.limit = limit(file, line, "%d assignments that shares take over from others", maxCopied)
	}
}

func (r *reader) param(file string, l logical, depth int) string {
	name, value, ok := strings.Cut(l.text, "=")
	if !ok {
		if r.o.Ksmbd {
			return "a line without ="
		}
		r.c.problem(file, l.number, "a line without = is ignored")
		return ""
	}
	if name == "" {
		return "a line that starts with ="
	}
	p := Param{Name: trimOne(name), Written: trimOne(name), Value: trimOne(value), File: file, Line: l.number}
	k, known := r.o.lookup(p.Name)
	if !known && !strings.Contains(p.Name, ":") {
		r.c.knows--
	}
	if known {
		r.c.knows++
		p.Name, p.Known, p.Inverse = k.Name, true, k.Inverse
	}
	if r.o.Ksmbd {
		p.ksmbd, p.Value = true, ksmbdValue(p.Value)
		if p.Value == "" {
			return "" // the line says nothing
		}
	}
	if why := r.ignored(&p, k, known); why != "" {
		r.c.problem(file, l.number, why)
		return ""
	}
	if known && !r.o.Ksmbd { // which refuses no value; what it makes of one that it does not know the catalog says
		if why := refusal(k.Type, p); why != "" {
			return why
		}
	}
	if why := r.misread(&p, k, known); why != "" {
		r.c.problem(file, l.number, why)
	}
	return r.assign(p, depth)
}

// ignored says why the server ignores a parameter, or returns "".
func (r *reader) ignored(p *Param, k Parameter, known bool) string {
	if r.o.Ksmbd && r.section != nil {
		if _, twice := r.section.set[fold(p.Name)]; twice {
			return fmt.Sprintf("%q was set above, and ksmbd takes the first", p.Name)
		}
	}
	switch {
	case r.o.Ksmbd && (p.Name == "copy" || p.Name == "include"):
		return fmt.Sprintf("ksmbd has no %s: this is ignored", p.Name)
	case !known && r.o.beginning(p.Name) != "":
		p.Name = r.o.beginning(p.Name)
		r.begins(*p)
		return fmt.Sprintf("unknown parameter %.80q is ignored by ksmbd-tools 3.5.3 and later; earlier ones take it "+
			"for %q", p.Written, p.Name)
	case !known && !strings.Contains(p.Name, ":"):
		return fmt.Sprintf("unknown parameter %.80q is ignored", p.Name)
	case known && !k.Share && r.section != r.c.Global:
		return fmt.Sprintf("the global parameter %q has no effect in [%s]", p.Name, r.section.Name)
	}
	return ""
}

// misread says what the server takes a value for that is not what it seems to say, or returns "".
func (r *reader) misread(p *Param, k Parameter, known bool) string {
	switch {
	case !known:
		return ""
	case r.o.Ksmbd:
		return ksmbdReading(k.Type, *p)
	}
	return reading(k.Type, *p)
}

// assign adds a parameter to its section. It returns why the file cannot be loaded, or "".
func (r *reader) assign(p Param, depth int) string {
	p.at = r.params
	r.order = append(r.order, step{r.section, len(r.section.Params)})
	r.section.Params = append(r.section.Params, p)
	if r.section == r.c.Global {
		r.defaults = nil
	}
	if r.params++; r.params > maxParams {
		r.limit = limit(p.File, p.Line, "%d assignments", maxParams)
		return ""
	}
	switch p.Name {
	case "copy":
		if why := r.copy(p); why != "" {
			return why
		}
	case "include":
		r.section.set[fold(p.Name)] = p
		r.include(p, depth)
		return ""
	}
	r.section.set[fold(p.Name)] = p
	return ""
}

// copy copies the values of another share: parameters only if they are not set here, options in any case. It returns
// why Samba stops here, if it does.
func (r *reader) copy(p Param) string {
	if r.o.AsWritten {
		return ""
	}
	from := r.c.Share(p.Value)
	if from != nil {
		if p, ok := from.Get("-valid"); ok {
			if on, _ := p.Bool(); !on {
				from = nil // Samba does not find it either
			}
		}
	}
	if from == nil || from == r.section {
		return fmt.Sprintf("copy: there is no share %.80q above", p.Value)
	}
	if r.section == r.c.Global {
		return "copy in [global]"
	}
	if r.take(len(from.inherits)+len(from.set), p.File, p.Line); r.limit != nil {
		return ""
	}
	all := map[string]Param{}
	maps.Copy(all, from.inherits)
	maps.Copy(all, from.set)
	delete(all, "copy")
	if r.second {
		maps.DeleteFunc(all, isOption)
	}
	for k, v := range all {
		if v.Copied == "" {
			v.Copied = from.Name
		}
		all[k] = v
		if isOption(k, v) {
			delete(r.section.set, k) // an option is copied even if it was set here
		}
	}
	maps.DeleteFunc(r.section.set, func(_ string, p Param) bool { return p.Made }) // it was not set explicitly here
	r.take(len(r.section.inherits), p.File, p.Line)
	for k, v := range r.section.inherits {
		if _, ok := all[k]; !ok && isOption(k, v) {
			all[k] = v
		}
	}
	r.section.inherits = all
	return ""
}

func anyOption(m map[string]Param) bool {
	for k, p := range m {
		if isOption(k, p) {
			return true
		}
	}
	return false
}

// isOption distinguishes parametric options, such as full_audit:prefix, from parameters.
func isOption(key string, _ Param) bool { return strings.Contains(key, ":") }

// include reads another file at this point.
func (r *reader) include(p Param, depth int) {
	gapped := func(registry bool, why string) {
		r.c.unread(p, registry, "include: "+why)
		r.c.gaps[len(r.c.gaps)-1].at = p.at
	}
	fail := func(why string) { gapped(false, why) }
	if strings.EqualFold(p.Value, "registry") {
		if r.section != r.c.Global {
			r.c.problem(p.File, p.Line, "include = registry only has an effect in [global]")
			return
		}
		r.c.Registry = true
		if r.o.Registry != nil {
			r.read(RegistryFile, r.o.Registry, depth+1)
			r.enter(r.c.Global)
			return
		}
		gapped(true, "Samba's registry holds more settings, which are not in this file")
		return
	}
	name, ok := expand(p.Value, r.o.Macros)
	switch {
	case !ok:
		fail(fmt.Sprintf("%.200q has a macro that is not known here, so the file was not read", p.Value))
		return
	case depth+1 >= maxDepth:
		// Samba stops here, too: nothing remains unread.
		r.c.Partial = true
		r.c.problem(p.File, p.Line,
			fmt.Sprintf("include: %d files within one another: probably one that includes itself", maxDepth))
		return
	case len(r.c.Files) >= maxFiles:
		fail(fmt.Sprintf("more than %d files", maxFiles))
		return
	}
	if filepath.IsAbs(name) {
		name = filepath.Join(r.o.Root, name)
	}
	b, err := r.o.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && r.o.elsewhere(p.File, name):
		fail(name + " is not here, so it was not read; on the server it may be there")
	case errors.Is(err, fs.ErrNotExist):
		r.c.problem(p.File, p.Line, fmt.Sprintf("include: %s is not there; Samba goes on without it", name))
	case err != nil:
		fail(err.Error())
	default:
		r.read(name, b, depth+1)
	}
}

// expand replaces macros with a known value.
func expand(s string, macros map[byte]string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		v, ok := macros[s[i]]
		if !ok {
			return "", false
		}
		b.WriteString(v)
	}
	return b.String(), true
}

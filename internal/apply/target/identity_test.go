package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/format/hive"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// drawConf generates a configuration that people could have written: repeated sections, includes that exist and that do
// not, comments, continuation lines, macros, odd white space, either kind of line end, a missing end of line.
func drawConf(rt *rapid.T, dir string) string {
	pick := func(label string, list ...string) string { return rapid.SampledFrom(list).Draw(rt, label) }
	eol := pick("line end", "\n", "\r\n")
	blank := func() string { return pick("blank", "", "", " ", "\t", "  ") }
	parameter := func() string {
		name := pick("name", "restrict anonymous", "Restrict  Anonymous", "restrictanonymous", "map to guest",
			"guest ok", "public", "hosts deny", "deny hosts",
			"path", "comment", "log file", "server min protocol", "workgroup", "include", "valid users", "made up")
		value := pick("value", "0", "1", "2", "yes", "No", "Bad User", "never", "ALL", "10. EXCEPT 10.1.", "%m.%U",
			"%(path)", "/srv/%S", `"a b" c`, "a;b # c", "NT1", "ü", "")
		if key := strings.ToLower(strings.ReplaceAll(name, " ", "")); strings.HasPrefix(key, "restrictanonymous") {
			value = pick("number", "0", "1", "2") // a plan cannot start from any other value
		}
		if name == "include" {
			value = filepath.Join(dir, pick("file", "more.conf", "missing.conf", "%m.conf"))
		}
		line := blank() + name + blank() + "=" + blank() + value + blank()
		if i := rapid.IntRange(0, 9).Draw(rt, "continued"); i == 0 {
			at := strings.IndexByte(line, '=') + 1
			line = line[:at] + `\` + eol + line[at:]
		}
		return line
	}
	var b strings.Builder
	for range rapid.IntRange(0, 14).Draw(rt, "lines") {
		b.WriteString(rapid.OneOf(
			rapid.Custom(func(*rapid.T) string { return parameter() }),
			rapid.Custom(func(*rapid.T) string { return parameter() }),
			rapid.Custom(func(*rapid.T) string {
				return blank() + "[" + pick("section", "global", "GLOBAL", "IPC$", "public", "a share", "homes",
					"printers") + "]" + blank()
			}),
			rapid.SampledFrom([]string{
				"", "# a comment", "; restrict anonymous = 0", "   # [global]", "\t",
				`# ends in \`,
			}),
		).Draw(rt, "line"))
		b.WriteString(eol)
	}
	return strings.TrimSuffix(b.String(), pick("end", "", eol))
}

// inForce returns a parameter as an audit reports it to a plan.
func inForce(c *smbconf.Config, section, name string) model.Value {
	s := c.Section(section)
	if s == nil {
		return model.Value{}
	}
	p, ok := s.Own(name)
	if !ok {
		return model.Value{}
	}
	if n, ok := p.Int(); ok {
		return applytest.Value(n)
	}
	if b, ok := p.Bool(); ok {
		return applytest.Value(b)
	}
	return applytest.Value(p.Value)
}

// TestConfIdentity: for any configuration, either the plan is refused and nothing is changed, or its changes are in
// force and everything else is as before; the rollback restores every byte.
func TestConfIdentity(t *testing.T) {
	applied, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		dir := applytest.MemoryDir(t)
		text := drawConf(rt, dir)
		path := filepath.Join(dir, "smb.conf")
		for name, b := range map[string]string{
			path:                            text,
			filepath.Join(dir, "more.conf"): "\tcomment = from the include\n[public]\n\tguest ok = yes\n",
		} {
			if err := os.WriteFile(name, []byte(b), 0o640); err != nil {
				rt.Fatal(err)
			}
		}
		s := OpenSambaOn(path, applytest.Quiet{})
		before, err := smbconf.Load(path, smbconf.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		var plan model.Plan
		for i, c := range []struct {
			section, name string
			to            []any
		}{
			{"global", "restrict anonymous", []any{1, 2}},
			{"global", "map to guest", []any{"never"}},
			{"IPC$", "hosts deny", []any{[]string{"ALL"}, []string{"10.", "a b"}}},
			{"public", "guest ok", []any{false}},
		} {
			if !rapid.Bool().Draw(rt, "changed") {
				continue
			}
			change := applytest.Parameter(c.section, c.name, inForce(before, c.section, c.name), model.Value{})
			change.ID = fmt.Sprint(i)
			if !change.From.Present || rapid.Bool().Draw(rt, "kept") {
				change.To = applytest.Value(rapid.SampledFrom(c.to).Draw(rt, "to"))
			}
			plan.Changes = append(plan.Changes, change)
		}
		e := engineFor(t, s)
		j, err := e.Apply(context.Background(),
			engine.Request{
				Plan: plan, Changes: applytest.Changes("samba", plan.Changes), Bytes: []byte("{}"),
				Target: s, Verify: applytest.Good,
			})
		if err != nil {
			if got := applytest.Read(t, path); got != text {
				rt.Fatalf("%v, and the file is\n%q\nfrom\n%q", err, got, text)
			}
			if !errors.Is(err, apply.ErrNothing) {
				refused++
			}
			return
		}
		applied++
		after, err := smbconf.Load(path, smbconf.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		changed := map[string]bool{}
		for _, c := range plan.Changes {
			at, err := change.Locate("samba", c.Where)
			section, name := at.Key, at.Name
			if err != nil {
				rt.Fatal(err)
			}
			changed[strings.ToLower(section+"\x00"+name)] = true
			var p smbconf.Param
			present := false
			if sec := after.Section(section); sec != nil {
				p, present = sec.Own(name)
			}
			if present != c.To.Present || present && !change.SameParameter(p, c.To) {
				rt.Fatalf("%s is %q (%v), want %v\n%s", c.Where, p.Value, present, c.To, applytest.Read(t, path))
			}
		}
		for _, sec := range append([]*smbconf.Section{before.Global}, before.Shares...) {
			for _, p := range sec.Params {
				if changed[strings.ToLower(sec.Name+"\x00"+p.Name)] {
					continue
				}
				now := after.Section(sec.Name)
				if now == nil {
					rt.Fatalf("[%s] is gone\n%s", sec.Name, applytest.Read(t, path))
				}
				was, _ := sec.Own(p.Name)
				if is, ok := now.Own(p.Name); !ok || is.Value != was.Value || is.Inverse != was.Inverse {
					rt.Fatalf("[%s] %s was %q and is %q, %v\n%s", sec.Name, p.Name, was.Value, is.Value, ok,
						applytest.Read(t, path))
				}
			}
		}
		if kept := lines(text, "#", ";"); !slices.Equal(kept, lines(applytest.Read(t, path), "#", ";")) {
			rt.Fatalf("comments %q became\n%s", kept, applytest.Read(t, path))
		}
		if _, err := e.Rollback(context.Background(), j.ID, false); err != nil {
			rt.Fatal(err)
		}
		if got := applytest.Read(t, path); got != text {
			rt.Fatalf("rolled back to\n%q\nfrom\n%q", got, text)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o640 {
			rt.Fatalf("%v, %v", st, err)
		}
	})
	t.Logf("%d configurations were changed and restored, %d refused", applied, refused)
	if applied < 20 {
		t.Errorf("only %d configurations were changed", applied)
	}
}

// lines returns the lines of a text that begin, after blanks, with one of these.
func lines(text string, beginnings ...string) []string {
	var out []string
	for _, l := range strings.Split(text, "\n") {
		l = strings.TrimRight(l, "\r")
		if slices.ContainsFunc(beginnings, func(s string) bool {
			return strings.HasPrefix(strings.TrimLeft(l, " \t"), s)
		}) {
			out = append(out, l)
		}
	}
	return out
}

// TestHiveIdentity uses the registries of real machines: it changes any of the catalog's settings from its value, or
// from absence, to the wanted or any other value, or removes it, and undoes this to the type and the byte.
func TestHiveIdentity(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir := peer.Shared(t, "hives")
	for _, name := range []string{"SYSTEM", "SYSTEM_B", "SYSTEM_WIN_10_1709"} {
		t.Run(name, func(t *testing.T) {
			f, values := fromHive(t, filepath.Join(dir, name+".xz"))
			// Windows ignores case in names. A removed name comes back as the plan writes it.
			whole := strings.ToLower(applytest.Dump(f.Tree, "HKLM"))
			var settings []*catalog.Setting
			for i := range c.Settings {
				if s := &c.Settings[i]; s.System == "windows" &&
					strings.HasPrefix(s.Where, `HKLM\SYSTEM\CurrentControlSet\`) {
					settings = append(settings, s)
				}
			}
			applied, present := 0, 0
			rapid.Check(t, func(rt *rapid.T) {
				var plan model.Plan
				for i, s := range settings {
					if rapid.IntRange(0, 2).Draw(rt, "changed") > 0 {
						continue
					}
					p, err := placeAt(s.Where)
					if err != nil {
						rt.Fatal(err)
					}
					change := model.Change{ID: fmt.Sprint(i), Setting: s.ID, Where: s.Where}
					if v, err := f.Tree.Value(p.Path, p.Name); err == nil {
						if change.From = known(v); change.From.Type == "" {
							continue
						}
						present++
					}
					if !change.From.Present || rapid.Bool().Draw(rt, "kept") {
						change.To = drawTo(rt, s)
					}
					plan.Changes = append(plan.Changes, change)
				}
				e := engineFor(t, f)
				j, err := e.Apply(context.Background(),
					engine.Request{
						Plan: plan, Changes: applytest.Changes("windows", plan.Changes), Bytes: []byte("{}"),
						Target: f, Verify: applytest.Good,
					})
				if errors.Is(err, apply.ErrNothing) {
					return
				}
				if err != nil {
					rt.Fatal(err)
				}
				applied++
				for _, ch := range plan.Changes {
					p, _ := placeAt(ch.Where)
					if s, err := f.Read(context.Background(), p); err != nil ||
						!located("windows", ch.Where).Holds(content(s), ch.To) {
						rt.Fatalf("%s is %v, want %v: %v", ch.Where, s, ch.To, err)
					}
				}
				if _, err := e.Rollback(context.Background(), j.ID, false); err != nil {
					rt.Fatal(err)
				}
				for _, s := range settings {
					p, _ := placeAt(s.Where)
					was, want := f.Tree.Value(p.Path, p.Name)
					if orig, ok := values[strings.ToLower(p.String())]; ok != (want == nil) ||
						ok && (orig.Type != was.Type || string(orig.Data) != string(was.Data)) {
						rt.Fatalf("%s was %v and is %v", s.Where, orig, was)
					}
				}
			})
			if got := strings.ToLower(applytest.Dump(f.Tree, "HKLM")); got != whole {
				t.Errorf("of %d bytes of registry, %d are left, and not the same", len(whole), len(got))
			}
			t.Logf("%d values in the hive, %d plans, %d changes of what was there", len(values), applied, present)
			if applied == 0 || present == 0 {
				t.Errorf("%d plans, %d changes of what was there", applied, present)
			}
		})
	}
}

// fromHive returns a target with the control set of a real machine, and its values by name.
func fromHive(t *testing.T, path string) (*applytest.Fake, map[string]registry.Value) {
	t.Helper()
	h, err := hive.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	m, f, values := h.Mount(`HKLM\SYSTEM`), newFake(), map[string]registry.Value{}
	var walk func(key string)
	walk = func(key string) {
		f.Tree.AddKey(key)
		list, err := m.Values(key)
		if err != nil {
			t.Logf("%s: %v", key, err) // hives of real machines have broken keys
		}
		for _, v := range list {
			f.Tree.Set(v)
			values[strings.ToLower(key+`\`+v.Name)] = v
		}
		kids, err := m.Subkeys(key)
		if err != nil {
			t.Logf("%s: %v", key, err)
		}
		for _, k := range kids {
			walk(key + `\` + k)
		}
	}
	for _, part := range []string{"Control", "Services"} {
		walk(`HKLM\SYSTEM\CurrentControlSet\` + part)
	}
	if len(values) < 1000 {
		t.Fatalf("%d values in the hive", len(values))
	}
	return f, values
}

// drawTo generates a value that a plan or an administrator could want.
func drawTo(rt *rapid.T, s *catalog.Setting) model.Value {
	v := model.Value{Present: true, Type: s.Type}
	switch s.Type {
	case "REG_DWORD":
		v.Data = rapid.Uint32Range(0, 4).Draw(rt, "number")
	case "REG_MULTI_SZ":
		v.Data = rapid.SliceOfN(rapid.SampledFrom([]string{"samr", "lsarpc", `sql\query`, "ü"}), 0, 3).Draw(rt, "list")
	case "REG_BINARY":
		v.Data = rapid.SampledFrom([]string{"00", "0102"}).Draw(rt, "bytes")
	default:
		v.Type, v.Data = "REG_SZ", rapid.SampledFrom([]string{"", "O:BAG:BAD:(A;;RC;;;BA)"}).Draw(rt, "text")
	}
	return v
}

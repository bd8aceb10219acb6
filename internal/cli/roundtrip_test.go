package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/audit"
	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/export"
	"ipcguard/internal/format/regfile"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/plan"
)

// form is one way in which a registry value may be written.
type form struct {
	name  string
	typ   registry.Type
	data  []byte
	plain bool // every form of export can say it
}

func u16(s string) []byte { return registry.EncodeUTF16(s) }

// forms are the ways that were met in the field, and those that a careless or hostile writer leaves.
func forms() []form {
	// O:SYG:SYD:(A;;CC;;;AN)
	sd := []byte("\x01\x00\x04\x80\x14\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x2c\x00\x00\x00" +
		"\x01\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00" +
		"\x02\x00\x1c\x00\x01\x00\x00\x00\x00\x00\x14\x00\x01\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x05\x07\x00\x00\x00")
	return []form{
		{"absent", 0, nil, true},
		{"dword 0", registry.DWord, make([]byte, 4), true},
		{"dword 1", registry.DWord, []byte{1, 0, 0, 0}, true},
		{"dword max", registry.DWord, []byte{255, 255, 255, 255}, true},
		{"dword short", registry.DWord, []byte{0}, false},
		{"dword empty", registry.DWord, []byte{}, false},
		{"dword long", registry.DWord, make([]byte, 8), false},
		{"big endian", registry.DWordBigEndian, []byte{0, 0, 0, 1}, false},
		{"qword", registry.QWord, make([]byte, 8), false},
		{"qword max", registry.QWord, bytes.Repeat([]byte{255}, 8), false},
		{"qword short", registry.QWord, make([]byte, 4), false},
		{"none", registry.None, make([]byte, 4), false},
		{"none empty", registry.None, []byte{}, false},
		{"text", registry.SZ, u16("O:BAG:BAD:(A;;RC;;;BA)\x00"), true},
		{"text empty", registry.SZ, u16("\x00"), true},
		{"text without data", registry.SZ, []byte{}, false},
		{"text with blanks", registry.SZ, u16(" O:BAG:BAD:(A;;RC;;;BA) \x00"), true},
		{"text without end", registry.SZ, u16("0"), false},
		{"text and more", registry.SZ, u16("0\x00junk\x00"), false},
		{"text with an odd byte", registry.SZ, append(u16("0\x00"), 7), false},
		{"text for a shell", registry.SZ, u16("$(rm) `n 'a' \"{{ x }}\" %PATH% ’; #\x00"), true},
		{"expand", registry.ExpandSZ, u16("%SystemRoot%\x00"), true},
		{"list", registry.MultiSZ, u16("samr\x00Grüße\x00sql\\query\x00\x00"), true},
		{"list empty", registry.MultiSZ, u16("\x00"), true},
		{"list empty twice", registry.MultiSZ, u16("\x00\x00"), false},
		{"list without data", registry.MultiSZ, []byte{}, false},
		{"list with blanks", registry.MultiSZ, u16("samr\x00   \x00 x \x00\x00"), true},
		{"list with an empty entry", registry.MultiSZ, u16("samr\x00\x00x\x00\x00"), false},
		{"list without end", registry.MultiSZ, u16("samr\x00lsarpc"), false},
		{"list of one end", registry.MultiSZ, u16("samr\x00lsarpc\x00"), false},
		{"binary", registry.Binary, []byte{0, 1, 0xd0, 0xff}, true},
		{"binary empty", registry.Binary, []byte{}, true},
		{"descriptor", registry.Binary, sd, true},
		{"unknown type", 0x2a, []byte{1, 2, 3}, false},
	}
}

// TestRoundTripWindows takes every setting of Windows in every form through the whole way: read by an audit, kept in a
// plan's JSON, found again on the host, changed and restored there, and exported, carried out and undone in every form
// by readers of our own. Bytes are compared. What a form of export cannot say is left out whole, and told.
func TestRoundTripWindows(t *testing.T) {
	t.Parallel()
	peer.Need(t, "node")
	c := load(t)
	scripts := map[string]string{}
	var later []func(read map[string][]scriptCommand)
	for _, f := range forms() {
		for _, absent := range []bool{false, true} {
			name := fmt.Sprintf("%s, to absent %v", f.name, absent)
			r := &roundTrip{T: t, name: name, form: f, host: applytest.NewFake(target.ResolveValues)}
			r.write(c)
			r.plan = r.planned(c, r.audit(), absent)
			if f.data == nil && absent {
				continue // nothing to do
			}
			r.apply()
			r.exportReg()
			r.exportPolicy()
			r.exportAnsible()
			later = append(later, r.exportScripts(scripts))
		}
	}
	read := readScripts(t, scripts)
	for _, check := range later {
		check(read)
	}
}

// roundTrip is one form on its way.
type roundTrip struct {
	*testing.T
	name    string
	form    form
	host    *applytest.Fake
	plan    *model.Plan
	changes []*change.Change
	file    regfile.File // the host as a file
}

func (r *roundTrip) fatal(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%s: %v", r.name, err)
	}
}

func load(t testing.TB) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write makes every registry value of the catalog have the form.
func (r *roundTrip) write(c *catalog.Catalog) {
	r.file.Version = 5
	for _, s := range c.Settings {
		at, err := change.Locate(s.System, s.Where)
		if err != nil || at.Kind != change.Registry {
			continue
		}
		v := registry.Value{Key: at.Key, Name: at.Name, Type: r.form.typ, Data: r.form.data}
		op := regfile.Op{Kind: regfile.SetValue, Value: v}
		if r.form.data == nil {
			op.Kind = regfile.DeleteValue
			r.host.Tree.AddKey(v.Key)
		} else {
			r.host.Tree.Set(v)
		}
		r.file.Ops = append(r.file.Ops, op)
	}
}

func (r *roundTrip) audit() *model.Audit {
	path := filepath.Join(r.TempDir(), "host.reg")
	r.fatal(os.WriteFile(path, r.file.Bytes(), 0o600))
	list, err := audit.Options{Product: "win2019", Role: model.DomainController}.Source(r.Context(), path)
	r.fatal(err)
	text, err := json.Marshal(list[0])
	r.fatal(err)
	a := &model.Audit{}
	r.fatal(json.Unmarshal(text, a))
	// what no registry holds
	for i := range a.Settings {
		s := &a.Settings[i]
		switch s.Type {
		case "policy":
			s.Present, s.NotRead, s.Configured = true, false, 1
		case "members":
			s.Present, s.NotRead, s.Configured = true, false, []string{"S-1-1-0", "S-1-5-11"}
		}
	}
	return a
}

// planned is a plan that changes every setting that can be changed: to a value that the catalog knows, or to none.
func (r *roundTrip) planned(c *catalog.Catalog, a *model.Audit, absent bool) *model.Plan {
	p, err := plan.Make(plan.Evidence{Audit: a, Target: "srv"})
	r.fatal(err)
	if _, err := change.All(c, p); err != nil {
		r.Errorf("%s: a plan that was made is refused: %v", r.name, err)
	}
	p.Changes = []model.Change{}
	for i := range a.Settings {
		s := &a.Settings[i]
		m := model.Change{
			ID: fmt.Sprint(len(p.Changes) + 1), Setting: s.ID, Where: s.Where, From: s.Value(), Closes: []string{},
			ExportOnly: true,
		}
		if !absent {
			m.To = known(c, p.Platform, m)
		}
		if _, err := change.Of(c, p.Platform, &m); err == nil {
			p.Changes = append(p.Changes, m)
		}
	}
	p.Hash, err = plan.Hash(p)
	r.fatal(err)
	text, err := json.Marshal(p)
	r.fatal(err)
	again, err := plan.Read(text)
	r.fatal(err)
	if r.changes, err = change.All(c, again); err != nil {
		r.fatal(err)
	}
	return again
}

// known is a value of a setting that the catalog has, other than the one that it starts from; else the one that it has.
func known(c *catalog.Catalog, p model.Platform, m model.Change) model.Value {
	s := c.Setting(m.Setting)
	var candidates []any
	for _, x := range s.Wanted {
		candidates = append(candidates, x.Value)
	}
	for _, x := range s.Values {
		candidates = append(candidates, x.Value)
	}
	for _, x := range s.Defaults {
		candidates = append(candidates, x.Value)
	}
	if s.Type == "bool" {
		candidates = append(candidates, true, false)
	}
	var out model.Value
	for _, x := range candidates {
		data, ok := s.Value(model.Value{Present: true, Data: x})
		if !ok {
			continue
		}
		m.To = model.Value{Present: true, Type: s.Type, Data: data}
		if _, err := change.Of(c, p, &m); err != nil {
			continue
		}
		if out = m.To; !m.From.Present || !sameMeaning(s, m.From, data) {
			return out
		}
	}
	return out
}

func sameMeaning(s *catalog.Setting, v model.Value, data any) bool {
	have, ok := s.Value(v)
	return ok && s.Same(have, data)
}

// registryOnly are the changes that a registry is the place of.
func (r *roundTrip) registryOnly() []*change.Change {
	var out []*change.Change
	for _, ch := range r.changes {
		if ch.Place.Kind == change.Registry {
			out = append(out, ch)
		}
	}
	if len(out) < 20 {
		r.Fatalf("%s: only %d settings are changed", r.name, len(out))
	}
	return out
}

// holds compares a value of a registry with a state, byte for byte.
func holds(tree *registry.Tree, at change.Place, want change.State) error {
	v, err := tree.Value(at.Key, at.Name)
	switch {
	case errors.Is(err, registry.ErrNotExist) && !want.Present:
		return nil
	case err != nil:
		return err
	case !want.Present || v.Type != want.Type || !bytes.Equal(v.Data, want.Data):
		return fmt.Errorf("%s is %s % x, want %v %s % x", at, v.Type, v.Data, want.Present, want.Type, want.Data)
	}
	return nil
}

// apply makes the changes in memory, after the facts were found true, and takes them back.
func (r *roundTrip) apply() {
	r.Helper()
	for _, f := range r.plan.BasedOn {
		if err := target.ValueStillTrue(r.Context(), r.host.Read, f); err != nil {
			r.Errorf("%s: on an unchanged host: %v", r.name, err)
		}
	}
	before := applytest.Dump(r.host.Tree, "HKLM")
	changes := r.registryOnly()
	e := &engine.Engine{State: applytest.MemoryDir(r), Who: "tester", Open: always(r.host)}
	j, err := e.Apply(r.Context(),
		engine.Request{
			Plan: *r.plan, Changes: changes, Bytes: []byte("{}"), Target: applytest.KeptOpen{Target: r.host},
			Verify: applytest.Good,
		})
	r.fatal(err)
	for _, ch := range changes {
		if err := holds(r.host.Tree, ch.Place, ch.After); err != nil {
			r.Errorf("%s: applied: %v", r.name, err)
		}
	}
	_, err = e.Rollback(r.Context(), j.ID, false)
	r.fatal(err)
	if now := applytest.Dump(r.host.Tree, "HKLM"); now != before {
		r.Errorf("%s: rolled back to\n%s\nfrom\n%s", r.name, now, before)
	}
}

// always opens the same target.
func always(t apply.Target) func(context.Context, string) (apply.Target, error) {
	return func(context.Context, string) (apply.Target, error) { return applytest.KeptOpen{Target: t}, nil }
}

// exported are the files of a form, and the settings that it leaves out.
func (r *roundTrip) exported(as string) (files map[string][]byte, left string) {
	r.Helper()
	out, err := export.Export(r.plan, as, export.Options{})
	r.fatal(err)
	files = map[string][]byte{}
	for _, f := range out.Files {
		files[f.Name] = f.Data
	}
	return files, strings.Join(out.LeftOut, "\n")
}

// compare carries an export out on the host as it was, and takes it back.
func (r *roundTrip) compare(as, left string, carryOut func(tree *registry.Tree, word string)) {
	r.Helper()
	tree := &registry.Tree{}
	r.file.Apply(tree)
	for _, word := range []string{"apply", "undo"} {
		carryOut(tree, word)
		for _, ch := range r.registryOnly() {
			want := ch.Before
			told := strings.Contains(left, ch.Setting+" ("+ch.Where+")")
			if word == "apply" && !told {
				want = ch.After
			}
			if told && (r.form.plain || as == "reg") {
				r.Errorf("%s as %s: %s is left out: %s", r.name, as, ch.Setting, left)
			}
			if err := holds(tree, ch.Place, want); err != nil {
				r.Errorf("%s as %s: %s, left out %v: %v", r.name, as, word, told, err)
			}
		}
	}
}

func (r *roundTrip) exportReg() {
	files, left := r.exported("reg")
	r.compare("reg", left, func(tree *registry.Tree, word string) { importReg(r, tree, files[word+".reg"]) })
}

func (r *roundTrip) exportPolicy() {
	files, left := r.exported("gpo")
	r.compare("gpo", left, func(tree *registry.Tree, word string) {
		joined := applyPolicy(r, tree, files, word)
		for _, ch := range r.changes {
			want := ch.After
			if word == "undo" {
				want = ch.Before
			}
			if ch.Place.Kind == change.Policy && want.Present {
				if got, _, ok := joined.Get("System Access", ch.Place.Name); !ok || got != want.Text {
					r.Errorf("%s as gpo: %s: %s is %q, want %q", r.name, word, ch.Place, got, want.Text)
				}
			}
		}
	})
}

func (r *roundTrip) exportAnsible() {
	files, left := r.exported("ansible")
	r.compare("ansible", left, func(tree *registry.Tree, word string) {
		for _, k := range readTasks(r, files[word+".yml"]) {
			if k.module == "ansible.windows.win_regedit" {
				k.regedit(r, tree)
			}
		}
	})
}

// exportScripts puts the scripts to those that are read together, and gives what is to be looked at then.
func (r *roundTrip) exportScripts(all map[string]string) func(map[string][]scriptCommand) {
	files, left := r.exported("powershell")
	for _, word := range []string{"apply", "undo"} {
		all[r.name+word] = string(files[word+".ps1"])
	}
	return func(read map[string][]scriptCommand) {
		r.compare("powershell", left, func(tree *registry.Tree, word string) {
			if len(read[r.name+word]) == 0 {
				r.Errorf("%s: no command in %s", r.name, word)
			}
			for _, c := range read[r.name+word] {
				c.carryOut(r, tree)
			}
		})
	}
}

// TestRoundTripSamba does the same with smb.conf: every setting of Samba and of ksmbd, absent, as its default, and
// changed.
func TestRoundTripSamba(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, system := range []string{"samba", "ksmbd"} {
		for _, written := range []string{"absent", "first", "last"} {
			t.Run(system+" "+written, func(t *testing.T) { roundTripSamba(t, c, system, written) })
		}
	}
}

// untouched are parameters that would make it another server.
var untouched = []string{"config backend", "registry shares", "path"}

func roundTripSamba(t *testing.T, c *catalog.Catalog, system, written string) {
	p := &model.Plan{
		Schema: model.SchemaPlan, Platform: model.Platform{System: system, Role: model.Standalone},
		Strategy: plan.Restrict,
	}
	conf := map[string][]string{"global": nil, "IPC$": nil, "public": {"\tpath = /srv"}}
	for _, s := range c.Settings {
		where := strings.Replace(s.Where, "[SHARE]", "[public]", 1)
		at, err := change.Locate(s.System, where)
		if s.System != system || err != nil || slices.Contains(untouched, at.Name) {
			continue
		}
		to := known(c, p.Platform, model.Change{Setting: s.ID, Where: where})
		text, err := at.State(to)
		if err != nil {
			t.Fatal(err)
		}
		if written == "last" && s.Type == "bool" {
			text.Text = "True"
		}
		if written != "absent" && to.Present {
			conf[at.Key] = append(conf[at.Key], "\t"+at.Name+" = "+text.Text)
		}
	}
	var text strings.Builder
	for _, section := range []string{"global", "IPC$", "public"} {
		fmt.Fprintf(&text, "[%s]\n%s\n", section, strings.Join(conf[section], "\n"))
	}
	name := "smb.conf"
	if system == "ksmbd" {
		name = "ksmbd.conf"
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := audit.Options{}.Source(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	p.Changes = []model.Change{}
	for i := range list[0].Settings {
		s := &list[0].Settings[i]
		m := model.Change{
			ID: fmt.Sprint(len(p.Changes) + 1), Setting: s.ID,
			Where: strings.Replace(s.Where, "[SHARE]", "[public]", 1), From: s.Value(), Closes: []string{},
		}
		if m.From.Present && m.From.Type == "" {
			m.From.Type = s.Type
		}
		at, err := change.Locate(system, m.Where)
		if err != nil || slices.Contains(untouched, at.Name) || at.Name == "guest ok" && at.Key == "IPC$" {
			continue
		}
		m.To = known(c, p.Platform, m)
		if to, err := at.State(m.To); err == nil && to.Text == "" && system == "ksmbd" {
			continue // it takes such a line for none
		}
		if _, err := change.Of(c, p.Platform, &m); err == nil && m.To.Present {
			p.Changes = append(p.Changes, m)
		}
	}
	if len(p.Changes) < 5 {
		t.Fatalf("only %d changes", len(p.Changes))
	}
	p.BasedOn = plan.Facts(c, list[0])
	p.Fingerprint = plan.Fingerprint(p.Platform, p.BasedOn)
	if p.Hash, err = plan.Hash(p); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = plan.Read(b); err != nil {
		t.Fatal(err)
	}
	changes, err := change.All(c, p)
	if err != nil {
		t.Fatal(err)
	}
	look := func(what string, conf []byte, after bool) {
		t.Helper()
		read, err := smbconf.Load(name,
			smbconf.Options{Ksmbd: system == "ksmbd", ReadFile: func(string) ([]byte, error) {
				return conf, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range changes {
			want := ch.Before
			if after {
				want = ch.After
			}
			var have smbconf.Param
			present := false
			if s := read.Section(ch.Place.Key); s != nil {
				have, present = s.Own(ch.Place.Name)
			}
			if present != want.Present || present && have.Value != want.Text {
				t.Errorf("%s: %s is %v %q, want %v %q", what, ch.Place, present, have.Value, want.Present, want.Text)
			}
		}
	}
	if system == "samba" {
		applySamba(t, p, changes, path, text.String(), look)
		out, err := export.Export(p, "ansible", export.Options{})
		if err != nil {
			t.Fatal(err)
		}
		now := text.String()
		for i, f := range out.Files {
			var ok bool
			if now, ok = playSamba(t, f.Data, now); !ok {
				t.Errorf("%s fails on\n%s", f.Name, now)
			}
			look("ansible "+f.Name, []byte(now), i == 0)
		}
	}
	out, err := export.Export(p, "smbconf", export.Options{Source: path})
	if err != nil {
		t.Fatal(err)
	}
	look("export", out.Files[0].Data, true)
	if string(out.Files[1].Data) != text.String() {
		t.Errorf("the undo of smb.conf is\n%s\nwant\n%s", out.Files[1].Data, text.String())
	}
}

func applySamba(
	t *testing.T, p *model.Plan, changes []*change.Change, path, text string, look func(string, []byte, bool),
) {
	s := target.OpenSambaOn(path, applytest.Quiet{})
	for _, f := range p.BasedOn {
		if err := s.StillTrue(t.Context(), f); err != nil {
			t.Errorf("on an unchanged host: %v", err)
		}
	}
	e := &engine.Engine{State: applytest.MemoryDir(t), Who: "tester", Open: always(s)}
	j, err := e.Apply(t.Context(),
		engine.Request{
			Plan: *p, Changes: changes, Bytes: []byte("{}"), Target: applytest.KeptOpen{Target: s},
			Verify: applytest.Good,
		})
	if err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	look("applied", now, true)
	if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != text {
		t.Errorf("rolled back to %q, %v\nfrom %q", now, err, text)
	}
}

package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/audit"
	"ipcguard/internal/change"
	"ipcguard/internal/export"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
)

// sambaPlay carries out tasks that edit smb.conf, as Ansible with its modules and Samba's testparm would.
type sambaPlay struct {
	testing.TB
	conf, copied string
	results      map[string]string // of registered commands: "x.rc", "x.stdout"
	installed    bool
}

// playSamba returns smb.conf after the tasks, and whether they have succeeded. A task that fails ends the block: what
// follows is not done.
func playSamba(t testing.TB, tasks []byte, conf string) (after string, ok bool) {
	t.Helper()
	p := &sambaPlay{TB: t, conf: conf, results: map[string]string{}}
	for _, k := range readTasks(t, tasks) {
		if !p.do(k) {
			if p.conf != conf {
				t.Errorf("tasks that fail have changed smb.conf to\n%s", p.conf)
			}
			return p.conf, false
		}
	}
	if !p.installed {
		t.Errorf("smb.conf is never replaced by\n%s", tasks)
	}
	return p.conf, true
}

func (p *sambaPlay) do(k task) bool {
	inCopy := strings.Contains(k.text("path")+k.text("dest"), "ipcguard_copy")
	switch k.module {
	case "ansible.builtin.copy":
		if inCopy {
			p.copied = p.conf
		} else {
			p.conf, p.installed = p.copied, true
		}
	case "community.general.ini_file":
		if !inCopy {
			p.Fatalf("%v edits smb.conf itself", k.args)
		}
		p.copied = k.iniFile(p.copied)
	case "ansible.builtin.command":
		return p.command(k)
	}
	return true
}

// command is testparm on a file or on what it is given to read; other programs do nothing here.
func (p *sambaPlay) command(k task) bool {
	argv, _ := model.List(k.args["argv"])
	if len(argv) == 0 || argv[0] != "testparm" {
		return true
	}
	text := p.conf
	switch file := argv[len(argv)-1]; {
	case file == "/dev/stdin":
		text = k.text("stdin")
	case strings.Contains(file, "ipcguard_copy"):
		text = p.copied
	}
	section, name := "global", ""
	for _, a := range argv {
		if s, ok := strings.CutPrefix(a, "--section-name="); ok {
			section = s
		}
		if s, ok := strings.CutPrefix(a, "--parameter-name="); ok {
			name = s
		}
	}
	out, rc := inForce(p, text, section, name)
	p.results[k.register+".rc"], p.results[k.register+".stdout"] = rc, out
	if k.failedWhen == "" {
		return rc == "0"
	}
	return !p.holds(k.failedWhen)
}

// inForce is what testparm prints, and its exit status.
func inForce(t testing.TB, text, section, name string) (out, rc string) {
	t.Helper()
	c, err := smbconf.Load("smb.conf", smbconf.Options{ReadFile: func(string) ([]byte, error) {
		return []byte(text), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if section != "global" && c.Section(section) == nil {
		return "", "1"
	}
	if have, present := c.Get(section, name); present {
		return have.Value, "0"
	}
	return "the default", "0"
}

// holds evaluates a condition of comparisons that are joined by and, or by or.
func (p *sambaPlay) holds(condition string) bool {
	p.Helper()
	if condition == "false" {
		return false
	}
	value := func(s string) string {
		if v, ok := p.results[s]; ok {
			return v
		}
		if s != "0" {
			p.Fatalf("nothing is registered as %s", s)
		}
		return s
	}
	compare := func(s string) bool {
		f := strings.Fields(s)
		if len(f) != 3 || f[1] != "==" && f[1] != "!=" {
			p.Fatalf("the condition %q is none of those known", s)
		}
		return (value(f[0]) == value(f[2])) == (f[1] == "==")
	}
	if all := strings.Split(condition, " and "); len(all) > 1 {
		return !slices.ContainsFunc(all, func(s string) bool { return !compare(s) })
	}
	return slices.ContainsFunc(strings.Split(condition, " or "), compare)
}

// iniFile is community.general.ini_file, with what it does not know of smb.conf: a header stands at the start of a line
// and is spelled as asked, the first part of a section is all of it, and an option has one spelling.
func (k task) iniFile(text string) string {
	lines := strings.SplitAfter(text, "\n")
	if n := len(lines) - 1; lines[n] == "" {
		lines = lines[:n]
	} else {
		lines[n] += "\n"
	}
	from, to, header := 0, len(lines), "["+k.text("section")+"]"
	within := false
	for i, l := range lines {
		if strings.HasPrefix(l, header) {
			within, from = true, i
		} else if strings.HasPrefix(l, "[") && within {
			to = i
			break
		}
	}
	option, absent := k.text("option"), k.text("state") == "absent"
	line := option + " = " + k.text("value") + "\n"
	if !within {
		if absent {
			return strings.Join(lines, "")
		}
		return strings.Join(lines, "") + header + "\n" + line
	}
	comment := "[#;]?"
	if absent {
		comment = ""
	}
	match := regexp.MustCompile("^" + comment + "[ \t]*" + regexp.QuoteMeta(option) + "[ \t]*(=|$)")
	var part []string
	done := absent
	for _, l := range lines[from:to] {
		if !match.MatchString(strings.TrimSuffix(l, "\n")) {
			part = append(part, l)
		} else if !done {
			part, done = append(part, line), true
		}
	}
	if !done {
		end := len(part)
		for regexp.MustCompile(`^[ \t]*([#;].*)?\n$`).MatchString(part[end-1]) {
			end--
		}
		part = slices.Insert(part, end, line)
	}
	return strings.Join(slices.Concat(lines[:from], part, lines[to:]), "")
}

// sambaFiles are configurations in every order and form of headers and lines that Samba takes for the same.
func sambaFiles() map[string]string {
	const global, public, team = "map to guest = Bad User\n", " path = /srv\n", "  path = /srv/t\n"
	out := map[string]string{}
	for _, head := range []string{"[%s]", "  [%s]", "\t[ %s ]", "[%s] ; x"} {
		for _, ok := range []string{"guest ok = yes\n", "public = yes\n", "Guest  OK=yes\n", "\tguest ok = \\\n yes\n"} {
			h := func(name string) string { return fmt.Sprintf(head, name) + "\n" }
			name := head + strings.TrimSpace(ok)
			out[name] = h("global") + global + h("public") + public + ok + h("team") + team
			out[name+" first"] = h("public") + public + ok + h("global") + global + h("team") + team
			out[name+" twice"] = h("global") + "workgroup = X\n" + h("public") + public + h("global") + global +
				h("public") + ok
			out[name+" only shares"] = "[global]\n" + global + h("public") + public + ok + h("team") + team
			out[name+" without an end"] = "[global]\n" + global + h("team") + team + h("public") + public +
				strings.TrimSuffix(ok, "\n")
			out[name+" another case"] = h("Global") + global + h("PUBLIC") + public + ok
		}
	}
	return out
}

// TestAnsibleNeverClaimsAChange: whatever the form of smb.conf, the tasks end well only where every change is in force
// for Samba, and else leave smb.conf alone.
func TestAnsibleNeverClaimsAChange(t *testing.T) {
	t.Parallel()
	c := load(t)
	good, refused := 0, []string{}
	for name, text := range sambaFiles() {
		p := planOfFile(t, text)
		changes, err := change.All(c, p)
		if err != nil || len(changes) < 3 {
			t.Fatalf("%s: %d changes, %v", name, len(changes), err)
		}
		out, err := export.Export(p, "ansible", export.Options{})
		if err != nil {
			t.Fatal(err)
		}
		after, ok := playSamba(t, out.Files[0].Data, text)
		if !ok {
			refused = append(refused, name)
			continue
		}
		good++
		holdsAll(t, name+": apply", after, changes, true)
		if back, ok := playSamba(t, out.Files[1].Data, after); ok {
			holdsAll(t, name+": undo", back, changes, false)
		}
	}
	for _, want := range []string{"  [%s]guest ok = yes only shares", "[%s]guest ok = yes twice"} {
		if !slices.Contains(refused, want) {
			t.Errorf("%q is not refused", want)
		}
	}
	if slices.Contains(refused, "[%s]guest ok = yes") || good < 10 {
		t.Errorf("%d are edited, and refused are %q", good, refused)
	}
}

// planOfFile is a plan for every finding of a configuration.
func planOfFile(t *testing.T, text string) *model.Plan {
	t.Helper()
	path := filepath.Join(t.TempDir(), "smb.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := audit.Options{Product: "samba-4.17"}.Source(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(list[0])
	if err != nil {
		t.Fatal(err)
	}
	a := &model.Audit{}
	if err := json.Unmarshal(b, a); err != nil {
		t.Fatal(err)
	}
	p, err := plan.Make(plan.Evidence{Audit: a, Target: "srv", Policy: plan.Policy{Goal: "findings"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// holdsAll compares what is in force for Samba with the plan.
func holdsAll(t *testing.T, what, text string, changes []*change.Change, after bool) {
	t.Helper()
	for _, ch := range changes {
		want := ch.Before
		if after {
			want = ch.After
		}
		have, _ := inForce(t, text, ch.Place.Key, ch.Place.Name)
		if !want.Present {
			want.Text = "the default"
		}
		if !strings.EqualFold(have, want.Text) {
			t.Errorf("%s: %s is %q, want %q in\n%s", what, ch.Place, have, want.Text, text)
		}
	}
}

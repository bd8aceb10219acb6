package export

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// outline reports whether PowerShell scripts parse, and the commands in them, by the syntax tree of the independent
// tree-sitter grammar.
const outline = `
const fs = require("fs");
const { Parser, Language } = require(process.argv[1] + "/web-tree-sitter.cjs");
(async () => {
  await Parser.init();
  const parser = new Parser();
  parser.setLanguage(await Language.load(process.argv[2] + "/tree-sitter-powershell.wasm"));
  const all = {};
  for (const file of process.argv.slice(3)) {
    const out = { errors: [], commands: [] };
    const walk = (n) => {
      if (n.isError || n.isMissing) out.errors.push("line " + (n.startPosition.row + 1) + ": " + n.text.slice(0, 80));
      if (n.type === "command_name") out.commands.push(n.text);
      n.children.forEach(walk);
    };
    walk(parser.parse(fs.readFileSync(file, "utf8")).rootNode);
    all[file] = out;
  }
  console.log(JSON.stringify(all));
})();
`

// TestPowerShellParses: a parser finds no error in the scripts, and the same commands whatever the names and values
// are: no text of a plan becomes code. It also runs PowerShell's own parser if it is installed.
func TestPowerShellParses(t *testing.T) {
	peer.Need(t, "node")
	runtime, grammar := peer.Npm(t, "web-tree-sitter-0.27.1"), peer.Npm(t, "tree-sitter-powershell-0.26.4")
	dir := t.TempDir()
	var names []string
	write := func(name string, b []byte) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, path)
	}
	for i, text := range []string{
		"plain", "it's", `"`, "$(Remove-Item C:)", "`n", "'; Remove-Item C:\\ -Recurse #",
		"\u2018; Get-Process; \u2019", "@'\n'@", "#>", "<#", "\r\nGet-Date\r\n",
		"{ }", "| & ;", "漢字", "\u2028Get-Date", "",
	} {
		p := windows()
		p.Target = "srv" + text
		p.Changes[0].From = multi(slices.DeleteFunc([]string{"samr", text, "x" + text}, func(s string) bool {
			return s == ""
		})...)
		p.Changes[4].From = model.Value{Present: true, Type: "REG_SZ", Data: text}
		for n, b := range export(t, p, "powershell", Options{}) {
			write(fmt.Sprintf("%d-%s", i, n), b)
		}
	}
	good := len(names)
	write("broken.ps1", []byte("function X {\n if ($a { }\n"))
	// The grammar is large: without the optimizing compiler it loads in a third of a second instead of ten.
	args := append([]string{"--liftoff-only", "-e", outline, runtime, grammar}, names...)
	out, err := exec.Command("node", args...).Output()
	if err != nil {
		t.Fatalf("node: %v %s", err, out)
	}
	var all map[string]struct{ Errors, Commands []string }
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	want := map[string][]string{}
	for _, path := range names[:good] {
		script := all[path]
		if len(script.Errors) > 0 {
			t.Errorf("%s: %q", filepath.Base(path), script.Errors)
		}
		_, kind, _ := strings.Cut(filepath.Base(path), "-")
		if want[kind] == nil {
			if want[kind] = script.Commands; !slices.Contains(script.Commands, "Set-IpcguardValue") {
				t.Errorf("%s: commands %q", kind, script.Commands)
			}
		}
		if !slices.Equal(script.Commands, want[kind]) {
			t.Errorf("%s: commands %q, want %q", filepath.Base(path), script.Commands, want[kind])
		}
	}
	if len(want) != 2 || len(all[names[good]].Errors) == 0 {
		t.Errorf("%d kinds of script, and of a broken one %q", len(want), all[names[good]].Errors)
	}
	pwsh, err := exec.LookPath("pwsh")
	if err != nil {
		t.Log("PowerShell's own parser is not here: neither Debian nor npm has it")
		return
	}
	out, err = exec.Command(pwsh, "-NoProfile", "-Command",
		"$n=0;foreach($f in "+
			"$args){$e=$null;[void][Management.Automation.Language.Parser]::ParseFile($f,[ref]$null,[ref]$e);$n+=$e.Count};$n", names[0], names[1]).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "0" {
		t.Errorf("PowerShell finds errors: %s %v", out, err)
	}
}

// playbook runs ansible-playbook on this machine, without colours and the user's settings.
func playbook(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("ansible-playbook", append([]string{"-i", "localhost,", "-c", "local"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_CONFIG="+filepath.Join(dir, "ansible.cfg"),
		"ANSIBLE_LOCALHOST_WARNING=False", "HOME="+dir, "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestAnsibleTakesTasks: Ansible accepts the tasks and knows all their modules and arguments; on a Samba configuration
// --check reports the changes without making them, the tasks make the plan's changes the first time and none the second
// time, and the undo reverts them.
func TestAnsibleTakesTasks(t *testing.T) {
	peer.Long(t, "Ansible is large, and slow to start")
	peer.Need(t, "ansible-playbook", "testparm")
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	play := func(name string, tasks ...string) {
		text := "- hosts: all\n  gather_facts: false\n  vars: {ansible_python_interpreter: /usr/bin/python3}\n  " +
			"tasks:\n"
		for _, file := range tasks {
			text += "    - ansible.builtin.import_tasks: " + file + "\n"
		}
		put(name, text)
	}
	var whole []string
	put("ansible.cfg", "")
	for kind, p := range map[string]*model.Plan{"windows": windows(), "samba": samba()} {
		files := export(t, p, "ansible", Options{})
		for _, word := range []string{"apply", "undo"} {
			text := string(file(t, files, word+".yml"))
			if kind == "samba" { // no Samba runs here: skip the task that reloads it, and keep those before
				text, _, _ = strings.Cut(text, "\n- name: \"Make Samba read it\"")
			}
			put(kind+"-"+word+".yml", text+"\n")
		}
		for n, b := range files {
			put(kind+"-whole-"+n, string(b))
			whole = append(whole, kind+"-whole-"+n)
		}
	}
	play("whole.yml", whole...)
	if out, err := playbook(t, dir, "--syntax-check", "whole.yml"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	play("apply.yml", "samba-apply.yml")
	play("twice.yml", "samba-apply.yml", "samba-apply.yml")
	play("undo.yml", "samba-undo.yml")
	put("conf", conf+"\n")
	counts := regexp.MustCompile(`ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0`)
	run := func(changed int, args ...string) {
		t.Helper()
		out, err := playbook(t, dir, append(args, "-e", "ipcguard_smb_conf="+filepath.Join(dir, "conf"))...)
		m := counts.FindStringSubmatch(out)
		if err != nil || m == nil || m[2] != fmt.Sprint(changed) {
			t.Fatalf("%q: want %d changed, %v\n%s", args, changed, err, out)
		}
	}
	now := func() string {
		b, err := os.ReadFile(filepath.Join(dir, "conf"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := now()
	run(5, "apply.yml", "--check") // four in the copy, and the file
	if now() != before {
		t.Fatalf("--check has written\n%s", now())
	}
	run(5, "twice.yml")
	after := now()
	if !strings.Contains(after, "restrict anonymous = 2") || !strings.Contains(after, "hosts deny = ALL") {
		t.Errorf("after the tasks:\n%s", after)
	}
	if st, err := os.Stat(filepath.Join(dir, "conf")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	run(5, "undo.yml")
	if strings.Contains(now(), "restrict anonymous") || strings.Contains(now(), "hosts deny") {
		t.Errorf("after the undo:\n%s", now())
	}
}

// refusedFiles are configurations in which ini_file changes what is not in force: [public] has an indented header, or
// stands twice.
var refusedFiles = map[string]string{
	"indented": "[global]\n\tmap to guest = Bad User\n\n  [public]\n\tpath = /srv\n\tguest ok = yes\n\n" +
		"  [team]\n\tpath = /srv/t\n",
	"twice": "[global]\n\tworkgroup = X\n[public]\n\tpath = /srv\n[global]\n\tmap to guest = Bad User\n" +
		"[public]\n\tguest ok = yes\n",
}

// TestAnsibleRefusesFiles: where ini_file cannot bring a value in force, Ansible's tasks fail, with --check too, and
// leave smb.conf as it was and no copy behind.
func TestAnsibleRefusesFiles(t *testing.T) {
	peer.Long(t, "Ansible is large, and slow to start")
	peer.Need(t, "ansible-playbook", "testparm")
	for name, text := range refusedFiles {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			conf := filepath.Join(dir, "smb.conf")
			for file, text := range map[string]string{
				"ansible.cfg": "", "smb.conf": text,
				"tasks.yml": string(file(t, export(t, samba(), "ansible", Options{}), "apply.yml")),
				"play.yml": "- hosts: all\n  gather_facts: false\n  vars: {ansible_python_interpreter: /usr/bin/python3}\n" +
					"  tasks:\n    - ansible.builtin.import_tasks: tasks.yml\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("TMPDIR", dir)
			for _, args := range [][]string{{"--check"}, nil} {
				out, err := playbook(t, dir, append(args, "play.yml", "-e", "ipcguard_smb_conf="+conf)...)
				if err == nil || !strings.Contains(out, "failed=1 ") || !strings.Contains(out, "Use ipcguard export --as smbconf") {
					t.Errorf("%q: %v\n%s", args, err, out)
				}
				if now, err := os.ReadFile(conf); err != nil || string(now) != text {
					t.Errorf("smb.conf is %q, %v", now, err)
				}
				if left, _ := filepath.Glob(filepath.Join(dir, "ipcguard-smb-conf-*")); len(left) > 0 {
					t.Errorf("%q is left", left)
				}
			}
		})
	}
}

// blockedTwice runs the tasks of a firewall in a network of its own, where a rule accepts SMB and another blocks it too
// late, and prints the first rules after each play.
const blockedTwice = `
for x in iptables ip6tables; do
	$x -A INPUT -p tcp --dport 445 -j ACCEPT
	$x -A INPUT ! -i lo -p tcp -m multiport --dports 139,445 -m comment --comment ipcguard-block-smb -j DROP
done
for play in apply apply undo; do
	ansible-playbook -i localhost, -c local $play-play.yml || exit 1
	for x in iptables ip6tables; do echo "$play: $x: $($x -S INPUT | tail -n +2 | tr '\n' ';')"; done
done
`

// TestAnsibleBlocksFirst: the rules of iptables for both families of addresses stand before all others, once, and the
// undo removes them.
func TestAnsibleBlocksFirst(t *testing.T) {
	peer.Long(t, "Ansible is large, and slow to start")
	peer.Need(t, "ansible-playbook", "namespaces", "iptables", "ip6tables")
	p := &model.Plan{Platform: model.Platform{System: "samba"}, Changes: []model.Change{{
		ID: "1", Setting: "host-firewall", Where: "inbound TCP 139, 445", ExportOnly: true,
		To: model.Value{Present: true, Type: "firewall-rule", Data: []string{"139", "445"}},
	}}}
	dir := t.TempDir()
	files := map[string]string{"ansible.cfg": ""}
	for name, b := range export(t, p, "ansible", Options{}) {
		files[name] = string(b)
		files[strings.TrimSuffix(name, ".yml")+"-play.yml"] = "- hosts: all\n  gather_facts: false\n  vars: " +
			"{ansible_python_interpreter: /usr/bin/python3}\n  tasks:\n    - ansible.builtin.import_tasks: " + name + "\n"
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-n", "sh", "-c", blockedTwice)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "HOME="+dir, "LC_ALL=C.UTF-8",
		"ANSIBLE_CONFIG="+filepath.Join(dir, "ansible.cfg"))
	b, err := cmd.CombinedOutput()
	out := string(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const accept = "-A INPUT -p tcp -m tcp --dport 445 -j ACCEPT;"
	const drop = "-A INPUT ! -i lo -p tcp -m multiport --dports 139,445 -m comment --comment ipcguard-block-smb -j DROP;"
	for _, program := range []string{"iptables", "ip6tables"} {
		if strings.Count(out, "apply: "+program+": "+drop+accept+"\n") != 2 ||
			!strings.Contains(out, "undo: "+program+": "+accept+"\n") {
			t.Errorf("%s:\n%s", program, out)
		}
	}
	for _, changed := range []string{"changed=4 ", "changed=0 ", "changed=2 "} {
		if !strings.Contains(out, changed) {
			t.Errorf("no %s in\n%s", changed, out)
		}
	}
}

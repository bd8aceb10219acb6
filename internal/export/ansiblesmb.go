package export

import (
	"fmt"
	"strings"

	"ipcguard/internal/change"
)

// smbTasks edit smb.conf. ini_file reads less than Samba does: a header that is indented is none to it, and of a
// section that stands twice it edits the first part, while the last assignment is in force. So it edits a copy, Samba's
// own parser says what is in force in the copy, and smb.conf is replaced only if that is what each change wants.
// --check does all of it but the replacing.
type smbTasks struct {
	edits, checks tasks
	n             int
}

// sambaConfig is the path of smb.conf, which the user of the tasks can set; sambaCopy is that of the copy.
const (
	sambaConfig = `"{{ ipcguard_smb_conf | default('/etc/samba/smb.conf') }}"`
	sambaCopy   = `"{{ ipcguard_copy.path }}"`
)

// parameter sets or removes a line of smb.conf.
func (t *smbTasks) parameter(i *item, state change.State) {
	t.n++
	e := &t.edits
	if i.OfShare() {
		e.share(i.Place.Key)
	}
	e.task("Set "+i.Place.Name+" of ["+i.Place.Key+"] in a copy", "community.general.ini_file")
	e.arg("path", sambaCopy)
	e.arg("section", YAMLText(i.Place.Key))
	e.arg("option", YAMLText(i.Place.Name))
	if state.Present {
		e.arg("value", YAMLText(state.Text))
	} else {
		e.arg("state", "absent")
	}
	e.WriteString("  check_mode: false\n")
	t.check(i, state)
}

// share fails on a share that the server does not have: ini_file would create it.
func (t *tasks) share(name string) {
	t.task("Find the share ["+name+"]", "ansible.builtin.command")
	t.arg("argv", testparm(name, "path", sambaConfig))
	t.WriteString("  changed_when: false\n  check_mode: false\n")
}

// testparm is the command that prints the value of a parameter that is in force.
func testparm(section, name, file string) string {
	return "[testparm, -s, " + YAMLText("--section-name="+section) + ", " + YAMLText("--parameter-name="+name) +
		", " + file + "]"
}

// check compares the value in force in the copy with the one that Samba makes of the wanted line alone, so that both
// are in Samba's words. Without a line, a parameter of a share has the value of [global], and any other its default.
func (t *smbTasks) check(i *item, state change.State) {
	at, c := i.Place, &t.checks
	want, have := fmt.Sprintf("ipcguard_want_%d", t.n), fmt.Sprintf("ipcguard_have_%d", t.n)
	section, file, alone := at.Key, "/dev/stdin", "[global]\n"
	switch {
	case state.Present:
		alone = "[" + at.Key + "]\n" + at.Name + " = " + state.Text + "\n"
	case !strings.EqualFold(at.Key, "global"):
		section, file = "global", sambaCopy
	}
	c.task("Ask Samba for the wanted value of "+at.Name, "ansible.builtin.command")
	c.arg("argv", testparm(section, at.Name, file))
	if file == "/dev/stdin" {
		c.arg("stdin", YAMLText(alone))
	}
	c.WriteString("  register: " + want + "\n  changed_when: false\n  check_mode: false\n")
	unequal := have + ".rc != 0 or " + have + ".stdout != " + want + ".stdout"
	if !state.Present { // testparm fails on a section or an option of an account that is not there
		c.WriteString("  failed_when: false\n")
		unequal = have + ".rc == 0 and " + have + ".stdout != " + want + ".stdout"
	}
	c.task("See that "+at.Name+" of ["+at.Key+"] is in force in the copy", "ansible.builtin.command")
	c.arg("argv", testparm(at.Key, at.Name, sambaCopy))
	c.WriteString("  register: " + have + "\n  changed_when: false\n  check_mode: false\n  failed_when: " + unequal + "\n")
}

// finish writes the tasks of smb.conf, after all others.
func (t *tasks) finish() {
	if t.samba == nil {
		return
	}
	t.WriteString("\n- name: \"Edit a copy of smb.conf, and take it if Samba reads it as wanted\"\n  block:\n")
	block := smbBefore + t.samba.edits.String() + smbTest + t.samba.checks.String() + smbInstall
	for line := range strings.Lines(strings.TrimPrefix(block, "\n")) {
		if line != "\n" {
			line = "    " + line
		}
		t.WriteString(line)
	}
	t.WriteString(smbAfter)
}

// The tasks around the edits. The message of a failure contains no name of a task: it would be taken for a template.
const (
	smbBefore = `
- name: "Look at smb.conf"
  ansible.builtin.stat:
    path: ` + sambaConfig + `
    follow: true
  register: ipcguard_before

- name: "Make room for a copy"
  ansible.builtin.tempfile:
    prefix: ipcguard-smb-conf-
  register: ipcguard_copy
  changed_when: false
  check_mode: false

- name: "Copy smb.conf"
  ansible.builtin.copy:
    remote_src: true
    src: ` + sambaConfig + `
    dest: ` + sambaCopy + `
    mode: preserve
  changed_when: false
  check_mode: false
`
	smbTest = `
- name: "Check the configuration"
  ansible.builtin.command:
    argv: [testparm, -s, ` + sambaCopy + `]
  changed_when: false
  check_mode: false
`
	smbInstall = `
- name: "See that nobody has changed smb.conf meanwhile"
  ansible.builtin.stat:
    path: ` + sambaConfig + `
    follow: true
  register: ipcguard_meanwhile
  failed_when: ipcguard_meanwhile.stat.checksum != ipcguard_before.stat.checksum

- name: "Put the copy in the place of smb.conf"
  ansible.builtin.copy:
    remote_src: true
    src: ` + sambaCopy + `
    dest: ` + sambaConfig + `
    mode: preserve
    follow: true
  register: ipcguard_smb
`
	smbReload = "  changed_when: true\n  when: ipcguard_smb is changed\n"
	smbAfter  = `
  rescue:
    - name: "Say why smb.conf is not edited"
      ansible.builtin.fail:
        msg: >-
          The task above has failed; smb.conf is as it was, unless that task puts the copy in its place.
          If Samba has another value in force after the edit, ini_file cannot edit this file: a header of a section is
          indented, a section stands twice, a parameter has its other name or comes from an include.
          Use ipcguard export --as smbconf, or ipcguard apply.

  always:
    - name: "Remove the copy"
      ansible.builtin.file:
        path: ` + sambaCopy + `
        state: absent
      changed_when: false
      check_mode: false
      when: ipcguard_copy.path is defined

- name: "Make Samba read it"
  ansible.builtin.command:
    argv: [smbcontrol, smbd, reload-config]
` + smbReload + `
- name: "Make the RPC workers read it, which a reload does not reach"
  ansible.builtin.shell:
    cmd: pkill -HUP -f '^(/[^ ]*/)?rpcd_[a-z]+( |$)' || true
` + smbReload + `
- name: "Cut connections to IPC$ that are open"
  ansible.builtin.command:
    argv: [smbcontrol, smbd, close-share, "IPC$"]
` + smbReload
)

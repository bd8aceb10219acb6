package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"ipcguard/internal/change"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// ansible writes two task files to include in a play: registry values with win_regedit, policies and groups with their
// own modules, smb.conf with ini_file and testparm before the reload.
func ansible(r *Result, p *model.Plan, list []*item) error {
	apply, undo := &tasks{}, &tasks{}
	for _, i := range list {
		if !i.doable(r) {
			continue
		}
		apply.item(i, true)
	}
	for _, i := range reversed(list) {
		if i.doable(&Result{}) {
			undo.item(i, false)
		}
	}
	if apply.n == 0 {
		return nil
	}
	apply.reload()
	undo.reload()
	head := "---\n# Tasks that %s an ipcguard plan, " + comment(p.Hash) + "\n# for " + comment(p.Target) +
		". Include them in a play; --check shows what they would do.\n"
	r.Files = append(r.Files, File{"apply.yml", []byte(fmt.Sprintf(head, "make the changes of") + apply.String())},
		File{"undo.yml", []byte(fmt.Sprintf(head, "take back the changes of") + undo.String())})
	if apply.samba {
		r.Notes = append(r.Notes,
			"ini_file knows parameters by one spelling: where smb.conf has another (public for guest ok) or an "+
				"include decides, use --as smbconf")
	}
	return nil
}

func (i *item) doable(r *Result) bool {
	switch {
	case i.Place.Kind == change.Registry:
		return i.says(r, policyTypes...)
	case i.Place.Kind == change.Policy && i.BeforeUnknown:
		r.leave(i, "its value before is not known, so there would be no way back")
		return false
	case i.Place.Kind == change.KsmbdParameter:
		r.leave(i, "the place of ksmbd.conf differs by distribution: edit it by hand, then ksmbd.control --reload")
		return false
	}
	return true
}

type tasks struct {
	strings.Builder
	n       int
	samba   bool
	changed []string // the registered results that say whether smb.conf changed
}

// task starts a task of a module.
func (t *tasks) task(name, module string) {
	t.n++
	fmt.Fprintf(t, "\n- name: %s\n  %s:\n", YAMLText(name), module)
}

func (t *tasks) arg(name, value string) { fmt.Fprintf(t, "    %s: %s\n", name, value) }

func (t *tasks) item(i *item, forward bool) {
	state := i.After
	if !forward {
		state = i.Before
	}
	switch i.Place.Kind {
	case change.Registry:
		t.registry(i, forward)
	case change.Policy:
		t.task("Set "+i.Place.Name+" in the security policy", "community.windows.win_security_policy")
		t.arg("section", "System Access")
		t.arg("key", YAMLText(i.Place.Name))
		t.arg("value", YAMLText(state.Text))
	case change.Group:
		t.group(i, forward)
	case change.Firewall:
		t.firewall(i, forward)
	case change.Parameter:
		t.parameter(i, state)
	}
}

// group keeps the members of the group in or out.
func (t *tasks) group(i *item, forward bool) {
	in, out := i.members()
	if !forward {
		in, out = out, in
	}
	for _, x := range []struct {
		list  []string
		state string
	}{{in, "present"}, {out, "absent"}} {
		if len(x.list) == 0 {
			continue
		}
		t.task("Keep members of Pre-Windows 2000 Compatible Access "+x.state, "ansible.windows.win_group_membership")
		t.arg("name", "S-1-5-32-554")
		t.arg("members", quotedList(x.list))
		t.arg("state", x.state)
	}
}

// firewall adds or removes the rule that blocks SMB.
func (t *tasks) firewall(i *item, forward bool) {
	state := "present"
	if !forward {
		state = "absent"
	}
	if i.linux {
		t.task("Block SMB from outside", "ansible.builtin.iptables")
		t.arg("chain", "INPUT")
		t.arg("in_interface", YAMLText("!lo"))
		t.arg("protocol", "tcp")
		t.arg("destination_ports", quotedList([]string{"139", "445"}))
		t.arg("jump", "DROP")
		t.arg("comment", YAMLText("ipcguard-block-smb"))
		t.arg("state", state)
		return
	}
	t.task("Block SMB from outside", "community.windows.win_firewall_rule")
	t.arg("name", "ipcguard-block-smb")
	t.arg("localport", YAMLText("139,445"))
	t.arg("protocol", "tcp")
	t.arg("direction", "in")
	t.arg("action", "block")
	t.arg("state", state)
}

// parameter sets or removes a line of smb.conf.
func (t *tasks) parameter(i *item, state change.State) {
	t.samba = true
	if i.OfShare() {
		t.share(i.Place.Key)
	}
	t.task("Set "+i.Place.Name+" of ["+i.Place.Key+"]", "community.general.ini_file")
	t.arg("path", sambaConfig)
	t.arg("section", YAMLText(i.Place.Key))
	t.arg("option", YAMLText(i.Place.Name))
	if state.Present {
		t.arg("value", YAMLText(state.Text))
	} else {
		t.arg("state", "absent")
	}
	register := fmt.Sprintf("ipcguard_%d", t.n)
	t.WriteString("  register: " + register + "\n")
	t.changed = append(t.changed, register+" is changed")
}

// sambaConfig is the path of smb.conf, which the user of the tasks can set.
const sambaConfig = `"{{ ipcguard_smb_conf | default('/etc/samba/smb.conf') }}"`

// share fails on a share that the server does not have: ini_file would create it.
func (t *tasks) share(name string) {
	t.task("Find the share ["+name+"]", "ansible.builtin.command")
	t.arg("argv", "[testparm, -s, "+YAMLText("--section-name="+name)+", --parameter-name=path, "+sambaConfig+"]")
	t.WriteString("  changed_when: false\n  check_mode: false\n")
}

func (t *tasks) registry(i *item, forward bool) {
	s := i.After
	if !forward {
		s = i.Before
	}
	v, present := i.value(s), s.Present
	word := "Set "
	if !present {
		word = "Remove "
	}
	t.task(word+i.Place.Name, "ansible.windows.win_regedit")
	t.arg("path", YAMLText(`HKLM:\`+below(i.Place.Key)))
	t.arg("name", YAMLText(i.Place.Name))
	if !present {
		t.arg("state", "absent")
		return
	}
	switch v.Type {
	case registry.DWord:
		n, _ := v.DWord()
		t.arg("data", fmt.Sprint(n))
		t.arg("type", "dword")
	case registry.MultiSZ:
		list, _ := v.Strings()
		t.arg("data", quotedList(list))
		t.arg("type", "multistring")
	case registry.SZ, registry.ExpandSZ:
		s, _ := v.Text()
		t.arg("data", YAMLText(s))
		kind := "string"
		if v.Type == registry.ExpandSZ {
			kind = "expandstring"
		}
		t.arg("type", kind)
	default:
		t.arg("data", fmt.Sprintf("%q", fmt.Sprintf("hex:% x", v.Data)))
		t.arg("type", "binary")
	}
}

// reload reloads Samba's configuration after testparm, and closes open connections.
func (t *tasks) reload() {
	if !t.samba {
		return
	}
	when := "  changed_when: true\n  when: " + strings.Join(t.changed, " or ") + "\n"
	t.WriteString(`
- name: "Check the configuration"
  ansible.builtin.command:
    argv: [testparm, -s, ` + sambaConfig + `]
  changed_when: false

- name: "Make Samba read it"
  ansible.builtin.command:
    argv: [smbcontrol, smbd, reload-config]
` + when + `
- name: "Make the RPC workers read it, which a reload does not reach"
  ansible.builtin.shell:
    cmd: pkill -HUP -f '^(/[^ ]*/)?rpcd_[a-z]+( |$)' || true
` + when + `
- name: "Cut connections to IPC$ that are open"
  ansible.builtin.command:
    argv: [smbcontrol, smbd, close-share, "IPC$"]
` + when)
}

// YAMLText returns a text as a YAML scalar in double quotes, in which JSON's escapes are valid. Text that Ansible would
// take for a template is marked as unsafe.
func YAMLText(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // a string always encodes
	}
	out := strings.TrimSuffix(b.String(), "\n")
	if strings.Contains(s, "{{") || strings.Contains(s, "{%") || strings.Contains(s, "{#") {
		out = "!unsafe " + out
	}
	return out
}

func quotedList(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = YAMLText(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

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
// own modules, smb.conf with ini_file in a copy that testparm has to approve.
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
	apply.finish()
	undo.finish()
	head := "---\n# Tasks that %s an ipcguard plan, " + comment(p.Hash) + "\n# for " + comment(p.Target) +
		". Include them in a play; --check shows what they would do.\n"
	r.Files = append(r.Files, File{"apply.yml", []byte(fmt.Sprintf(head, "make the changes of") + apply.String())},
		File{"undo.yml", []byte(fmt.Sprintf(head, "take back the changes of") + undo.String())})
	if apply.samba != nil {
		r.Notes = append(r.Notes,
			"ini_file knows less of smb.conf than Samba does: where testparm does not find every value in force "+
				"afterwards (an indented header, a section that stands twice, an include), the tasks fail and "+
				"smb.conf stays as it was; use --as smbconf or apply there")
	}
	if apply.iptables {
		r.Notes = append(r.Notes,
			"the rules of iptables are put before all others at each run, exceptions too, and last until the next "+
				"boot unless the host saves them (iptables-persistent)")
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
	n        int
	iptables bool
	samba    *smbTasks // nil: smb.conf is not edited
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
		if t.samba == nil {
			t.samba = &smbTasks{}
		}
		t.n++
		t.samba.parameter(i, state)
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
	if i.linux {
		t.iptables = true
		for _, family := range []struct{ version, program string }{{"ipv4", "iptables"}, {"ipv6", "ip6tables"}} {
			if forward {
				t.unblockUnlessFirst(i, family.version, family.program)
			}
			t.block(i, family.version, forward)
		}
		return
	}
	state := "present"
	if !forward {
		state = "absent"
	}
	t.task("Block SMB from outside", "community.windows.win_firewall_rule")
	t.arg("name", firewallRule)
	t.arg("localport", YAMLText(i.ports()))
	t.arg("protocol", "tcp")
	t.arg("direction", "in")
	t.arg("action", "block")
	t.arg("state", state)
}

// firewallRule is the name of the rule, and its comment in iptables.
const firewallRule = "ipcguard-block-smb"

// unblockUnlessFirst takes the rule away where another rule stands before it: the module looks for the rule anywhere in
// the chain, and what follows a rule that accepts SMB blocks nothing.
func (t *tasks) unblockUnlessFirst(i *item, version, program string) {
	first := "ipcguard_first_" + version
	t.task("Find the first rule for "+version, "ansible.builtin.command")
	t.arg("argv", "["+program+", -w, -S, INPUT, \"1\"]")
	t.WriteString("  register: " + first + "\n  changed_when: false\n  check_mode: false\n")
	t.block(i, version, false)
	t.WriteString("  when: \"'" + firewallRule + "' not in " + first + ".stdout\"\n")
}

// block puts the rule before all others of the chain, or removes it.
func (t *tasks) block(i *item, version string, present bool) {
	name, state := "Block SMB from outside over "+version, "present"
	if !present {
		name, state = "Remove the rule that blocks SMB over "+version, "absent"
	}
	t.task(name, "ansible.builtin.iptables")
	t.arg("ip_version", version)
	t.arg("chain", "INPUT")
	if present {
		t.arg("action", "insert")
		t.arg("rule_num", YAMLText("1"))
	}
	t.arg("in_interface", YAMLText("!lo"))
	t.arg("protocol", "tcp")
	t.arg("destination_ports", quotedList(i.After.Names))
	t.arg("jump", "DROP")
	t.arg("comment", YAMLText(firewallRule))
	t.arg("state", state)
}

// ports are those of a rule of the firewall, as Windows writes them.
func (i *item) ports() string { return strings.Join(i.After.Names, ",") }

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

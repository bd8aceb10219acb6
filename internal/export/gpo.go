package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"ipcguard/internal/change"
	"ipcguard/internal/format/inf"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
	"ipcguard/internal/model"
)

// The client extensions that process the two parts, and the editors that show them. See [MS-GPREG] 1.9 and [MS-GPSB]
// 1.9.
const (
	registryExtension = "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}"
	registryTool      = "{D02B1F72-3407-48AE-BA88-E8213C6761F1}"
	securityExtension = "{827D319E-6EAC-11D2-A4EA-00C04F79F83A}"
	securityTool      = "{803E14A0-B4FB-11D0-A0D0-00A0C90F574B}"
)

// object is one group policy object to write.
type object struct {
	name, comment string
	id, backup    string // GUIDs
	time          time.Time
	pol           []regpol.Instruction
	template      *inf.File
	secured       bool // the template is not empty
}

// groupPolicy writes two backups: apply/ and undo/, each a folder that the policy console imports. What the console
// shows as a security option is in the template, everything else in registry.pol. A template cannot delete a value, so
// the undo of an absent value is always in registry.pol.
func groupPolicy(r *Result, p *model.Plan, list []*item, o Options) error {
	when := o.Time
	if when.IsZero() {
		when = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	start := func(word string) *object {
		return &object{
			name:    "ipcguard " + word + " " + short(p.Hash),
			comment: "made by ipcguard from plan " + p.Hash, template: inf.New(), time: when.UTC(),
			id: guid(p.Hash, word+" object"), backup: guid(p.Hash, word+" backup"),
		}
	}
	apply, undo := start("apply"), start("undo")
	said := 0
	for _, i := range list {
		switch i.Place.Kind {
		case change.Registry:
			if !i.says(r, policyTypes...) {
				continue
			}
			apply.set(i, i.After)
		case change.Policy:
			if i.BeforeUnknown {
				r.leave(i, "its value before is not known, so there would be no way back")
				continue
			}
			apply.template.Set("System Access", i.Place.Name, i.After.Text)
			apply.secured = true
		case change.Group:
			apply.members(i.After.Names)
		default:
			r.leave(i, "group policy has no place for it here")
			continue
		}
		said++
	}
	for _, i := range reversed(list) {
		switch i.Place.Kind {
		case change.Registry:
			if i.says(&Result{}, policyTypes...) {
				undo.set(i, i.Before)
			}
		case change.Policy:
			if !i.BeforeUnknown {
				undo.template.Set("System Access", i.Place.Name, i.Before.Text)
				undo.secured = true
			}
		case change.Group:
			undo.members(i.Before.Names)
		}
	}
	if said == 0 {
		return nil
	}
	r.Notes = append(r.Notes,
		"a policy's values stay when it is unlinked: to go back, unlink the first object and link the undo object "+
			"until every host has read it")
	for word, g := range map[string]*object{"apply": apply, "undo": undo} {
		files, err := g.files(word)
		if err != nil {
			return err
		}
		r.Files = append(r.Files, files...)
	}
	sortFiles(r.Files)
	return nil
}

func sortFiles(files []File) {
	for i := range files { // few files: insertion sort is simple
		for j := i; j > 0 && files[j].Name < files[j-1].Name; j-- {
			files[j], files[j-1] = files[j-1], files[j]
		}
	}
}

// policyTypes are the types that registry.pol and Samba's XML form of it support, and that Ansible writes.
var policyTypes = []registry.Type{registry.DWord, registry.MultiSZ, registry.SZ, registry.ExpandSZ, registry.Binary}

// set sets a value as the policy editor would, or deletes it, which only registry.pol can express.
func (g *object) set(i *item, s change.State) {
	v := i.value(s)
	if !s.Present {
		g.pol = append(g.pol, regpol.Delete(below(v.Key), v.Name))
		return
	}
	if i.Known != nil && strings.HasPrefix(i.Known.Policy, "Network ") && templateType(v.Type) {
		t := v
		t.Key = `MACHINE\` + below(v.Key)
		if g.template.SetRegistryValue(t) == nil {
			g.secured = true
			return
		} // a text that a template cannot contain goes into registry.pol
	}
	v.Key = below(v.Key)
	g.pol = append(g.pol, regpol.Set(v))
}

func templateType(t registry.Type) bool {
	return t == registry.DWord || t == registry.MultiSZ || t == registry.SZ
}

// members sets the whole membership of the legacy group. See [MS-GPSB] 2.2.
func (g *object) members(list []string) {
	out := make([]string, len(list))
	for i, m := range list {
		if out[i] = m; strings.HasPrefix(strings.ToUpper(m), "S-1-") {
			out[i] = "*" + m
		}
	}
	g.template.Set("Group Membership", "*S-1-5-32-554__Memberof", "")
	g.template.Set("Group Membership", "*S-1-5-32-554__Members", strings.Join(out, ","))
	g.secured = true
}

const (
	polPath  = "Machine/registry.pol"
	tmplPath = "Machine/microsoft/windows nt/SecEdit/GptTmpl.inf"
)

func (g *object) files(folder string) ([]File, error) {
	root := folder + "/" + g.backup + "/"
	info := g.info()
	out := []File{
		{
			folder + "/manifest.xml",
			[]byte(`<Backups xmlns="http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest" xmlns:mfst="http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest" mfst:version="1.0">` + info + "</Backups>\r\n"),
		},
		{
			root + "bkupInfo.xml",
			[]byte(strings.Replace(info, "<BackupInst>",
				`<BackupInst xmlns="http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest">`, 1) + "\r\n"),
		},
		{root + "Backup.xml", []byte(g.backupXML())},
	}
	if len(g.pol) > 0 {
		b, err := regpol.Bytes(g.pol)
		if err != nil {
			return nil, fmt.Errorf("export: registry.pol: %w", err)
		}
		out = append(out, File{root + "DomainSysvol/GPO/" + polPath, b})
	}
	if g.secured {
		out = append(out, File{root + "DomainSysvol/GPO/" + tmplPath, g.template.Bytes()})
	}
	samba, err := g.samba(folder + "/samba/")
	return append(out, samba...), err
}

func (g *object) info() string {
	var b strings.Builder
	b.WriteString("<BackupInst>")
	for _, e := range [][2]string{
		{"GPOGuid", g.id},
		{"GPODomain", "ipcguard.invalid"},
		{"GPODomainGuid", g.id},
		{"GPODomainController", "dc.ipcguard.invalid"},
		{"BackupTime", g.time.Format("2006-01-02T15:04:05")},
		{"ID", g.backup},
		{"Comment", g.comment},
		{"GPODisplayName", g.name},
	} {
		fmt.Fprintf(&b, "<%s>%s</%s>", e[0], xmlText(e[1]), e[0])
	}
	b.WriteString("</BackupInst>")
	return b.String()
}

// extensions returns the value of gPCMachineExtensionNames: the extensions sorted by GUID.
func (g *object) extensions() string {
	out := ""
	if len(g.pol) > 0 {
		out += "[" + registryExtension + registryTool + "]"
	}
	if g.secured {
		out += "[" + securityExtension + securityTool + "]"
	}
	return out
}

func (g *object) backupXML() string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?>` + "\r\n")
	b.WriteString(
		`<GroupPolicyBackupScheme bkp:version="2.0" bkp:type="GroupPolicyBackupTemplate" xmlns:bkp="http://www.microsoft.com/GroupPolicy/GPOOperations" xmlns="http://www.microsoft.com/GroupPolicy/GPOOperations">` + "\r\n<GroupPolicyObject><SecurityGroups/><FilePaths/>")
	fmt.Fprintf(&b,
		"<GroupPolicyCoreSettings><ID>%s</ID><Domain>ipcguard.invalid</Domain><SecurityDescriptor>%s</SecurityDescriptor><DisplayName>%s</DisplayName><Options>1</Options><UserVersionNumber>0</UserVersionNumber><MachineVersionNumber>65537</MachineVersionNumber><MachineExtensionGuids>%s</MachineExtensionGuids><UserExtensionGuids/><WMIFilter/></GroupPolicyCoreSettings>\r\n",
		xmlText(g.id), hexBytes(descriptor()), xmlText(g.name), xmlText(g.extensions()))
	part := func(id, name, path, more string) {
		windows := strings.ReplaceAll(path, "/", `\`)
		fmt.Fprintf(&b,
			`<GroupPolicyExtension bkp:ID="%s" bkp:DescName="%s"><FSObjectFile bkp:Path="%%GPO_MACH_FSPATH%%\%s" bkp:SourceExpandedPath="\\dc.ipcguard.invalid\sysvol\ipcguard.invalid\Policies\%s\%s"%s bkp:Location="DomainSysvol\GPO\%s"/></GroupPolicyExtension>`+"\r\n",
			id, name, strings.TrimPrefix(windows, `Machine\`), g.id, windows, more, windows)
	}
	if len(g.pol) > 0 {
		part(registryExtension, "Registry", polPath, "")
	}
	if g.secured {
		part(securityExtension, "Security", tmplPath, ` bkp:ReEvaluateFunction="SecurityValidateSettings"`)
	}
	b.WriteString("</GroupPolicyObject>\r\n</GroupPolicyBackupScheme>\r\n")
	return b.String()
}

func xmlText(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // a buffer never fails
	}
	return b.String()
}

// descriptor gives the system full access to the object, and authenticated users read access. An import keeps the
// descriptor of the object into which it imports; the format still requires one. See [MS-DTYP] 2.4.6.
func descriptor() []byte {
	ace := func(mask uint32, sid []byte) []byte {
		b := []byte{0, 2, 0, 0} // allowed, inherited by children
		b = binary.LittleEndian.AppendUint32(b, mask)
		b = append(b, sid...)
		binary.LittleEndian.PutUint16(b[2:], uint16(len(b)))
		return b
	}
	sid := func(n uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{1, 1, 0, 0, 0, 0, 0, 5}, n) }
	aces := append(ace(0x000f00ff, sid(18)), ace(0x00020094, sid(11))...)
	acl := []byte{2, 0, 0, 0, 2, 0, 0, 0}
	binary.LittleEndian.PutUint16(acl[2:], uint16(len(acl)+len(aces)))
	head := make([]byte, 20)
	head[0] = 1
	binary.LittleEndian.PutUint16(head[2:], 0x8004) // self-relative, with an access control list
	binary.LittleEndian.PutUint32(head[16:], 20)
	return append(append(head, acl...), aces...)
}

func hexBytes(b []byte) string { return fmt.Sprintf("% x", b) }

// guid derives an identifier from a plan, always the same, in the form of a version 8 UUID (RFC 9562).
func guid(parts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("{%X-%X-%X-%X-%X}", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// short returns enough of a hash to distinguish plans by eye.
func short(hash string) string {
	_, hex, _ := strings.Cut(hash, ":")
	return hex[:min(8, len(hex))]
}

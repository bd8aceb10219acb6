package export

import (
	"encoding/base64"
	"fmt"
	"strings"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
)

// samba writes the same object in the form of "samba-tool gpo restore": each part as XML with its bytes, and the names
// of the extensions.
func (g *object) samba(root string) ([]File, error) {
	var out []File
	if len(g.pol) > 0 {
		b, err := regpol.Bytes(g.pol)
		if err != nil {
			return nil, fmt.Errorf("export: registry.pol: %w", err)
		}
		text, err := g.polXML()
		if err != nil {
			return nil, err
		}
		out = append(out, File{root + "Machine/Registry.pol.SAMBABACKUP", b},
			File{root + "Machine/Registry.pol.xml", []byte(text)})
	}
	if g.secured {
		at := root + "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf"
		out = append(out, File{at + ".SAMBABACKUP", g.template.Bytes()}, File{at + ".xml", []byte(g.templateXML())})
	}
	return append(out, File{root + "gPCMachineExtensionNames.SAMBAEXT", []byte(g.extensions())}), nil
}

const xmlHead = `<?xml version="1.0" encoding="utf-8"?>`

// polXML returns registry.pol in Samba's XML form, with commands such as **del. as plain names.
func (g *object) polXML() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `%s<PolFile num_entries="%d" signature="PReg" version="1">`, xmlHead, len(g.pol))
	for _, i := range g.pol {
		name, v := i.Value.Name, i.Value
		if i.Kind == regpol.DeleteValue {
			name, v.Type, v.Data = "**del."+name, registry.SZ, registry.NewText("", "", " ").Data
		}
		fmt.Fprintf(&b, `<Entry type="%d" type_name="%s"><Key>%s</Key><ValueName>%s</ValueName>`,
			v.Type, v.Type, xmlText(v.Key), xmlText(name))
		switch v.Type {
		case registry.DWord:
			n, err := v.DWord()
			if err != nil {
				return "", fmt.Errorf("export: %w", err)
			}
			fmt.Fprintf(&b, "<Value>%d</Value>", n)
		case registry.MultiSZ:
			list, err := v.Strings()
			if err != nil {
				return "", fmt.Errorf("export: %w", err)
			}
			for _, s := range list {
				fmt.Fprintf(&b, "<Value>%s</Value>", xmlText(s))
			}
		case registry.SZ, registry.ExpandSZ:
			s, err := v.Text()
			if err != nil {
				return "", fmt.Errorf("export: %w", err)
			}
			fmt.Fprintf(&b, "<Value>%s</Value>", xmlText(s))
		default:
			fmt.Fprintf(&b, "<Value>%s</Value>", base64.StdEncoding.EncodeToString(v.Data))
		}
		b.WriteString("</Entry>")
	}
	b.WriteString("</PolFile>")
	return b.String(), nil
}

func (g *object) templateXML() string {
	var b strings.Builder
	b.WriteString(xmlHead + "<GptTmplInfFile>")
	for _, name := range []string{"System Access", "Registry Values", "Group Membership"} {
		lines := g.template.Lines(name)
		if len(lines) == 0 {
			continue
		}
		fmt.Fprintf(&b, `<Section name="%s">`, name)
		for _, l := range lines {
			switch name {
			case "Registry Values":
				fmt.Fprintf(&b, "<Parameter><Value>%s</Value></Parameter>", xmlText(l.Key+"="+l.Value))
			case "Group Membership":
				group, kind, _ := strings.Cut(l.Key, "__")
				fmt.Fprintf(&b, `<Parameter><Key member_type="%s" user_id="TRUE">%s</Key>`,
					xmlText(kind), xmlText(group))
				for _, m := range strings.Split(l.Value, ",") {
					fmt.Fprintf(&b, `<Value user_id="TRUE">%s</Value>`, xmlText(m))
				}
				b.WriteString("</Parameter>")
			default:
				fmt.Fprintf(&b, "<Parameter><Key>%s</Key><Value>%s</Value></Parameter>",
					xmlText(l.Key), xmlText(l.Value))
			}
		}
		b.WriteString("</Section>")
	}
	b.WriteString("</GptTmplInfFile>")
	return b.String()
}

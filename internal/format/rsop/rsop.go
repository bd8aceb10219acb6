// Package rsop parses reports of group policy as XML: what gpresult /x writes about one machine (Rsop), and what
// Get-GPOReport writes about one policy (GPO).
//
//	<Rsop><ComputerResults>
//	  <Name>DOMAIN\HOST$</Name>
//	  <GPO><Name>Default Domain Policy</Name>…</GPO>
//	  <ExtensionData><Extension xsi:type="q1:SecuritySettings">
//	    <q1:SecurityOptions>
//	      <GPO><Identifier>{31B2…}</Identifier></GPO><Precedence>1</Precedence>
//	      <q1:KeyName>MACHINE\System\CurrentControlSet\Control\Lsa\RestrictAnonymous</q1:KeyName>
//	      <q1:SettingNumber>1</q1:SettingNumber>
//	    </q1:SecurityOptions>
//
// Elements are recognized by their local names, because the prefixes are numbered anew in each report. Administrative
// templates appear only with their names and states, in the language of the system, and without the values they set:
// they are counted. The user's half is skipped.
package rsop

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"ipcguard/internal/format/registry"
)

// Report is a report's content about a computer.
type Report struct {
	Host     string // its name without the domain, if the report is about a machine
	Policies []string
	Values   []registry.Value             // in the order of the report; of several policies the effective one
	Security map[string]map[string]string // of templates: section, setting, value as a template writes it
	Unshown  int                          // administrative templates whose values the report does not show
}

// Limits: a report of a machine with many policies has a few MiB, and its XML is some twenty levels deep.
const (
	maxDepth    = 64
	maxSettings = 100_000
	maxText     = 1 << 20 // bytes of one element
	maxPolicies = 1000    // no machine has more than 999
)

// Errors of Parse.
var (
	ErrNone   = errors.New("no report of group policy: gpresult /x and Get-GPOReport -ReportType Xml write one")
	ErrLimits = errors.New("larger than any report")
)

// Is reports whether a text begins like a report.
func Is(head string) bool {
	return strings.Contains(head, "http://www.microsoft.com/GroupPolicy/Rsop") ||
		strings.Contains(head, "http://www.microsoft.com/GroupPolicy/Settings")
}

// element is one element and its content.
type element struct {
	name string
	text string
	kids []*element
}

// Parse parses a report. text is UTF-8, whatever its XML declaration says. It returns what could be parsed along with
// an error.
func Parse(text string) (*Report, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // decoded already
	r := &Report{Security: map[string]map[string]string{}}
	var path []string
	root := ""
	for settings := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r, fmt.Errorf("group policy report: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(path) == 0 {
				root = t.Name.Local
				if root != "Rsop" && root != "GPO" {
					return r, ErrNone
				}
			}
			if !r.wanted(root, path, t.Name.Local) {
				if path = append(path, t.Name.Local); len(path) > maxDepth {
					return r, fmt.Errorf("group policy report: %w: more than %d deep", ErrLimits, maxDepth)
				}
				continue
			}
			if settings++; settings > maxSettings {
				return r, fmt.Errorf("group policy report: %w: more than %d settings", ErrLimits, maxSettings)
			}
			e, err := read(d, t.Name.Local, 1)
			if err != nil {
				return r, fmt.Errorf("group policy report: %w", err)
			}
			r.take(path, e)
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
	if root == "" {
		return r, ErrNone
	}
	return r, nil
}

// wanted reports whether an element is read whole: names, policies, and the settings of the computer's half.
func (r *Report) wanted(root string, path []string, name string) bool {
	computer := map[string]string{"Rsop": "ComputerResults", "GPO": "Computer"}[root]
	switch {
	case len(path) == 1 && root == "GPO":
		return name == "Name"
	case len(path) == 2 && path[1] == computer:
		return name == "Name" || name == "GPO"
	}
	return len(path) == 4 && path[1] == computer && path[3] == "Extension"
}

// read reads an element to its end.
func read(d *xml.Decoder, name string, depth int) (*element, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: more than %d deep", ErrLimits, maxDepth)
	}
	e := &element{name: name}
	var text strings.Builder
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			kid, err := read(d, t.Name.Local, depth+1)
			if err != nil {
				return nil, err
			}
			if e.kids = append(e.kids, kid); len(e.kids) > maxSettings {
				return nil, ErrLimits
			}
		case xml.CharData:
			if text.Len()+len(t) > maxText {
				return nil, fmt.Errorf("%w: %d bytes of text", ErrLimits, maxText)
			}
			text.Write(t)
		case xml.EndElement:
			e.text = strings.TrimSpace(text.String())
			return e, nil
		}
	}
}

// get returns a direct child of an element, and whether it exists.
func (e *element) get(name string) (*element, bool) {
	for _, k := range e.kids {
		if k.name == name {
			return k, true
		}
	}
	return &element{}, false
}

func (e *element) word(name string) string {
	k, _ := e.get(name)
	return k.text
}

// words returns the texts of all children with a name.
func (e *element) words(name string) []string {
	var out []string
	for _, k := range e.kids {
		if k.name == name {
			out = append(out, k.text)
		}
	}
	return out
}

// take processes one element.
func (r *Report) take(path []string, e *element) {
	if len(path) < 4 {
		switch {
		case e.name == "GPO" && len(r.Policies) < maxPolicies:
			r.Policies = append(r.Policies, e.word("Name"))
		case e.name == "Name" && path[0] == "Rsop":
			_, host, ok := strings.Cut(e.text, `\`)
			if !ok {
				host = e.text
			}
			r.Host = strings.TrimSuffix(host, "$")
		case e.name == "Name" && len(path) == 1:
			r.Policies = append(r.Policies, e.text)
		}
		return
	}
	if p := e.word("Precedence"); p != "" && p != "1" {
		return // another policy wins
	}
	switch e.name {
	case "SecurityOptions":
		r.option(e)
	case "Account", "Audit":
		r.set("System Access", e.word("Name"), number(e))
	case "UserRightsAssignment":
		r.set("Privilege Rights", e.word("Name"), strings.Join(members(e), ","))
	case "RegistrySetting":
		r.registry(e)
	case "SystemServices":
		if start := map[string]string{
			"Automatic": "2", "Manual": "3",
			"Disabled": "4",
		}[e.word("StartupMode")]; start != "" {
			r.set("Service General Setting", e.word("Name"), start)
		}
	case "Policy":
		r.Unshown++
	}
}

func (r *Report) set(section, key, value string) {
	if key == "" {
		return
	}
	if r.Security[section] == nil {
		r.Security[section] = map[string]string{}
	}
	r.Security[section][key] = value
}

// option reads a security option: a registry value, or a line of a template's System Access.
func (r *Report) option(e *element) {
	if name := e.word("SystemAccessPolicyName"); name != "" {
		r.set("System Access", name, number(e))
		return
	}
	key, name := registry.SplitValue(registry.Canonical(e.word("KeyName")))
	if key != "" {
		r.value(key, name, e, "Setting")
	}
}

// registry reads a value that a template or a preference sets by its path.
func (r *Report) registry(e *element) {
	v, ok := e.get("Value")
	if key := strings.Trim(e.word("KeyPath"), `\`); ok && key != "" {
		r.value(registry.Canonical(`HKLM\`+key), v.word("Name"), v, "")
	}
}

// value takes a value: Number, String or Strings, with an optional prefix Setting.
func (r *Report) value(key, name string, e *element, before string) {
	if n, ok := e.get(before + "Number"); ok {
		if u, err := strconv.ParseUint(n.text, 10, 32); err == nil {
			r.Values = append(r.Values, registry.NewDWord(key, name, uint32(u)))
		}
		return
	}
	if b, ok := e.get(before + "Boolean"); ok {
		r.Values = append(r.Values, registry.NewDWord(key, name, map[bool]uint32{true: 1}[b.text == "true"]))
		return
	}
	if s, ok := e.get(before + "Strings"); ok {
		r.Values = append(r.Values, registry.Value{
			Key: key, Name: name, Type: registry.MultiSZ,
			Data: registry.ListData(s.words("Value")),
		})
		return
	}
	if s, ok := e.get(before + "String"); ok {
		r.Values = append(r.Values, registry.NewText(key, name, s.text))
	}
}

// number returns a setting as a template would write it.
func number(e *element) string {
	switch b := e.word("SettingBoolean"); b {
	case "true":
		return "1"
	case "false":
		return "0"
	}
	if s := e.word("SettingString"); s != "" {
		return s
	}
	return e.word("SettingNumber")
}

// members returns the members of a right: by SID if the report has it, because it is the same in every language.
func members(e *element) []string {
	var out []string
	for _, k := range e.kids {
		if k.name != "Member" {
			continue
		}
		if sid := k.word("SID"); sid != "" {
			out = append(out, "*"+sid)
		} else if n := k.word("Name"); n != "" {
			out = append(out, n[strings.LastIndexByte(n, '\\')+1:])
		}
	}
	return out
}

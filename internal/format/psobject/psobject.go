// Package psobject parses objects as PowerShell prints and converts them, from the saved output of a cmdlet.
//
//	EncryptData              : False         Format-List; a long value goes on in the next line, under the first
//	NullSessionPipes         : netlogon,samr
//
//	Name   ScopeName Path    Description     Format-Table; the dashes say where the columns begin
//	----   --------- ----    -----------
//	ADMIN$ *         C:\…    Remote Admin
//
//	{"EncryptData": false}                   ConvertTo-Json; several objects are an array
//	<Objs …><Obj RefId="0"><Props>           Export-Clixml
//	"EncryptData","NullSessionPipes"         ConvertTo-Csv, Export-Csv; maybe behind a #TYPE line, maybe with semicolons
//
// The names of properties are the same in every language. Values are kept as text; a list is joined with commas.
package psobject

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Object holds properties by their names as written.
type Object map[string]string

// Get finds a property by its name in any case.
func (o Object) Get(name string) (string, bool) {
	if v, ok := o[name]; ok {
		return v, true
	}
	for n, v := range o {
		if strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

// Limits: a file server has a few thousand shares, and a CIM object some sixty properties.
const (
	maxObjects    = 50_000
	maxProperties = 1000
	maxDepth      = 16 // of JSON; ConvertTo-Json goes 2 deep by default
)

// Errors of Parse.
var (
	ErrNone   = errors.New("no objects as PowerShell prints them")
	ErrLimits = errors.New("more objects or properties than are read")
)

// Parse parses the objects of a text in any of the forms.
func Parse(text string) ([]Object, error) {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	var out []Object
	var err error
	switch {
	case text == "":
		return nil, ErrNone
	case text[0] == '{' || text[0] == '[':
		out, err = fromJSON(text)
	case strings.HasPrefix(text, "<Objs"):
		out, err = fromXML(text)
	case text[0] == '"' || strings.HasPrefix(text, "#TYPE "):
		out, err = fromCSV(text)
	case dashes.MatchString(text):
		out, err = fromTable(text)
	default:
		out, err = fromList(text)
	}
	if err != nil {
		return nil, fmt.Errorf("PowerShell objects: %w", err)
	}
	if len(out) == 0 {
		return nil, ErrNone
	}
	return out, nil
}

func fromJSON(text string) ([]Object, error) {
	if err := shallow(text); err != nil {
		return nil, err
	}
	var raw []map[string]any
	if text[0] == '{' {
		text = "[" + text + "]"
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&raw); err != nil {
		return nil, err
	}
	var out []Object
	for _, m := range raw {
		if len(out) == maxObjects || len(m) > maxProperties {
			return nil, ErrLimits
		}
		o := Object{}
		for name, v := range m {
			if s, ok := scalar(v); ok {
				o[name] = s
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// fromXML parses the output of Export-Clixml, without nested objects. See [MS-PSRP] 2.2.5.
func fromXML(text string) ([]Object, error) {
	var out []Object
	var path []string // the open elements, each with its property
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		t, err := d.Token()
		switch t := t.(type) {
		case xml.StartElement:
			name := t.Name.Local + " "
			for _, a := range t.Attr {
				if a.Name.Local == "N" {
					name += a.Value
				}
			}
			if path = append(path, name); len(path) > maxDepth {
				return nil, fmt.Errorf("XML more than %d deep", maxDepth)
			}
			if len(path) == 2 && t.Name.Local == "Obj" {
				if len(out) == maxObjects {
					return nil, ErrLimits
				}
				out = append(out, Object{})
			}
			if len(path) == 4 && len(out) > 0 && (path[2] == "Props " || path[2] == "MS ") && t.Name.Local != "Obj" {
				_, property, _ := strings.Cut(name, " ")
				out[len(out)-1][property] = "" // until its text comes, if any
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if len(path) < 4 || len(out) == 0 || path[2] != "Props " && path[2] != "MS " {
				continue
			}
			kind, property, _ := strings.Cut(path[3], " ")
			value := string(t)
			if len(path) > 4 && (len(path) != 6 || path[4] != "LST ") ||
				kind == "Obj" && strings.TrimSpace(value) == "" {
				continue
			}
			o := out[len(out)-1]
			if kind == "B" {
				value = strings.ToUpper(value[:1]) + value[1:]
			}
			if had := o[property]; had != "" && len(path) == 6 {
				value = had + "," + value
			}
			if o[property] = value; len(o) > maxProperties {
				return nil, ErrLimits
			}
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// shallow bounds the depth of JSON before it is decoded.
func shallow(text string) error {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("JSON more than %d deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// scalar formats a value as PowerShell prints it; false for nested objects.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case bool:
		if v {
			return "True", true
		}
		return "False", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case []any:
		parts := make([]string, 0, len(v))
		for _, x := range v {
			s, ok := scalar(x)
			if !ok {
				return "", false
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, ","), true
	}
	return "", false
}

func fromCSV(text string) ([]Object, error) {
	if strings.HasPrefix(text, "#TYPE ") {
		_, text, _ = strings.Cut(text, "\n")
	}
	r := csv.NewReader(bytes.NewBufferString(text))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	head, _, _ := strings.Cut(text, "\n")
	if strings.Count(head, ";") > strings.Count(head, ",") {
		r.Comma = ';' // -UseCulture
	}
	names, err := r.Read()
	if err != nil {
		return nil, err
	}
	if len(names) > maxProperties {
		return nil, ErrLimits
	}
	var out []Object
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(out) == maxObjects {
			return nil, ErrLimits
		}
		o := Object{}
		for i, v := range row {
			if i < len(names) {
				o[names[i]] = v
			}
		}
		out = append(out, o)
	}
}

// property matches a line of Format-List.
var property = regexp.MustCompile(`^([A-Za-z_]\w*) *: ?(.*)$`)

func fromList(text string) ([]Object, error) {
	var out []Object
	var o Object
	last, at := "", 0 // the property that a line may continue, and the column of its values
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch m := property.FindStringSubmatch(line); {
		case strings.TrimSpace(line) == "":
			o, last = nil, ""
		case m != nil:
			if _, again := o[m[1]]; o == nil || again {
				if len(out) == maxObjects {
					return nil, ErrLimits
				}
				o = Object{}
				out = append(out, o)
			}
			if len(o) == maxProperties {
				return nil, ErrLimits
			}
			o[m[1]], last, at = strings.TrimRight(m[2], " "), m[1], strings.IndexByte(line, ':')+1
		case last != "" && len(line) > at && strings.TrimSpace(line[:at]) == "":
			o[last] += strings.TrimSpace(line)
		default:
			return nil, ErrNone
		}
	}
	return out, nil
}

// dashes matches the line of Format-Table below the names of the columns.
var dashes = regexp.MustCompile(`(?m)^-+(?: +-+)+ *\r?$`)

func fromTable(text string) ([]Object, error) {
	lines := strings.Split(text, "\n")
	var out []Object
	var names []string
	var at []int
	for i, line := range lines {
		line = strings.TrimRight(line, "\r ")
		switch {
		case i+1 < len(lines) && dashes.MatchString(lines[i+1]):
			if at = columns(lines[i+1]); len(at) > maxProperties {
				return nil, ErrLimits
			}
			names = cells(line, at)
		case line == "" || names == nil || dashes.MatchString(line):
		case len(out) == maxObjects:
			return nil, ErrLimits
		default:
			o := Object{}
			for c, v := range cells(line, at) {
				if names[c] != "" {
					o[names[c]] = v
				}
			}
			out = append(out, o)
		}
	}
	return out, nil
}

// columns returns the positions at which the groups of dashes begin.
func columns(line string) []int {
	var out []int
	for i := range len(line) {
		if line[i] == '-' && (i == 0 || line[i-1] == ' ') {
			out = append(out, i)
		}
	}
	return out
}

// cells splits a line at the columns, which count characters.
func cells(line string, at []int) []string {
	r := []rune(line)
	out := make([]string, len(at))
	for i, from := range at {
		to := len(r)
		if i+1 < len(at) {
			to = min(at[i+1], len(r))
		}
		if from < to {
			out[i] = strings.TrimSpace(string(r[from:to]))
		}
	}
	return out
}

package inf

import (
	"fmt"
	"strconv"
	"strings"

	"ipcguard/internal/format/registry"
)

// parseValue reads PATH=TYPE,DATA.
//
// See [MS-GPSB] 2.2.5.
func parseValue(l Line) (registry.Value, error) {
	path := unquote(l.Key)
	at := strings.LastIndexByte(path, '\\')
	if at < 0 {
		return registry.Value{}, &Error{l.Number, "a registry value without a key"}
	}
	v := registry.Value{Key: registry.Canonical(path[:at]), Name: path[at+1:]}
	num, data, _ := strings.Cut(l.Value, ",")
	n, err := strconv.ParseUint(strings.TrimSpace(num), 10, 32)
	if err != nil {
		return v, &Error{l.Number, "a registry value without the number of its type"}
	}
	v.Type = registry.Type(n)
	data = strings.TrimSpace(data)
	switch v.Type {
	case registry.SZ, registry.ExpandSZ:
		t := v.Type
		v = registry.NewText(v.Key, v.Name, unquote(data))
		v.Type = t
	case registry.DWord:
		n, err := strconv.ParseUint(unquote(data), 0, 32)
		if err != nil {
			return v, &Error{l.Number, fmt.Sprintf("%.40q is no 32-bit number", data)}
		}
		v = registry.NewDWord(v.Key, v.Name, uint32(n))
	case registry.Binary:
		v.Data = []byte{}
		for _, f := range strings.Split(data, ",") {
			f = strings.TrimSpace(f)
			if f == "" {
				continue
			}
			// A byte is decimal, as the editor writes it (3,0 and 3,1 for the two audit switches).
			b, err := strconv.ParseUint(f, 0, 8)
			if err != nil {
				return v, &Error{l.Number, fmt.Sprintf("%.40q is no byte", f)}
			}
			v.Data = append(v.Data, byte(b))
		}
	case registry.MultiSZ:
		list, ok := splitList(data)
		if !ok {
			return v, &Error{l.Number, "a list with an open quote"}
		}
		v.Data = registry.ListData(list) // secedit writes the blank entry of a controller's list as 7,,netlogon,samr
	default:
		return v, &Error{l.Number, fmt.Sprintf("a template cannot hold values of type %s", v.Type)}
	}
	return v, nil
}

// splitList splits a list at its commas. Quotes protect a comma and are themselves removed.
func splitList(s string) ([]string, bool) {
	var out []string
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			out = append(out, strings.TrimSpace(b.String()))
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	out = append(out, strings.TrimSpace(b.String()))
	return out, !quoted
}

func formatData(v registry.Value) (string, error) {
	head := strconv.Itoa(int(v.Type)) + ","
	fail := func(why string) (string, error) {
		return "", fmt.Errorf("security template: %s\\%s: %s", v.Key, v.Name, why)
	}
	bad := func(s string) bool { return strings.ContainsAny(s, "\"\r\n\x00") || strings.TrimSpace(s) != s }
	switch v.Type {
	case registry.SZ, registry.ExpandSZ:
		s, err := v.Text()
		if err != nil || strings.ContainsAny(s, "\"\r\n\x00") {
			return fail("a string with quotes or line ends cannot be written")
		}
		return head + `"` + s + `"`, nil
	case registry.DWord:
		n, err := v.DWord()
		if err != nil {
			return "", err
		}
		return head + strconv.FormatUint(uint64(n), 10), nil
	case registry.Binary:
		parts := make([]string, len(v.Data))
		for i, b := range v.Data {
			parts[i] = strconv.Itoa(int(b))
		}
		return head + strings.Join(parts, ","), nil
	case registry.MultiSZ:
		list, err := v.Strings()
		if err != nil {
			return "", err
		}
		for i, s := range list {
			if bad(s) {
				return fail("a list with quotes, line ends or outer spaces cannot be written")
			}
			list[i] = strings.ReplaceAll(s, ",", `","`)
		}
		return head + strings.Join(list, ","), nil
	}
	return fail("a template cannot hold values of type " + v.Type.String())
}

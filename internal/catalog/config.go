package catalog

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/model"
)

// Config is what is known of one host: the input of the access model.
type Config struct {
	Platform model.Platform

	// Settings by id or other name. A setting with Present false was looked for and is absent; one that is missing
	// from the map was not looked for, so that its value is unknown, unless Complete is set.
	Settings map[string]model.Value

	// Complete says that the whole configuration was read: what Settings does not have is absent.
	Complete bool

	// Shares are the disk shares; nil means that they are not known.
	Shares []model.Share

	// Client is the caller's address, for rules about addresses. The zero value means any.
	Client netip.Addr
}

// whole reads a number of any shape that a source may hand over: an integer, a JSON number, or text as smb.conf has.
func whole(v any) (int, bool) {
	switch n := v.(type) {
	case int:
		return n, true
	case int32:
		return int(n), true
	case int64:
		return int(n), true
	case uint32:
		return int(n), true
	case uint64:
		return int(n), true
	case float64:
		return int(n), n == float64(int(n))
	case bool:
		if n {
			return 1, true
		}
		return 0, true
	case string:
		i, err := strconv.ParseInt(strings.TrimSpace(n), 0, 64)
		return int(i), err == nil
	}
	return 0, false
}

// truth reads a boolean as smb.conf writes it.
func truth(v any) (bool, bool) {
	switch s := v.(type) {
	case bool:
		return s, true
	case string:
		switch fold(s) {
		case "yes", "true", "1", "on":
			return true, true
		case "no", "false", "0", "off":
			return false, true
		}
		return false, false
	}
	n, ok := whole(v)
	return n != 0, ok
}

// list reads a list of names: a slice, or text with blanks and commas between the names as smb.conf has it.
func list(v any) ([]string, bool) {
	switch l := v.(type) {
	case nil:
		return nil, false
	case []string:
		return trimmed(l), true
	case []any:
		var out []string
		for _, e := range l {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return trimmed(out), true
	case string:
		return strings.FieldsFunc(l, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == ';' }), true
	}
	return nil, false
}

// trimmed drops the empty entries that registry lists end with.
func trimmed(l []string) []string {
	out := make([]string, 0, len(l))
	for _, s := range l {
		if strings.TrimSpace(s) != "" {
			out = append(out, s)
		}
	}
	return out
}

// text reads a word.
func text(v any) (string, bool) {
	switch s := v.(type) {
	case string:
		return strings.TrimSpace(s), true
	case bool, int, int32, int64, uint32, uint64, float64:
		return fmt.Sprint(s), true
	}
	return "", false
}

// kindOf groups setting types by how their values are read.
func kindOf(typ string) string {
	switch typ {
	case "REG_DWORD", "int":
		return "number"
	case "policy":
		return "policy"
	case "REG_MULTI_SZ", "list", "members":
		return "list"
	case "bool":
		return "bool"
	}
	return "text"
}

// normal turns a configured value into the shape that its setting has. ok is false where it does not fit the type.
func normal(s *Setting, v model.Value) (any, bool) {
	if strings.HasPrefix(s.Type, "REG_") && v.Type != "" && v.Type != s.Type &&
		!(s.Type == "REG_SZ" && v.Type == "REG_EXPAND_SZ") {
		return nil, false
	}
	switch kindOf(s.Type) {
	case "number":
		n, ok := whole(v.Data)
		return n, ok
	case "policy":
		if n, ok := whole(v.Data); ok {
			return n, true
		}
		return text(v.Data)
	case "list":
		return list(v.Data)
	case "bool":
		return truth(v.Data)
	}
	if s.Type == "REG_BINARY" {
		return v.Data, v.Data != nil
	}
	t, ok := text(v.Data)
	if s.Type == "enum" {
		t = fold(t)
	}
	return t, ok
}

// sameSet compares lists of names as sets without regard to case.
func sameSet(a, b []string) bool { return subset(a, b) && subset(b, a) }

func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(x string) bool {
		return !slices.ContainsFunc(b, func(y string) bool { return samePipe(x, y) })
	})
}

// equal compares two values of one setting.
func equal(a, b any) bool {
	if x, ok := a.([]string); ok {
		y, ok := list(b)
		return ok && sameSet(x, y)
	}
	if x, ok := whole(a); ok {
		y, ok := whole(b)
		return ok && x == y
	}
	return strings.EqualFold(fmt.Sprint(a), fmt.Sprint(b))
}

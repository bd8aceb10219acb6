package model

import (
	"fmt"
	"strings"
)

// Text prints a setting's value for a person, as it was read or as JSON brought it back: "not set" for none, "empty" for an
// empty text or list, bytes by their number.
func Text(v any) string {
	switch x := v.(type) {
	case nil:
		return "not set"
	case bool:
		if x {
			return "yes"
		}
		return "no"
	case string:
		if x == "" {
			return "empty"
		}
		return x
	case []byte:
		return fmt.Sprintf("%d bytes", len(x))
	case []string:
		if len(x) == 0 {
			return "empty"
		}
		return strings.Join(x, ", ")
	case []any:
		if len(x) == 0 {
			return "empty"
		}
		out := make([]string, len(x))
		for i, e := range x {
			out[i] = Text(e)
		}
		return strings.Join(out, ", ")
	}
	return fmt.Sprint(v)
}

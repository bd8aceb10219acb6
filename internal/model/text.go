package model

import (
	"fmt"
	"strconv"
	"strings"
)

// Count returns a number with its noun: "1 host", "2 hosts".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// Text formats a setting's value for people, as it was read or decoded from JSON: "not set" for nil, "empty" for an
// empty string or list, bytes by their number and the first of them.
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
	case Hex:
		return x.String()
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
	if n, ok := whole64(v); ok {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprint(v)
}

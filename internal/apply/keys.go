package apply

import "strings"

// MissingKey returns the topmost missing key above a value, or an empty string.
func MissingKey(key string, exists func(string) bool) string {
	missing := ""
	for key != "" && !exists(key) {
		missing = key
		i := strings.LastIndexByte(key, '\\')
		if i < 0 {
			break
		}
		key = key[:i]
	}
	return missing
}

// MadeKeys returns the keys that writing a value has created, deepest first: the missing key and those below it on the
// way to the value.
func MadeKeys(key, missing string) []string {
	var out []string
	for missing != "" && len(key) >= len(missing) {
		out = append(out, key)
		i := strings.LastIndexByte(key, '\\')
		if i < 0 {
			break
		}
		key = key[:i]
	}
	return out
}

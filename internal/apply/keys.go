package apply

import "strings"

// MissingKey is the topmost key above a value that does not exist, or nothing.
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

// MadeKeys lists the keys that writing a value has made, deepest first: those that a missing key and what lies below it
// on the way to the value are.
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

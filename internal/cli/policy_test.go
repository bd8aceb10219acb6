package cli

import (
	"testing"

	"ipcguard/internal/gateway"
)

// TestPolicyErrors: what is wrong with a policy is said with its line, in the words of the file.
func TestPolicyErrors(t *testing.T) {
	for in, want := range map[string]string{
		"strangers:\n- alow: everything\n":                 `line 2: unknown key "alow"`,
		"strangers:\n- allow: everything\n  srvers: [a]\n": `line 3: unknown key "srvers"`,
		"strangers: 7\n": `line 1: strangers: want a list, not a number`,
		"- a\n":          `a policy has keys, such as "strangers:", not a list`,
		"strangers:\n- allow: pipes\n  pipes:\n  - pipe: [a]\n": `line 4: pipe: want text, not a list`,
		"strangers:\n- allow: {a: b}\n":                         `line 2: allow: want text, not keys`,
		"strangers:\n- why: true\n":                             `line 2: why: want text, not true or false`,
		"users:\n- deny: spoolss\n":                             `line 2: deny: want a list, not text`,
		"users: []\n---\nusers: []\n":                           `line 2: a second document, which is not read`,
		"Users: []\nusers: []\n":                                `line 2: key "users" twice, with other capitals`,
	} {
		var p gateway.Policy
		if err := decodeYAML([]byte(in), &p); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}

package catalog

import (
	"encoding/json"
	"fmt"
	"strings"

	"ipcguard/internal/model"
)

// Advice is what to do about a finding, by system: windows, samba, ksmbd, or "any" for every system without an entry of
// its own. Of a system's entries the first whose scope fits counts. In the YAML it is a text if all systems get the
// same advice, else a map from systems to a text or to a list of texts with their scopes.
type Advice map[string][]Hint

// Hint is one piece of advice and its scope.
type Hint struct {
	Scope
	Say string `json:"say"`
}

// Systems lists the systems of products.
func Systems() []string { return []string{"windows", "samba", "ksmbd"} }

// SystemTitle returns a system's display name, or an empty string for an unknown system.
func SystemTitle(system string) string {
	switch system {
	case "windows":
		return "Windows"
	case "samba":
		return "Samba"
	case "ksmbd":
		return "ksmbd"
	}
	return ""
}

// anySystem is the key of the advice for systems without an entry of their own.
const anySystem = "any"

// Fix returns what to do about a finding on this platform. If the system is unknown, or the catalog has nothing for it,
// it returns the advice for every system, preceded by the system's name.
func (c *Catalog) Fix(f *Finding, p model.Platform) string {
	hints, ok := f.Fix[p.System]
	if !ok {
		hints = f.Fix[anySystem]
	}
	say := ""
	for _, h := range hints {
		switch c.fits(h.Scope, p) {
		case yes:
			return h.Say
		case maybe: // more general ones follow
			say = h.Say
		}
	}
	if say != "" {
		return say
	}
	return f.Fix.Text()
}

// Text returns the whole advice, with the name of the system before each part that is for one. Of several hints for one
// system it is the last, which is the most general one.
func (a Advice) Text() string {
	var parts []string
	if hints := a[anySystem]; len(hints) > 0 {
		parts = append(parts, hints[len(hints)-1].Say)
	}
	for _, s := range Systems() {
		if hints := a[s]; len(hints) > 0 {
			parts = append(parts, SystemTitle(s)+": "+hints[len(hints)-1].Say)
		}
	}
	return strings.Join(parts, " ")
}

// MarshalJSON writes the whole advice as one text, as the field fix of a finding has always been.
func (a Advice) MarshalJSON() ([]byte, error) { return json.Marshal(a.Text()) }

// UnmarshalJSON reads the forms of the YAML, converted to JSON.
func (a *Advice) UnmarshalJSON(b []byte) error {
	var say string
	if json.Unmarshal(b, &say) == nil {
		*a = Advice{anySystem: {{Say: say}}}
		return nil
	}
	var by map[string]json.RawMessage
	if err := json.Unmarshal(b, &by); err != nil {
		return fmt.Errorf("catalog: advice is a text or a map by system: %w", err)
	}
	*a = Advice{}
	for system, part := range by {
		var hints []Hint
		switch {
		case json.Unmarshal(part, &say) == nil:
			hints = []Hint{{Say: say}}
		default:
			if err := json.Unmarshal(part, &hints); err != nil {
				return fmt.Errorf("catalog: advice for %s: %w", system, err)
			}
		}
		(*a)[system] = hints
	}
	return nil
}

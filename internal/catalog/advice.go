package catalog

import (
	"encoding/json"
	"fmt"
	"strings"

	"ipcguard/internal/model"
)

// Advice is what to do about a finding, by system: windows, samba, ksmbd, or "any" for every system that has no entry of
// its own. Of the entries of a system the first whose scope fits counts. In the YAML it is a text where all systems are
// told the same, else a map from systems to a text or to a list of texts with their scopes.
type Advice map[string][]Hint

// Hint is one piece of advice and where it holds.
type Hint struct {
	Scope
	Say string `json:"say"`
}

// Systems lists the systems that products belong to.
func Systems() []string { return []string{"windows", "samba", "ksmbd"} }

// SystemTitle is a system's name for a person; empty for none of Systems.
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

// Fix is what to do about a finding on this platform. Where the system is not known, or the catalog has nothing for it,
// it is the advice for every system with its name before it.
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
		case maybe: // the more general ones come later
			say = h.Say
		}
	}
	if say != "" {
		return say
	}
	return f.Fix.Text()
}

// Text is the whole of the advice, with the name of the system before each part that is for one. Of several hints for
// one system it is the last, which is the most general one.
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

// MarshalJSON writes the whole advice as one text: that is what the field fix of a finding has always been.
func (a Advice) MarshalJSON() ([]byte, error) { return json.Marshal(a.Text()) }

// UnmarshalJSON reads the forms of the YAML, which reach it as JSON.
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

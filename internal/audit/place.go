package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/format/registry"
)

// A file of registry values names keys as they were on the machine that exported it:
//
//	HKLM\SYSTEM\CurrentControlSet\…     the running machine
//	HKLM\SYSTEM\ControlSet001\…         an export of all of HKLM\SYSTEM; Select\Current says which set is in force
//	HKLM\OFFLINE\ControlSet001\…        another machine's hive, loaded below another name
//
// spot is such a key, translated to its place in a running registry.
type spot struct {
	key string // HKLM\SYSTEM\CurrentControlSet\…
	// The control set that it names, such as ControlSet001; empty for CurrentControlSet and outside of SYSTEM.
	set   string
	mount string // the name below which a hive was loaded, such as HKLM\OFFLINE; empty for a registry's own hives
}

// spotOf translates a key.
func spotOf(key string) spot {
	parts := registry.SplitPath(registry.Canonical(key))
	if len(parts) < 3 || parts[0] != "HKLM" && parts[0] != "HKU" {
		return spot{key: strings.Join(parts, `\`)}
	}
	var s spot
	if !strings.EqualFold(parts[1], "SYSTEM") && !strings.EqualFold(parts[1], "SOFTWARE") || parts[0] == "HKU" {
		hive := hiveBelow(parts[2])
		if hive == "" {
			return spot{key: strings.Join(parts, `\`)}
		}
		s.mount = strings.Join(parts[:2], `\`)
		parts[0], parts[1] = "HKLM", hive
	}
	if strings.EqualFold(parts[1], "SYSTEM") && isControlSet(parts[2]) {
		s.set = parts[2]
		parts[2] = "CurrentControlSet"
	}
	s.key = strings.Join(parts, `\`)
	return s
}

// hiveBelow returns which hive was loaded, given a key name in it.
func hiveBelow(name string) string {
	switch {
	case isControlSet(name), strings.EqualFold(name, "Select"):
		return "SYSTEM"
	case strings.EqualFold(name, "Microsoft"), strings.EqualFold(name, "Policies"):
		return "SOFTWARE"
	}
	return ""
}

// isControlSet reports whether a name is ControlSet001 or the like.
func isControlSet(name string) bool {
	const begin = "ControlSet"
	return len(name) == len(begin)+3 && strings.EqualFold(name[:len(begin)], begin) &&
		strings.Trim(name[len(begin):], "0123456789") == ""
}

// inForce keeps the changes of one file that are about the registry in force: of several control sets, the one that
// Select\Current names; of several loaded hives, the registry's own or the first. why says what was taken and for what
// reason; problems say what was dropped because it cannot be known.
func inForce(changes []change) (left []change, why, problems []string) {
	left, why, problems = oneMount(changes)
	sets, current, named := controlSets(left)
	take := ""
	switch {
	case named != "" && slices.Contains(sets, named):
		take = named
		why = append(why, fmt.Sprintf("%s is in force: Select\\Current says so", named))
	case named != "" && len(sets) > 0:
		problems = append(problems,
			fmt.Sprintf("Select\\Current names %s, which is not in the file: what the other control sets say is not "+
				"in force and not read", named))
	case len(sets) > 1 && !current:
		problems = append(problems,
			fmt.Sprintf("%s are in the file and Select\\Current is not: which one is in force is not known, and none "+
				"was read", strings.Join(sets, " and ")))
	case len(sets) == 1 && !current:
		take = sets[0]
	case len(sets) > 0:
		why = append(why, "CurrentControlSet was read, and the numbered control sets beside it were not")
	}
	left = slices.DeleteFunc(left, func(ch change) bool { return ch.set != "" && !strings.EqualFold(ch.set, take) })
	return left, why, problems
}

// controlSets returns the numbered control sets of a file, whether it has the current one, and which one Select\Current
// names.
func controlSets(changes []change) (sets []string, current bool, named string) {
	has := map[string]bool{}
	for _, ch := range changes {
		switch {
		case ch.set != "":
			has["ControlSet"+ch.set[len("ControlSet"):]] = true
		case strings.EqualFold(ch.key, keySelect):
			if strings.EqualFold(ch.name, "Current") && ch.value != nil {
				if n, err := ch.value.DWord(); err == nil {
					named = fmt.Sprintf("ControlSet%03d", n)
				}
			}
		case strings.HasPrefix(registry.Fold(ch.key)+`\`, currentControlSet):
			current = true
		}
	}
	return slices.Sorted(maps.Keys(has)), current, named
}

// oneMount keeps the registry's own keys if there are any, else those below the first name under which a hive was
// loaded.
func oneMount(changes []change) (left []change, why, problems []string) {
	byHive := map[string][]string{} // SYSTEM or SOFTWARE: its mounts
	for _, ch := range changes {
		if hive, ok := hiveOf(ch.key); ok && !slices.Contains(byHive[hive], ch.mount) {
			byHive[hive] = append(byHive[hive], ch.mount)
		}
	}
	takes := map[string]string{}
	for _, hive := range slices.Sorted(maps.Keys(byHive)) {
		at := byHive[hive]
		takes[hive] = at[0]
		if slices.Contains(at, "") {
			takes[hive] = ""
		}
		if m := takes[hive]; m != "" {
			why = append(why, fmt.Sprintf("%s was read as a machine's HKLM\\%s: a hive that was loaded there", m, hive))
		}
		for _, m := range at {
			if m != takes[hive] {
				problems = append(problems, fmt.Sprintf("%s is a hive of another machine than %s, and was not read",
					cmp.Or(m, `HKLM\`+hive), cmp.Or(takes[hive], `HKLM\`+hive)))
			}
		}
	}
	for _, ch := range changes {
		if hive, ok := hiveOf(ch.key); !ok || takes[hive] == ch.mount {
			left = append(left, ch)
		}
	}
	return left, why, problems
}

// hiveOf returns the hive of a machine that contains a key.
func hiveOf(key string) (string, bool) {
	for _, hive := range []string{"SYSTEM", "SOFTWARE"} {
		if p := `HKLM\` + hive; len(key) >= len(p) && strings.EqualFold(key[:len(p)], p) &&
			(len(key) == len(p) || key[len(p)] == '\\') {
			return hive, true
		}
	}
	return "", false
}

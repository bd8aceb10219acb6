package catalog

import "strings"

// ace is one entry of a descriptor, as far as the model needs it.
type ace struct {
	allow   bool
	trustee string
}

type sddl []ace

// parseSDDL reads the access list of a descriptor such as O:BAG:BAD:(A;;RC;;;BA). ok is false where it holds anything
// but plain allow and deny entries, which the model then does not judge. See [MS-DTYP] 2.5.1.1.
func parseSDDL(s string) (sddl, bool) {
	_, list, found := strings.Cut(strings.ToUpper(strings.ReplaceAll(s, " ", "")), "D:")
	if !found {
		return nil, s == ""
	}
	list, _, _ = strings.Cut(list, "S:")
	if at := strings.IndexByte(list, '('); at > 0 {
		list = list[at:] // flags such as P or AI
	}
	var out sddl
	for list != "" {
		end := strings.IndexByte(list, ')')
		if list[0] != '(' || end < 0 {
			return nil, false
		}
		fields := strings.Split(list[1:end], ";")
		if len(fields) != 6 || fields[0] != "A" && fields[0] != "D" || fields[5] == "" {
			return nil, false
		}
		out, list = append(out, ace{fields[0] == "A", fields[5]}), list[end+1:]
	}
	return out, true
}

// onlyAdministrators tells whether nobody but administrators and the system is let in.
func (d sddl) onlyAdministrators() bool {
	for _, e := range d {
		switch e.trustee {
		case "BA", "SY", "S-1-5-32-544", "S-1-5-18":
		default:
			if e.allow {
				return false
			}
		}
	}
	return true
}

// grants tells whether one of the names is let in, and whether that is certain: a deny entry or the name of an account
// leaves it open.
func (d sddl) grants(names ...string) (granted, certain bool) {
	certain = true
	for _, e := range d {
		known := false
		for _, n := range names {
			if e.trustee == n {
				known = true
			}
		}
		switch {
		case known && e.allow:
			granted = true
		case !e.allow:
			certain = false
		case !known && strings.HasPrefix(e.trustee, "S-1-5-21-"):
			certain = false
		}
	}
	return granted, certain
}

package audit

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

// The keys that are read in addition to the settings' own.
const (
	keyControl  = `HKLM\SYSTEM\CurrentControlSet\Control`
	keyServices = `HKLM\SYSTEM\CurrentControlSet\Services`
	keyLsa      = keyControl + `\Lsa`
	keyServer   = keyServices + `\LanmanServer\Parameters`
	keyVersion  = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	keySQL      = `HKLM\SOFTWARE\Microsoft\Microsoft SQL Server`
	keyShares   = keyServices + `\LanmanServer\Shares`
	keySelect   = `HKLM\SYSTEM\Select`

	keyProductType = keyControl + `\ProductOptions`
	keyName        = keyControl + `\ComputerName\ComputerName`
	keyActiveName  = keyControl + `\ComputerName\ActiveComputerName`
)

// windowsReader reads a Windows registry from any source.
type windowsReader struct {
	*facts
	catalog *catalog.Catalog
	in      registry.Reader
	covers  func(key string) bool // whether a missing value is absent rather than unknown
}

// all reads everything that a whole registry contains.
func (w *windowsReader) all() {
	w.settings()
	w.product()
	w.names(keyLsa, keyServer)
	w.installed()
	w.sqlServer()
	w.sharesOf()
}

// places returns where to look for a setting: first under a policy, which wins.
func places(s *catalog.Setting) []string {
	var out []string
	for _, p := range append(slices.Clone(s.Aliases), s.Where) {
		if strings.HasPrefix(p, `HKLM\`) {
			out = append(out, p)
		}
	}
	return out
}

// settings reads every setting of the catalog that is a registry value.
func (w *windowsReader) settings() {
	for i := range w.catalog.Settings {
		s := &w.catalog.Settings[i]
		if s.System == "windows" {
			w.setting(s)
		}
	}
}

func (w *windowsReader) setting(s *catalog.Setting) {
	for _, place := range places(s) {
		key, name := registry.SplitValue(place)
		v, err := w.in.Value(key, name)
		switch {
		case err == nil:
			w.values[s.ID] = w.value(s, v)
			if place != s.Where {
				w.origin[s.ID] = place
				w.hints[s.ID] = w.policyWins(s, place, v)
			}
			return
		case errors.Is(err, registry.ErrNotExist):
			if _, seen := w.values[s.ID]; !seen && w.covers(key) {
				w.values[s.ID] = model.Value{}
			}
		default:
			w.problem("%s: %v", place, err)
			delete(w.values, s.ID)
			return
		}
	}
}

// policyWins says that a policy's key takes precedence over the setting's own, and which value there has no effect.
func (w *windowsReader) policyWins(s *catalog.Setting, place string, v registry.Value) string {
	said := "a policy writes it, again at each refresh: " + place + " counts before " + s.Where
	own, err := w.in.Value(registry.SplitValue(s.Where))
	if err != nil {
		return said
	}
	a, b := w.value(s, v), w.value(s, own)
	if model.Text(a.Data) == model.Text(b.Data) {
		return said + ", where the same is written"
	}
	return said + ", where " + model.Text(b.Data) + " is written and does nothing"
}

// value converts a registry value to the catalog's type, and notes anomalies.
func (w *windowsReader) value(s *catalog.Setting, v registry.Value) model.Value {
	want, err := registry.ParseType(s.Type)
	if err != nil {
		want = v.Type
	}
	out := model.Value{Present: true, Type: v.Type.String(), Raw: append(model.Hex{}, v.Data...)}
	switch v.Type {
	case registry.DWord:
		n, err := v.DWord()
		if err != nil {
			w.problem("%s: %v", s.Where, err)
		} else {
			out.Data = int(n)
		}
	case registry.MultiSZ:
		out.Data, _ = v.Strings() // the type is right, so there is no error
	case registry.SZ, registry.ExpandSZ:
		out.Data, _ = v.Text()
	case registry.QWord:
		if n, err := v.QWord(); err != nil {
			w.problem("%s: %v", s.Where, err)
		} else if n <= math.MaxInt {
			out.Data = int(n)
		} else {
			out.Data = n
		}
	default:
		out.Data = out.Raw
		if strings.HasPrefix(s.ID, "Srvsvc") && v.Type == registry.Binary {
			d, err := sddl.ParseBinary(v.Data)
			if err != nil {
				w.problem("%s: %v", s.Where, err)
			} else {
				out.Data = d.String()
			}
		}
	}
	if odd := v.Oddities(want); len(odd) > 0 {
		l := lint{id: "wrong-type", setting: s.ID, evidence: fmt.Sprintf("%s %s", s.ID, strings.Join(odd, ", and "))}
		if v.Type == want {
			l.severity = model.Info // the right type, sloppily written
		}
		if len(odd) == 1 && strings.Contains(odd[0], "blank entry") {
			l.fix = "Leave it: domain controllers ship with such a list."
		}
		w.lints = append(w.lints, l)
	}
	return out
}

// text reads a REG_SZ that may be missing.
func (w *windowsReader) text(key, name string) string {
	v, err := w.in.Value(key, name)
	if err != nil {
		return ""
	}
	s, _ := v.Text()
	return s
}

func (w *windowsReader) dword(key, name string) (int, bool) {
	v, err := w.in.Value(key, name)
	if err != nil {
		return 0, false
	}
	n, err := v.DWord()
	return int(n), err == nil
}

// names looks for values that are meant for a setting but misspelt, or under another key.
func (w *windowsReader) names(keys ...string) {
	for _, key := range keys {
		values, err := w.in.Values(key)
		if err != nil && len(values) == 0 {
			if !errors.Is(err, registry.ErrNotExist) {
				w.problem("%s: %v", key, err)
			}
			continue
		}
		for _, v := range values {
			if meant := w.meant(key, v.Name); meant != nil {
				w.lints = append(w.lints, lint{
					id: "misspelt-setting", setting: meant.ID,
					evidence: fmt.Sprintf("%s\\%s is written, which nothing reads; %s was probably meant", key, v.Name,
						meant.Where),
				})
			}
		}
	}
}

// others are names that are not settings here and look like one.
var others = []string{"EnableSecuritySignature", "RequireSecuritySignature", "EnableForcedLogoff"}

// meant returns the setting of which a value's name is a misspelling, or nil.
func (w *windowsReader) meant(key, name string) *catalog.Setting {
	if strings.EqualFold(name, "RestrictNullSessionAccess") { // the Resource Kit's own error, see cc957461
		return w.catalog.Setting("RestrictNullSessAccess")
	}
	var near *catalog.Setting
	for i := range w.catalog.Settings {
		s := &w.catalog.Settings[i]
		if s.System != "windows" {
			continue
		}
		for _, place := range places(s) {
			k, n := registry.SplitValue(place)
			same := strings.EqualFold(k, key)
			switch {
			case strings.EqualFold(n, name) && same:
				return nil
			case strings.EqualFold(n, name) && (k == keyLsa || k == keyServer) &&
				!slices.ContainsFunc(others, func(o string) bool { return strings.EqualFold(o, name) }):
				near = s // the right name under the other key
			case same && len(name) > 5 && slips(strings.ToLower(n), strings.ToLower(name)) <= 2:
				near = s
			}
		}
	}
	return near
}

// slips counts the extra, missing or wrong letters between two names.
func slips(a, b string) int {
	const longest = 64 // names of settings are shorter; longer ones do not match
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := before
			if a[i-1] != b[j-1] {
				cost++
			}
			before, row[j] = row[j], min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// driverOfSMB1 decides an absent SMB1 value by the driver of the SMB1 server: with a driver that starts, absent means
// on; without a driver, off, on every release. Auditors that check only the value get one of the cases wrong.
func (j *judging) driverOfSMB1() {
	value, read := j.values["SMB1"]
	driver, readDriver := j.values["srv.Start"]
	if !read || value.Present || !readDriver {
		return
	}
	s := j.setting("SMB1")
	if s.State == model.StateNotApplicable { // older releases speak only SMB1
		return
	}
	start, ok := driver.Whole()
	switch {
	case !driver.Present:
		s.Effective, s.State = 0, model.StateOK
		s.Why = "absent, and so is the driver Services\\srv: the SMB1 server is not installed"
	case ok && start == 4:
		s.Effective, s.State = 0, model.StateOK
		s.Why = "absent, and the driver Services\\srv is disabled"
	case ok && start >= 0 && start < 4:
		s.Effective, s.State = 1, model.StateWeak
		s.Why = fmt.Sprintf("absent, and the driver Services\\srv is installed and starts (Start %d): on, an inference",
			start)
	default:
		return
	}
	s.Basis = model.BasisDefault
}

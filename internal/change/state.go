package change

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// State is the exact content of a place.
type State struct {
	Present bool
	Type    registry.Type // of a registry value
	Data    []byte        // its bytes
	Text    string        // of a parameter or a line of the policy: the text after the equals sign
	Names   []string      // of a group or a firewall rule
}

// State returns the state that a plan's value means at this place. A value that the place cannot hold is an error.
func (p Place) State(v model.Value) (State, error) {
	if !v.Present {
		return State{}, nil
	}
	switch p.Kind {
	case Registry:
		r, err := registryValue(v)
		return State{Present: true, Type: r.Type, Data: r.Data}, err
	case Parameter, KsmbdParameter, Policy:
		text, err := parameterText(p.Kind, v)
		return State{Present: true, Text: text}, err
	}
	names, ok := v.List()
	if !ok && v.Data != nil {
		return State{}, fmt.Errorf("%s is no list of names", v)
	}
	return State{Present: true, Names: names}, nil
}

// registryValue returns the type and bytes of a registry value: the stored bytes if they are known, else the encoding
// of its meaning.
func registryValue(v model.Value) (registry.Value, error) {
	t, err := registry.ParseType(v.Type)
	if err != nil {
		return registry.Value{}, err
	}
	if b, ok := v.Bytes(); ok {
		return registry.Value{Type: t, Data: b}, nil
	}
	out, err := encode(t, v.Data)
	if err != nil {
		return registry.Value{}, fmt.Errorf("%s: %w", v, err)
	}
	return out, nil
}

// encode encodes a meaning as the bytes of a type, as Windows' own tools do.
func encode(t registry.Type, data any) (registry.Value, error) {
	bad := func(what string) (registry.Value, error) { return registry.Value{}, fmt.Errorf("this is no %s", what) }
	switch t {
	case registry.DWord:
		n, ok := model.Whole(data)
		if !ok || n < 0 || n > math.MaxUint32 {
			return bad("number of 32 bits")
		}
		return registry.NewDWord("", "", uint32(n)), nil
	case registry.QWord:
		if n, ok := data.(uint64); ok {
			return registry.NewQWord("", "", n), nil
		}
		n, ok := model.Whole(data)
		if !ok || n < 0 {
			return bad("number of 64 bits")
		}
		return registry.NewQWord("", "", uint64(n)), nil
	case registry.SZ, registry.ExpandSZ:
		s, ok := data.(string)
		if !ok || strings.ContainsRune(s, 0) {
			return bad("text")
		}
		v := registry.NewText("", "", s)
		v.Type = t
		return v, nil
	case registry.MultiSZ:
		list, ok := data.([]string)
		if !ok || slices.ContainsFunc(list, func(s string) bool { return s == "" || strings.ContainsRune(s, 0) }) {
			return bad("list of texts")
		}
		return registry.NewStrings("", "", list), nil
	case registry.Binary:
		// Plans of earlier versions have a descriptor as text, without its bytes.
		if s, ok := data.(string); ok && model.IsSDDL(s) {
			d, err := sddl.Parse(s)
			if err != nil {
				return registry.Value{}, err
			}
			b, err := d.Binary()
			return registry.Value{Type: t, Data: b}, err
		}
	}
	return registry.Value{}, fmt.Errorf("its bytes are not known: they are not in the plan")
}

// Plain reports whether the bytes of a registry value are the canonical encoding of its meaning, and returns that
// meaning: an int or uint64, a string, a list, or bytes if the type implies no more. Any other value can be written
// only by its bytes.
func (s State) Plain() (data any, ok bool) {
	v := registry.Value{Type: s.Type, Data: s.Data}
	switch s.Type {
	case registry.DWord:
		if n, err := v.DWord(); err == nil {
			return int(n), true
		}
		return nil, false
	case registry.QWord:
		if n, err := v.QWord(); err == nil && n > math.MaxInt {
			return n, true
		} else if err == nil {
			return int(n), true
		}
		return nil, false
	case registry.SZ, registry.ExpandSZ:
		data, _ = v.Text() // the type is right
	case registry.MultiSZ:
		data, _ = v.Strings()
	case registry.Binary, registry.None:
		return model.Hex(s.Data), true
	default:
		return nil, false
	}
	again, err := encode(s.Type, data)
	return data, err == nil && bytes.Equal(again.Data, s.Data)
}

// parameterText returns a value as smb.conf or the security policy writes it.
func parameterText(k Kind, v model.Value) (string, error) {
	text, ok := "", true
	switch x := v.Data.(type) {
	case bool:
		text = "no"
		if x {
			text = "yes"
		}
		if k == Policy {
			text = strconv.Itoa(map[bool]int{true: 1}[x])
		}
	case string:
		text = x
	case []string:
		names := slices.Clone(x)
		for i, n := range names {
			if strings.ContainsAny(n, " \t,;") {
				names[i] = `"` + n + `"`
			}
		}
		text = strings.Join(names, " ")
	default:
		text, ok = model.Word(v.Data)
	}
	if v.Raw != nil {
		text, ok = string(v.Raw), true
	}
	if !ok || strings.ContainsFunc(text, unprintable) {
		return "", fmt.Errorf("%.200q cannot stand on a line of a configuration", v.String())
	}
	if k != Policy && strings.HasSuffix(text, `\`) {
		return "", fmt.Errorf("%.200q would join the next line to it", text)
	}
	return text, nil
}

// Holds reports whether a state matches a plan's value. A registry value is compared by its bytes if the plan has them,
// else by its meaning: plans of earlier versions do not know how a list ends or the case of its names.
func (p Place) Holds(have State, want model.Value) bool {
	switch {
	case have.Present != want.Present:
		return false
	case !have.Present:
		return true
	}
	if p.Kind != Registry {
		return SameParameter(smbconf.Param{Name: p.Name, Value: have.Text}, want)
	}
	if want.Type != "" && !strings.EqualFold(want.Type, have.Type.String()) {
		return false
	}
	if b, ok := want.Bytes(); ok {
		return bytes.Equal(b, have.Data)
	}
	v := registry.Value{Type: have.Type, Data: have.Data}
	switch have.Type {
	case registry.MultiSZ:
		list, err := v.Strings()
		names, ok := want.List()
		return err == nil && (ok || want.Data == nil) && slices.EqualFunc(list, names, strings.EqualFold)
	case registry.SZ, registry.ExpandSZ:
		text, err := v.Text()
		return err == nil && (want.Data == text || want.Data == nil && text == "")
	case registry.Binary:
		d, err := sddl.ParseBinary(have.Data)
		return err == nil && want.Data == d.String()
	}
	again, err := encode(have.Type, want.Data)
	return err == nil && bytes.Equal(again.Data, have.Data)
}

// ParameterNow returns what a parameter's place holds, for a change or a fact that starts from a value. If the value is
// absent, only the section's own line counts, not what it inherits from [global] or from another share. Otherwise the
// effective value is meant.
func ParameterNow(c *smbconf.Config, section, name string, from model.Value) (have smbconf.Param, present bool) {
	if from.Present {
		return c.Get(section, name)
	}
	if s := c.Section(section); s != nil {
		return s.Own(name)
	}
	return smbconf.Param{}, false
}

// SameParameter compares a parameter with a plan's value by meaning: yes equals true, lists of names are lists, and
// SMB2_10 equals SMB2.
func SameParameter(have smbconf.Param, v model.Value) bool {
	switch want := v.Data.(type) {
	case bool:
		b, ok := have.Bool()
		return ok && b == want
	case []string:
		return slices.EqualFunc(have.List(), want, strings.EqualFold)
	case string:
		if b, ok := have.Bool(); ok {
			if w, ok := (smbconf.Param{Value: want}).Bool(); ok {
				return b == w
			}
		}
		return have.Means(want)
	}
	n, ok := v.Whole()
	i, is := have.Int()
	return ok && is && i == n
}

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
	Text    string        // of a parameter or a line of the policy: what stands behind the equals sign
	Names   []string      // of a group or a firewall rule
}

// State is what a value of a plan stands for at this place. What cannot stand there is an error, never something else.
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

// registryValue gives the type and bytes of a registry value: those that were stored where they are known, else those that
// its meaning is written with.
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

// encode writes a meaning in the bytes of a type, as Windows' own tools do.
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

// Plain tells whether the bytes of a registry value are those that its meaning is written with, and gives that meaning: an
// int or uint64, a text, a list, or bytes where the type says no more. What is not plain can be written by its bytes alone.
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

// parameterText is a value as smb.conf or the security policy has it.
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

// Holds tells whether a place that holds a state is as a plan says. A registry value is held to its bytes where the plan
// has them, else to its meaning, as it always was for plans of earlier versions: how a list ends, and the case of its
// names, is then no part of what the plan knows.
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

// ParameterNow is what stands at a parameter's place, for a change or a fact that starts from a value. Where that is absent,
// the section's own line alone counts: what it takes from [global] or from another share is no part of it. Else what is
// in force there is meant.
func ParameterNow(c *smbconf.Config, section, name string, from model.Value) (have smbconf.Param, present bool) {
	if from.Present {
		return c.Get(section, name)
	}
	if s := c.Section(section); s != nil {
		return s.Own(name)
	}
	return smbconf.Param{}, false
}

// SameParameter compares a parameter with a plan's value by its meaning: yes is true, lists of names are lists, and SMB2_10
// is SMB2.
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

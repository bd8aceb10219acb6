package target

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

// ResolveValues turns changes of registry values into writes, for every target that is a registry.
func ResolveValues(ctx context.Context, read func(context.Context, apply.Place) (apply.State, error), changes []model.Change) ([]apply.Write, error) {
	var out []apply.Write
	for _, c := range changes {
		p, err := valuePlace(c.Where)
		if err != nil {
			return nil, err
		}
		before, err := read(ctx, p)
		if err != nil {
			return nil, err
		}
		if !holds(before, c.From) {
			return nil, &apply.StaleError{Where: c.Where, Want: showValue(c.From), Have: before.String()}
		}
		after, err := stateOf(c)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(w apply.Write) bool { return strings.EqualFold(w.Place.String(), p.String()) }) {
			return nil, &apply.RefusedError{Where: c.Where, Why: "the plan changes it twice"}
		}
		if after.Same(before) {
			continue
		}
		after.Security = before.Security
		out = append(out, apply.Write{Place: p, Before: before, After: after, Changes: []string{c.ID}, Needs: needs(c), Restart: restartOf(c, p)})
	}
	return out, nil
}

// needs is what a change waits for that no target does by itself.
func needs(c model.Change) []string {
	switch c.When {
	case "reboot":
		return []string{"a reboot"}
	case "service-restart":
		return []string{c.TakesEffect}
	}
	return nil
}

// valuePlace reads HKLM\key\value.
func valuePlace(where string) (apply.Place, error) {
	path := registry.Canonical(where)
	i := strings.LastIndexByte(path, '\\')
	if i < 0 || !strings.HasPrefix(path, `HKLM\`) || i == len("HKLM") {
		return apply.Place{}, &apply.RefusedError{
			Where: where, Why: "this is no registry value of the machine",
			Instead: "ipcguard export --as gpo or --as powershell writes it in the form that Windows' own tools take",
		}
	}
	return apply.Place{Kind: apply.RegistryValue, Path: path[:i], Name: path[i+1:]}, nil
}

// stateOf is the state that a change leads to.
func stateOf(c model.Change) (apply.State, error) {
	if !c.To.Present {
		return apply.State{}, nil
	}
	refuse := func(why string) (apply.State, error) {
		return apply.State{}, &apply.RefusedError{Where: c.Where, Why: why}
	}
	t, err := registry.ParseType(c.To.Type)
	if err != nil {
		return refuse(err.Error())
	}
	var v registry.Value
	switch t {
	case registry.DWord:
		n, ok := number(c.To.Data)
		if !ok || n > math.MaxUint32 {
			return refuse(fmt.Sprintf("%v is no REG_DWORD", c.To.Data))
		}
		v = registry.NewDWord("", "", uint32(n))
	case registry.SZ, registry.ExpandSZ:
		s, ok := c.To.Data.(string)
		if !ok || strings.ContainsRune(s, 0) {
			return refuse(fmt.Sprintf("%v is no text", c.To.Data))
		}
		v = registry.NewText("", "", s)
		v.Type = t
	case registry.MultiSZ:
		list, ok := texts(c.To.Data)
		if !ok || slices.ContainsFunc(list, func(s string) bool { return s == "" || strings.ContainsRune(s, 0) }) {
			return refuse(fmt.Sprintf("%v is no list of texts", c.To.Data))
		}
		v = registry.NewStrings("", "", list)
	case registry.Binary:
		b, ok := c.To.Bytes()
		if !ok {
			return refuse("REG_BINARY must be given in hexadecimal digits")
		}
		v = registry.Value{Type: t, Data: b}
	default:
		return refuse("values of type " + t.String() + " are not written")
	}
	return apply.State{Present: true, Type: v.Type, Data: v.Data}, nil
}

// holds tells whether a place holds what a plan says: the same type and meaning. How a list is terminated, and the case
// of its names, is not part of what a plan knows.
func holds(s apply.State, v model.Value) bool {
	if s.Present != v.Present {
		return false
	}
	if !s.Present {
		return true
	}
	if v.Type != "" && !strings.EqualFold(v.Type, s.Type.String()) {
		return false
	}
	if b, ok := v.Bytes(); ok {
		return bytes.Equal(b, s.Data)
	}
	have := registry.Value{Type: s.Type, Data: s.Data}
	switch s.Type {
	case registry.DWord:
		n, err := have.DWord()
		want, ok := number(v.Data)
		return err == nil && ok && uint64(n) == want
	case registry.QWord:
		n, err := have.QWord()
		want, ok := number(v.Data)
		return err == nil && ok && n == want
	case registry.SZ, registry.ExpandSZ:
		t, err := have.Text()
		return err == nil && (v.Data == t || v.Data == nil && t == "")
	case registry.MultiSZ:
		list, err := have.Strings()
		want, ok := texts(v.Data)
		return err == nil && ok && slices.EqualFunc(list, want, strings.EqualFold)
	}
	d, err := sddl.ParseBinary(s.Data)
	return err == nil && v.Data == d.String()
}

// number reads a whole number as it comes from Go or from JSON.
func number(v any) (uint64, bool) {
	switch n := v.(type) {
	case int:
		return uint64(n), n >= 0
	case int64:
		return uint64(n), n >= 0
	case uint32:
		return uint64(n), true
	case uint64:
		return n, true
	case float64:
		return uint64(n), n >= 0 && n <= 1<<53 && n == math.Trunc(n)
	case json.Number:
		i, err := n.Int64()
		return uint64(i), err == nil && i >= 0
	}
	return 0, false
}

// texts reads a list of texts as it comes from Go or from JSON. No data is an empty list.
func texts(v any) ([]string, bool) {
	switch l := v.(type) {
	case nil:
		return []string{}, true
	case []string:
		return l, true
	case []any:
		out := []string{}
		for _, x := range l {
			s, ok := x.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, true
	}
	return nil, false
}

func showValue(v model.Value) string {
	if !v.Present {
		return "absent"
	}
	if _, ok := texts(v.Data); ok && v.Data != nil {
		return fmt.Sprintf("%s %q", v.Type, v.Data)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %v", v.Type, v.Data))
}

// restartNotes says what a registry's host still has to do.
func restartNotes(writes []apply.Write, now time.Time) []string {
	var notes []string
	for _, w := range writes {
		for _, n := range w.Needs {
			n = fmt.Sprintf("needed before %s takes effect: %s (written at %s)", w.Place.Name, n, now.Local().Format(time.DateTime))
			notes = append(notes, n)
		}
	}
	return notes
}

package catalog

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// Config is what is known about one host: the input of the access model.
type Config struct {
	Platform model.Platform

	// Settings by ID or other name. A setting with Present false was looked for and is absent; one that is missing from
	// the map was not looked for, so its value is unknown, unless Complete is set.
	Settings map[string]model.Value

	// Complete says that the whole configuration was read: what is not in Settings is absent.
	Complete bool

	// Shares are the disk shares; nil if they are unknown.
	Shares []model.Share

	// Unread says why the configuration may contain more than was read; empty if it does not.
	Unread string

	// EveryShare says that Shares includes those that the configuration does not show: usershares and registry shares.
	EveryShare bool

	// Defaults are the settings that a new Samba share starts with; nil is unknown.
	Defaults *model.Share

	// AccountLines are the lines about single computer accounts; nil if they were not read.
	AccountLines []model.AccountLine

	// Client is the client's address, for rules about addresses. The zero value means any.
	Client netip.Addr
}

// list returns a list of names without the empty entries that end registry lists.
func list(v any) ([]string, bool) {
	names, ok := model.List(v)
	out := make([]string, 0, len(names))
	for _, n := range names {
		if strings.TrimSpace(n) != "" {
			out = append(out, n)
		}
	}
	return out, ok
}

// kindOf groups setting types by how their values are read.
func kindOf(typ string) string {
	switch typ {
	case "REG_DWORD", "int":
		return "number"
	case "policy":
		return "policy"
	case "REG_MULTI_SZ", "list", "members":
		return "list"
	case "bool":
		return "bool"
	}
	return "text"
}

// normal converts a configured value to the type of its setting. ok is false if it does not fit.
func normal(s *Setting, v model.Value) (any, bool) {
	if strings.HasPrefix(s.Type, "REG_") && v.Type != "" && v.Type != s.Type &&
		!(s.Type == "REG_SZ" && v.Type == "REG_EXPAND_SZ") {
		return nil, false
	}
	switch kindOf(s.Type) {
	case "number":
		n, ok := v.Whole()
		return n, ok
	case "policy":
		if n, ok := v.Whole(); ok {
			return n, true
		}
		return v.Word()
	case "list":
		return list(v.Data)
	case "bool":
		return v.Truth()
	}
	if s.Type == "REG_BINARY" {
		return v.Data, v.Data != nil
	}
	t, ok := v.Word()
	if s.Type == "enum" {
		t = fold(t)
	}
	return t, ok
}

// sameSet compares lists of names as sets without regard to case.
func sameSet(a, b []string) bool { return subset(a, b) && subset(b, a) }

func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(x string) bool {
		return !slices.ContainsFunc(b, func(y string) bool { return samePipe(x, y) })
	})
}

// equal compares two values of one setting.
func equal(a, b any) bool {
	if x, ok := a.([]string); ok {
		y, ok := list(b)
		return ok && sameSet(x, y)
	}
	if x, ok := a.(model.Hex); ok {
		y, ok := b.(model.Hex)
		return ok && bytes.Equal(x, y)
	}
	if x, ok := model.Whole(a); ok {
		y, ok := model.Whole(b)
		return ok && x == y
	}
	return strings.EqualFold(fmt.Sprint(a), fmt.Sprint(b))
}

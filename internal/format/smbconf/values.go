package smbconf

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed enums.txt
var enumText string

// enum is an enumeration of smb.conf.
type enum struct {
	words []string          // its values as Samba's table spells them
	shown map[string]string // the same, folded, each with the value that testparm shows for it
}

// enums are the enumerations by the parameter's folded name.
var enums = sync.OnceValue(func() map[string]*enum {
	out := map[string]*enum{}
	for line := range strings.Lines(enumText) {
		names, values, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || names[0] == '#' {
			continue
		}
		e := &enum{shown: map[string]string{}}
		for same := range strings.SplitSeq(values, "|") {
			all := strings.Split(same, "=")
			e.words = append(e.words, all...)
			for _, v := range all {
				e.shown[fold(v)] = fold(all[0])
			}
		}
		for n := range strings.SplitSeq(names, "|") {
			out[fold(n)] = e
		}
	}
	return out
})

// Words returns the values of a parameter if it is an enumeration, else nil. The result must not be modified.
func Words(name string) []string {
	if e := enums()[fold(name)]; e != nil {
		return e.words
	}
	return nil
}

// Means reports whether another text would mean the same for the parameter: SMB2_10 is SMB2, and for signing "forced"
// is "required".
func (p Param) Means(text string) bool {
	if strings.EqualFold(strings.TrimSpace(p.Value), strings.TrimSpace(text)) {
		return true
	}
	e := enums()[fold(p.Name)]
	if e == nil {
		return false
	}
	have, known := e.shown[fold(p.Value)]
	return known && have == e.shown[fold(text)]
}

// refusal says why Samba stops at an assignment, or returns an empty string. Tests check it against testparm. See
// set_variable_helper in lib/param/loadparm.c.
func refusal(typ Type, p Param) string {
	why := ""
	switch typ {
	case "bool", "boolrev":
		if _, ok := parseBool(p.Value); !ok {
			why = "no boolean"
		}
	case "enum":
		if e := enums()[fold(p.Name)]; e != nil && e.shown[fold(p.Value)] == "" {
			why = "no value of this parameter"
		}
	case "bytes":
		if !size(p.Value) {
			why = "no size: a number, with K, M, G, T or P behind it"
		}
	case "octal":
		if p.Value == "" || strings.Trim(p.Value[:1], "01234567") != "" {
			why = "no octal number"
		}
	}
	switch fold(p.Name) {
	case "nameresolveorder":
		known := func(s string) bool { return slices.Contains([]string{"lmhosts", "wins", "bcast", "host"}, s) }
		if list := p.List(); len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return !known(s) }) {
			why = "no list of lmhosts, wins, host and bcast"
		}
	case "smbports":
		if list := p.List(); len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return !port(s) }) {
			why = "no list of ports"
		}
	case "rpcserverdynamicportrange":
		if !portRange(p.Value) {
			why = "no range of ports from 1024 to 65535"
		}
	}
	if why == "" {
		return ""
	}
	return fmt.Sprintf("%q = %.80q is %s", p.Written, p.Value, why)
}

// port reports whether Samba accepts a text as a port: a number and nothing after it.
func port(s string) bool {
	return strings.Trim(s, "0123456789") == "" && strtol(s) >= 1 && strtol(s) <= 65535
}

// size reports whether Samba accepts a text as a number of bytes.
func size(s string) bool {
	digits := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseInt(s[:len(s)-len(digits)], 10, 64)
	if err != nil {
		return false
	}
	unit := strings.Index("KMGTP", strings.ToUpper(fold(digits)))
	if fold(digits) == "" {
		unit = -1
	} else if unit < 0 || len(fold(digits)) != 1 {
		return false
	}
	return n <= math.MaxInt32>>min(10*(unit+1), 31)
}

func portRange(s string) bool {
	low, high, ok := strings.Cut(s, "-")
	a, b := strtol(low), strtol(high)
	return ok && a >= 1024 && b <= 65535 && a <= b
}

// reading says how Samba reads a number that is not plain decimal: in another base, or with trailing text.
func reading(typ Type, p Param) string {
	n, _ := p.Int()
	if typ != "integer" || strings.TrimPrefix(p.Value, "+") == strconv.Itoa(n) {
		return ""
	}
	return fmt.Sprintf("%s = %.80q is read as %d", p.Name, p.Value, n)
}

// strtol parses a number like the C library with base 0: 0x for base 16, 0 for base 8, and trailing text is ignored; an
// invalid number is 0.
func strtol(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	base, digits := 10, "0123456789"
	switch {
	case len(s) > 2 && strings.EqualFold(s[:2], "0x") && strings.ContainsRune("0123456789abcdef", rune(s[2]|0x20)):
		s, base, digits = strings.ToLower(s[2:]), 16, "0123456789abcdef"
	case strings.HasPrefix(s, "0"):
		base, digits = 8, "01234567"
	}
	s = s[:len(s)-len(strings.TrimLeft(s, digits))]
	n, err := strconv.ParseInt(s, base, 64)
	if err != nil && s != "" {
		n = math.MaxInt64 // beyond the range; Samba keeps its lower half
	}
	return int(int32(n * int64(sign))) // a parameter of Samba has 32 bits
}

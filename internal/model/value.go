package model

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Value is a setting's exact content, absence included: its type, its meaning, and for a registry value the stored
// bytes.
//
//	{"present":true,"type":"REG_DWORD","data":1,"raw":"01000000"}
//	{"present":true,"type":"REG_SZ","data":"O:BAG:BAD:(A;;RC;;;BA) ","raw":"4f003a00…"}
//	{"present":true,"type":"REG_BINARY","data":"O:SYG:SYD:(A;;CC;;;AN)","raw":"01000480…"}
//	{"present":true,"type":"REG_DWORD","raw":"00"}       one byte where four belong: bytes without a meaning
//	{"present":true,"type":"bool","data":false}          of smb.conf, which has no bytes of its own
//	{"present":false}
type Value struct {
	Present bool `json:"present"`
	// REG_DWORD and its like, or the catalog's: bool, int, enum, string, list, members, policy
	Type string `json:"type,omitempty"`

	// Data is the meaning, if the type and the bytes have one: bool, int (uint64 beyond an int), string, []string or
	// Hex; else nil.
	Data any `json:"data,omitempty"`

	// Raw is the registry value as stored. It is nil if the source has no bytes, if a plan asks for a meaning, and in
	// documents of earlier versions.
	Raw Hex `json:"raw,omitzero"`
}

// Hex is bytes that are written as hexadecimal digits in JSON and in text.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode([]byte{}, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode([]byte{}, text)
	if err != nil {
		return fmt.Errorf("model: no bytes in hexadecimal: %w", err)
	}
	*h = b
	return nil
}

// String returns the number of bytes and the first of them.
func (h Hex) String() string {
	const most = 16 // enough to distinguish two at a glance
	switch n := len(h); {
	case n == 0:
		return "no bytes"
	case n > most:
		return fmt.Sprintf("%d bytes: % x …", n, []byte(h[:most]))
	case n == 1:
		return fmt.Sprintf("1 byte: %x", []byte(h))
	default:
		return fmt.Sprintf("%d bytes: % x", n, []byte(h))
	}
}

// UnmarshalJSON decodes a value of this version or of an earlier one, whose bytes are in data, and gives Data one of
// the types that Value names. An unknown field is an error, because a partly understood value is wrong.
func (v *Value) UnmarshalJSON(b []byte) error {
	type plain Value // without methods
	var in plain
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return err
	}
	var err error
	if in.Data, err = shape(in.Type, in.Data); err != nil {
		return err
	}
	*v = Value(in)
	return nil
}

// shape converts the decoded meaning of a value to the Go type that it had before it was written.
func shape(typ string, v any) (any, error) {
	switch x := v.(type) {
	case json.Number:
		if n, err := strconv.Atoi(x.String()); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseUint(x.String(), 10, 64); err == nil {
			return n, nil
		}
		return nil, fmt.Errorf("model: %.40s is no whole number", x.String())
	case []any:
		list, ok := List(x)
		if !ok {
			return nil, fmt.Errorf("model: a list holds something else than text")
		}
		return list, nil
	case string:
		if !holdsBytes(typ) || IsSDDL(x) {
			return x, nil
		}
		b, err := hex.DecodeString(x)
		if err != nil || hex.EncodeToString(b) != x {
			return x, nil // as written by hand; it has no bytes
		}
		return Hex(b), nil
	case map[string]any:
		return nil, fmt.Errorf("model: an object is no value")
	}
	return v, nil
}

// holdsBytes reports whether a string in the data of a type is hexadecimal bytes.
func holdsBytes(typ string) bool {
	switch typ {
	case "REG_SZ", "REG_EXPAND_SZ", "REG_MULTI_SZ":
		return false
	}
	return strings.HasPrefix(typ, "REG_") || strings.HasPrefix(typ, "0x")
}

// IsSDDL reports whether a text is a security descriptor rather than hexadecimal digits: it begins with an owner, a
// group or an access list. See [MS-DTYP] 2.5.1.
func IsSDDL(s string) bool {
	return len(s) > 1 && s[1] == ':' && strings.ContainsRune("OGDS", rune(s[0]))
}

// Bytes returns a registry value's bytes, if they are known.
func (v Value) Bytes() ([]byte, bool) {
	if v.Raw != nil {
		return v.Raw, true
	}
	h, ok := v.Data.(Hex)
	return h, ok
}

// Equal reports whether two values are the same: presence, type, and the bytes if both have them, else the meaning.
func (v Value) Equal(o Value) bool {
	switch {
	case v.Present != o.Present:
		return false
	case !v.Present:
		return true
	case v.Type != o.Type:
		return false
	}
	a, ok1 := v.Bytes()
	b, ok2 := o.Bytes()
	if ok1 && ok2 {
		return bytes.Equal(a, b)
	}
	return sameData(v.Data, o.Data)
}

func sameData(a, b any) bool {
	switch x := a.(type) {
	case []string:
		y, ok := b.([]string)
		return ok && slices.Equal(x, y)
	case Hex:
		y, ok := b.(Hex)
		return ok && bytes.Equal(x, y)
	case nil, bool, string:
		return a == b
	case uint64:
		if y, ok := b.(uint64); ok {
			return x == y
		}
	}
	x, ok1 := whole64(a)
	y, ok2 := whole64(b)
	return ok1 && ok2 && x == y
}

// Whole, Truth, List and Word convert the value's meaning like the functions of the same names. A REG_SZ or
// REG_EXPAND_SZ is a word, and neither a number nor a list: how Windows converts it to another type is unknown.
func (v Value) Whole() (int, bool)     { return Whole(v.unless("REG_SZ", "REG_EXPAND_SZ")) }
func (v Value) Truth() (bool, bool)    { return Truth(v.unless("REG_SZ", "REG_EXPAND_SZ")) }
func (v Value) List() ([]string, bool) { return List(v.unless("REG_SZ", "REG_EXPAND_SZ")) }
func (v Value) Word() (string, bool)   { return Word(v.Data) }

// unless returns the value's meaning, or nil if it has one of the types.
func (v Value) unless(types ...string) any {
	if slices.Contains(types, v.Type) {
		return nil
	}
	return v.Data
}

// String returns the value in words: its type and its meaning, or its bytes if they have no meaning.
func (v Value) String() string {
	switch {
	case !v.Present:
		return "absent"
	case v.Data == nil && v.Raw != nil:
		return strings.TrimSpace(v.Type + " " + v.Raw.String())
	}
	return strings.TrimSpace(v.Type + " " + Text(v.Data))
}

// whole64 returns the number in any Go type that a source uses.
func whole64(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case uint32:
		return int64(n), true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case float64: // the default of encoding/json
		return int64(n), n == math.Trunc(n) && math.Abs(n) <= 1<<53
	}
	return 0, false
}

// Whole returns a whole number: a number, yes and no as 1 and 0, or a text that contains a number, as in smb.conf.
func Whole(v any) (int, bool) {
	switch x := v.(type) {
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(x), 0, strconv.IntSize)
		return int(n), err == nil
	}
	n, ok := whole64(v)
	return int(n), ok && n == int64(int(n))
}

// Truth returns a boolean as smb.conf writes it, or whether a number is not 0.
func Truth(v any) (value, ok bool) {
	switch x := v.(type) {
	case bool:
		return x, true
	case string:
		switch strings.ToLower(strings.TrimSpace(x)) {
		case "yes", "true", "1", "on":
			return true, true
		case "no", "false", "0", "off":
			return false, true
		}
		return false, false
	}
	n, ok := Whole(v)
	return n != 0, ok
}

// List returns a list of names: a list, or a text separated by blanks, commas or semicolons as in smb.conf. Nil is no
// list.
func List(v any) ([]string, bool) {
	switch x := v.(type) {
	case []string:
		if x == nil {
			x = []string{} // an empty list, also in JSON
		}
		return x, true
	case []any:
		out := make([]string, len(x))
		for i, e := range x {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			out[i] = s
		}
		return out, true
	case string:
		return strings.FieldsFunc(x, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == ';' }), true
	}
	return nil, false
}

// Word returns a text without surrounding blanks, or a number or boolean as text.
func Word(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return strings.TrimSpace(x), true
	case bool:
		return strconv.FormatBool(x), true
	}
	n, ok := whole64(v)
	return strconv.FormatInt(n, 10), ok
}

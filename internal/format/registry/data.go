package registry

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// TypeError means that a value has another type than its meaning needs. The data may still be readable; how Windows
// interprets it is another question.
type TypeError struct {
	Name       string
	Want, Have Type
}

// Error implements error.
func (e *TypeError) Error() string {
	return fmt.Sprintf("registry: %s is %s, not %s", display(e.Name), e.Have, e.Want)
}

// DataError means that a value's bytes do not fit its type.
type DataError struct {
	Name string
	Type Type
	Why  string
}

// Error implements error.
func (e *DataError) Error() string {
	return fmt.Sprintf("registry: %s (%s): %s", display(e.Name), e.Type, e.Why)
}

func display(name string) string {
	if name == "" {
		return "the default value"
	}
	return fmt.Sprintf("value %.80q", name)
}

// DWord returns a REG_DWORD of exactly four bytes. Any other type is a *TypeError, any other length a *DataError.
func (v Value) DWord() (uint32, error) {
	if v.Type != DWord {
		return 0, &TypeError{v.Name, DWord, v.Type}
	}
	if len(v.Data) != 4 {
		return 0, &DataError{v.Name, v.Type, fmt.Sprintf("%d bytes where 4 belong", len(v.Data))}
	}
	return binary.LittleEndian.Uint32(v.Data), nil
}

// QWord returns a REG_QWORD of exactly eight bytes.
func (v Value) QWord() (uint64, error) {
	if v.Type != QWord {
		return 0, &TypeError{v.Name, QWord, v.Type}
	}
	if len(v.Data) != 8 {
		return 0, &DataError{v.Name, v.Type, fmt.Sprintf("%d bytes where 8 belong", len(v.Data))}
	}
	return binary.LittleEndian.Uint64(v.Data), nil
}

// Text returns a REG_SZ or REG_EXPAND_SZ up to its terminator. Any other type is a *TypeError. A missing terminator or
// an odd last byte is not an error (Windows itself writes both); Oddities reports them.
func (v Value) Text() (string, error) {
	if v.Type != SZ && v.Type != ExpandSZ {
		return "", &TypeError{v.Name, SZ, v.Type}
	}
	s, _ := cutString(v.Data)
	return s, nil
}

// Strings returns a REG_MULTI_SZ: strings up to an empty one or the end of the data. It skips blank entries before the
// first name: the default NullSessionPipes of domain controllers begins with one, and its names count. An empty list is
// empty, not nil. For a REG_SZ it returns the text as the only string and a *TypeError, so that the caller can name
// both.
func (v Value) Strings() ([]string, error) {
	if v.Type == SZ || v.Type == ExpandSZ {
		list := []string{}
		if s, err := v.Text(); err == nil && s != "" {
			list = append(list, s)
		}
		return list, &TypeError{v.Name, MultiSZ, v.Type}
	}
	if v.Type != MultiSZ {
		return nil, &TypeError{v.Name, MultiSZ, v.Type}
	}
	list := []string{}
	for rest := v.Data[blank(v.Data):]; len(rest) > 1; {
		s, n := cutString(rest)
		if s == "" {
			break
		}
		list = append(list, s)
		rest = rest[n:]
	}
	return list, nil
}

// blank returns the size of the blank entries at the beginning of a list; 0 if only blanks follow.
func blank(b []byte) int {
	at := 0
	for at+1 < len(b) && b[at] == 0 && b[at+1] == 0 {
		at += 2
	}
	if at+1 >= len(b) {
		return 0
	}
	return at
}

// Oddities lists what a careful writer would not have written into a value whose meaning needs the type want: a wrong
// type, a wrong length, missing terminators, data after the end. Nil means no anomalies.
func (v Value) Oddities(want Type) []string {
	var odd []string
	if v.Type != want && !(want == SZ && v.Type == ExpandSZ) {
		odd = append(odd, fmt.Sprintf("is %s where %s belongs", v.Type, want))
	}
	switch v.Type {
	case DWord, DWordBigEndian:
		if len(v.Data) != 4 {
			odd = append(odd, fmt.Sprintf("has %d bytes where 4 belong", len(v.Data)))
		}
	case QWord:
		if len(v.Data) != 8 {
			odd = append(odd, fmt.Sprintf("has %d bytes where 8 belong", len(v.Data)))
		}
	case SZ, ExpandSZ:
		odd = append(odd, oddText(v.Data)...)
	case MultiSZ:
		odd = append(odd, oddList(v.Data)...)
	}
	return odd
}

func oddText(b []byte) []string {
	if len(b)%2 != 0 {
		return []string{"has an odd number of bytes"}
	}
	if _, n := cutString(b); n < len(b) {
		return []string{"has data after its terminator"}
	}
	if len(b) == 0 || b[len(b)-1] != 0 || b[len(b)-2] != 0 {
		return []string{"has no terminator"}
	}
	return nil
}

func oddList(b []byte) []string {
	if len(b)%2 != 0 {
		return []string{"has an odd number of bytes"}
	}
	var odd []string
	at := blank(b)
	if at > 0 {
		odd = append(odd, "begins with a blank entry, behind which its names count")
	}
	for at < len(b) {
		s, n := cutString(b[at:])
		if at += n; s != "" {
			if b[at-1] != 0 || b[at-2] != 0 {
				return append(odd, "its last string has no terminator")
			}
			continue
		}
		// regedit and secedit both write an empty list as two terminators or one.
		if at < len(b) && !(at == 2 && len(b) == 4 && b[2] == 0 && b[3] == 0) {
			odd = append(odd, "has data after the end of the list")
		}
		return odd
	}
	return append(odd, "has no final terminator")
}

// cutString decodes UTF-16LE up to a terminator or the end of an even number of bytes, and returns the number of bytes
// including the terminator.
func cutString(b []byte) (string, int) {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		u := binary.LittleEndian.Uint16(b[i:])
		if u == 0 {
			return string(utf16.Decode(units)), i + 2
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units)), len(b)
}

// DecodeUTF16 decodes little-endian UTF-16 as it is, including terminators. An odd last byte is dropped.
func DecodeUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// EncodeUTF16 encodes s as little-endian UTF-16 without a terminator.
func EncodeUTF16(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, r := range s {
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			b = binary.LittleEndian.AppendUint16(b, uint16(high))
			r = low
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(r))
	}
	return b
}

// NewDWord returns a REG_DWORD.
func NewDWord(key, name string, n uint32) Value {
	return Value{key, name, DWord, binary.LittleEndian.AppendUint32(nil, n)}
}

// NewQWord returns a REG_QWORD.
func NewQWord(key, name string, n uint64) Value {
	return Value{key, name, QWord, binary.LittleEndian.AppendUint64(nil, n)}
}

// NewText returns a REG_SZ with its terminator.
func NewText(key, name, s string) Value {
	return Value{key, name, SZ, append(EncodeUTF16(s), 0, 0)}
}

// NewStrings returns a REG_MULTI_SZ: each string terminated, and a last terminator, which is all of an empty list.
// Empty strings cannot be stored in a list and are omitted.
func NewStrings(key, name string, list []string) Value {
	b := []byte{}
	for _, s := range list {
		if s != "" {
			b = append(append(b, EncodeUTF16(s)...), 0, 0)
		}
	}
	return Value{key, name, MultiSZ, append(b, 0, 0)}
}

// ListData returns the bytes of a REG_MULTI_SZ for a list from a text: blank entries before the first name stay, as
// Windows keeps them; others would end the list and are omitted.
func ListData(list []string) []byte {
	b := NewStrings("", "", list).Data
	if len(b) == 2 {
		return b
	}
	for _, s := range list {
		if s != "" {
			break
		}
		b = append([]byte{0, 0}, b...)
	}
	return b
}

package evtx

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"time"
)

// Type is a BinXML value type. See [MS-EVEN6] 2.2.12 and 3.1.4.7.3.
type Type byte

// The value types. With TypeArray set, a value is an array of the type.
const (
	TypeNull       Type = 0x00
	TypeString     Type = 0x01
	TypeANSI       Type = 0x02
	TypeInt8       Type = 0x03
	TypeUint8      Type = 0x04
	TypeInt16      Type = 0x05
	TypeUint16     Type = 0x06
	TypeInt32      Type = 0x07
	TypeUint32     Type = 0x08
	TypeInt64      Type = 0x09
	TypeUint64     Type = 0x0a
	TypeReal32     Type = 0x0b
	TypeReal64     Type = 0x0c
	TypeBool       Type = 0x0d
	TypeBinary     Type = 0x0e
	TypeGUID       Type = 0x0f
	TypeSizeT      Type = 0x10
	TypeFileTime   Type = 0x11
	TypeSystemTime Type = 0x12
	TypeSID        Type = 0x13
	TypeHexInt32   Type = 0x14
	TypeHexInt64   Type = 0x15
	TypeHandle     Type = 0x20
	TypeBinXML     Type = 0x21
	TypeXML        Type = 0x23
	TypeArray      Type = 0x80
)

// Value is one value as stored in the file. It is valid as long as its event.
type Value struct {
	Type Type
	Data []byte
	text string // a template's own text, with TypeString and no Data
	at   int    // offset of Data in its chunk
}

// IsNull reports whether there is no value.
func (v Value) IsNull() bool { return v.Type == TypeNull }

// String returns the value's canonical text. See [MS-EVEN6] 3.1.4.7.3. Items of an array are separated by a space.
func (v Value) String() string {
	if v.Type == TypeString && v.Data == nil {
		return v.text
	}
	return string(v.AppendText(nil))
}

// AppendText appends what String returns.
func (v Value) AppendText(dst []byte) []byte {
	if v.Type&TypeArray == 0 {
		return v.appendScalar(dst)
	}
	first := true
	for item := range v.Items {
		if !first {
			dst = append(dst, ' ')
		}
		first = false
		dst = item.appendScalar(dst)
	}
	return dst
}

// Uint returns the value of any integer or boolean type, or of a decimal or 0x text.
func (v Value) Uint() (uint64, bool) {
	switch v.Type {
	case TypeInt8, TypeUint8, TypeInt16, TypeUint16, TypeInt32, TypeUint32, TypeInt64, TypeUint64, TypeBool, TypeSizeT,
		TypeHexInt32, TypeHexInt64, TypeHandle:
		return v.uint()
	case TypeString, TypeANSI:
		n, err := strconv.ParseUint(v.String(), 0, 64)
		return n, err == nil
	}
	return 0, false
}

// Time returns the value of a FILETIME or SYSTEMTIME, in UTC.
func (v Value) Time() (time.Time, bool) {
	switch {
	case v.Type == TypeFileTime && len(v.Data) == 8:
		return fileTime(binary.LittleEndian.Uint64(v.Data)), true
	case v.Type == TypeSystemTime && len(v.Data) == 16:
		u := func(i int) int { return int(binary.LittleEndian.Uint16(v.Data[2*i:])) }
		return time.Date(u(0), time.Month(u(1)), u(3), u(4), u(5), u(6), u(7)*int(time.Millisecond), time.UTC), true
	case v.Type == TypeString:
		t, err := time.Parse(time.RFC3339Nano, v.String())
		return t, err == nil
	}
	return time.Time{}, false
}

// uint reads a little-endian integer of any of the four sizes.
func (v Value) uint() (uint64, bool) {
	switch len(v.Data) {
	case 1:
		return uint64(v.Data[0]), true
	case 2:
		return uint64(binary.LittleEndian.Uint16(v.Data)), true
	case 4:
		return uint64(binary.LittleEndian.Uint32(v.Data)), true
	case 8:
		return binary.LittleEndian.Uint64(v.Data), true
	}
	return 0, false
}

// Items yields the items of an array, or the value itself.
func (v Value) Items(yield func(Value) bool) {
	if v.Type&TypeArray == 0 {
		yield(v)
		return
	}
	item := v.Type &^ TypeArray
	for at := 0; at < len(v.Data); {
		n, next := itemSize(item, v.Data[at:], len(v.Data))
		if next == 0 {
			return
		}
		if !yield(Value{Type: item, Data: v.Data[at : at+n], at: v.at + at}) {
			return
		}
		at += next
	}
}

// itemSize returns the size of the array item at the front of b, without and with its terminator; 0 if b holds no whole
// item.
func itemSize(t Type, b []byte, total int) (n, next int) {
	fixed := func(n int) (int, int) {
		if n > len(b) {
			return 0, 0
		}
		return n, n
	}
	switch t {
	case TypeString:
		for i := 0; i+1 < len(b); i += 2 {
			if b[i] == 0 && b[i+1] == 0 {
				return i, i + 2
			}
		}
		return len(b), len(b)
	case TypeANSI:
		for i, x := range b {
			if x == 0 {
				return i, i + 1
			}
		}
		return len(b), len(b)
	case TypeInt8, TypeUint8:
		return fixed(1)
	case TypeInt16, TypeUint16:
		return fixed(2)
	case TypeInt32, TypeUint32, TypeReal32, TypeHexInt32:
		return fixed(4)
	case TypeInt64, TypeUint64, TypeReal64, TypeFileTime, TypeHexInt64:
		return fixed(8)
	case TypeGUID, TypeSystemTime:
		return fixed(16)
	case TypeBool: // one byte in [MS-EVEN6], four on disk
		if total%4 == 0 {
			return fixed(4)
		}
		return fixed(1)
	case TypeSizeT:
		if total%8 == 0 {
			return fixed(8)
		}
		return fixed(4)
	case TypeSID:
		if len(b) < 8 {
			return 0, 0
		}
		return fixed(8 + 4*int(b[1]))
	}
	return len(b), len(b)
}

func (v Value) appendScalar(dst []byte) []byte {
	switch v.Type {
	case TypeNull, TypeBinXML:
		return dst
	case TypeString, TypeXML:
		if v.Data == nil {
			return append(dst, v.text...)
		}
		return appendUTF16(dst, trimNUL(v.Data, 2))
	case TypeANSI:
		for _, b := range trimNUL(v.Data, 1) {
			// The code page is not in the file; a byte beyond ASCII is read as Latin-1.
			dst = appendUTF16(dst, []byte{b, 0})
		}
		return dst
	case TypeGUID:
		if len(v.Data) == 16 {
			return appendGUID(dst, v.Data)
		}
	case TypeFileTime, TypeSystemTime:
		if t, ok := v.Time(); ok {
			layout := "2006-01-02T15:04:05.000000000Z"
			if v.Type == TypeSystemTime {
				layout = "2006-01-02T15:04:05.000Z"
			}
			return t.AppendFormat(dst, layout)
		}
	case TypeSID:
		if out, ok := appendSID(dst, v.Data); ok {
			return out
		}
	case TypeReal32:
		if len(v.Data) == 4 {
			return strconv.AppendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(v.Data))), 'g', -1,
				32)
		}
	case TypeReal64:
		if len(v.Data) == 8 {
			return strconv.AppendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(v.Data)), 'g', -1, 64)
		}
	default:
		if n, ok := v.uint(); ok {
			return v.appendInt(dst, n)
		}
	}
	return appendHex(dst, v.Data)
}

// appendHex appends the text of binary data, of types without a text form, and of values with a wrong size.
func appendHex(dst, b []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, x := range b {
		dst = append(dst, digits[x>>4], digits[x&15])
	}
	return dst
}

func (v Value) appendInt(dst []byte, n uint64) []byte {
	switch v.Type {
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		shift := 64 - 8*len(v.Data)
		return strconv.AppendInt(dst, int64(n<<shift)>>shift, 10)
	case TypeUint8, TypeUint16, TypeUint32, TypeUint64:
		return strconv.AppendUint(dst, n, 10)
	case TypeBool:
		return strconv.AppendBool(dst, n != 0)
	case TypeHexInt32, TypeHexInt64, TypeSizeT, TypeHandle:
		return strconv.AppendUint(append(dst, "0x"...), n, 16)
	}
	return appendHex(dst, v.Data)
}

// trimNUL removes the terminators that some providers count into a string.
func trimNUL(b []byte, width int) []byte {
	for len(b) >= width && b[len(b)-1] == 0 && (width == 1 || b[len(b)-2] == 0) {
		b = b[:len(b)-width]
	}
	return b
}

// appendGUID appends a GUID in braces, lower case. See [MS-DTYP] 2.3.4.
func appendGUID(dst, b []byte) []byte {
	var raw [16]byte
	binary.BigEndian.PutUint32(raw[0:], binary.LittleEndian.Uint32(b[0:]))
	binary.BigEndian.PutUint16(raw[4:], binary.LittleEndian.Uint16(b[4:]))
	binary.BigEndian.PutUint16(raw[6:], binary.LittleEndian.Uint16(b[6:]))
	copy(raw[8:], b[8:])
	dst = append(dst, '{')
	for i, part := range [][]byte{raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return append(dst, '}')
}

// appendSID appends a SID's text. See [MS-DTYP] 2.4.2.
func appendSID(dst, b []byte) ([]byte, bool) {
	if len(b) < 8 || b[0] != 1 || len(b) < 8+4*int(b[1]) {
		return dst, false
	}
	dst = append(dst, "S-1-"...)
	authority := uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:]))
	if authority < 1<<32 {
		dst = strconv.AppendUint(dst, authority, 10)
	} else {
		dst = append(dst, "0x"...)
		dst = hex.AppendEncode(dst, b[2:8])
	}
	for i := range int(b[1]) {
		dst = append(dst, '-')
		dst = strconv.AppendUint(dst, uint64(binary.LittleEndian.Uint32(b[8+4*i:])), 10)
	}
	return dst, true
}

// fileTime converts 100 ns units since 1601. See [MS-DTYP] 2.3.3.
func fileTime(v uint64) time.Time {
	const toUnix = 11644473600
	return time.Unix(int64(v/1e7)-toUnix, int64(v%1e7)*100).UTC()
}

package hive

import (
	"encoding/binary"
	"errors"
	"fmt"

	"ipcguard/internal/format/registry"
)

// rawValue is a value record without its data.
type rawValue struct {
	off  uint32
	name string
	kind registry.Type
	size uint32
	data uint32
}

// Value finds a value by name; an empty name is the key's default value.
func (k *Key) Value(name string) (registry.Value, error) {
	want := registry.Fold(name)
	var found *rawValue
	err := k.eachValue(func(v rawValue, err error) bool {
		if err == nil && registry.Fold(v.name) == want {
			found = &v
			return false
		}
		return true
	})
	if err != nil {
		return registry.Value{}, err
	}
	if found == nil {
		return registry.Value{}, fmt.Errorf("hive: %s\\%s: %w", k.path, name, registry.ErrNotExist)
	}
	return k.load(*found)
}

// Values lists a key's values. Unreadable ones are omitted and named in the error.
func (k *Key) Values() ([]registry.Value, error) {
	var out []registry.Value
	var bad []error
	total := 0
	err := k.eachValue(func(v rawValue, err error) bool {
		var val registry.Value
		if err == nil {
			val, err = k.load(v)
		}
		if err != nil {
			bad = append(bad, err)
			return len(bad) <= 20 // enough to show that the list is broken
		}
		if total += len(val.Data); total > maxData {
			bad = append(bad, &FormatError{baseSize + int64(v.off), "a key's values are larger than an audit reads"})
			return false
		}
		out = append(out, val)
		return true
	})
	return out, errors.Join(append(bad, err)...)
}

// eachValue calls f with every value record, or with the error of reading it.
func (k *Key) eachValue(f func(rawValue, error) bool) error {
	if k.values == 0 || k.valList == noOffset {
		return nil
	}
	at := baseSize + int64(k.valList)
	if int64(k.values) > int64(k.h.size)/minValueCell {
		return &FormatError{at, "a key counts more values than fit the hive"}
	}
	list, err := k.h.cell(k.valList)
	if err != nil {
		return err
	}
	if int64(k.values)*4 > int64(len(list)) {
		return &FormatError{at, "a key counts more values than its list holds"}
	}
	for i := range int(k.values) {
		if !f(k.h.value(binary.LittleEndian.Uint32(list[4*i:]))) {
			return nil
		}
	}
	return nil
}

// value reads a value record.
//
//	+0 "vk" · +2 name length · +4 data size (top bit: the data is in the next field) · +8 data or its cell
//	+12 type · +16 flags (1: one byte a character) · +20 name
func (h *Hive) value(off uint32) (rawValue, error) {
	b, err := h.record(off, "vk", 20)
	if err != nil {
		return rawValue{}, err
	}
	le := binary.LittleEndian
	n := int(le.Uint16(b[2:]))
	if 20+n > len(b) {
		return rawValue{}, &FormatError{baseSize + int64(off), "a value's name is longer than its cell"}
	}
	return rawValue{
		off: off, name: decodeName(b[20:20+n], le.Uint16(b[16:])&1 != 0),
		kind: registry.Type(le.Uint32(b[12:])), size: le.Uint32(b[4:]), data: le.Uint32(b[8:]),
	}, nil
}

const (
	inline      = 1 << 31
	segmentSize = 16344 // the largest segment of big data: a cell of 16 KiB less its overhead
)

func (k *Key) load(v rawValue) (registry.Value, error) {
	out := registry.Value{Key: k.path, Name: v.name, Type: v.kind, Data: []byte{}}
	at := baseSize + int64(v.off)
	if v.size&inline != 0 {
		n := v.size &^ inline
		if n > 4 {
			return out, &FormatError{at, fmt.Sprintf("a value keeps %d bytes where 4 fit", n)}
		}
		out.Data = binary.LittleEndian.AppendUint32(nil, v.data)[:n]
		return out, nil
	}
	if v.size == 0 {
		return out, nil
	}
	if v.size > maxData || v.size > k.h.size {
		return out, &FormatError{at, fmt.Sprintf("a value's size is wrong: %d bytes", v.size)}
	}
	b, err := k.h.cell(v.data)
	if err != nil {
		return out, err
	}
	if v.size > segmentSize && k.h.info.Minor > 3 && len(b) >= 8 && string(b[:2]) == "db" {
		out.Data, err = k.h.bigData(v, b)
		return out, err
	}
	if int(v.size) > len(b) {
		return out, &FormatError{baseSize + int64(v.data), "a value's data is longer than its cell"}
	}
	out.Data = b[:v.size]
	return out, nil
}

// bigData joins the segments of a value that is larger than a cell.
//
//	+0 "db" · +2 number of segments · +4 the list of their offsets
func (h *Hive) bigData(v rawValue, b []byte) ([]byte, error) {
	at := baseSize + int64(v.data)
	n := int(binary.LittleEndian.Uint16(b[2:]))
	if n != int((v.size+segmentSize-1)/segmentSize) {
		return nil, &FormatError{at, fmt.Sprintf("%d bytes of data are said to take %d segments", v.size, n)}
	}
	list, err := h.cell(binary.LittleEndian.Uint32(b[4:]))
	if err != nil {
		return nil, err
	}
	if 4*n > len(list) {
		return nil, &FormatError{at, "big data counts more segments than its list holds"}
	}
	out := make([]byte, 0, v.size)
	for i := range n {
		seg, err := h.cell(binary.LittleEndian.Uint32(list[4*i:]))
		if err != nil {
			return nil, err
		}
		want := min(segmentSize, int(v.size)-len(out))
		if want > len(seg) {
			return nil, &FormatError{at, "a segment of big data is too short"}
		}
		out = append(out, seg[:want]...)
	}
	return out, nil
}

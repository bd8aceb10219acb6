package model

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestValueJSON: every kind of value survives JSON unchanged, to the byte and to the last digit.
func TestValueJSON(t *testing.T) {
	for _, c := range []struct {
		value Value
		text  string
	}{
		{Value{}, `{"present":false}`},
		{
			Value{Present: true, Type: "REG_DWORD", Data: 1, Raw: Hex{1, 0, 0, 0}},
			`{"present":true,"type":"REG_DWORD","data":1,"raw":"01000000"}`,
		},
		{Value{Present: true, Type: "REG_DWORD", Raw: Hex{}}, `{"present":true,"type":"REG_DWORD","raw":""}`},
		{
			Value{Present: true, Type: "REG_QWORD", Data: uint64(math.MaxUint64)},
			`{"present":true,"type":"REG_QWORD","data":18446744073709551615}`,
		},
		{Value{Present: true, Type: "REG_SZ", Data: "00ff "}, `{"present":true,"type":"REG_SZ","data":"00ff "}`},
		{
			Value{Present: true, Type: "REG_MULTI_SZ", Data: []string{}},
			`{"present":true,"type":"REG_MULTI_SZ","data":[]}`,
		},
		{
			Value{Present: true, Type: "REG_BINARY", Data: Hex{0, 255}},
			`{"present":true,"type":"REG_BINARY","data":"00ff"}`,
		},
		{
			Value{Present: true, Type: "REG_BINARY", Data: "D:(A;;CC;;;AN)"},
			`{"present":true,"type":"REG_BINARY","data":"D:(A;;CC;;;AN)"}`,
		},
		// Not bytes that this program wrote.
		{Value{Present: true, Type: "REG_BINARY", Data: "D0FF"}, `{"present":true,"type":"REG_BINARY","data":"D0FF"}`},
		{Value{Present: true, Type: "bool", Data: false}, `{"present":true,"type":"bool","data":false}`},
	} {
		b, err := json.Marshal(c.value)
		if err != nil || string(b) != c.text {
			t.Errorf("%#v is written %s, want %s (%v)", c.value, b, c.text, err)
		}
		var back Value
		if err := json.Unmarshal([]byte(c.text), &back); err != nil || !reflect.DeepEqual(back, c.value) ||
			!back.Equal(c.value) {
			t.Errorf("%s is read %#v, want %#v (%v)", c.text, back, c.value, err)
		}
	}
	for _, bad := range []string{
		`{"present":true,"data":1.5}`, `{"present":true,"data":1e3}`, `{"present":true,"data":{"x":1}}`,
		`{"present":true,"data":["a",1]}`,
		`{"present":true,"raw":"0"}`, `{"present":true,"raw":"zz"}`, `{"present":true,"else":1}`, `{"present":"yes"}`,
		`{"data":99999999999999999999}`,
	} {
		if err := json.Unmarshal([]byte(bad), &Value{}); err == nil {
			t.Errorf("%s is read as a value", bad)
		}
	}
}

func TestSettingJSON(t *testing.T) {
	const text = `{"id":"x","where":"","type":"REG_DWORD","present":true,"configured":"0000000000000000","configured_type":"REG_QWORD",` +
		`"effective":4294967295,"basis":"unknown","state":"unknown","why":"","later":true}`
	var s Setting
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Value(), (Value{Present: true, Type: "REG_QWORD", Data: make(Hex, 8)}); !got.Equal(want) ||
		s.Effective != 4294967295 {
		t.Errorf("%#v, in effect %#v", got, s.Effective)
	}
	if s = (Setting{Type: "bool", Configured: true, Raw: Hex("yes")}); s.Value().Present {
		t.Error("what is not there has a value")
	}
	if err := json.Unmarshal([]byte(`{"effective":0.5}`), &s); err == nil {
		t.Error("half a number is a setting's value")
	}
}

func TestValueEqual(t *testing.T) {
	for _, c := range []struct {
		a, b Value
		want bool
	}{
		{Value{}, Value{Type: "REG_DWORD", Data: 1}, true}, // absence has no content
		{Value{Present: true}, Value{}, false},
		{Value{Present: true, Type: "REG_DWORD", Data: 1}, Value{Present: true, Type: "REG_QWORD", Data: 1}, false},
		{Value{Present: true, Type: "REG_DWORD", Data: 1}, Value{Present: true, Type: "REG_DWORD", Data: 1.0}, true},
		{Value{Present: true, Data: 1}, Value{Present: true, Data: true}, false},
		{Value{Present: true, Data: "a"}, Value{Present: true, Data: "a "}, false},
		{Value{Present: true, Data: []string{"a"}}, Value{Present: true, Data: []string{"A"}}, false},
		{
			Value{Present: true, Data: []string{"a"}, Raw: Hex("a")},
			Value{Present: true, Data: []string{"a"}, Raw: Hex("a\x00")},
			false,
		},
		// One has no bytes.
		{Value{Present: true, Data: []string{"a"}, Raw: Hex("a")}, Value{Present: true, Data: []string{"a"}}, true},
		{Value{Present: true, Data: Hex{1}}, Value{Present: true, Data: "D:", Raw: Hex{1}}, true},
		{Value{Present: true, Raw: Hex{}}, Value{Present: true, Raw: Hex{0}}, false},
	} {
		if c.a.Equal(c.b) != c.want || c.b.Equal(c.a) != c.want {
			t.Errorf("%#v and %#v: equal should be %v", c.a, c.b, c.want)
		}
	}
}

func TestQuestions(t *testing.T) {
	for _, c := range []struct {
		data  any
		whole any
		truth any
		list  any
	}{
		{nil, nil, nil, nil},
		{3, 3, true, nil},
		{0.0, 0, false, nil},
		{uint64(math.MaxUint64), nil, nil, nil},
		{"0x10", 16, nil, []string{"0x10"}},
		{" Yes ", nil, true, []string{"Yes"}},
		{"a, b;c", nil, nil, []string{"a", "b", "c"}},
		{[]any{"a", "b"}, nil, nil, []string{"a", "b"}},
		{[]any{"a", 1}, nil, nil, nil},
		{Hex{1}, nil, nil, nil},
	} {
		check := func(name string, got any, ok bool, want any) {
			t.Helper()
			if ok != (want != nil) || ok && !reflect.DeepEqual(got, want) {
				t.Errorf("%s(%#v) is %#v, %v, want %#v", name, c.data, got, ok, want)
			}
		}
		n, ok := Whole(c.data)
		check("Whole", n, ok, c.whole)
		b, ok := Truth(c.data)
		check("Truth", b, ok, c.truth)
		l, ok := List(c.data)
		check("List", l, ok, c.list)
	}
	v := Value{Present: true, Type: "REG_SZ", Data: "0"}
	if _, ok := v.Whole(); ok {
		t.Error("a text of the registry is a number")
	}
	if w, ok := v.Word(); !ok || w != "0" {
		t.Error("a text of the registry is no word")
	}
}

func TestValueString(t *testing.T) {
	for _, c := range []struct {
		value Value
		want  string
	}{
		{Value{}, "absent"},
		{Value{Present: true, Type: "REG_DWORD", Data: 1}, "REG_DWORD 1"},
		{Value{Present: true, Type: "REG_DWORD", Raw: Hex{}}, "REG_DWORD no bytes"},
		{Value{Present: true, Type: "REG_DWORD", Raw: Hex{7}}, "REG_DWORD 1 byte: 07"},
		{
			Value{Present: true, Type: "REG_BINARY", Data: make(Hex, 40)},
			"REG_BINARY 40 bytes: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 …",
		},
		{Value{Present: true, Type: "bool", Data: true}, "bool yes"},
	} {
		if got := c.value.String(); got != c.want {
			t.Errorf("%#v is %q, want %q", c.value, got, c.want)
		}
	}
}

// FuzzValue: a decoded value is encoded as the same value.
func FuzzValue(f *testing.F) {
	f.Add(`{"present":true,"type":"REG_BINARY","data":"00ff","raw":"00ff"}`)
	f.Add(`{"present":true,"type":"REG_MULTI_SZ","data":["a",""]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var v, back Value
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%s is read and cannot be written: %v", text, err)
		}
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(v) || v.Present && back.String() != v.String() {
			t.Errorf("%s is written %s and read %#v: %v", text, b, back, err)
		}
	})
}

func TestHexJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Hex(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		b, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var back Hex
		if err := json.Unmarshal(b, &back); err != nil || string(back) != string(h) ||
			strings.ToLower(string(b)) != string(b) {
			t.Fatalf("%x is written %s and read %x: %v", []byte(h), b, []byte(back), err)
		}
	})
}

package change

import (
	"bytes"
	"reflect"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

var anywhere = Place{Kind: Registry, Key: `HKLM\X`, Name: "y"}

// TestRegistryStates: the bytes of a value are the stored bytes, else the encoding of its meaning; a value with neither
// is an error.
func TestRegistryStates(t *testing.T) {
	u := func(s string) []byte { return registry.EncodeUTF16(s) }
	for _, c := range []struct {
		value model.Value
		bytes []byte // nil: refused
		plain any    // nil: only its bytes express it
	}{
		{value("REG_DWORD", 1), []byte{1, 0, 0, 0}, 1},
		{value("REG_DWORD", -1), nil, nil},
		{value("REG_DWORD", "1"), []byte{1, 0, 0, 0}, 1},
		{value("REG_QWORD", 2), []byte{2, 0, 0, 0, 0, 0, 0, 0}, 2},
		{value("REG_QWORD", uint64(1)<<63), []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, uint64(1) << 63},
		{value("REG_SZ", "a "), u("a \x00"), "a "},
		{value("REG_SZ", nil), nil, nil},
		{value("REG_MULTI_SZ", []string{"a", "  "}), u("a\x00  \x00\x00"), []string{"a", "  "}},
		{value("REG_MULTI_SZ", []string{}), u("\x00"), []string{}},
		{value("REG_MULTI_SZ", []string{"a", ""}), nil, nil},
		{value("REG_BINARY", model.Hex{1, 2}), []byte{1, 2}, model.Hex{1, 2}},
		{value("REG_BINARY", "nothing of the kind"), nil, nil},
		{value("REG_NONE", nil), nil, nil},
		{model.Value{Present: true, Type: "REG_DWORD", Raw: model.Hex{1}}, []byte{1}, nil},
		{model.Value{Present: true, Type: "REG_DWORD", Raw: model.Hex{}}, []byte{}, nil},
		{model.Value{Present: true, Type: "REG_NONE", Raw: model.Hex{1}}, []byte{1}, model.Hex{1}},
		{model.Value{Present: true, Type: "REG_DWORD_BIG_ENDIAN", Raw: model.Hex{0, 0, 0, 1}}, []byte{0, 0, 0, 1}, nil},
		{model.Value{Present: true, Type: "REG_SZ", Data: "a", Raw: model.Hex(u("a"))}, u("a"), nil},
		{
			model.Value{
				Present: true, Type: "REG_MULTI_SZ", Data: []string{"a"},
				Raw: model.Hex(u("a\x00\x00b\x00\x00")),
			},
			u("a\x00\x00b\x00\x00"), nil,
		},
		{model.Value{Present: true, Type: "0x2a", Raw: model.Hex{7}}, []byte{7}, nil},
	} {
		s, err := anywhere.State(c.value)
		if (err != nil) != (c.bytes == nil) || err == nil && !bytes.Equal(s.Data, c.bytes) {
			t.Errorf("%v: % x, %v, want % x", c.value, s.Data, err, c.bytes)
			continue
		}
		if err != nil {
			continue
		}
		plain, ok := s.Plain()
		if ok != (c.plain != nil) || ok && !reflect.DeepEqual(plain, c.plain) {
			t.Errorf("%v: plain is %#v, %v, want %#v", c.value, plain, ok, c.plain)
		}
		if !anywhere.Holds(s, c.value) {
			t.Errorf("%v does not hold where it was written", c.value)
		}
		other := s
		other.Data = append(bytes.Clone(s.Data), 7, 7)
		if c.value.Raw != nil && anywhere.Holds(other, c.value) {
			t.Errorf("%v holds where other bytes are", c.value)
		}
		if anywhere.Holds(State{}, c.value) || anywhere.Holds(s, model.Value{}) {
			t.Errorf("%v: absence and presence are one", c.value)
		}
	}
}

// TestDescriptorOfOldPlans: plans of earlier versions have a descriptor as text, and bytes in hexadecimal digits.
func TestDescriptorOfOldPlans(t *testing.T) {
	const text = "O:SYG:SYD:(A;;CC;;;AN)"
	s, err := anywhere.State(value("REG_BINARY", text))
	if err != nil || len(s.Data) == 0 {
		t.Fatal(err)
	}
	if !anywhere.Holds(s, value("REG_BINARY", text)) ||
		anywhere.Holds(s, value("REG_BINARY", "O:SYG:SYD:(A;;CC;;;AU)")) {
		t.Error("a descriptor as text is not held to its meaning")
	}
	// The case of names, and how a list ends, are not part of what such a plan knows.
	list := State{Present: true, Type: registry.MultiSZ, Data: registry.EncodeUTF16("SAMR\x00")}
	if !anywhere.Holds(list, value("REG_MULTI_SZ", []string{"samr"})) {
		t.Error("a list without bytes is not held to its meaning")
	}
}

func TestParameterStates(t *testing.T) {
	at := Place{Kind: Parameter, Key: "global", Name: "x"}
	for _, c := range []struct {
		value model.Value
		want  string
	}{
		{value("bool", true), "yes"},
		{value("int", 2), "2"},
		{value("enum", "bad user"), "bad user"},
		{value("list", []string{"a b", "c"}), `"a b" c`},
		{model.Value{Present: true, Type: "enum", Data: "bad user", Raw: model.Hex("Bad User")}, "Bad User"},
	} {
		if s, err := at.State(c.value); err != nil || s.Text != c.want || !s.Present {
			t.Errorf("%v: %q, %v, want %q", c.value, s.Text, err, c.want)
		}
	}
	for _, bad := range []model.Value{
		value("string", "a\nb"), value("string", "a\x1b[2J"), value("list", nil),
		value("string", model.Hex{1}),
	} {
		if s, err := at.State(bad); err == nil {
			t.Errorf("%v stands on a line as %q", bad, s.Text)
		}
	}
	if s, err := (Place{Kind: Policy}).State(value("policy", true)); err != nil || s.Text != "1" {
		t.Errorf("%q, %v", s.Text, err)
	}
}

// TestParameterNow: a change or a fact finds what its section contains. [IPC$] inherits [global]'s share parameters
// although no such section is written; a line of its own counts only if there is one.
func TestParameterNow(t *testing.T) {
	text := "[global]\nhosts allow = 127.\nguest ok = yes\n[a]\nread only = no\n[b]\nguest ok = no\n"
	c, err := smbconf.Load("smb.conf",
		smbconf.Options{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		section, name string
		from          bool // the plan's value before is present
		want          string
	}{
		{"IPC$", "hosts allow", true, "127."},
		{"IPC$", "hosts allow", false, ""},
		{"IPC$", "guest ok", true, ""}, // Samba sets this by itself
		{"global", "guest ok", true, "yes"},
		{"a", "public", true, "yes"},
		{"a", "guest ok", false, ""},
		{"b", "guest ok", false, "no"},
		{"none", "guest ok", true, ""},
	} {
		have, there := ParameterNow(c, tt.section, tt.name, model.Value{Present: tt.from})
		if there != (tt.want != "") || have.Value != tt.want {
			t.Errorf("[%s] %s, from something %v: %q %v, want %q", tt.section, tt.name, tt.from, have.Value, there,
				tt.want)
		}
	}
}

// TestSameParameter: a line matches a plan's value if it means the same, however it is spelled.
func TestSameParameter(t *testing.T) {
	for _, tt := range []struct {
		name, have string
		want       any
		same       bool
	}{
		{"server min protocol", "SMB2_10", "SMB2", true},
		{"min protocol", "SMB2", "smb2_10", false}, // testparm and the reader use different names of the parameter
		{"server min protocol", "SMB2_02", "SMB2", false},
		{"server signing", "mandatory", "required", true},
		{"server signing", "auto", "yes", true},
		{"server signing", "auto", "required", false},
		{"ntlm auth", "no", "ntlmv2-only", true},
		{"workgroup", "required", "mandatory", false},
		{"guest ok", "1", true, true},
		{"hosts allow", "127. 10.", []string{"127.", "10."}, true},
		{"restrict anonymous", "0x2", 2, true},
	} {
		have := smbconf.Param{Name: tt.name, Value: tt.have}
		if got := SameParameter(have, model.Value{Present: true, Data: tt.want}); got != tt.same {
			t.Errorf("%s: %q and %v: %v, want %v", tt.name, tt.have, tt.want, got, tt.same)
		}
	}
}

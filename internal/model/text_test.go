package model

import "testing"

func TestText(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, "not set"},
		{true, "yes"},
		{false, "no"},
		{"", "empty"},
		{"samr", "samr"},
		{Hex{1, 2}, "2 bytes: 01 02"},
		{[]string{}, "empty"},
		{[]string{"samr", "lsarpc"}, "samr, lsarpc"},
		{[]any{}, "empty"},
		{[]any{"samr", 1.0}, "samr, 1"},
		{uint32(2), "2"},
	} {
		if got := Text(c.value); got != c.want {
			t.Errorf("%#v: %q, want %q", c.value, got, c.want)
		}
	}
}

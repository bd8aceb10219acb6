package fleet

import (
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// Changes are made where an audit shows every one of their values, at its place.
func TestMade(t *testing.T) {
	word := func(n int) model.Value { return model.Value{Present: true, Type: "REG_DWORD", Data: n} }
	p := &model.Plan{Changes: []model.Change{
		{Setting: "RestrictAnonymous", Where: `HKLM\a`, To: word(1)},
		{Setting: "NullSessionPipes", Where: `HKLM\b`, To: model.Value{}},
	}}
	set := func(id, where string, n int) model.Setting {
		return model.Setting{ID: id, Where: where, Type: "REG_DWORD", Present: true, Configured: n}
	}
	gone := model.Setting{ID: "NullSessionPipes", Where: `HKLM\b`}
	unread := gone
	unread.NotRead = true
	for _, test := range []struct {
		name     string
		settings []model.Setting
		want     bool
	}{
		{"both", []model.Setting{set("RestrictAnonymous", `HKLM\a`, 1), gone}, true},
		{"one has another value", []model.Setting{set("RestrictAnonymous", `HKLM\a`, 0), gone}, false},
		{"one is elsewhere", []model.Setting{set("RestrictAnonymous", `HKLM\c`, 1), gone}, false},
		{"one was not read", []model.Setting{set("RestrictAnonymous", `HKLM\a`, 1), unread}, false},
		{
			"one is still there",
			[]model.Setting{set("RestrictAnonymous", `HKLM\a`, 1), set("NullSessionPipes", `HKLM\b`, 1)},
			false,
		},
		{"nothing", nil, false},
	} {
		if got := made(p, &model.Audit{Settings: test.settings}); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// Why a host gets no changes is whole, has nothing hidden in it, and ends with a mark where it is cut.
func TestSentence(t *testing.T) {
	long := strings.Repeat("word ", 100)
	if got := sentence(long); got != long {
		t.Errorf("%d bytes of %d", len(got), len(long))
	}
	if got := sentence(strings.Repeat("é", mostWhy)); len(got) > mostWhy+len("…") || !strings.HasSuffix(got, "é…") {
		t.Errorf("%d bytes, which end with %q", len(got), got[len(got)-6:])
	}
	if got := sentence("a\u202eb"); got != "a?b" {
		t.Errorf("%q", got)
	}
}

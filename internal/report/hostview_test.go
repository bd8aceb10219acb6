package report

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
)

// TestHostView: what a plan closes for only one of two strangers is left.
func TestHostView(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewHostView(c, "srv1 <script>", seenServer(), readServer(), plannedServer())
	if err != nil {
		t.Fatal(err)
	}
	if !v.Planned || len(v.Moves) != 2 || v.More != 0 {
		t.Errorf("moves: %+v, %d more", v.Moves, v.More)
	}
	if !slices.Contains(v.Before, "accounts") || slices.Contains(v.After, "accounts") ||
		!slices.Contains(v.After, "disk shares") && !slices.Contains(v.After, "files") {
		t.Errorf("before %q, after %q", v.Before, v.After)
	}
	if p := string(v.Picture); !strings.Contains(p, `role="img"`) ||
		!strings.Contains(p, "accounts: given to anonymous, guest; at 1, RestrictAnonymousSAM") ||
		strings.Contains(p, "<script>") {
		t.Errorf("the picture is %s", p)
	}
	var lines []string
	for _, l := range v.Lines {
		lines = append(lines, strings.Join([]string{l.Class, l.Name, l.Text}, "|"))
	}
	for _, want := range []string{
		"open|anonymous|comes to IPC$", "data|accounts|given to anonymous, guest through samr; see 1 of the list below",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the picture in words is %q, without %q", lines, want)
		}
	}
	half := plannedServer()
	half.Changes[1].Closes = []string{"anonymous-lists-accounts"}
	if v, err = NewHostView(c, "srv1", seenServer(), nil, half); err != nil || !slices.Contains(v.After, "accounts") {
		t.Errorf("guests keep accounts, and after is %q, %v", v.After, err)
	}
	if v, err = NewHostView(c, "srv1", seenServer(), nil, nil); err != nil || v.Planned ||
		!slices.Equal(v.Before, v.After) {
		t.Errorf("without a plan: %+v, %v", v, err)
	}
	if v, err = NewHostView(c, "srv1", nil, nil, nil); err != nil || v.Picture != "" || v.Before != nil {
		t.Errorf("of a host that nothing is known of: %+v, %v", v, err)
	}
}

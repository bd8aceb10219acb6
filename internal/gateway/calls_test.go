package gateway

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestCalls parses calls by name and by number, with and without quotes, and refuses others.
func TestCalls(t *testing.T) {
	var i Interface
	if err := json.Unmarshal([]byte(`{"interface":"srvsvc","calls":["NetrShareEnum","7",15]}`), &i); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(i.Calls, Calls{"NetrShareEnum", "7", "15"}) {
		t.Errorf("%q", i.Calls)
	}
	for text, want := range map[string]string{
		`{"calls":[true]}`: "calls: true is neither a name nor a number",
		`{"calls":7}`:      "calls: not a list of names and numbers",
		`{"calls":"7"}`:    "calls: not a list of names and numbers",
	} {
		if err := json.Unmarshal([]byte(text), &i); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := callsOf(nil, Calls{"1.5"}); err == nil {
		t.Error("1.5 is taken for a call's number")
	}
}

package plan

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"

	"github.com/goccy/go-yaml"
)

// TestNewWay: a way to block that nobody wrote Go for is an entry of the catalog, and is planned, explained and named
// among the others like the rest.
func TestNewWay(t *testing.T) {
	const entry = `
id: no-printing
system: samba
sets: [{setting: disable spoolss, value: true}]
takes: the print pipe, from everybody
leaves: every other pipe, and disk shares
note: a trial
sources: [I ours]
`
	plain, err := yaml.YAMLToJSON([]byte(entry))
	if err != nil {
		t.Fatal(err)
	}
	var way catalog.Way
	d := json.NewDecoder(bytes.NewReader(plain))
	d.DisallowUnknownFields()
	if err := d.Decode(&way); err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	more := *c
	more.Ways = append(slices.Clone(c.Ways), way)
	e := Evidence{
		Catalog: &more, Audit: sambaOpen.audit(t),
		Policy: Policy{Strategy: Block, Means: "no-printing", AcceptBreakage: true}, Observed: month(),
	}
	p := make1(t, e)
	if got := changes(p); !slices.Equal(got, []string{"disable spoolss=yes"}) {
		t.Errorf("changes %q; refused %q", got, p.Refused)
	}
	if p.Means != "no-printing" || !has(p.Warnings, "no-printing: a trial") ||
		!strings.Contains(p.Changes[0].Why, "it takes the print pipe, from everybody") {
		t.Errorf("means %q, warnings %q, changes %v", p.Means, p.Warnings, p.Changes)
	}
	e.Policy.Means = ""
	p = make1(t, e)
	found := false
	for _, r := range p.Rejected {
		found = found || r.Setting == "no-printing" && strings.Contains(r.Why, "leaves every other pipe")
	}
	if !found {
		t.Errorf("it is not told beside the one that was taken: %v", p.Rejected)
	}
}

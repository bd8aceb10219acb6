package verify

import (
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// TestLeftByThePlan: what a plan leaves is judged by this run. What the plan says is open is reported and does not
// count. What it does not know, or what strangers can open besides what has to stay, prevents a proof until it was
// requested and refused.
func TestLeftByThePlan(t *testing.T) {
	k, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	open, refused := model.Step{Outcome: model.Allowed},
		model.Step{Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED"}
	share := func(name string, s model.Step) model.ShareResult {
		if s.Outcome != model.Allowed {
			return model.ShareResult{Name: name, Type: "disk", Tree: s}
		}
		return model.ShareResult{Name: name, Type: "disk", Tree: open, Open: s}
	}
	stays := []string{"public"}
	for _, tt := range []struct {
		name   string
		door   model.OpenDoor
		shares []model.ShareResult
		check  Result
		note   bool
		whole  Result
	}{
		{
			"has to stay",
			model.OpenDoor{Known: true, Shares: stays},
			[]model.ShareResult{share("public", open)},
			Open,
			true, Passed,
		},
		{
			"has to stay, and another is open",
			model.OpenDoor{Known: true, Shares: stays},
			[]model.ShareResult{share("public", open), share("drop", open)},
			Open, false, Unchecked,
		},
		{
			"has to stay, and one without a name is open",
			model.OpenDoor{Known: true, Shares: stays},
			[]model.ShareResult{share("public", open), share("", open)},
			Open, false, Unchecked,
		},
		{
			"has to stay, and others are not known",
			model.OpenDoor{Shares: stays},
			[]model.ShareResult{share("public", open), share("drop", refused)},
			Unchecked, false, Unchecked,
		},
		{"not known, and open", model.OpenDoor{}, []model.ShareResult{share("drop", open)}, Open, false, Unchecked},
		{"not known, and not asked for", model.OpenDoor{}, nil, Unchecked, false, Unchecked},
		{"open by the plan's word, and not asked for", model.OpenDoor{Known: true}, nil, Unchecked, true, Passed},
		{
			"not known, and refused by name",
			model.OpenDoor{},
			[]model.ShareResult{share("pub", refused)},
			Passed, false,
			Passed,
		},
	} {
		s := &model.Scan{
			Address: "127.0.0.1:445", Verdict: model.Closed,
			Server: model.Server{Dialects: []string{"2.1"}}, Identities: []model.IdentityResult{
				{Identity: model.Anonymous, Dialect: "2.1", Session: open, Tree: refused, Shares: tt.shares},
			},
		}
		tt.door.What = "anonymous-reads-files"
		c := &doors{catalog: k, scans: []*model.Scan{s}, shares: []model.Share{{Name: "pub", Guest: true}}}
		got := c.leaves(tt.door)
		p := &Proof{Checks: []Check{{Check: "closed:anonymous-lists-accounts", Result: Passed}, got}}
		if p.Judge(); got.Result != tt.check || got.Note != tt.note || p.Result != tt.whole {
			t.Errorf("%s: %s (note %v), together %s; want %s (%v), %s: %s", tt.name, got.Result, got.Note, p.Result,
				tt.check, tt.note, tt.whole, got.Detail)
		}
	}
}

package verify

import (
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// What an earlier scan did not see is no proof: not while it is open, nor while nobody asked again.
func TestUnseenByTheEarlierScan(t *testing.T) {
	k, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	open := model.Step{Outcome: model.Allowed, Status: "STATUS_SUCCESS"}
	refused := model.Step{Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED"}
	lost := model.Step{Outcome: model.Inconclusive, Detail: "connection dropped after call"}
	scanned := func(tree, srvsvc model.Step, shares ...model.ShareResult) *model.Scan {
		r := model.IdentityResult{Identity: model.Anonymous, Dialect: "3.1.1", Session: open, Tree: tree, Shares: shares}
		if tree.Outcome == model.Allowed {
			r.Pipes = []model.PipeResult{{Pipe: "srvsvc", Open: srvsvc}}
		}
		return &model.Scan{
			Server: model.Server{Dialects: []string{"3.1.1"}}, Verdict: model.Closed,
			Identities: []model.IdentityResult{r},
		}
	}
	public := func(s model.Step) model.ShareResult {
		return model.ShareResult{Name: "public", Type: "disk", Named: true, Tree: s, Open: s}
	}
	for _, tt := range []struct {
		name    string
		earlier *model.Scan
		partial bool
		now     *model.Scan
		files   Result
		note    bool
		shares  Result
		whole   Result
	}{
		{
			"partial, and not asked now", scanned(open, lost), true, scanned(refused, refused),
			Unchecked, false, Passed, Unchecked,
		},
		{
			"partial, and open now", scanned(open, lost), true, scanned(refused, refused, public(open)),
			Open, false, Passed, Unchecked,
		},
		{
			"an answer was lost, and is lost again", scanned(open, lost), false, scanned(open, lost),
			Unchecked, true, Inconclusive, Inconclusive,
		},
		{
			"complete, without a share to try", scanned(open, refused), false, scanned(refused, refused),
			Unchecked, true, "", Passed,
		},
		{
			"complete, without a share to try, and one is open now", scanned(open, refused), false,
			scanned(refused, refused, public(open)),
			Open, false, "", Unchecked,
		},
		{
			"complete", scanned(open, refused, public(refused)), false, scanned(refused, refused, public(refused)),
			"", false, "", Passed,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.earlier.Partial = tt.partial
			c := &doors{catalog: k, scans: []*model.Scan{tt.now}}
			// The earlier scan was given accounts, which are refused now.
			p := &Proof{Checks: append(c.unseen(tt.earlier, []string{"anonymous-lists-accounts"}),
				Check{Check: "closed:anonymous-lists-accounts", Result: Passed})}
			p.Judge()
			got := map[string]Check{}
			for _, check := range p.Checks {
				got[check.Check] = check
				if strings.HasPrefix(check.Check, "unseen:") && tt.partial && !strings.Contains(check.Detail, "partial") {
					t.Errorf("%s does not say that the earlier scan was partial: %s", check.Check, check.Detail)
				}
			}
			if f := got["unseen:anonymous-reads-files"]; f.Result != tt.files || f.Note != tt.note {
				t.Errorf("files: %+v, want %q, note %t", f, tt.files, tt.note)
			}
			if s := got["unseen:anonymous-lists-shares"]; s.Result != tt.shares {
				t.Errorf("shares: %+v, want %q", s, tt.shares)
			}
			if p.Result != tt.whole {
				t.Errorf("together %s, want %s", p.Result, tt.whole)
			}
		})
	}
}

package report

import (
	"fmt"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestManyShares: of many shares the text lists all that are open, and a few of the others; -v lists all.
func TestManyShares(t *testing.T) {
	a := &model.Audit{}
	for i := range 300 {
		a.Shares = append(a.Shares, model.Share{Name: fmt.Sprintf("p%03d", i)})
	}
	a.Shares = append(a.Shares, model.Share{Name: "zz", Guest: true})
	for verbose, want := range map[bool]string{false: "p019, and 280 more\n", true: "p298, p299\n"} {
		var b strings.Builder
		(&auditText{style: Style{Verbose: verbose}}).inventory(&b, a)
		if got := b.String(); !strings.Contains(got, "shares: zz (open to strangers), p000") ||
			!strings.Contains(got, want) {
			t.Errorf("verbose %v: %s", verbose, got)
		}
	}
}

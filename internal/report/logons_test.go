package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
)

// TestLogonPicture draws the weakest clients, each in its strengths, and says how many it leaves out.
func TestLogonPicture(t *testing.T) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	var uses []model.Use
	for i := range maxLanes + 5 {
		pkg := model.PackageNTLMv2
		if i == 0 {
			pkg = model.PackageNTLMv1
		}
		for _, p := range []string{pkg, model.PackageKerberos} {
			uses = append(uses, model.Use{
				Client: fmt.Sprintf("10.0.0.%03d", 100-i), Server: "s", Identity: model.User, Layer: model.LayerTree,
				Package: p, Signed: model.True,
				First: at, Last: at.AddDate(0, 0, i), Count: 1, Outcome: model.Allowed,
			})
		}
	}
	p := newLogonPicture(model.Logons(uses))
	if len(p.Lanes) != maxLanes || p.More != 5 || p.Lanes[0].Label != "10.0.0.100" {
		t.Fatalf("%d lanes, %d more, first %q", len(p.Lanes), p.More, p.Lanes[0].Label)
	}
	first := p.Lanes[0].Bars
	if len(first) != 2 || first[1].Strength != model.StrengthBroken ||
		!strings.Contains(first[1].Title, "10.0.0.100, broken: NTLMv1") {
		t.Errorf("the weakest does not stand on top: %+v", first)
	}
	if len(p.Ticks) != 3 || p.Ticks[2].Label != "2026-04-14" {
		t.Errorf("%+v", p.Ticks)
	}
	if newLogonPicture(model.Logons([]model.Use{{Client: "c"}})) != nil {
		t.Error("a picture without a time")
	}
}

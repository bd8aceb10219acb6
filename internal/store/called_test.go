package store

import (
	"slices"
	"testing"

	"ipcguard/internal/model"
)

// TestCalled finds hosts by a whole name, with or without its domain, and not by a part of one.
func TestCalled(t *testing.T) {
	onBoth(t, func(s *suite) {
		names := []string{
			"srv0", "srv0.corp.example", "srv01", "xsrv0", "corp.srv0", "sr_0", "s%0", `back\slash`, "zeus.corp.example",
		}
		var targets []Target
		for _, name := range names {
			targets = append(targets, Target{SiteID: s.site.ID, Spec: name, Enabled: true})
		}
		_, _, err := s.SaveTargets(s.ctx, targets)
		s.ok(err)
		run := s.run(RunScan)
		for i, name := range names {
			r := s.scan(run, targets[i], i+1, model.Closed)
			r.Host.Name, r.Names = name, []HostName{{Name: name, Kind: "dns"}}
			if name == "zeus.corp.example" {
				r.Names = append(r.Names, HostName{Name: "SRV0", Kind: "netbios"})
			}
			s.record(r)
		}
		for name, want := range map[string][]string{
			"SRV0": {"srv0", "srv0.corp.example", "zeus.corp.example"}, "srv0.corp.example": {"srv0.corp.example"},
			"sr_0": {"sr_0"}, "s%0": {"s%0"}, `back\slash`: {`back\slash`}, "srv": nil, "zeus": {"zeus.corp.example"},
			"corp.example": nil,
		} {
			list, _, err := s.Hosts(s.ctx, HostFilter{Called: name}, Page{})
			s.ok(err)
			var got []string
			for _, h := range list {
				got = append(got, h.Name)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				s.Errorf("%q finds %q, want %q", name, got, want)
			}
		}
	})
}

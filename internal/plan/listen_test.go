package plan

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestListen takes two steps to required signing: without evidence the host is made to log who cannot sign, and with a
// month of it signing is required.
func TestListen(t *testing.T) {
	h := host{
		system: "windows", product: "win2025", role: model.Member,
		settings: map[string]any{"RequireSecuritySignature": 0, "AuditClientDoesNotSupportSigning": 0, "SMB1": 0},
	}
	policy := Policy{Goal: Findings, Listen: true}
	value := func(p *model.Plan, id string) any {
		for _, c := range p.Changes {
			if c.Setting == id {
				return c.To.Data
			}
		}
		return nil
	}
	p := make1(t, Evidence{Audit: h.audit(t), Policy: policy})
	if value(p, "RequireSecuritySignature") != nil || value(p, "AuditClientDoesNotSupportSigning") != 1 {
		t.Errorf("the first step: %+v", p.Changes)
	}
	if !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
		return r.Setting == "RequireSecuritySignature" && strings.HasPrefix(r.Why, "listen first: ") &&
			strings.Contains(r.Why, "event 3021")
	}) {
		t.Errorf("it is not said that it waits: %+v", p.Rejected)
	}
	signs := func(signing string) model.Use {
		u := use("10.0.0.5", model.User, "samr", "", -1)
		u.Layer, u.Pipe, u.Package, u.Dialect, u.Offers, u.Signing = model.LayerSession, "", model.PackageNTLMv2,
			"3.1.1", "3.1.1", signing
		return u
	}
	seen := func(signing string) *Observed {
		o := month(signs(signing))
		o.Traffic = true
		return o
	}
	if p := make1(t, Evidence{Audit: h.audit(t), Policy: policy, Observed: seen(model.SigningOffered)}); value(p,
		"RequireSecuritySignature") != 1 {
		t.Errorf("the second step: %+v, %+v", p.Changes, p.Rejected)
	}
	p = make1(t, Evidence{Audit: h.audit(t), Policy: policy, Observed: seen("")})
	if value(p, "RequireSecuritySignature") != nil {
		t.Errorf("closed while it is not known who signs: %+v", p.Changes)
	}
	p = make1(t, Evidence{Audit: h.audit(t), Policy: policy, Observed: seen(model.SigningNone)})
	if value(p, "RequireSecuritySignature") != 1 || !slices.ContainsFunc(p.Breaks, func(b model.Break) bool {
		return b.Certainty == "observed" && strings.HasPrefix(b.Who, "10.0.0.5")
	}) {
		t.Errorf("who cannot sign is not named: %+v", p.Breaks)
	}
	if _, err := Make(Evidence{Audit: h.audit(t), Policy: Policy{Listen: true}}); err == nil {
		t.Error("listening first is taken where nobody who signs in is refused")
	}
	log := seen(model.SigningOffered)
	log.Traffic, log.Uses = false, nil
	if a, err := WhatIf(Evidence{Audit: h.audit(t), Observed: log},
		[]Setting{{"RequireSecuritySignature", "1"}}); err != nil || a.Coverage.Enough {
		t.Errorf("a log of logons tells who signs: %v %+v", err, a.Coverage)
	}
}

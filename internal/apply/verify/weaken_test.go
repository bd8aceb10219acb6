package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/model/modeltest"
	"ipcguard/internal/scan"
	"ipcguard/internal/smbtest"
)

// promises returns everything that a plan may close.
func promises(c *catalog.Catalog) []string {
	out := []string{"ipc", "default-shares", "anonymous-share:public", "anonymous-pipe:samr", "anonymous-pipe:spoolss"}
	for i := range c.Findings {
		if f := &c.Findings[i]; f.Discloses.IsExposure() {
			out = append(out, f.ID)
		}
	}
	for _, d := range model.Disclosures() {
		if d.IsExposure() {
			out = append(out, fmt.Sprintf("%s-reads-%s", model.UnknownUser, d))
		}
	}
	return out
}

// without returns all ways to remove one observation from a scan: an identity, a layer's answer, a pipe, an interface,
// a call, a share. What is not observed is not tested, or missing.
func without(s *model.Scan) []func(*model.Scan) {
	var out []func(*model.Scan)
	untested := model.Step{Outcome: model.NotTested}
	take := func(f func(*model.Scan)) { out = append(out, f) }
	for i := range s.Identities {
		r := &s.Identities[i]
		take(func(s *model.Scan) { s.Identities = slices.Delete(s.Identities, i, i+1) })
		take(func(s *model.Scan) { s.Identities[i].Session = untested })
		take(func(s *model.Scan) { s.Identities[i].Tree = untested })
		if r.ClosedBy != "" {
			take(func(s *model.Scan) { s.Identities[i].ClosedBy = "" })
		}
		for j := range r.Shares {
			take(func(s *model.Scan) { s.Identities[i].Shares[j].Open = untested })
			take(func(s *model.Scan) { s.Identities[i].Shares[j].Tree = untested })
			take(func(s *model.Scan) {
				s.Identities[i].Shares = slices.Delete(s.Identities[i].Shares, j, j+1)
				s.Identities[i].SharesLeft++
			})
		}
		for j := range r.Pipes {
			take(func(s *model.Scan) { s.Identities[i].Pipes = slices.Delete(s.Identities[i].Pipes, j, j+1) })
			take(func(s *model.Scan) { s.Identities[i].Pipes[j].Open = untested })
			for k := range r.Pipes[j].Interfaces {
				take(func(s *model.Scan) {
					p := &s.Identities[i].Pipes[j]
					p.Interfaces = slices.Delete(p.Interfaces, k, k+1)
				})
				take(func(s *model.Scan) { s.Identities[i].Pipes[j].Interfaces[k].Bind = untested })
				for l := range r.Pipes[j].Interfaces[k].Calls {
					take(func(s *model.Scan) {
						f := &s.Identities[i].Pipes[j].Interfaces[k]
						f.Calls = slices.Delete(f.Calls, l, l+1)
					})
				}
			}
		}
	}
	return out
}

func clone(t interface{ Fatal(...any) }, scans []*model.Scan) []*model.Scan {
	b, err := json.Marshal(scans)
	if err != nil {
		t.Fatal(err)
	}
	var out []*model.Scan
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// weakens removes each observation from the scans of a run and checks that no claim became stronger.
func weakens(t interface {
	Fatal(...any)
	Errorf(string, ...any)
}, c *catalog.Catalog, scans []*model.Scan, shut opened, names []string, most int, pick func(n int) int,
) {
	whole := &doors{catalog: c, scans: scans, opened: shut}
	said := map[string]Result{}
	for _, n := range names {
		said[n] = whole.of(n).result
	}
	hold := func(what string, less []*model.Scan) {
		d := &doors{catalog: c, scans: less, opened: shut}
		for _, n := range names {
			if now := d.of(n); modeltest.Stronger(now.result, said[n]) {
				t.Errorf("%s: %s is %s (%s), and was %s", what, n, now.result, now.detail, said[n])
			}
		}
	}
	for i := range scans {
		ways := without(scans[i])
		for n := range min(len(ways), most) {
			if most < len(ways) {
				n = pick(len(ways))
			}
			less := clone(t, scans)
			ways[n](less[i])
			hold(fmt.Sprintf("scan %d, observation %d", i, n), less)
		}
		if i > 0 { // nothing was requested over this family
			less := clone(t, scans)
			hold(fmt.Sprintf("without scan %d", i), slices.Delete(less, i, i+1))
		}
	}
}

// TestNoLookNoClaim: on every product that the practice server simulates, the proof that something is closed is lost
// with any observation that it depends on, and never improves.
func TestNoLookNoClaim(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	names := promises(c)
	for _, profile := range []string{"samba", "samba-1", "samba-2", "win2003", "win2022", "win2022-dc"} {
		t.Run(profile, func(t *testing.T) {
			v := &Verification{
				Target: practice(t, profile), Plan: closing("ipc"),
				Shares: []string{"public", "nowhere"},
			}
			p, err := v.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			weakens(t, c, p.Scans, opened{count: 1, names: []string{"public"}, given: v.Shares}, names, 1<<20, nil)
			if d := (&doors{catalog: c, scans: p.Scans}); profile == "samba-2" &&
				d.of("anonymous-lists-accounts").result != Passed {
				t.Error("a closed server proves nothing, so this test would not either")
			}
		})
	}
}

// TestNoLookNoClaimAtRandom does the same for servers that answer like no product: any outcome at any layer.
func TestNoLookNoClaimAtRandom(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	s, err := scan.New(scan.Options{Shares: []string{"public"}})
	if err != nil {
		t.Fatal(err)
	}
	shape := []*model.Scan{s.Host(t.Context(), practice(t, "samba"))} // everything is asked there
	shape = append(shape, clone(t, shape)...)
	names := promises(c)
	outcomes := []model.Outcome{model.Allowed, model.Denied, model.Absent, model.Inconclusive, model.NotTested}
	rapid.Check(t, func(rt *rapid.T) {
		scans := clone(rt, shape)
		draw := rapid.SampledFrom(outcomes)
		mostly := func(o *model.Outcome, label string) {
			if rapid.IntRange(0, 3).Draw(rt, label) == 0 {
				*o = draw.Draw(rt, label)
			}
		}
		for i, s := range scans {
			s.Server.Dialects = []string{"2.1", "3.1.1"}[:2-i]
			for j := range s.Identities {
				r := &s.Identities[j]
				r.Dialect = []string{"3.1.1", "2.1"}[i]
				mostly(&r.Session.Outcome, "session")
				mostly(&r.Tree.Outcome, "tree")
				for k := range r.Shares {
					mostly(&r.Shares[k].Tree.Outcome, "share")
					if mostly(&r.Shares[k].Open.Outcome, "root"); r.Shares[k].Tree.Outcome != model.Allowed {
						r.Shares[k].Open.Outcome = model.NotTested
					}
				}
				for k := range r.Pipes {
					mostly(&r.Pipes[k].Open.Outcome, "open")
					for l := range r.Pipes[k].Interfaces {
						f := &r.Pipes[k].Interfaces[l]
						mostly(&f.Bind.Outcome, "bind")
						for m := range f.Calls {
							mostly(&f.Calls[m].Outcome, "call")
						}
						for m := range f.Calls { // like a probe that is refused a prerequisite
							if gate := f.Calls[m].Call; f.Calls[m].Outcome != model.Allowed &&
								(gate == "OpenLocalMachine" || gate == "ROpenSCManagerW" || gate == "ElfrOpenELW") {
								f.Calls = f.Calls[:m+1]
								break
							}
							if gate := f.Calls[m].Call; f.Calls[m].Outcome == model.Denied &&
								(gate == "SamrConnect5" || gate == "LsarOpenPolicy2") {
								f.Calls[m].Ends, f.Calls = true, f.Calls[:m+1]
								break
							}
						}
					}
				}
			}
		}
		weakens(rt, c, scans, opened{count: 1, names: []string{"public"}}, names, 4, func(n int) int {
			return rapid.IntRange(0, n-1).Draw(rt, "taken")
		})
	})
}

// TestLostAnswer: whichever response of a server is lost, no check of a verification becomes stronger, and none turns
// into another.
func TestLostAnswer(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	profiles, step := []string{"samba-2"}, 5
	if os.Getenv("IPCGUARD_LONG") != "" {
		profiles, step = []string{"samba-2", "samba", "win2003", "win2022"}, 1
	}
	for _, profile := range profiles {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			target := practice(t, profile)
			run := func(w *smbtest.Wire) map[string]Result {
				v := &Verification{
					Target: target, Plan: closing(promises(c)...), Shares: []string{"public"},
					Dial: w.Dial,
				}
				out := map[string]Result{}
				p, err := v.Run(t.Context())
				if err != nil {
					return out // nothing is claimed
				}
				for _, k := range p.Checks {
					out[k.Check] = k.Result
				}
				return out
			}
			whole := &smbtest.Wire{}
			said := run(whole)
			weaker := 0
			for _, how := range []error{io.EOF, os.ErrDeadlineExceeded} {
				for n := 1; n <= whole.Count(); n += step {
					for check, now := range run(&smbtest.Wire{Lose: n, With: how}) {
						if !strings.HasPrefix(check, "closed:") {
							continue // a failed control invalidates the proof
						}
						before := said[check]
						if modeltest.Stronger(before, now) {
							weaker++
						}
						// An empty answer, or a request that was not sent, may now have gone unanswered: neither is a
						// good result.
						silent := now == Inconclusive && before == Unchecked
						if modeltest.Stronger(now, before) && !silent {
							t.Errorf("without answer %d of %d (%v): %s is %q, and was %q", n, whole.Count(), how, check,
								now, before)
						}
					}
				}
			}
			t.Logf("%d answers; what was lost made %d checks weaker", whole.Count(), weaker)
			if weaker == 0 {
				t.Error("no answer was lost that a check stood on")
			}
		})
	}
}

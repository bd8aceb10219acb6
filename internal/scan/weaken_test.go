package scan

import (
	"io"
	"os"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/model/modeltest"
	"ipcguard/internal/smbtest"
)

// words returns the claims of a scan by what they are about: the verdict, every layer of every identity, every finding.
func words(s *model.Scan) map[string]string {
	out := map[string]string{"verdict": string(s.Verdict)}
	for i := range s.Identities {
		r := &s.Identities[i]
		who := string(r.Identity)
		out[who+" session"], out[who+" tree"] = string(r.Session.Outcome), string(r.Tree.Outcome)
		for _, p := range r.Pipes {
			out[who+" open "+p.Pipe] = string(p.Open.Outcome)
			for _, x := range p.Interfaces {
				out[who+" bind "+p.Pipe+" "+x.Interface] = string(x.Bind.Outcome)
				for _, k := range x.Calls {
					out[who+" call "+p.Pipe+" "+x.Interface+" "+k.Call] = string(k.Outcome)
				}
			}
		}
	}
	for _, f := range s.Findings {
		out["finding "+f.ID+" "+string(f.Identity)] = string(model.Allowed)
	}
	return out
}

// TestLostAnswer: whichever answer of a server is lost, no claim of the scan becomes stronger, and none turns into
// another.
func TestLostAnswer(t *testing.T) {
	profiles := []string{"samba", "win2003"}
	step := 5
	if os.Getenv("IPCGUARD_LONG") != "" {
		profiles, step = append(profiles, "samba-1", "samba-2", "win2008", "win2022", "win2022-dc", "nt4"), 1
	}
	for _, profile := range profiles {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			run := func(w *smbtest.Wire) *model.Scan {
				return scanPractice(t, practice(t, profile), Options{OneConnection: true, Dial: w.Dial})
			}
			whole := &smbtest.Wire{}
			said := words(run(whole))
			weaker := 0
			for _, how := range []error{io.EOF, os.ErrDeadlineExceeded} {
				for n := 1; n <= whole.Count(); n += step {
					for what, now := range words(run(&smbtest.Wire{Lose: n, With: how})) {
						before := said[what]
						if modeltest.Stronger(before, now) {
							weaker++
						}
						if modeltest.Stronger(now, before) {
							t.Errorf("without answer %d of %d (%v): %s is %q, and was %q", n, whole.Count(), how, what,
								now, before)
						}
					}
				}
			}
			t.Logf("%d answers; what was lost made %d claims weaker", whole.Count(), weaker)
			if weaker == 0 {
				t.Errorf("of %d answers none was lost that a claim stood on", whole.Count())
			}
		})
	}
}

package verify

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// unseen checks what the earlier scan left open: a proof against a scan that did not look at everything is no proof of
// what it did not see, unless this run asks and is refused. Each door counts by itself. Only disk shares that a
// complete scan did not try, because it knew none by name, are a note as long as none is seen open.
func (c *doors) unseen(earlier *model.Scan, promised []string) (out []Check) {
	type door struct {
		id   model.Identity
		kind model.Disclosure
	}
	done := map[door]bool{}
	for _, f := range c.catalog.Findings {
		d := door{f.Identity, f.Discloses}
		if !f.Identity.IsStranger() || !f.Discloses.IsExposure() || done[d] || slices.Contains(promised, f.ID) {
			continue
		}
		done[d] = true
		why := c.unsettled(earlier, f.ID)
		if why == "" {
			continue
		}
		v := c.of(f.ID)
		check := Check{Check: "unseen:" + f.ID, Result: v.result, Detail: why + "; now: " + v.detail, Looks: v.looks}
		if v.result == Failed {
			check.Result = Open
		}
		check.Note = f.Discloses == model.DisclosesFiles && v.result == Unchecked && !earlier.Partial
		out = append(out, check)
	}
	return out
}

// unsettled returns why the earlier scan does not know whether a door is open; empty if it does.
func (c *doors) unsettled(earlier *model.Scan, name string) string {
	scan := "the earlier scan"
	if earlier.Partial {
		scan += " was partial and"
	}
	ids, kind := c.door(name)
	var why []string
	for _, id := range ids {
		i := slices.IndexFunc(earlier.Identities, func(r model.IdentityResult) bool { return r.Identity == id })
		if i < 0 {
			if earlier.Partial {
				why = append(why, fmt.Sprintf("did not try %s", id))
			}
			continue
		}
		switch seen := c.catalog.Seen(earlier, &earlier.Identities[i], kind); {
		case seen.Outcome == model.Inconclusive:
			why = append(why, fmt.Sprintf("got no answer that counts as %s (%s)", id, seen.By))
		case seen.Outcome == model.NotTested && !seen.Empty && (earlier.Partial || kind == model.DisclosesFiles):
			why = append(why, fmt.Sprintf("did not ask it as %s (%s)", id, seen.By))
		}
	}
	if len(why) == 0 {
		return ""
	}
	return scan + " " + strings.Join(why, ", and ")
}

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// maxMoves is how many changes a page shows first: what fits next to the picture.
const maxMoves = 4

// move is one of the few changes that close most.
type move struct {
	N       int
	Setting string
	Link    string // where the setting is documented
	From    string
	To      string
	Where   string
	Kinds   []model.Disclosure // what it closes to strangers
	Closes  string
	Weight  int
	Stops   []string
	InForce string
	Meets   bool // affects authenticated users too
	Export  bool
}

// planMoves returns the changes of a plan that close most.
func planMoves(c *catalog.Catalog, p *model.Plan) []move {
	var out []move
	for i := range p.Changes {
		x := &p.Changes[i]
		m := move{
			Setting: x.Setting, From: plainValue(x.From), To: plainValue(x.To), Where: Clean(x.Where),
			InForce: Clean(x.TakesEffect),
			Meets:   x.Reach == "everyone", Export: x.ExportOnly, Closes: strings.Join(closes(x.Closes), "; "),
			Link: settingLink(c, x.Setting),
		}
		if !x.From.Present && x.Effective != nil {
			m.From += ", in effect " + Clean(value(x.Effective))
		}
		for _, id := range x.Closes {
			m.Weight++
			if f := c.Finding(id); f != nil {
				m.Weight += c.Severity(f, p.Platform).Rank()
			}
			if _, d := given(c, id); d != "" && !slices.Contains(m.Kinds, d) {
				m.Kinds = append(m.Kinds, d)
			}
		}
		out = append(out, m)
	}
	return firstMoves(out)
}

// plainValue returns a value without its type, which the list of all changes shows.
func plainValue(v model.Value) string {
	if !v.Present {
		return "absent"
	}
	return Clean(model.Text(v.Data))
}

// firstMoves keeps the changes that close most, and numbers them.
func firstMoves(all []move) []move {
	slices.SortStableFunc(all, func(a, b move) int { return cmp.Compare(b.Weight, a.Weight) })
	all = all[:min(len(all), maxMoves)]
	for i := range all {
		all[i].N = i + 1
	}
	return all
}

// adviceMoves is for hosts without a configuration: it returns the settings that control most of what was found, with
// the values that the catalog wants. Only an audit can say whether the host already has them.
func adviceMoves(c *catalog.Catalog, platform model.Platform, findings []model.Finding) []move {
	left := slices.DeleteFunc(slices.Clone(findings), func(f model.Finding) bool { return f.Severity == model.Info })
	var out []move
	for len(out) < maxMoves {
		var best *catalog.Setting
		most := 0
		for i := range left {
			for _, id := range left[i].Settings {
				s := c.Setting(id)
				if s == nil || s.System != platform.System || s.Side == "client" || wantedOf(c, s, platform) == "" {
					continue
				}
				n := 0
				for k := range left {
					if slices.Contains(left[k].Settings, id) {
						n += left[k].Severity.Rank() + 1
					}
				}
				if n > most {
					best, most = s, n
				}
			}
		}
		if best == nil {
			break
		}
		m := move{
			Setting: best.ID, To: wantedOf(c, best, platform), Where: best.Where, Weight: most,
			Meets: best.Reach == "everyone", InForce: c.TakesEffect(best, platform), Link: settingLink(c, best.ID),
		}
		var titles []string
		left = slices.DeleteFunc(left, func(f model.Finding) bool {
			if !slices.Contains(f.Settings, best.ID) {
				return false
			}
			what := strings.ReplaceAll(f.ID, "-", " ")
			if k := c.Finding(f.ID); k != nil {
				what = lower(k.Title)
			}
			if _, d := given(c, f.ID); d != "" {
				if what = d.Noun(); !slices.Contains(m.Kinds, d) {
					m.Kinds = append(m.Kinds, d)
				}
			}
			if !slices.Contains(titles, what) {
				titles = append(titles, what)
			}
			return true
		})
		m.Closes = listed(titles)
		m.Stops = stopsOf(c, best, platform)
		out = append(out, m)
	}
	return firstMoves(out)
}

func lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// wantedOf returns the value that closes the exposure on a platform, in words; empty if the catalog wants none.
func wantedOf(c *catalog.Catalog, s *catalog.Setting, p model.Platform) string {
	if _, may := c.Fit(s.Applies, p); !may || s.Unsuited != "" {
		return ""
	}
	for _, w := range s.Wanted {
		if _, may := c.Fit(w.Scope, p); !may {
			continue
		}
		switch w.Compare {
		case "any":
			return ""
		case "not-root": // the account to set, rather than all that would do
			return model.Text(w.Value)
		}
		return w.Text()
	}
	return ""
}

// stopsOf lists what the wanted value of a setting breaks according to documents.
func stopsOf(c *catalog.Catalog, s *catalog.Setting, p model.Platform) []string {
	var out []string
	for _, b := range s.Breaks {
		if _, may := c.Fit(b.Scope, p); !may {
			continue
		}
		if b.Value != nil && !slices.ContainsFunc(s.Wanted,
			func(w catalog.Wanted) bool { return s.Same(w.Value, b.Value) }) {
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s: %s", b.Certainty, b.Who, b.What))
	}
	return out
}

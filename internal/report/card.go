package report

import (
	"cmp"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// card is all findings of one kind on one host: meaning and advice once, and below them what each witness saw of each
// identity.
type card struct {
	Severity model.Severity
	Title    string
	Meaning  string
	Who      []string // the identities, if it is about any
	Fixes    []advice // only for this system
	Settings []linked
	Controls []string
	Refs     []linked
	Sources  []linked
	Proofs   []proof
}

// maxFixes is how many different pieces of advice a card shows before each proof shows its own.
const maxFixes = 3

// proof is what one witness saw of one identity.
type proof struct {
	Witness  string // scan or audit
	Of       string
	Severity model.Severity
	Who      string
	Pipe     string
	Text     string
	Fix      string // if it differs from the others
	Looks    []model.Look
}

// advice is what to do, and for which identities if it differs.
type advice struct{ Who, Text string }

// linked is a text with the page that it is about.
type linked struct{ Text, URL string }

// cards groups the findings of witnesses about one host, the gravest first.
func cards(c *catalog.Catalog, of []*subject) []card {
	var keys []string
	group := map[string][]proof{}
	all := map[string][]model.Finding{}
	for _, h := range of {
		for _, f := range h.Findings {
			key := FindingKind(c, f.ID)
			k := c.Finding(f.ID)
			if f.Fix == "" && k != nil {
				f.Fix = c.Fix(k, h.Platform)
			}
			if _, there := all[key]; !there {
				keys = append(keys, key)
			}
			all[key] = append(all[key], f)
			group[key] = append(group[key], proof{
				h.Kind, h.Name, f.Severity, string(f.Identity), f.Pipe, f.Evidence,
				f.Fix, f.Looks,
			})
		}
	}
	out := make([]card, 0, len(keys))
	for _, key := range keys {
		out = append(out, newCard(c, all[key], group[key]))
	}
	slices.SortStableFunc(out, func(a, b card) int { return b.Severity.Rank() - a.Severity.Rank() })
	return out
}

// FindingKind returns what findings of the same kind have in common: all that disclose the same data are one kind.
func FindingKind(c *catalog.Catalog, id string) string {
	if _, d := given(c, id); d != "" {
		return "discloses " + string(d)
	}
	return id
}

func newCard(c *catalog.Catalog, all []model.Finding, proofs []proof) card {
	out := card{Severity: model.Info, Proofs: proofs}
	var fixes []string
	for _, f := range all {
		k := c.Finding(f.ID)
		if f.Severity.Rank() > out.Severity.Rank() || out.Title == "" {
			out.Severity, out.Title, out.Meaning = f.Severity, cmp.Or(f.Title, f.ID), ""
			if k != nil {
				out.Title, out.Meaning = k.Title, k.Meaning
			}
		}
		put(&out.Who, string(f.Identity))
		put(&fixes, f.Fix)
		for _, s := range f.Settings {
			putLink(&out.Settings, linked{s, settingLink(c, s)})
		}
		for _, x := range f.Controls {
			put(&out.Controls, controlText(x))
		}
		for _, s := range f.Sources {
			putLink(&out.Sources, citation(c, s))
		}
		if k != nil {
			for _, r := range k.Refs {
				putLink(&out.Refs, linked{r, catalog.RefLink(r)})
			}
		}
	}
	if len(fixes) > maxFixes {
		return out // each proof has its own
	}
	for _, text := range fixes {
		a := advice{Text: text}
		var who []string
		for _, f := range all {
			if f.Fix == text {
				put(&who, string(f.Identity))
			}
		}
		if len(fixes) > 1 {
			a.Who = strings.Join(who, ", ")
		}
		out.Fixes = append(out.Fixes, a)
	}
	for i := range out.Proofs {
		out.Proofs[i].Fix = ""
	}
	return out
}

func put(list *[]string, s string) {
	if s != "" && !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

func putLink(list *[]linked, l linked) {
	if !slices.ContainsFunc(*list, func(x linked) bool { return x.Text == l.Text }) {
		*list = append(*list, l)
	}
}

// citation spells out the key of a source: "D KB3034016" with the document's title and its page.
func citation(c *catalog.Catalog, cited string) linked {
	fields := strings.SplitN(cited, " ", 3)
	if len(fields) < 2 {
		return linked{Text: cited}
	}
	s := c.Source(fields[1])
	if s == nil {
		return linked{Text: cited}
	}
	text := s.Title
	if strings.HasSuffix(s.ID, "*") {
		text += ", " + fields[1]
	}
	if len(fields) > 2 {
		text += ", " + fields[2]
	}
	return linked{text, c.Link(cited)}
}

// settingLink returns the URL of a setting's documentation: its entry in smb.conf(5), or the first of its sources that
// has a URL.
func settingLink(c *catalog.Catalog, id string) string {
	s := c.Setting(id)
	if s == nil {
		return ""
	}
	return c.SettingLink(s)
}

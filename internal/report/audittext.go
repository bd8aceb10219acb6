package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// auditText writes text for people: the system of the configuration, its findings with advice, what each identity may
// do, and the settings.
type auditText struct {
	w       io.Writer
	style   Style
	palette palette
	counts  map[string]int
	total   int
}

// Write shows one result.
func (t *auditText) Write(a *model.Audit) error {
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	verdict := AuditVerdict(a)
	t.counts[verdict]++
	t.total++
	var b strings.Builder
	answer := AuditAnswer(a)
	fmt.Fprintf(&b, "%s  %s  %s\n", t.palette.bold(answer.Of), t.word(verdict), answer.Says)
	fmt.Fprintf(&b, "  %s\n", t.palette.dim(platformLine(a.Platform)))
	if t.style.Verbose || a.Platform.Product == "" || a.Platform.Role == model.UnknownRole {
		for _, w := range a.Platform.Why {
			fmt.Fprintf(&b, "  %s\n", t.palette.dim(Clean(w)))
		}
	} else if u := a.Platform.Unmeasured; u != "" {
		fmt.Fprintf(&b, "  %s\n", t.palette.dim(Clean(u)))
	}
	t.problems(&b, a)
	scan := scanText{style: t.style, palette: t.palette}
	for _, group := range pairs(a.Findings) {
		scan.finding(&b, group)
	}
	t.access(&b, a)
	t.settings(&b, a)
	t.inventory(&b, a)
	b.WriteByte('\n')
	return t.palette.write(t.w, b.String())
}

func (t *auditText) word(verdict string) string {
	w := strings.ToUpper(verdict)
	switch verdict {
	case "exposed":
		return t.palette.bad(w)
	case "ok":
		return t.palette.good(w)
	}
	return t.palette.warn(w)
}

// pairs joins exposures that differ only in the identity: the same kind of data for anonymous and for guests.
func pairs(all []model.Finding) [][]model.Finding {
	var out [][]model.Finding
	for _, f := range all {
		_, what, found := strings.Cut(f.ID, "-")
		i := -1
		if f.Identity == model.Guest && found {
			i = slices.IndexFunc(out, func(g []model.Finding) bool {
				return g[0].Identity == model.Anonymous && g[0].ID == "anonymous-"+what
			})
		}
		if i >= 0 {
			out[i] = append(out[i], f)
			continue
		}
		out = append(out, []model.Finding{f})
	}
	return out
}

func (t *auditText) problems(b *strings.Builder, a *model.Audit) {
	const most = 10
	for i, p := range a.Problems {
		if i == most && !t.style.Verbose {
			fmt.Fprintf(b, "  problem: and %d more; -v shows them\n", len(a.Problems)-most)
			break
		}
		fmt.Fprintf(b, "  problem: %s\n", Clean(p))
	}
}

// access says what each identity may do, in words.
func (t *auditText) access(b *strings.Builder, a *model.Audit) {
	if len(a.Access) == 0 {
		return
	}
	fmt.Fprintf(b, "  %s\n", t.palette.bold("what each identity may do"))
	for _, id := range model.Identities() {
		access, ok := a.Access[id]
		if !ok {
			continue
		}
		x := accessOf{}
		for _, kind := range model.Disclosures() {
			x.put(kind, access.Discloses[kind])
		}
		line := fmt.Sprintf("    %-12s session %s, IPC$ %s", id, Clean(string(access.Session)),
			Clean(string(access.Tree)))
		if len(x.Given) > 0 {
			line += "; gets " + strings.Join(x.Given, ", ")
		} else {
			line += "; gets nothing for certain"
		}
		fmt.Fprintln(b, line)
		if len(x.Open) > 0 {
			fmt.Fprintf(b, "    %-12s unknown: %s\n", "", strings.Join(x.Open, ", "))
		}
		if t.style.Verbose && len(x.Refused) > 0 {
			fmt.Fprintf(b, "    %-12s refused: %s\n", "", strings.Join(x.Refused, ", "))
		}
	}
}

// settings writes the table: what is configured, what is effective, and its state. Without -v it has only what is
// configured, weak, or unknown although it was read.
func (t *auditText) settings(b *strings.Builder, a *model.Audit) {
	var rows [][5]string
	var whys []string
	for i := range a.Settings {
		s := &a.Settings[i]
		if !t.style.Verbose && !s.Present && s.State != model.StateWeak {
			continue
		}
		configured := "-"
		if s.Present {
			configured = model.Text(s.Configured)
		}
		effective := model.Text(s.Effective)
		if s.Basis == model.BasisUnknown {
			effective = "?"
		}
		rows = append(rows, [5]string{
			Clean(s.ID), brief(configured), brief(effective), Clean(string(s.Basis)),
			Clean(string(s.State)),
		})
		whys = append(whys, s.Why)
	}
	for _, l := range a.AccountLines {
		value, state := brief(model.Text(l.Value.Data)), model.StateOK
		if l.Value.Data == false {
			state = model.StateWeak
		}
		rows = append(rows, [5]string{
			Clean(strings.TrimPrefix(l.Where, "[global] ")), value, value,
			string(model.BasisConfigured), string(state),
		})
		whys = append(whys, "an exception for one account")
	}
	if len(rows) == 0 {
		return
	}
	heads := [5]string{"setting", "configured", "effective", "basis", "state"}
	var width [5]int
	for _, r := range append([][5]string{heads}, rows...) {
		for i, c := range r {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	fmt.Fprintf(b, "  %s\n", t.palette.bold("settings"))
	t.row(b, heads, width, "")
	for i, r := range rows {
		t.row(b, r, width, whys[i])
	}
	if !t.style.Verbose {
		fmt.Fprintf(b, "    %s\n",
			t.palette.dim(fmt.Sprintf("%d of %d; -v shows all of them and why", len(rows), len(a.Settings))))
	}
}

func (t *auditText) row(b *strings.Builder, r [5]string, width [5]int, why string) {
	line := "    "
	for i, c := range r {
		c = pad(c, width[i])
		if i == 4 && strings.HasPrefix(c, string(model.StateWeak)) {
			c = t.palette.bad(c)
		}
		line += c + "  "
	}
	fmt.Fprintln(b, strings.TrimRight(line, " "))
	if t.style.Verbose && why != "" {
		fmt.Fprintf(b, "        %s\n", t.palette.dim(Clean(why)))
	}
}

// brief shortens a value to one line of a table.
func brief(s string) string {
	s = Clean(s)
	const longest = 40
	if r := []rune(s); len(r) > longest {
		return string(r[:longest-1]) + "…"
	}
	return s
}

func (t *auditText) inventory(b *strings.Builder, a *model.Audit) {
	if len(a.Shares) > 0 {
		var open, names []string
		for _, s := range a.Shares {
			switch n := Clean(s.Name); {
			case s.OpenToGuests():
				open = append(open, n+" (open to strangers)")
			case s.Default:
				names = append(names, n+" (default)")
			default:
				names = append(names, n)
			}
		}
		const most = 20 // of those that are not open; -v shows all
		if n := len(names) - most; n > 0 && !t.style.Verbose {
			names = append(names[:most], fmt.Sprintf("and %d more", n))
		}
		fmt.Fprintf(b, "  shares: %s\n", strings.Join(append(open, names...), ", "))
	}
	if t.style.Verbose {
		for _, s := range a.Services {
			fmt.Fprintf(b, "  service %s: %s\n", Clean(s.ID), Clean(s.Evidence))
		}
	}
}

// Close adds the total if there was more than one result.
func (t *auditText) Close() error {
	if t.total < 2 {
		return nil
	}
	var parts []string
	for _, v := range []string{"exposed", "weak", "unknown", "ok"} {
		if n := t.counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	_, err := fmt.Fprintf(t.w, "%d configurations: %s\n", t.total, strings.Join(parts, ", "))
	return err
}

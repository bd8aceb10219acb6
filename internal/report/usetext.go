package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// identityOrder sorts strangers first.
var identityOrder = []model.Identity{
	model.Anonymous, model.Guest, model.UnknownUser, model.Unknown, model.Opaque, model.Machine, model.User,
}

// writeUseText writes the answer, then one table for each server, by client and strangers first, and then the coverage.
func writeUseText(w io.Writer, o *model.Observation, style Style) error {
	var b strings.Builder
	p := newPalette(style.Color)
	for i, line := range useAnswer(o.Uses) {
		if i == 0 {
			line = p.bold(line)
		}
		b.WriteString(line + "\n")
	}
	b.WriteByte('\n')
	byServer := map[string][]model.Use{}
	for _, u := range o.Uses {
		byServer[u.Server] = append(byServer[u.Server], u)
	}
	for _, server := range slices.Sorted(maps.Keys(byServer)) {
		fmt.Fprintf(&b, "%s\n", p.bold(cmp.Or(Clean(server), "(server not known)")))
		useTable(&b, p, byServer[server], style)
		b.WriteByte('\n')
	}
	coverageText(&b, p, &o.Coverage)
	return p.write(w, b.String())
}

func useTable(b *strings.Builder, p palette, uses []model.Use, style Style) {
	sortByClient(uses)
	rows := [][]string{{"CLIENT", "IDENTITY", "WHAT", "OUTCOME", "STATUS", "COUNT", "LAST"}}
	for i := range uses {
		u := &uses[i]
		who := Clean(string(u.Identity))
		if u.Account != "" {
			who += " " + Clean(u.Account)
		}
		rows = append(rows, []string{
			sameClient(uses, i), who, useWhat(u), outcomeText(u), cmp.Or(Clean(u.Status), "-"), fmt.Sprint(u.Count),
			cmp.Or(useTime(u.Last), "-"),
		})
	}
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for n, r := range rows {
		b.WriteString(" ")
		for i, cell := range r {
			text := pad(cell, width[i])
			if i == len(r)-1 {
				text = cell
			}
			if i == 5 { // numbers are right-aligned
				text = strings.Repeat(" ", width[i]-len([]rune(cell))) + cell
			}
			switch {
			case n == 0:
				text = p.dim(text)
			case i == 3:
				text = useOutcome(p, &uses[n-1], text)
			case i == 1 && uses[n-1].Identity.IsStranger():
				text = p.warn(text)
			}
			b.WriteString(" " + text)
			if i < len(r)-1 {
				b.WriteString(" ")
			}
		}
		b.WriteString("\n")
		if style.Verbose && n > 0 {
			line := uses[n-1].Basis
			if uses[n-1].Source != "" {
				line += " · " + uses[n-1].Source
			}
			b.WriteString("      " + p.dim(Clean(line)) + "\n")
		}
	}
}

// sortByClient keeps a client's rows together, with those of strangers first: clients and rows.
func sortByClient(uses []model.Use) {
	worst := map[string]int{}
	for i := range uses {
		rank, ok := worst[uses[i].Client]
		if r := identityRank(uses[i].Identity); !ok || r < rank {
			worst[uses[i].Client] = r
		}
	}
	slices.SortStableFunc(uses, func(x, y model.Use) int {
		return cmp.Or(worst[x.Client]-worst[y.Client], strings.Compare(x.Client, y.Client),
			identityRank(x.Identity)-identityRank(y.Identity),
			strings.Compare(x.Account, y.Account))
	})
}

// sameClient returns the client of a row, or an empty string if it is that of the previous row.
func sameClient(uses []model.Use, i int) string {
	if i > 0 && uses[i-1].Client == uses[i].Client {
		return ""
	}
	return cmp.Or(Clean(uses[i].Client), "-")
}

// outcomeText returns the outcome for people. Encrypted uses have none: they did not fail.
func outcomeText(u *model.Use) string {
	if u.Identity == model.Opaque && u.Layer == model.LayerSession {
		return "not readable"
	}
	return Clean(string(u.Outcome))
}

func sortStrangersFirst(uses []model.Use) {
	slices.SortStableFunc(uses, func(x, y model.Use) int {
		return cmp.Or(identityRank(x.Identity)-identityRank(y.Identity), strings.Compare(x.Client, y.Client),
			strings.Compare(x.Account, y.Account))
	})
}

// useOutcome colours what a stranger was given.
func useOutcome(p palette, u *model.Use, text string) string {
	switch {
	case u.Outcome == model.Inconclusive:
		return p.warn(text)
	case u.Outcome == model.Allowed && u.Layer == model.LayerCall && u.Identity.IsStranger():
		return p.bad(text)
	case u.Outcome == model.Denied:
		return p.good(text)
	}
	return text
}

// useWhat says what was used, in the terms of the layer.
func useWhat(u *model.Use) string {
	pipe := Clean(u.Pipe)
	if pipe == "" {
		pipe = "(pipe not seen)"
	}
	name := Clean(cmp.Or(u.Interface, u.UUID))
	switch u.Layer {
	case model.LayerSession:
		if u.Identity == model.Opaque {
			return "what follows the logon, encrypted"
		}
		return "logon"
	case model.LayerTree:
		return "connect " + Clean(cmp.Or(u.Share, "IPC$"))
	case model.LayerOpen:
		return "open " + pipe
	case model.LayerBind:
		return "bind " + pipe + ": " + name
	}
	if u.Pipe == "" && u.Opnum < 0 {
		return "ask " + Clean(cmp.Or(u.Share, "IPC$")) + ": " + Clean(u.Call)
	}
	if name == "" || name == pipe {
		return pipe + ": " + Clean(u.Call)
	}
	return pipe + ": " + name + " " + Clean(u.Call)
}

// WriteCoverage describes the coverage of a result in words.
func WriteCoverage(w io.Writer, c *model.Coverage, style Style) error {
	var b strings.Builder
	coverageText(&b, newPalette(style.Color), c)
	return newPalette(style.Color).write(w, b.String())
}

func coverageText(b *strings.Builder, p palette, c *model.Coverage) {
	b.WriteString(p.bold("What this rests on") + "\n")
	if c.From.IsZero() {
		b.WriteString("  Nothing with a time was read.\n")
	} else {
		fmt.Fprintf(b, "  Seen from %s to %s: %s.\n", useTime(c.From), useTime(c.To), span(c.To.Sub(c.From)))
	}
	if n := c.Bytes.Total(); n > 0 {
		share := c.Bytes.Share()
		text := fmt.Sprintf("%.1f %% of %s of SMB traffic could be read", 100*share, amount(n))
		if c.Bytes.Readable < n && text[:6] == "100.0 " {
			text = "nearly all of " + amount(n) + " of SMB traffic could be read"
		}
		for _, part := range []struct {
			n    int64
			what string
		}{
			{c.Bytes.Opaque, "encrypted"},
			{c.Bytes.Lost, "missing in the capture"},
			{c.Bytes.Undecodable, "of frames that are not whole or could not be decoded"},
			{c.Bytes.Before, "of what began before the first byte seen"},
			{c.Bytes.Foreign, "not SMB"},
		} {
			if part.n > 0 {
				text += fmt.Sprintf("; %s %s", amount(part.n), part.what)
			}
		}
		fmt.Fprintf(b, "  %s.\n", text)
		if n := c.Bytes.Stray; n > 0 {
			fmt.Fprintf(b, "  %s more in segments that no receiver takes: forged, or of another connection.\n",
				amount(n))
		}
	}
	if n := c.Read[model.ReadLive]; n > 0 {
		fmt.Fprintf(b, "  %s\n", watchedText(p, n, c.Unreadable[model.LostLive]))
	}
	list := func(title string, m map[string]int64, paint func(string) string) {
		if len(m) == 0 {
			return
		}
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, fmt.Sprintf("%d %s", m[k], Clean(k)))
		}
		fmt.Fprintf(b, "  %s %s.\n", title, paint(strings.Join(parts, "; ")))
	}
	plain := func(s string) string { return s }
	list("Read:", c.Read, plain)
	list("Not read:", c.Unreadable, p.warn)
	for _, n := range c.Notes {
		fmt.Fprintf(b, "  Note: %s.\n", strings.TrimSuffix(Clean(n), "."))
	}
	for _, n := range c.Notices {
		line := fmt.Sprintf("%s %s %s: %s", useTime(n.Time), Clean(n.Host), Clean(n.What), Clean(n.Evidence))
		if n.Count > 1 {
			line += fmt.Sprintf(" (%d times)", n.Count)
		}
		fmt.Fprintf(b, "  %s %s\n", p.warn("Notice:"), strings.TrimSpace(line))
	}
}

// watchedText says how much of the traffic was captured.
func watchedText(p palette, caught, lost int64) string {
	if lost == 0 {
		return fmt.Sprintf("No packet of %d on the wire was lost.", caught)
	}
	return p.warn(fmt.Sprintf("%d of %d packets on the wire were lost (%.2g %%).", lost, caught+lost,
		100*float64(lost)/float64(caught+lost)))
}

// span formats a duration for people: whole units, the largest that fits.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	}
	return fmt.Sprintf("%.0f seconds", d.Seconds())
}

// amount formats a number of bytes for people.
func amount(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.3g %cB", v, units[i])
}

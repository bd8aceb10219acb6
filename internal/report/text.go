package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// scanText writes text for people: a host's verdict, one line for each finding with its evidence, and what to do next.
type scanText struct {
	w       io.Writer
	style   Style
	palette palette
	counts  map[model.Verdict]int
	total   int
}

func (t *scanText) Write(s *model.Scan) error {
	if t.counts == nil {
		t.counts = map[model.Verdict]int{}
	}
	t.counts[s.Verdict]++
	t.total++
	if (s.Verdict == model.Unreachable || s.Verdict == model.VerdictNotTested) && t.style.HideUnreachable &&
		!t.style.Verbose {
		return nil
	}
	var b strings.Builder
	t.host(&b, s)
	for _, group := range groups(s.Findings) {
		t.finding(&b, group)
	}
	if t.style.Verbose {
		t.ladder(&b, s)
	}
	b.WriteByte('\n')
	return t.palette.write(t.w, b.String())
}

func (t *scanText) host(b *strings.Builder, s *model.Scan) {
	a := ScanAnswer(s)
	fmt.Fprintf(b, "%s  %s", t.palette.bold(a.Of), t.palette.verdict(s.Verdict))
	if a.Says != "" {
		b.WriteString("  " + a.Says)
	}
	b.WriteByte('\n')
	if len(s.Aliases) > 0 {
		fmt.Fprintf(b, "  also named %s\n", Clean(strings.Join(s.Aliases, ", ")))
	}
	if line := serverLine(s); line != "" {
		fmt.Fprintf(b, "  %s\n", t.palette.dim(line))
	}
	t.limits(b, s.Limits)
	for _, line := range wayLines(s) {
		fmt.Fprintf(b, "  %s\n", line)
	}
}

// limits writes what the scan did not test.
func (t *scanText) limits(b *strings.Builder, all []model.Limit) {
	for _, line := range limitLines(all) {
		fmt.Fprintf(b, "  %s\n", t.palette.dim("limit: "+line))
	}
}

// limitLines says what a scan did not test, each once, with the identities concerned.
func limitLines(all []model.Limit) []string {
	var whys []string
	who := map[string][]string{}
	for _, l := range all {
		if !slices.Contains(whys, l.Why) {
			whys = append(whys, l.Why)
		}
		if l.Identity != "" {
			who[l.Why] = append(who[l.Why], Clean(string(l.Identity)))
		}
	}
	out := make([]string, 0, len(whys))
	for _, why := range whys {
		line := Clean(why)
		if len(who[why]) > 0 {
			line += " (" + strings.Join(who[why], ", ") + ")"
		}
		out = append(out, line)
	}
	return out
}

// sharesLine says how many disk shares strangers tried and how many not, because a verdict about IPC$ does not cover
// them.
func sharesLine(s *model.Scan) string {
	tried, left, asked := s.DiskShares()
	switch {
	case !asked:
		return ""
	case tried == 0 && left == 0:
		return "no disk share was tried: none is known by name (--share NAME)"
	case left == 0:
		return model.Count(tried, "disk share", "disk shares") + " tried"
	}
	return fmt.Sprintf("%s tried, %d not tried", model.Count(tried, "disk share", "disk shares"), left)
}

// serverLine is what the server shows to every client.
func serverLine(scan *model.Scan) string {
	s := &scan.Server
	var parts []string
	if s.Name != "" {
		name := Clean(s.Name)
		if s.Domain != "" && s.Domain != s.Name {
			name += " in " + Clean(s.Domain)
		}
		parts = append(parts, name)
	}
	if s.OS != "" {
		parts = append(parts, Clean(s.OS))
	}
	if len(s.Dialects) > 0 {
		parts = append(parts, "SMB "+Clean(strings.Join(s.Dialects, ", ")))
	}
	if s.Signing != "" {
		parts = append(parts, "signing "+Clean(s.Signing))
	}
	switch {
	case s.EncryptionRequired:
		parts = append(parts, "encryption required")
	case scan.MayRequireEncryption():
		parts = append(parts, "can encrypt, may require it")
	case s.Encryption:
		parts = append(parts, "can encrypt")
	}
	return strings.Join(parts, " · ")
}

// maxControls keeps a finding's line on the screen.
const maxControls = 4

// groups joins findings that differ only in the identity, in the order of their first member.
func groups(all []model.Finding) [][]model.Finding {
	var out [][]model.Finding
	for _, f := range all {
		i := slices.IndexFunc(out, func(g []model.Finding) bool { return g[0].ID == f.ID })
		if i < 0 {
			out = append(out, []model.Finding{f})
			continue
		}
		out[i] = append(out[i], f)
	}
	return out
}

func (t *scanText) finding(b *strings.Builder, group []model.Finding) {
	f := group[0]
	for _, other := range group[1:] {
		if other.Severity.Rank() > f.Severity.Rank() {
			f = other
		}
	}
	evidence := Clean(f.Evidence)
	var others []string
	for _, other := range group {
		if other.Identity != f.Identity && !slices.Contains(others, string(other.Identity)) {
			others = append(others, string(other.Identity))
		}
	}
	if len(others) > 0 {
		evidence += "; so did " + Clean(strings.Join(others, " and "))
	}
	fmt.Fprintf(b, "  %s %s\n", t.palette.severity(f.Severity, 8), evidence)
	if f.Fix != "" {
		fmt.Fprintf(b, "           next: %s\n", Clean(f.Fix))
	}
	if t.style.Verbose {
		var refs []string
		for _, c := range f.Controls {
			refs = append(refs, Clean(controlText(c)))
		}
		line := "           " + Clean(f.ID)
		if len(f.Settings) > 0 {
			line += " · settings: " + Clean(strings.Join(f.Settings, ", "))
		}
		if len(refs) > 0 {
			n := min(len(refs), maxControls)
			line += " · controls: " + strings.Join(refs[:n], ", ")
			if left := len(refs) - n; left > 0 {
				line += fmt.Sprintf(" and %d more (--format json has all)", left)
			}
		}
		fmt.Fprintln(b, t.palette.dim(line))
	}
}

// ladder shows every layer of every identity.
func (t *scanText) ladder(b *strings.Builder, s *model.Scan) {
	for _, id := range s.Identities {
		title := Clean(string(id.Identity))
		if id.Dialect != "" {
			title += " over " + Clean(id.Dialect)
		}
		if id.SeenAs != "" {
			title += ", seen as " + Clean(id.SeenAs)
		}
		for _, flag := range []struct {
			set  bool
			name string
		}{
			{id.GuestFlag, "guest flag"},
			{id.NullFlag, "null flag"},
			{id.Signed, "signed"},
			{id.Encrypted, "encrypted"},
		} {
			if flag.set {
				title += ", " + flag.name
			}
		}
		fmt.Fprintf(b, "  %s\n", t.palette.bold(title))
		t.step(b, 4, "session", id.Session)
		t.step(b, 4, "tree IPC$", id.Tree)
		for _, p := range id.Pipes {
			t.step(b, 4, "pipe "+Clean(p.Pipe), p.Open)
			for _, i := range p.Interfaces {
				t.step(b, 6, "bind "+Clean(i.Interface), i.Bind)
				for _, c := range i.Calls {
					t.call(b, c)
				}
			}
		}
		for _, sh := range id.Shares {
			name := "disk share"
			if sh.Name != "" {
				name += " " + Clean(sh.Name)
			}
			t.step(b, 4, name, sh.Tree)
			if sh.Open.Outcome != "" {
				t.step(b, 6, "root folder", sh.Open)
			}
		}
	}
	st := s.Stats
	fmt.Fprintf(b, "  %s\n",
		t.palette.dim(fmt.Sprintf("%d ms, %d connections, %d requests, %d round trips, %d bytes sent, %d received",
			s.DurationMS, st.Connections, st.Requests, st.RoundTrips, st.BytesSent, st.BytesReceived)))
}

func (t *scanText) step(b *strings.Builder, indent int, name string, s model.Step) {
	line := strings.Repeat(" ", indent) + pad(name, 40-indent) + " " + t.palette.outcome(s.Outcome, 12)
	for _, part := range []string{s.Status, s.Detail} {
		if part != "" {
			line += "  " + Clean(part)
		}
	}
	fmt.Fprintln(b, strings.TrimRight(line, " "))
}

func (t *scanText) call(b *strings.Builder, c model.CallResult) {
	line := "        " + pad(Clean(c.Call), 32) + " " + t.palette.outcome(c.Outcome, 12)
	if c.Status != "" {
		line += "  " + Clean(c.Status)
	}
	if c.Discloses != "" && c.Discloses != model.DisclosesNothing {
		line += "  " + Clean(string(c.Discloses))
		if c.Count > 0 {
			line += fmt.Sprintf(": %d", c.Count)
		}
		if c.More {
			line += " and more"
		}
	}
	if c.Detail != "" {
		line += "  " + Clean(c.Detail)
	}
	fmt.Fprintln(b, line)
	for _, n := range c.Names {
		fmt.Fprintf(b, "          %s\n", Clean(n))
	}
}

// Close adds the total if there was more than one host.
func (t *scanText) Close() error {
	if t.total < 2 {
		return nil
	}
	var parts []string
	for _, v := range []model.Verdict{
		model.Exposed, model.Limited, model.Closed, model.VerdictInconclusive,
		model.Unreachable, model.VerdictNotTested,
	} {
		if n := t.counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	_, err := fmt.Fprintf(t.w, "%d hosts: %s\n", t.total, strings.Join(parts, ", "))
	return err
}

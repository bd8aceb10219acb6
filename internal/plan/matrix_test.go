package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// cellOf is one configuration of the matrix: a name, and the settings that differ from a host where nothing is set.
type cellOf struct {
	name     string
	settings map[string]any
}

// matrixProducts are the products whose defaults differ from their neighbours'. The others of the catalog lie between.
var matrixProducts = []string{
	"nt4", "win2000", "winxp", "winxp-x64", "win2003", "vista", "win2008", "win7", "win2008r2", "win8", "win2012r2",
	"win10-1511",
	"win10-1607", "win2016", "win10-1709", "win2019", "win2022", "win11-24H2", "win2025", "samba", "ksmbd",
}

// matrixCells are the configurations of a system: each documented value of each setting that has any, then lists and
// descriptors, which have no table of values, and pairs that the documents speak of.
func matrixCells(c *catalog.Catalog, system string) []cellOf {
	var out []cellOf
	for i := range c.Settings {
		s := &c.Settings[i]
		if s.System != system || s.PerAccount() || s.Type == "members" || s.PerShare() {
			continue
		}
		var seen []string
		for _, m := range s.Values {
			if text := model.Text(m.Value); !slices.Contains(seen, text) {
				seen = append(seen, text)
				out = append(out, cellOf{s.ID + "=" + text, map[string]any{s.ID: m.Value}})
			}
		}
	}
	if system != "windows" {
		return out
	}
	list := func(name, id string, names ...string) {
		out = append(out, cellOf{name, map[string]any{id: append([]string{}, names...)}})
	}
	list("NullSessionPipes=empty", "NullSessionPipes")
	list("NullSessionPipes=netlogon, samr, lsarpc", "NullSessionPipes", "netlogon", "samr", "lsarpc")
	list("NullSessionPipes=as 2003 shipped it", "NullSessionPipes", "COMNAP", "COMNODE", `SQL\QUERY`, "SPOOLSS",
		"LLSRPC", "netlogon", "lsarpc", "samr", "browser")
	list("NullSessionPipes=many", "NullSessionPipes", "samr", "lsarpc", "netlogon", "srvsvc", "spoolss", "wkssvc",
		"winreg", "browser")
	list("NullSessionPipes=evilpipe", "NullSessionPipes", "evilpipe")
	list("NullSessionShares=public", "NullSessionShares", "public")
	list("NullSessionShares=COMCFG, DFS$", "NullSessionShares", "COMCFG", "DFS$")
	for _, d := range []string{"O:BAG:BAD:(A;;RC;;;WD)", "O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;S-1-5-21-1-2-3-1137)"} {
		out = append(out, cellOf{"RestrictRemoteSAM=" + d, map[string]any{"RestrictRemoteSAM": d}})
	}
	for _, n := range []int{0, 1} {
		out = append(out, cellOf{
			fmt.Sprintf("RestrictAnonymous=%d, RestrictAnonymousSAM=0", n),
			map[string]any{"RestrictAnonymous": n, "RestrictAnonymousSAM": 0},
		})
	}
	out = append(out, cellOf{"everything open", windowsOpen})
	return out
}

// TestMatrix re-makes the matrix of product × role × setting × value → state and value in effect, what an anonymous
// caller gets, and what a plan changes, and holds it against the file. UPDATE=1 writes it.
//
// Under each host, the first line is the host with nothing set; a line below tells what is otherwise there.
func TestMatrix(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# product, role: then each setting with its value: state, value in effect | what an anonymous " +
		"caller gets | what a plan changes.\n")
	b.WriteString("# A column that is left out is as on the host with nothing set. Re-made by TestMatrix; the " +
		"sources are at the end.\n")
	used := map[string]bool{}
	for _, id := range matrixProducts {
		p := c.Product(id)
		if p == nil {
			t.Fatalf("no product %s", id)
		}
		for _, role := range matrixRoles(p) {
			matrixHost(t, c, &b, host{system: p.System, product: id, role: role}, used)
		}
	}
	b.WriteString("\n# sources\n")
	for i := range c.Settings {
		if s := &c.Settings[i]; used[s.ID] {
			fmt.Fprintf(&b, "%s: %s\n", s.ID, strings.Join(s.Sources, "; "))
		}
	}
	path := filepath.Join("testdata", "matrix.txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")
	for i := range max(len(was), len(is)) {
		line := func(l []string) string { return strings.Join(l[min(i, len(l)):min(i+1, len(l))], "") }
		if line(was) != line(is) {
			t.Fatalf("line %d of %s is\n  %s\nand now\n  %s\nUPDATE=1 go test -run TestMatrix ./internal/plan "+
				"writes it: look at each line that changes", i+1, path, line(was), line(is))
		}
	}
}

func matrixRoles(p *catalog.Product) []model.Role {
	switch {
	case p.Family == "client":
		return []model.Role{model.Workstation}
	case p.Family == "both":
		return []model.Role{model.Workstation, model.Member, model.DomainController}
	case p.System == "ksmbd":
		return []model.Role{model.Standalone}
	}
	return []model.Role{model.Member, model.DomainController}
}

func matrixHost(t *testing.T, c *catalog.Catalog, b *strings.Builder, h host, used map[string]bool) {
	given, planned := matrixRow(t, h)
	fmt.Fprintf(b, "\n%s %s\n  nothing set: %s | plan: %s\n", h.product, h.role, given, planned)
	for _, cell := range matrixCells(c, h.system) {
		h.settings = cell.settings
		a := h.audit(t)
		var states []string
		governs := false
		for i := range a.Settings {
			s := &a.Settings[i]
			if _, set := cell.settings[s.ID]; !set {
				continue
			}
			used[s.ID] = true
			g := c.Setting(s.ID).Governs
			governs = governs || g.Session || g.Tree || len(g.Pipes) > 0 || len(g.Discloses) > 0
			state := string(s.State)
			if s.Basis != model.BasisUnknown && len(cell.settings) == 1 {
				state += " " + model.Text(s.Effective)
			}
			states = append(states, state)
		}
		line := cell.name + ": " + strings.Join(states, ", ")
		if governs {
			g, p := matrixRow(t, h)
			if g != given {
				line += " | " + g
			}
			if p != planned {
				line += " | plan: " + p
			}
		}
		b.WriteString("  " + line + "\n")
	}
}

// matrixRow is what an anonymous caller gets of a host, and what a plan changes there.
func matrixRow(t *testing.T, h host) (given, planned string) {
	a := h.audit(t)
	access := a.Access[model.Anonymous]
	var yes, open []string
	for _, d := range model.Disclosures() {
		switch access.Discloses[d] {
		case model.Allowed:
			yes = append(yes, string(d))
		case model.OutcomeUnknown:
			open = append(open, string(d))
		}
	}
	given = fmt.Sprintf("session %s, IPC$ %s", access.Session, access.Tree)
	if yes != nil {
		given += "; given " + strings.Join(yes, " ")
	}
	if open != nil {
		given += "; unknown " + strings.Join(open, " ")
	}
	p := make1(t, Evidence{Audit: a})
	planned = strings.Join(changes(p), "; ")
	if planned == "" {
		planned = "nothing"
	}
	return given, planned
}

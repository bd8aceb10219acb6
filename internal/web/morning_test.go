package web

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet/drift"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// TestMorning is an operator's morning with a large estate, 12,000 hosts in the long tests: what changed since the last
// visit, why did this host, what fixes most, one plan for all of those hosts, who would notice, the files for those who
// make the changes, and a list that is saved as a view and as a file. Everything is found by what the page shows, and
// counted.
func TestMorning(t *testing.T) {
	peer.Need(t, "chromium")
	hosts := 300
	if os.Getenv("IPCGUARD_LONG") != "" {
		hosts = 12_000
	}
	s := newTestSite(t)
	fillYear(t, s.st, hosts)
	s.auditExposed(plainSeed())
	opened := s.openOvernight(3)
	s.serves(t)
	p := s.tab(t, browser(t))
	p.size(1440, false)
	said := p.listen()
	w := p.walk(t)
	defer w.report()

	w.open("/")
	w.fill("Name", "operator")
	w.fill("Password", password)
	w.click("Log in")
	w.says("Since your last visit", "What fixes most", "Who may notice")
	for _, name := range opened {
		w.says(name + " became exposed")
	}

	w.clickBeside(opened[0], "became exposed")
	w.click("History")
	w.says("The last 13 weeks", "closed → exposed", "accounts: shut → open")

	w.click("Overview")
	w.click("Plan it for")
	w.planned()
	w.says("to change", "to audit first", "What it would stop", "observed", "172.16.0.1")
	rollout := w.where()
	name, b := w.save("all files")
	w.archive(name, b)
	name, b = w.save("CSV")
	if rows := table(t, b); !strings.HasSuffix(name, "-csv.csv") || len(rows) < 2 || !strings.Contains(strings.Join(rows[1], " "), "Set ") {
		t.Errorf("%s is %q", name, b)
	}
	if w.where() != rollout {
		t.Errorf("the files lead to %s", w.where())
	}

	w.click("Hosts")
	w.choose("Verdict", "exposed")
	w.choose("Owner", "team-07")
	w.click("Filter")
	w.says("Only hosts: ", "verdict exposed", "owner team-07")
	_, total, err := s.st.Hosts(t.Context(), store.HostFilter{Verdict: model.Exposed, Owner: "team-07"},
		store.Page{Size: 1})
	if err != nil || total == 0 {
		t.Fatal("no host is like this", err)
	}
	w.says("of " + strconv.Itoa(total))
	w.fill("Name of this view", "Team 7")
	w.click("Save this view")
	w.says("The view is saved as “Team 7”.")
	name, b = w.save("csv")
	if rows := table(t, b); len(rows) != total+1 {
		t.Errorf("%s has %d rows of %d hosts", name, len(rows)-1, total)
	}
	filtered := w.where()
	w.click("Overview")
	w.click("Hosts")
	w.click("Team 7")
	if w.where() != filtered {
		t.Errorf("the view leads to %s, want %s", w.where(), filtered)
	}
	const most = 25
	if w.clicks > most || w.fields > 3 {
		t.Errorf("%d clicks and %d fields, want at most %d and 3", w.clicks, w.fields, most)
	}
	said.none(t)
}

// openOvernight has some closed hosts become exposed, and gives their names.
func (s *testSite) openOvernight(n int) []string {
	s.t.Helper()
	ctx, at := s.t.Context(), time.Now().UTC().Add(-2*time.Hour)
	closed, _, err := s.st.Hosts(ctx, store.HostFilter{Verdict: model.Closed}, store.Page{Size: n, Sort: "id"})
	if err != nil || len(closed) < n {
		s.t.Fatal(len(closed), err)
	}
	k := hostKinds()[0]
	k.system, k.os = "windows", "Windows Server 2019"
	var names []string
	for _, h := range closed {
		before, _, err := s.st.LastSnapshot(ctx, h.ID, store.RunScan)
		if err != nil {
			s.t.Fatal(err)
		}
		r := yearResult(&k, 0, at, 0, 0)
		r.Host.Name, r.Host.Address, r.Host.SiteID = h.Name, h.Address, h.SiteID
		r.Events = drift.Compare(drift.Fold(before), drift.Look{
			Kind: store.RunScan, Host: h.Name, Now: r.Snapshot,
			Catalog: catalogOf(), Severity: map[string]model.Severity{},
		})
		for i := range r.Events {
			r.Events[i].At = at
		}
		if n, err := s.st.RecordResults(ctx, []*store.Result{r}); err != nil || n != 1 {
			s.t.Fatal(n, err)
		}
		names = append(names, h.Name)
	}
	return names
}

// planned waits until a rollout is planned, and goes on to the plan where the page was opened before that.
func (w *walker) planned() {
	w.t.Helper()
	w.until("closed")
	w.untilTrue(`!document.querySelector('#progress[hx-get]') || document.querySelector('#progress').textContent.includes('Show the plan')`)
	if eval[bool](w.page, `document.querySelector('#progress').textContent.includes('Show the plan')`) {
		w.click("Show the plan")
	}
}

// archive looks into the files of a rollout: every host that the page counts is in them, and the changes in each form.
func (w *walker) archive(name string, b []byte) {
	w.t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		w.t.Fatal(name, err)
	}
	var files []string
	for _, f := range z.File {
		files = append(files, f.Name)
	}
	for _, want := range []string{"README.txt", "hosts.csv", "stops.csv", "ansible/apply.yml", "ansible/undo.yml"} {
		if !slices.Contains(files, want) {
			w.t.Errorf("%s has no %s: %q", name, want, files)
		}
	}
	for _, want := range []string{".ps1", ".reg", "GptTmpl.inf", "apply.yml"} {
		if !slices.ContainsFunc(files, func(f string) bool {
			return strings.HasPrefix(f, "groups/") &&
				strings.HasSuffix(f, want)
		}) {
			w.t.Errorf("%s has no %s of a group: %q", name, want, files)
		}
	}
}

func table(t *testing.T, b []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

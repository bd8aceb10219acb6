// Measure joins the results of scripts/measure.sh in a folder into docs/measured: measured.json and a table to read.
//
//	go run ./scripts/measure RESULTS docs/measured
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/measured"
	"ipcguard/internal/model"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: measure RESULTS FOLDER")
		os.Exit(2)
	}
	if err := join(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

var release = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

func join(from, to string) error {
	c, err := catalog.Load()
	if err != nil {
		return err
	}
	folders, err := filepath.Glob(filepath.Join(from, "*", "version"))
	if err != nil || len(folders) == 0 {
		return fmt.Errorf("no results in %s", from)
	}
	t := &measured.Table{Schema: measured.Schema}
	parameters := map[string]map[string]string{}
	for _, f := range folders {
		dir := filepath.Dir(f)
		s, err := server(dir)
		if err != nil {
			return err
		}
		t.Servers = append(t.Servers, *s)
		scans, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil {
			return err
		}
		for _, name := range scans {
			if err := add(t, c, s, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if err := defaults(parameters, s.Release, filepath.Join(dir, "parameters")); err != nil {
			return err
		}
	}
	order(t)
	t.Parameters = differing(parameters)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	if err := e.Encode(t); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "measured.json"), b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "README.md"), page(t), 0o644)
}

func server(dir string) (*measured.Server, error) {
	version, err := os.ReadFile(filepath.Join(dir, "version"))
	if err != nil {
		return nil, err
	}
	date, err := os.ReadFile(filepath.Join(dir, "date"))
	if err != nil {
		return nil, err
	}
	s := &measured.Server{
		System:  "samba",
		Version: strings.TrimPrefix(strings.TrimSpace(string(version)), "Version "),
		Date:    strings.TrimSpace(string(date)),
	}
	if strings.Contains(s.Version, "ksmbd") {
		s.System = "ksmbd"
	}
	s.Release = release.FindString(s.Version)
	return s, nil
}

// add reads one scan and its configuration.
func add(t *measured.Table, c *catalog.Catalog, s *measured.Server, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var scans []model.Scan
	if err := json.Unmarshal(b, &scans); err != nil || len(scans) != 1 {
		return fmt.Errorf("not one scan: %w", err)
	}
	conf := strings.TrimSuffix(name, ".json") + ".conf"
	text, err := os.ReadFile(conf)
	if err != nil {
		return err
	}
	k := measured.Configuration{
		Name:   strings.TrimSuffix(filepath.Base(name), ".json"),
		System: s.System,
		Text:   string(text),
	}
	if !slices.Contains(t.Configurations, k) {
		t.Configurations = append(t.Configurations, k)
	}
	t.Add(c, k.Name, s, &scans[0])
	return nil
}

// defaults parses testparm's output for an empty file.
func defaults(all map[string]map[string]string, release, file string) error {
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		name = strings.TrimSpace(name)
		if all[name] == nil {
			all[name] = map[string]string{}
		}
		all[name][release] = strings.TrimSpace(value)
	}
	return nil
}

// differing returns the parameters whose default differs between releases. Paths are left out: the packager chooses
// them.
func differing(all map[string]map[string]string) (out []measured.Parameter) {
	releases := map[string]bool{}
	for _, d := range all {
		for r := range d {
			releases[r] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		values := map[string]bool{}
		for _, v := range all[name] {
			values[v] = true
		}
		if len(all[name]) < len(releases) || len(values) > 1 {
			out = append(out, measured.Parameter{Name: name, Defaults: all[name]})
		}
	}
	return out
}

func order(t *measured.Table) {
	byRelease := func(a, b string) int {
		var x, y [3]int
		fmt.Sscanf(a, "%d.%d.%d", &x[0], &x[1], &x[2])
		fmt.Sscanf(b, "%d.%d.%d", &y[0], &y[1], &y[2])
		return slices.Compare(x[:], y[:])
	}
	slices.SortFunc(t.Servers, func(a, b measured.Server) int {
		return cmp.Or(-cmp.Compare(a.System, b.System), byRelease(a.Release, b.Release))
	})
	slices.SortFunc(t.Configurations, func(a, b measured.Configuration) int {
		return cmp.Or(-cmp.Compare(a.System, b.System), cmp.Compare(a.Name, b.Name))
	})
	for i := range t.Rows {
		slices.SortFunc(t.Rows[i].Releases, byRelease)
	}
	slices.SortFunc(t.Rows, func(a, b measured.Row) int {
		return cmp.Or(-cmp.Compare(a.System,
			b.System), cmp.Compare(a.Configuration, b.Configuration), cmp.Compare(a.Identity, b.Identity),
			byRelease(a.Releases[0], b.Releases[0]))
	})
}

// page returns the table for people: a line for each configuration and identity, and more if releases differ.
func page(t *measured.Table) []byte {
	var b bytes.Buffer
	b.WriteString("# What real servers gave to strangers\n\nMade by `make measure`; do not edit. `measured.json` has " +
		"every cell. " +
		"The releases that agree on all of them share a line. A stranger who was *given* nothing may still have opened pipes.\n\n| server | version | measured |\n|---|---|---|\n")
	for _, s := range t.Servers {
		fmt.Fprintf(&b, "| %s %s | %s | %s |\n", s.System, s.Release, s.Version, s.Date)
	}
	for _, system := range []string{"samba", "ksmbd"} {
		fmt.Fprintf(&b, "\n## %s\n\n| configuration | who | releases | what he got |\n|---|---|---|---|\n",
			catalog.SystemTitle(system))
		for _, r := range t.Rows {
			if r.System == system {
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n",
					r.Configuration, r.Identity, strings.Join(r.Releases, ", "), r.Given())
			}
		}
	}
	b.WriteString("\n## Parameters of smb.conf that differ between the releases\n\nDefaults as testparm prints them; " +
		"- is a parameter that the release does not know.\n\n| parameter |")
	var releases []string
	for _, s := range t.Servers {
		if s.System == "samba" {
			releases = append(releases, s.Release)
			fmt.Fprintf(&b, " %s |", s.Release)
		}
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(releases)) + "\n")
	for _, p := range t.Parameters {
		fmt.Fprintf(&b, "| %s |", p.Name)
		for _, r := range releases {
			v, ok := p.Defaults[r]
			switch {
			case !ok:
				v = "-"
			case v == "":
				v = "(empty)"
			}
			fmt.Fprintf(&b, " %s |", strings.ReplaceAll(v, "|", `\|`))
		}
		b.WriteString("\n")
	}
	return b.Bytes()
}

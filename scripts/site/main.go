// Site writes two static pages, which need no server and no script: what real servers of several releases gave to
// strangers (docs/measured), and every entry of the catalog with the text of `ipcguard explain`.
//
//	go run ./scripts/site docs/measured/measured.json FOLDER
package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/measured"
	"ipcguard/internal/report"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: site measured.json FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

//go:embed page.html
var source string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"join": strings.Join, "system": catalog.SystemTitle,
	"default": func(p measured.Parameter, release string) string {
		v, ok := p.Defaults[release]
		switch {
		case !ok:
			return "-"
		case v == "":
			return "(empty)"
		}
		return v
	},
}).Parse(source))

// site is the content of both pages.
type site struct {
	Table   *measured.Table
	Systems []system
	Samba   []string // the releases whose parameters are compared
	Groups  []group
}

// system is one server with the measurements of each of its configurations.
type system struct {
	Name           string
	Configurations []configuration
}

type configuration struct {
	measured.Configuration
	Settings []link // those that it sets and that the catalog explains
	Rows     []measured.Row
}

type link struct{ Name, To string }

// group contains all entries of one kind.
type group struct {
	Title   string
	Entries []entry
}

type entry struct{ ID, Title, Anchor, Text string }

func write(from, to string) error {
	cells, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	s := &site{}
	if s.Table, err = measured.Read(bytes.NewReader(cells)); err != nil {
		return err
	}
	c, err := catalog.Load()
	if err != nil {
		return err
	}
	if s.Groups, err = explained(c); err != nil {
		return err
	}
	for _, v := range s.Table.Servers {
		if v.System == "samba" {
			s.Samba = append(s.Samba, v.Release)
		}
		if !slices.ContainsFunc(s.Systems, func(o system) bool { return o.Name == v.System }) {
			s.Systems = append(s.Systems, system{v.System, configurations(c, s.Table, v.System)})
		}
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "measured.json"), cells, 0o644); err != nil {
		return err
	}
	for _, page := range []string{"index.html", "explained.html"} {
		var b bytes.Buffer
		if err := pages.ExecuteTemplate(&b, page, s); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, page), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func configurations(c *catalog.Catalog, t *measured.Table, system string) (out []configuration) {
	for _, k := range t.Configurations {
		if k.System != system {
			continue
		}
		one := configuration{Configuration: k}
		for _, r := range t.Rows {
			if r.System == system && r.Configuration == k.Name {
				one.Rows = append(one.Rows, r)
			}
		}
		section := ""
		for line := range strings.Lines(k.Text) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "[") {
				section = strings.Trim(line, "[]")
			}
			name, _, ok := strings.Cut(line, "=")
			if name = strings.TrimSpace(name); !ok {
				continue
			}
			if section == "IPC$" {
				name = section + ":" + name
			}
			if system == "ksmbd" {
				name = system + ":" + name
			}
			e := c.Setting(name)
			if e == nil || e.System != system {
				continue
			}
			if l := (link{e.ID, "explained.html#" + anchor("setting", e.ID)}); !slices.Contains(one.Settings, l) {
				one.Settings = append(one.Settings, l)
			}
		}
		out = append(out, one)
	}
	return out
}

// anchor returns an entry's anchor within the page.
func anchor(kind, id string) string {
	return kind + "-" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '$':
			return 's' // the anchors of IPC$ and of a setting named IPC must differ
		}
		return '-'
	}, id)
}

// width is the width of the texts in columns.
const width = 100

// explained returns every entry with its text. Text about the subject comes first.
func explained(c *catalog.Catalog) ([]group, error) {
	var groups []group
	var failed error
	add := func(kind, title string, topics ...catalog.Topic) {
		g := group{Title: title}
		for _, t := range topics {
			id, name := named(t)
			var b strings.Builder
			if err := report.Explain(&b, c, t, report.Style{}, width); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", id, err))
				return
			}
			g.Entries = append(g.Entries, entry{id, name, anchor(kind, id), b.String()})
		}
		slices.SortFunc(g.Entries, func(a, b entry) int {
			return cmp.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID))
		})
		groups = append(groups, g)
	}
	add("claim", "What people say, and whether it is so", topics(c.Claims, func(t *catalog.Topic, v *catalog.Claim) {
		t.Claim = v
	})...)
	add("topic", "Words of the field", topics(c.Topics, func(t *catalog.Topic, v *catalog.Note) { t.Note = v })...)
	add("setting", "Settings", topics(c.Settings, func(t *catalog.Topic, v *catalog.Setting) { t.Setting = v })...)
	add("finding", "Findings", topics(c.Findings, func(t *catalog.Topic, v *catalog.Finding) { t.Finding = v })...)
	add("service", "Services", topics(c.Services, func(t *catalog.Topic, v *catalog.Service) { t.Service = v })...)
	add("pipe", "Pipes", topics(c.Pipes, func(t *catalog.Topic, v *catalog.Pipe) { t.Pipe = v })...)
	add("interface", "Interfaces", topics(c.Interfaces, func(t *catalog.Topic, v *catalog.Interface) {
		t.Interface = v
	})...)
	add("product", "Products", topics(c.Products, func(t *catalog.Topic, v *catalog.Product) { t.Product = v })...)
	return groups, failed
}

func topics[T any](list []T, set func(*catalog.Topic, *T)) []catalog.Topic {
	out := make([]catalog.Topic, len(list))
	for i := range list {
		set(&out[i], &list[i])
	}
	return out
}

// named returns an entry's name and title.
func named(t catalog.Topic) (id, title string) {
	switch {
	case t.Claim != nil:
		return t.Claim.ID, t.Claim.Claim + ": " + t.Claim.Verdict
	case t.Note != nil:
		return t.Note.ID, t.Note.Title
	case t.Setting != nil:
		return t.Setting.ID, t.Setting.Title
	case t.Finding != nil:
		return t.Finding.ID, t.Finding.Title
	case t.Service != nil:
		return t.Service.ID, t.Service.Title
	case t.Pipe != nil:
		return t.Pipe.Name, ""
	case t.Interface != nil:
		return t.Interface.ID, t.Interface.Title
	}
	return t.Product.ID, t.Product.Title
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"ipcguard/internal/catalog"
	"ipcguard/internal/measured"
)

// page is a page as a browser parses it.
type page struct {
	ids   map[string]bool
	links []string
	text  string
}

func read(t *testing.T, name string) page {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	root, err := html.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	p, text := page{ids: map[string]bool{}}, strings.Builder{}
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				if p.ids[a.Val] {
					t.Errorf("%s: two elements are %q", name, a.Val)
				}
				p.ids[a.Val] = true
			case "href":
				p.links = append(p.links, a.Val)
			case "src":
				t.Errorf("%s loads %s: it must stand alone", name, a.Val)
			}
		}
	}
	p.text = text.String()
	return p
}

// The site must have every configuration with what each identity got, every entry of the catalog, and no broken link.
func TestSite(t *testing.T) {
	dir, from := t.TempDir(), filepath.Join("..", "..", "docs", "measured", "measured.json")
	if err := write(from, dir); err != nil {
		t.Fatal(err)
	}
	pages := map[string]page{}
	for _, name := range []string{"index.html", "explained.html"} {
		pages[name] = read(t, filepath.Join(dir, name))
	}
	for name, p := range pages {
		for _, l := range p.links {
			to, id, _ := strings.Cut(l, "#")
			if to == "" {
				to = name
			}
			if to == "measured.json" {
				if _, err := os.Stat(filepath.Join(dir, to)); err != nil {
					t.Error(err)
				}
				continue
			}
			if q, ok := pages[to]; !ok || id != "" && !q.ids[id] {
				t.Errorf("%s: the link to %s leads nowhere", name, l)
			}
		}
	}
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := measured.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	index := pages["index.html"]
	for _, k := range table.Configurations {
		if !index.ids[k.System+"-"+k.Name] || !strings.Contains(index.text, strings.TrimSpace(k.Text)) {
			t.Errorf("%s %s is missing", k.System, k.Name)
		}
	}
	if n := strings.Count(index.text, "pipes") + strings.Count(index.text, "logon ") +
		strings.Count(index.text, "IPC$ "); n < len(table.Rows) {
		t.Errorf("%d lines of what somebody got, of %d", n, len(table.Rows))
	}
	if n := len(index.links); n < 20 { // nearly every configuration sets something that is explained
		t.Errorf("only %d links to what is explained", n)
	}
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	p := pages["explained.html"]
	for _, s := range c.Settings {
		if !p.ids[anchor("setting", s.ID)] {
			t.Errorf("%s is not explained", s.ID)
		}
	}
	for _, s := range c.Claims {
		if !p.ids[anchor("claim", s.ID)] ||
			!strings.Contains(strings.Join(strings.Fields(p.text), " "), strings.Join(strings.Fields(s.Why), " ")) {
			t.Errorf("%s is not explained", s.ID)
		}
	}
}

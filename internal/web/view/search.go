package view

import (
	"net/url"
	"strconv"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/store"
)

// Found is one match of a search: a name, a few words, and the path of its page.
type Found struct {
	Name string `json:"name"`
	Text string `json:"text,omitempty"`
	Path string `json:"path"`
}

// FoundGroup is the matches of one kind: hosts, or entries of the catalog. Total is their number; Path lists them all.
type FoundGroup struct {
	Kind  string  `json:"kind"`
	Title string  `json:"title"`
	Total int     `json:"total"`
	Path  string  `json:"path"`
	Items []Found `json:"items"`
}

// mostFound bounds the matches of a kind: as many as can be read between two keystrokes.
const mostFound = 8

// Search finds a text in the names and addresses of hosts, and in the catalog: settings and pipes first, because they
// close hosts. A kind without a match is omitted.
func Search(s Source, text string) ([]FoundGroup, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > MaxParam {
		return nil, nil
	}
	list, total, err := s.Store.Hosts(s.Ctx, store.HostFilter{Text: text},
		store.Page{Size: mostFound, Sort: "-severity"})
	if err != nil {
		return nil, err
	}
	hosts := FoundGroup{Kind: "host", Title: "Hosts", Total: total, Path: "/hosts?q=" + url.QueryEscape(text)}
	for _, h := range list {
		about := h.Address + ", " + string(h.Verdict)
		if h.Owner != "" {
			about += ", " + h.Owner
		}
		hosts.Items = append(hosts.Items, Found{h.Name, about, "/hosts/" + strconv.FormatInt(h.ID, 10)})
	}
	var out []FoundGroup
	for _, g := range append([]FoundGroup{hosts}, searchCatalog(s.Catalog, text)...) {
		if g.Total > 0 {
			out = append(out, g)
		}
	}
	return out, nil
}

// TopicPath returns the catalog's page of an entry.
func TopicPath(kind, id string) string { return "/catalog/" + kind + "/" + url.PathEscape(id) }

func searchCatalog(c *catalog.Catalog, text string) []FoundGroup {
	low := strings.ToLower(text)
	group := func(kind, title string, n int, entry func(int) (id, title string)) FoundGroup {
		g := FoundGroup{Kind: kind, Title: title, Path: "/catalog?q=" + url.QueryEscape(text)}
		for i := range n {
			id, title := entry(i)
			if !strings.Contains(strings.ToLower(id), low) && !strings.Contains(strings.ToLower(title), low) {
				continue
			}
			if g.Total++; len(g.Items) < mostFound {
				g.Items = append(g.Items, Found{id, title, TopicPath(kind, id)})
			}
		}
		return g
	}
	return []FoundGroup{
		group("setting", "Settings", len(c.Settings), func(i int) (string, string) {
			return c.Settings[i].ID,
				c.Settings[i].Title
		}),
		group("pipe", "Pipes", len(c.Pipes), func(i int) (string, string) { return c.Pipes[i].Name, c.Pipes[i].Title }),
		group("finding", "Findings", len(c.Findings), func(i int) (string, string) {
			return c.Findings[i].ID,
				c.Findings[i].Title
		}),
		group("interface", "Interfaces", len(c.Interfaces), func(i int) (string, string) {
			return c.Interfaces[i].ID,
				c.Interfaces[i].Title
		}),
		group("service", "Services", len(c.Services), func(i int) (string, string) {
			return c.Services[i].ID,
				c.Services[i].Title
		}),
		group("product", "Products", len(c.Products), func(i int) (string, string) {
			return c.Products[i].ID,
				c.Products[i].Title
		}),
		group("claim", "What people say", len(c.Claims), func(i int) (string, string) {
			return c.Claims[i].ID,
				c.Claims[i].Claim
		}),
		group("topic", "Words", len(c.Topics), func(i int) (string, string) {
			return c.Topics[i].ID,
				c.Topics[i].Title
		}),
	}
}

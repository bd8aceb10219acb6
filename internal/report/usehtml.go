package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// useText is the page of an observation, with its pictures as SVG in it. It loads nothing and has no script.
//
//go:embed usepage.html
var useText string

// maxTableRows bounds the page's table: a browser still scrolls through it. The other formats have all rows.
const maxTableRows = 2000

// writeUseHTML writes the page.
func writeUseHTML(w io.Writer, o *model.Observation, style Style) error {
	now := style.Now
	if now.IsZero() {
		now = time.Now()
	}
	page, err := template.New("use").Funcs(template.FuncMap{
		"what": useWhat, "when": useTime, "text": Clean, "stranger": model.Identity.IsStranger,
		"badcall": func(u *model.Use) bool {
			return u.Outcome == model.Allowed && u.Layer == model.LayerCall && u.Identity.IsStranger()
		},
		"half": func(n int) int { return n / 2 },
		"add":  func(a, b int) int { return a + b },
	}).Parse(useText)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	uses := slices.Clone(o.Uses)
	sortStrangersFirst(uses)
	graphs, more := useGraphs(uses)
	rows := make([]*model.Use, 0, min(len(uses), maxTableRows))
	for i := range uses[:min(len(uses), maxTableRows)] {
		rows = append(rows, &uses[i])
	}
	var rests strings.Builder
	coverageText(&rests, newPalette(false), &o.Coverage)
	_, lines, _ := strings.Cut(strings.TrimRight(rests.String(), "\n"), "\n")
	return writePage(w, page, map[string]any{
		"Made": now.UTC().Format("2006-01-02 15:04 UTC"), "Summary": summaryOf(uses), "Graphs": graphs, "MoreServers": more,
		"Days": newTimeLine(o.Days), "Uses": rows, "MoreUses": len(uses) - len(rows), "Rests": strings.Split(lines, "\n"),
		"Left": graphLeft, "Right": graphRight, "Width": graphWidth, "DaysLeft": daysLeft,
	})
}

// summaryOf says in a few sentences who was seen.
func summaryOf(uses []model.Use) (out []string) {
	if len(uses) == 0 {
		return []string{"No use of IPC$ was seen."}
	}
	clients, servers, pipes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	given, refused := map[model.Identity]int64{}, map[model.Identity]int64{}
	for i := range uses {
		u := &uses[i]
		clients[u.Client], servers[u.Server] = true, true
		if u.Pipe != "" {
			pipes[u.Pipe] = true
		}
		switch {
		case !u.Identity.IsStranger():
		case u.Outcome == model.Allowed && u.Layer == model.LayerCall:
			given[u.Identity] += u.Count
		case u.Outcome == model.Denied:
			refused[u.Identity] += u.Count
		}
	}
	out = append(out, fmt.Sprintf("%s, %s, %s.", number(len(clients), "client"), number(len(servers), "server"), number(len(pipes), "pipe")))
	words := []struct {
		id   model.Identity
		text string
	}{{model.Anonymous, "Null sessions"}, {model.Guest, "Guests"}, {model.UnknownUser, "Made-up users"}}
	for _, w := range words {
		if n := given[w.id]; n > 0 {
			out = append(out, fmt.Sprintf("%s got an answer to %s.", w.text, number(int(n), "call")))
		}
	}
	if len(given) == 0 {
		out = append(out, "No null session and no guest got an answer to a call.")
	}
	for _, w := range words {
		if n := refused[w.id]; n > 0 {
			out = append(out, fmt.Sprintf("%s were refused %s.", w.text, number(int(n), "time")))
		}
	}
	return out
}

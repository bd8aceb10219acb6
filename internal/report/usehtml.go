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

// maxTableRows bounds the page's table to what a browser can still scroll. The other formats have all rows.
const maxTableRows = 2000

// writeUseHTML writes the page.
func writeUseHTML(w io.Writer, o *model.Observation, style Style) error {
	now := style.Now
	if now.IsZero() {
		now = time.Now()
	}
	page, err := template.New("use").Funcs(template.FuncMap{
		"what": useWhat, "outcome": outcomeText, "when": useTime, "text": Clean, "stranger": model.Identity.IsStranger,
		"badcall": func(u *model.Use) bool {
			return u.Outcome == model.Allowed && u.Layer == model.LayerCall && u.Identity.IsStranger()
		},
		"how":      func(l *model.Logon) string { return Clean(LogonWay(l)) },
		"strength": func(s model.Strength) string { return strengthTexts[s] },
		"half":     func(n int) int { return n / 2 },
		"add":      func(a, b int) int { return a + b },
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
	logons, err := logonsOf(o)
	if err != nil {
		return err
	}
	shown := make([]*model.Logon, 0, min(len(logons), maxTableRows))
	for i := range logons[:min(len(logons), maxTableRows)] {
		shown = append(shown, &logons[i])
	}
	return writePage(w, page, map[string]any{
		"Logons": shown, "MoreLogons": len(logons) - len(shown), "LogonAnswer": logonAnswer(logons),
		"LogonPicture": newLogonPicture(logons),
		"Made":         now.UTC().Format("2006-01-02 15:04 UTC"), "Summary": summaryOf(uses), "Graphs": graphs,
		"MoreServers": more,
		"Days":        newTimeLine(o.Days), "Uses": rows, "MoreUses": len(uses) - len(rows),
		"Rests": strings.Split(lines, "\n"),
		"Left":  graphLeft, "Right": graphRight, "Width": graphWidth, "DaysLeft": daysLeft,
	})
}

// summaryOf says in a few sentences who was seen.
func summaryOf(uses []model.Use) []string {
	if len(uses) == 0 {
		return useAnswer(uses)
	}
	clients, servers, pipes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range uses {
		u := &uses[i]
		clients[u.Client], servers[u.Server] = true, true
		if u.Pipe != "" {
			pipes[u.Pipe] = true
		}
	}
	return append(useAnswer(uses), fmt.Sprintf("All uses together: %s, %s, %s.", number(len(clients), "client"),
		number(len(servers), "server"), number(len(pipes), "pipe")))
}

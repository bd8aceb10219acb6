package handover

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// The shapes of tickets.
const (
	Plain = "csv"
	// For Jira's import of CSV: the header has the names of its own fields, without punctuation.
	Jira       = "jira"
	ServiceNow = "servicenow" // for an import set of change_request: the header has the names of its columns
)

// Shapes returns the shapes.
func Shapes() []string { return []string{Plain, Jira, ServiceNow} }

// ticket is the work of one owner in one group.
type ticket struct {
	key, owner, title, does, undo, proof string
	closes                               []string
	hosts                                []store.RolloutHost
	severity                             model.Severity
}

// tickets returns a ticket for each owner of each group.
func (r *Rollout) tickets() (out []ticket, more int) {
	for i := range r.Groups {
		g := &r.Groups[i]
		names, of := g.owners()
		for _, owner := range names {
			if len(out) == mostTickets {
				more++
				continue
			}
			t := ticket{
				key:   fmt.Sprintf("ipcguard-%d-%d-%d", r.ID, g.ID, of[owner][0].HostID),
				owner: owner, hosts: of[owner], does: strings.Join(g.does(), "\n"),
				undo: "the files of " + g.Name +
					" in the archive have an undo, which brings back the values from before",
				proof: "the next scan and audit of each host shows none of these findings any more; the rollout then " +
					"counts it as closed",
			}
			var settings []string
			for _, c := range g.Changes {
				settings = append(settings, c.Setting+" = "+valueOf(c.To))
			}
			t.title = shown(clip(200,
				fmt.Sprintf("Set %s on %s (%s)",
					strings.Join(settings, ", "), model.Count(len(t.hosts), "host", "hosts"), r.platform(g))))
			for _, id := range g.Closes {
				f := r.catalog.Finding(id)
				if f == nil {
					continue
				}
				t.closes = append(t.closes, f.Title)
				if s := r.catalog.Severity(f, g.Plan.Platform); s.Rank() > t.severity.Rank() {
					t.severity = s
				}
			}
			out = append(out, t)
		}
	}
	return out, more
}

// valueOf returns a value without its type.
func valueOf(v model.Value) string {
	if !v.Present {
		return "absent"
	}
	return model.Text(v.Data)
}

// clip truncates a text to a number of bytes.
func clip(most int, s string) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// text returns a whole ticket, for a description.
func (t *ticket) text(r *Rollout) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Rollout %q of ipcguard.\n", shown(r.Name))
	if t.owner != "" {
		fmt.Fprintf(&b, "Owner: %s\n", shown(t.owner))
	}
	fmt.Fprintf(&b, "\nChanges:\n%s\n\nCloses:\n", t.does)
	for _, f := range t.closes {
		b.WriteString("- " + f + "\n")
	}
	if len(t.closes) == 0 {
		b.WriteString("- no open finding: a second lock\n")
	}
	b.WriteString("\nHosts:\n")
	for _, h := range t.hosts[:min(len(t.hosts), mostNamed)] {
		b.WriteString("- " + shown(h.Host) + " (" + shown(h.Address) + ", " + shown(h.Site) + ")\n")
	}
	if n := len(t.hosts) - mostNamed; n > 0 {
		fmt.Fprintf(&b, "- and %d more: hosts.csv of the archive names them\n", n)
	}
	b.WriteString("\nWay back: " + t.undo + "\nDone when: " + t.proof + "\n")
	return b.String()
}

// WriteTickets writes the tickets for what remains of a rollout in one of the [Shapes].
func (r *Rollout) WriteTickets(w io.Writer, shape string) error {
	all, _ := r.tickets()
	return r.writeTickets(w, shape, all)
}

func (r *Rollout) writeTickets(w io.Writer, shape string, all []ticket) error {
	out := table{csv.NewWriter(w)}
	heads := map[string][]string{
		Plain: {"key", "owner", "severity", "hosts", "summary", "description"},
		Jira:  {"Summary", "Issue Type", "Priority", "Labels", "Labels", "Owner", "External ID", "Description"},
		ServiceNow: {
			"correlation_id", "short_description", "description", "type", "priority", "justification",
			"implementation_plan", "backout_plan", "test_plan",
		},
	}[shape]
	if heads == nil {
		return fmt.Errorf("handover: there are no tickets for %q", shape)
	}
	if err := out.row(heads...); err != nil {
		return err
	}
	for i := range all {
		t := &all[i]
		var err error
		switch shape {
		case Plain:
			err = out.row(t.key, shown(t.owner), string(t.severity), strconv.Itoa(len(t.hosts)), t.title, t.text(r))
		case Jira:
			priority := map[model.Severity]string{
				model.Critical: "Highest",
				model.High:     "High",
				model.Medium:   "Medium",
				model.Low:      "Low",
			}[t.severity]
			if priority == "" {
				priority = "Lowest"
			}
			err = out.row(t.title, "Task", priority, "ipcguard", "rollout-"+strconv.FormatInt(r.ID, 10), shown(t.owner),
				t.key, t.text(r))
		case ServiceNow:
			priority := map[model.Severity]string{model.Critical: "1", model.High: "2", model.Medium: "3"}[t.severity]
			if priority == "" {
				priority = "4"
			}
			err = out.row(t.key, t.title, t.text(r), "normal", priority, "Closes: "+strings.Join(t.closes, "; "),
				t.does,
				t.undo, t.proof)
		}
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

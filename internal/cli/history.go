package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/model"
	"ipcguard/internal/report"
)

const historyHelp = `List every apply, or show one: when, by whom, on which host, what was written, and how it ended. Records are signed; the
signatures are checked. With an ID it also says which changes still wait for a restart of a service or of the machine.
`

func (a *app) history() *cobra.Command {
	var f stateFlags
	format := "text"
	c := &cobra.Command{
		Use:   "history [ID]",
		Short: "List what was applied, and how it ended",
		Long:  historyHelp,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return oneID(c, args)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("--format", format, []string{"text", "json"}); err != nil {
				return err
			}
			e, err := a.engine(&f, nil)
			if err != nil {
				return err
			}
			return a.runHistory(c.Context(), e, args, format)
		},
	}
	f.register(c.Flags())
	c.Flags().StringVar(&format, "format", format, "text, json")
	return c
}

// entry is one apply as JSON.
type entry struct {
	engine.Before
	Phase   engine.Phase     `json:"phase"`
	Sealed  bool             `json:"sealed"`
	Ended   time.Time        `json:"ended"`
	Steps   []engine.Step    `json:"steps"`
	Records []*engine.Record `json:"records"`
	Outlook *engine.Outlook  `json:"outlook,omitempty"` // only while it is unfinished
	Waits   []apply.Wait     `json:"waits,omitempty"`   // only if the apply was named by its ID
}

func (a *app) runHistory(ctx context.Context, e *engine.Engine, ids []string, format string) error {
	all, damage := e.History()
	out := []entry{}
	for _, j := range all {
		if len(ids) == 1 && j.ID != ids[0] {
			continue
		}
		records, err := e.Records(j)
		if err != nil {
			return err
		}
		x := entry{
			Before: j.Before, Phase: j.Phase(), Sealed: j.Sealed, Ended: j.Ended(), Steps: j.Steps, Records: records,
		}
		if x.Outlook, err = e.Outlook(j); err != nil {
			return explained(err, e)
		}
		if len(ids) == 1 && !strings.HasPrefix(j.Target, "winreg:") { // a remote host is not contacted
			if x.Waits, err = e.Waits(ctx, j.ID); err != nil {
				return err
			}
		}
		out = append(out, x)
		seal := ""
		if !j.Sealed {
			seal = "  (not sealed: nothing proves who wrote this)"
		}
		if format == "text" {
			a := a.plainly()
			fmt.Fprintf(a.stdout, "%s  %-8s %s  %s  by %s%s\n", j.ID, j.Phase(),
				j.Started.Local().Format(time.DateTime), j.Target, j.Who, seal)
			if x.Outlook != nil {
				fmt.Fprintf(a.stdout, "  %s\n", x.Outlook.Words("ipcguard recover"+inState(e.State)))
			}
			if len(ids) == 1 {
				a.showJournal(j, records)
				for _, w := range x.Waits {
					fmt.Fprintf(a.stdout, "restart: %s\n", w)
				}
			}
		}
	}
	if format == "json" {
		enc := json.NewEncoder(model.JSONWriter{Writer: a.stdout})
		enc.SetIndent("", "  ")
		if err := enc.Encode(out); err != nil {
			return fmt.Errorf("writing results: %w", err)
		}
	}
	if len(ids) == 1 && len(out) == 0 && damage == nil {
		return fmt.Errorf("there is no apply %s in %s", ids[0], e.State)
	}
	if len(out) == 0 && damage == nil && format == "text" {
		fmt.Fprintf(a.stdout, "Nothing was ever applied with %s.\n", e.State)
	}
	return explained(damage, e)
}

func (a *app) showJournal(j *engine.Journal, records []*engine.Record) {
	fmt.Fprintf(a.stdout, "host %s\nplan %s\nwritten:\n", j.Host, j.PlanHash)
	for _, w := range j.Writes {
		fmt.Fprint(a.stdout, apply.Diff(w.Place, w.Before, w.After))
	}
	if l := report.PlanLeaves(&j.Plan); l != "" {
		fmt.Fprintf(a.stdout, "%s:\n", l)
		for _, line := range report.Leavings(&j.Plan) {
			fmt.Fprintf(a.stdout, "  %s\n", line)
		}
	}
	fmt.Fprintln(a.stdout, "steps:")
	for _, s := range j.Steps {
		fmt.Fprintf(a.stdout, "  %s  %s", s.Time.Local().Format(time.DateTime), s.Event)
		if s.Write != nil {
			fmt.Fprintf(a.stdout, " %s", j.Writes[*s.Write].Place)
		}
		if s.Why != "" {
			fmt.Fprintf(a.stdout, ": %s", s.Why)
		}
		fmt.Fprintln(a.stdout)
		for _, d := range s.Diffs {
			fmt.Fprint(a.stdout, d)
		}
	}
	for _, r := range records {
		fmt.Fprintf(a.stdout, "record: %s by %s at %s, signature good\n", r.Action, r.Who,
			r.Time.Local().Format(time.DateTime))
	}
}

package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ipcguard/internal/plan"
	"ipcguard/internal/report"
)

const whatIfHelp = `Say who would be refused under other settings. what-if judges every observed use under the new settings and lists the
clients whose uses would stop. It changes nothing.

A setting is a name of the catalog with a value: RestrictAnonymous=1, NullSessionPipes=netlogon,samr (a list; nothing
after = is the empty list), "restrict anonymous=2", or NAME=absent, which removes it. A line of one disk share of Samba
is SHARE:NAME=VALUE ("public:guest ok=no"; guest ok, guest only and server smb encrypt): who uses a disk share is not
observed, so that each client that would be refused it is listed as possible.

That nothing was seen counts only over times when such a use would have been recorded: packets of this host, or the
events that it logs for that layer, for at least --min-days. The answer says which records these were, since when, and
on how many days. Where the effect of a setting on users who sign in is not known, their uses are listed as not known.

Exit status here: 0 nothing that was seen would be refused, and the records suffice to say so; 3 something would be
refused; 4 something may be refused, is not known, or the records do not suffice.
`

// whatIfFlags are the flags of what-if.
type whatIfFlags struct {
	evidenceFlags
	outputFlags
	settings []string
}

func (a *app) whatIf() *cobra.Command {
	f := &whatIfFlags{}
	c := &cobra.Command{
		Use:   "what-if --setting NAME=VALUE --audit FILE --observe FILE",
		Short: "Say who would be refused under other settings", Long: whatIfHelp,
		Example: `  ipcguard what-if --setting RestrictAnonymous=1 --audit audit.json --observe uses.json
  ipcguard what-if --setting "restrict anonymous=2" --setting "map to guest=never" --audit audit.json --observe /var/lib/ipcguard-observe`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.runWhatIf(f) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringArrayVar(&f.settings, "setting", nil, "a setting to try, NAME=VALUE; may be repeated")
	f.evidenceFlags.register(s)
	f.outputFlags.register(s, "the answer", []string{"text", "json"})
	return c
}

func (a *app) runWhatIf(f *whatIfFlags) error {
	if err := f.outputFlags.check(); err != nil {
		return err
	}
	if len(f.settings) == 0 {
		return hinted{usage("--setting is missing"), "--setting RestrictAnonymous=1"}
	}
	var settings []plan.Setting
	for _, s := range f.settings {
		name, value, ok := strings.Cut(s, "=")
		if !ok || strings.TrimSpace(name) == "" {
			return usage("--setting %q: want NAME=VALUE", s)
		}
		settings = append(settings, plan.Setting{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	if f.observe == "" {
		return hinted{usage("--observe is missing"), "ipcguard observe SOURCE --format json -o uses.json makes one"}
	}
	e, err := f.evidence()
	if err != nil {
		return err
	}
	answer, err := plan.WhatIf(*e, settings)
	if err != nil {
		return asUsage(err)
	}
	err = a.writeTo(f.output, func(w io.Writer, color bool) error {
		if f.format == "json" {
			return report.WriteJSON(w, answer)
		}
		return report.WriteWhatIf(w, reportOf(answer), report.Style{Color: color}, a.width())
	})
	switch {
	case err != nil:
		return err
	case len(answer.Refused) > 0:
		return outcome{exitExposed}
	case len(answer.Possible)+len(answer.Unjudged)+len(answer.NotKnown) > 0 || !answer.Coverage.Enough:
		return outcome{exitPartial}
	}
	return nil
}

// reportOf formats an answer for a report.
func reportOf(a *plan.Answer) *report.WhatIf {
	out := &report.WhatIf{
		Target: a.Target, Platform: a.Platform, Changes: a.Changes, Unchanged: a.Unchanged, Breaks: a.Breaks,
		Enough: a.Coverage.Enough, Coverage: a.Coverage.Why, Warnings: a.Warnings,
	}
	fate := func(list []plan.Replay, why bool) report.Fate {
		return report.Fate{Uses: len(list), Tell: plan.Tell(list, why)}
	}
	out.Refused, out.Possible = fate(a.Refused, false), fate(a.Possible, true)
	out.Unjudged, out.NotKnown = fate(a.Unjudged, false), fate(a.NotKnown, true)
	return out
}

package cli

import (
	"context"
	"encoding/hex"

	"github.com/spf13/cobra"
)

const serveCheckHelp = `Check the audit log. Each line is chained to the one before it, so a line that was changed, added or removed shows. The
server may be running. Exit status 1 means that the chain is broken.

Whoever can write to the database can rebuild the whole chain. Every line therefore also goes to the server's log with
its place in the chain ("chain="): keep that log on another machine, or let a channel send the audit log there.
--witness takes such a value and says whether the chain still contains it.
`

func (a *app) serveCheck() *cobra.Command {
	f := &fleetFlags{}
	var home homeFlags
	var witness string
	c := &cobra.Command{
		Use:     "check",
		Short:   "Check that the audit log is whole",
		Long:    serveCheckHelp,
		Example: "  ipcguard serve check --witness 9f86d081884c7d659a2feaa0c55ad015",
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return a.checkActs(c.Context(), f, &home, witness) },
	}
	c.Flags().SortFlags = false
	home.register(c.Flags())
	c.Flags().StringVar(&f.database, "database", "", "as for serve; also from "+databaseVariable)
	c.Flags().StringVar(&witness, "witness", "",
		"a value of chain= from the server's log or a channel, which must be in the audit log")
	return c
}

func (a *app) checkActs(ctx context.Context, f *fleetFlags, home *homeFlags, witness string) error {
	seen, err := hex.DecodeString(witness)
	if err != nil || witness != "" && len(seen) < 8 {
		return usage("--witness: want at least 16 hexadecimal digits")
	}
	st, err := f.openShared(ctx, home)
	if err != nil {
		return err
	}
	defer st.Close()
	c, err := st.CheckActs(ctx, seen)
	if err != nil {
		return err
	}
	switch {
	case c.Broken != "" && c.At != 0:
		say(a.stdout, "audit log: broken at line %d: %s, there or before it", c.At, c.Broken)
	case c.Broken != "":
		say(a.stdout, "audit log: broken at its end: %s", c.Broken)
	case len(seen) > 0 && !c.Witness:
		say(a.stdout, "audit log: the line %s is not in it: it was removed when it was old, or the log was written "+
			"anew", witness)
	case c.Lines == 0 && c.Before == 0:
		say(a.stdout, "audit log: empty")
		return nil
	case c.Lines == 0:
		say(a.stdout, "audit log: %d lines from a version without a chain, and nothing can be said of them", c.Before)
		return nil
	default:
		say(a.stdout, "audit log: %d lines, each chained to the one before; the last is %s", c.Lines,
			hex.EncodeToString(c.Head[:min(16, len(c.Head))]))
		if c.Before > 0 {
			say(a.stdout, "audit log: %d lines before them are from a version without a chain, and nothing can be "+
				"said of them", c.Before)
		}
		return nil
	}
	return outcome{exitFailed}
}

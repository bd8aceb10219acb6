package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/engine"
)

const rollbackHelp = `Restore exactly what was there before an apply: registry values with their types or their absence, files byte for byte
with mode and owner. It works at any later time. If somebody else has changed a value or file since, it shows the
difference and overwrites nothing, unless you give --force.

Journals are sealed: rollback refuses one that was changed, added or restored from an earlier time. For journals of
versions without a seal give --unsealed; look at "ipcguard history ID" first, because nothing proves who wrote them.
`

func (a *app) rollback() *cobra.Command {
	a = a.plainly()
	var f stateFlags
	var logon credentialFlags
	var force, unsealed bool
	c := &cobra.Command{
		Use:   "rollback ID",
		Short: "Restore exactly what was there before an apply",
		Long:  rollbackHelp,
		Args:  oneID,
		RunE: func(c *cobra.Command, args []string) error {
			e, err := a.engineAs(&f, &logon)
			if err != nil {
				return err
			}
			if unsealed {
				if _, err := e.Adopt(args[0]); err != nil {
					return explained(err, e)
				}
			}
			return a.runRollback(c.Context(), e, args[0], force)
		},
	}
	f.register(c.Flags())
	c.Flags().BoolVar(&force, "force", false, "overwrite what somebody else has changed since")
	c.Flags().BoolVar(&unsealed, "unsealed", false, "undo an apply of a version that did not seal its journals")
	logon.register(c.Flags(), "log on", ", for winreg:// targets")
	return c
}

func (a *app) runRollback(ctx context.Context, e *engine.Engine, id string, force bool) error {
	j, err := e.Rollback(ctx, id, force)
	var conflict *apply.ConflictError
	if errors.As(err, &conflict) {
		fmt.Fprintln(a.stdout, "Changed since, from what was written to what is there now:")
		for _, d := range conflict.Diffs {
			fmt.Fprint(a.stdout, d)
		}
		return hinted{err, "ipcguard rollback --force " + id + inState(e.State) + " overwrites it"}
	}
	if err != nil {
		return explained(err, e)
	}
	if err := engine.Disarm(context.WithoutCancel(ctx), id); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s is rolled back: %s is as it was before.\n", id, j.Target)
	return nil
}

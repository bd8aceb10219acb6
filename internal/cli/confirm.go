package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ipcguard/internal/apply/engine"
)

const confirmHelp = `Confirm an apply that waits for it, so that its changes stay. The apply must have passed its checks. If its time is
over, confirm refuses, and everything is undone.
`

// oneID checks for one argument, the ID of an apply.
func oneID(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return hinted{usage("want the id of one apply"), "ipcguard history lists them"}
	}
	return nil
}

func (a *app) confirm() *cobra.Command {
	a = a.plainly()
	var f stateFlags
	var logon credentialFlags
	c := &cobra.Command{
		Use:   "confirm ID",
		Short: "Keep an apply that waits for its confirmation",
		Long:  confirmHelp,
		Args:  oneID,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, id := c.Context(), args[0]
			e, err := a.engineAs(&f, &logon)
			if err != nil {
				return err
			}
			_, err = e.Confirm(ctx, id)
			var late *engine.LateError
			if err != nil && !errors.As(err, &late) {
				return err
			}
			if derr := engine.Disarm(context.WithoutCancel(ctx), id); derr != nil {
				err = errors.Join(err, derr)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s is confirmed and stays. ipcguard rollback %[1]s%s takes it back at any later time.\n",
				id, inState(e.State))
			return nil
		},
	}
	f.register(c.Flags())
	logon.register(c.Flags(), "log on", ", for winreg:// targets")
	return c
}

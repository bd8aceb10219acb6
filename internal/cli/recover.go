package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ipcguard/internal/apply/engine"
)

const recoverHelp = `Finish what a killed process, a power cut or a missing confirmation left. It rolls back every apply that was cut short
or was not confirmed in time, and says for each host whether it is exactly as before or exactly as after. It does not
touch anything else. apply, confirm and rollback do the same before they write.

A journal that was changed, cut, added, removed or restored from an earlier time is refused, and blocks every other
apply. --set-aside ID moves it out of the way and restores nothing of it; then check the host yourself.
`

func (a *app) recoverVerb() *cobra.Command {
	a = a.plainly()
	var f stateFlags
	var logon credentialFlags
	var guard, aside string
	var stdin bool
	c := &cobra.Command{
		Use:   "recover",
		Short: "Finish or take back what was cut short",
		Long:  recoverHelp,
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if guard != "" {
				return a.runGuard(c.Context(), &f, guard, stdin)
			}
			if aside != "" {
				return a.runSetAside(&f, aside)
			}
			return a.runRecover(c.Context(), &f, &logon)
		},
	}
	f.register(c.Flags())
	logon.register(c.Flags(), "log on", ", for winreg:// targets")
	c.Flags().StringVar(&aside, "set-aside", "", "move the refused journal of this ID out of the way")
	c.Flags().StringVar(&guard, "guard", "", "watch over this apply until it is over")
	c.Flags().BoolVar(&stdin, "credentials-stdin", false, "read the credentials of the guard from the standard input")
	for _, hidden := range []string{"guard", "credentials-stdin"} {
		if err := c.Flags().MarkHidden(hidden); err != nil {
			panic(err) // the flag was just defined
		}
	}
	return c
}

func (a *app) runRecover(ctx context.Context, f *stateFlags, l *credentialFlags) error {
	logon, err := a.credentials(l)
	if err != nil {
		return err
	}
	e, err := a.engine(f, logon)
	if err != nil {
		return err
	}
	found, err := e.Recover(ctx)
	for _, r := range found {
		switch {
		case r.Err != nil:
			fmt.Fprintf(a.stdout, "%s  %s: NOT recovered: %v\n", r.ID, r.Target, r.Err)
			err = errors.Join(err, fmt.Errorf("%s could not be recovered", r.ID))
		case r.Did != "":
			fmt.Fprintf(a.stdout, "%s  %s: the host is as %s it: %s\n", r.ID, r.Target, r.Host, r.Did)
		case r.Left > 0:
			fmt.Fprintf(a.stdout, "%s  %s: the host is as %s it; it waits for its confirmation, %v are left\n", r.ID,
				r.Target, r.Host, r.Left.Round(time.Second))
		case r.Host == "":
			fmt.Fprintf(a.stdout, "%s  %s: %s, by a journal that is not sealed: nothing proves it\n", r.ID, r.Target,
				r.Phase)
		default:
			fmt.Fprintf(a.stdout, "%s  %s: %s; when it ended, the host was as %s it\n", r.ID, r.Target, r.Phase, r.Host)
		}
		if r.Did != "" {
			err = errors.Join(err, engine.Disarm(ctx, r.ID))
		}
	}
	if len(found) == 0 && err == nil {
		fmt.Fprintf(a.stdout, "Nothing was ever applied with %s.\n", e.State)
	}
	return explained(err, e)
}

// runSetAside moves a refused journal away.
func (a *app) runSetAside(f *stateFlags, id string) error {
	e, err := a.engine(f, nil)
	if err != nil {
		return err
	}
	where, err := e.SetAside(id)
	if err != nil {
		return explained(err, e)
	}
	if where == "" {
		fmt.Fprintf(a.stdout, "%s is forgotten. Nothing was restored.\n", id)
		return nil
	}
	fmt.Fprintf(a.stdout, "%s lies in %s now. Nothing of it was restored: look at what the host holds.\n", id, where)
	return nil
}

// recoverFirst is the first step of every command that writes.
func (a *app) recoverFirst(ctx context.Context, e *engine.Engine) error {
	found, err := e.Recover(ctx)
	for _, r := range found {
		if r.Err != nil {
			err = errors.Join(err, fmt.Errorf("%s on %s could not be recovered: %w", r.ID, r.Target, r.Err))
		}
		if r.Did != "" {
			fmt.Fprintf(a.stderr, "%s on %s was %s\n", r.ID, r.Target, r.Did)
			err = errors.Join(err, engine.Disarm(ctx, r.ID))
		}
	}
	return explained(err, e)
}

// runGuard is the guard's process.
func (a *app) runGuard(ctx context.Context, f *stateFlags, id string, stdin bool) error {
	var logon logonMaker
	if stdin {
		var err error
		if logon, err = readSecret(a.stdin); err != nil {
			return err
		}
	}
	e, err := a.engine(f, logon)
	if err != nil {
		return err
	}
	e.Who = "the guard of " + id
	err = e.Watch(ctx, id)
	if ctx.Err() != nil {
		return err
	}
	if errors.Is(err, engine.ErrUnknown) {
		err = nil // its journal was removed; systemd must not restart the service for it again and again
	}
	return errors.Join(err, engine.Disarm(ctx, id))
}

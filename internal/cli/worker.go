package cli

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/spf13/cobra"

	"ipcguard/internal/fleet"
	"ipcguard/internal/store"
)

const workerHelp = `Scan one site for the fleet's server, from inside a network that the server cannot reach.

A worker needs the server's PostgreSQL, and the key file if it makes authenticated checks. It listens nowhere. Any number may serve
one site: they share its hosts and its rate. What a worker was doing when it died goes to the others; what it had sent counts once.

It waits for a database that is away, and ends when it is told to (Ctrl-C, SIGTERM), giving back what it has not done.
`

func (a *app) worker() *cobra.Command {
	f := &fleetFlags{}
	c := &cobra.Command{
		Use:     "worker --site NAME",
		Short:   "Scan one site for the fleet's server",
		Long:    workerHelp,
		Example: "  ipcguard worker --site branch --database postgres://ipcguard@db.example/ipcguard",
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return a.runWorker(c.Context(), f) },
	}
	f.register(c.Flags())
	c.Flags().SortFlags = false
	return c
}

func (a *app) runWorker(ctx context.Context, f *fleetFlags) error {
	dsn, err := f.address("")
	if err != nil {
		return err
	}
	if dsn == "" {
		return hinted{usage("no database named"), "--database postgres://USER@HOST/NAME, or " + databaseVariable}
	}
	if _, ok := cutSQLite(dsn); ok {
		return hinted{usage("a worker needs PostgreSQL: an SQLite file belongs to its server alone"), "the server scans its own site by itself; see docs/fleet.md"}
	}
	o, err := a.fleetOptions(f)
	if err != nil {
		return err
	}
	if o.Key, err = loadKey(f.key); err != nil {
		return err
	}
	st, err := store.Open(ctx, dsn, store.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.CheckSchema(ctx); err != nil {
		return err
	}
	fl, err := fleet.New(st, o)
	if err != nil {
		return err
	}
	o.Log.Info("working", "site", f.site, "name", fl.Name())
	return ended(ctx, fl.Work(ctx))
}

// fleetOptions are what server and worker share.
func (a *app) fleetOptions(f *fleetFlags) (fleet.Options, error) {
	o := fleet.Options{Site: f.site, Name: f.name, Version: buildName(debug.ReadBuildInfo()), Authenticate: logons{a, f.unsigned}.authenticate}
	var err error
	if o.Scan, err = f.probeFlags.options(); err != nil {
		return o, err
	}
	o.Log, err = a.logger(f)
	return o, err
}

// ended is the end of a service: being told to stop is how it is meant to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

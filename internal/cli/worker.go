package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/remote"
	"ipcguard/internal/model"
)

const workerHelp = `Scan one site for the fleet's server, from inside a network that the server cannot reach.

A worker joins once (ipcguard worker join). From then on it calls the server's listener for workers over HTTPS. It
needs no database and no key file, and listens on no port. It gets the jobs of its own site, with the credentials that
they need, and sends back the results. Several workers may serve one site; they share its hosts and its rate.

Results stay on the worker's disk until the server has them, so both may be restarted at any time. A worker ends on
Ctrl-C or SIGTERM, when it returns its unfinished hosts, and when an administrator revokes it.
`

type workerFlags struct {
	probeFlags
	logFlags
	homeFlags
	unsigned bool
}

func registerWorkerState(s *pflag.FlagSet, f *homeFlags) {
	s.StringVar(&f.state, "state", "",
		"the directory of its certificate and of results to send (default: /var/lib/ipcguard-worker as root, else "+
			"below XDG_STATE_HOME; %ProgramData%\\ipcguard-worker)")
}

func (a *app) worker() *cobra.Command {
	f := &workerFlags{}
	c := &cobra.Command{
		Use:     "worker",
		Short:   "Scan one site for the fleet's server",
		Long:    workerHelp,
		Example: "  ipcguard worker join https://fleet.example:8444\n  ipcguard worker",
		Args:    subcommands,
		PreRunE: func(*cobra.Command, []string) error { return a.checkWorker(f) },
		RunE:    func(c *cobra.Command, _ []string) error { return a.runWorker(c.Context(), f) },
	}
	s := c.Flags()
	s.SortFlags = false
	registerWorkerState(s, &f.homeFlags)
	f.probeFlags.register(s)
	registerUnsigned(s, &f.unsigned)
	f.logFlags.register(s)
	sub := a.workerJoin()
	sub.Long += exitHelp
	c.AddCommand(sub)
	return c
}

// checkWorker refuses wrong flags and creates nothing; installing a service calls it, too.
func (a *app) checkWorker(f *workerFlags) error {
	if _, err := f.probeFlags.options(); err != nil {
		return err
	}
	_, err := a.logger(&f.logFlags)
	return err
}

// joined returns a worker's identity from dir.
func joined(dir string) (*remote.Identity, error) {
	id, err := remote.Load(dir)
	if errors.Is(err, remote.ErrNotJoined) {
		return nil, hinted{
			usage("%v", err), "an administrator makes a code on the page (Sites and workers); then: ipcguard worker " +
				"join https://SERVER:8444",
		}
	}
	return id, err
}

func (a *app) runWorker(ctx context.Context, f *workerFlags) error {
	dir, err := f.homeFlags.worker()
	if err != nil {
		return err
	}
	id, err := joined(dir)
	if err != nil {
		return err
	}
	o := remote.Options{Version: buildName(debug.ReadBuildInfo()), Authenticate: logons{a, f.unsigned}.authenticate}
	if o.Scan, err = f.probeFlags.options(); err != nil {
		return err
	}
	if o.Log, err = a.logger(&f.logFlags); err != nil {
		return err
	}
	return ended(ctx, remote.Run(ctx, id, o))
}

const joinHelp = `Join the fleet's server as a worker, once. An administrator makes a join code on the server's page (Sites and workers).
It works once, for an hour, and names the site that the worker scans.

The command asks for the code on the terminal, or reads it from --code-file (- is standard input) or from
` + joinVariable + `. The code holds the fingerprint of the server's authority, so no other server can pose as it.
`

// joinVariable may hold a join code: everybody can read arguments.
const joinVariable = "IPCGUARD_JOIN_CODE"

func (a *app) workerJoin() *cobra.Command {
	var home homeFlags
	var file, name string
	c := &cobra.Command{
		Use:   "join https://SERVER:PORT",
		Short: "Join the fleet's server, once",
		Long:  joinHelp,
		Example: "  ipcguard worker join https://fleet.example:8444\n  ipcguard worker join " +
			"https://fleet.example:8444 --code-file /run/code",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("name the server's listener for workers, such as https://fleet.example:8444")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.join(c.Context(), &home, args[0], file, name)
		},
	}
	c.Flags().SortFlags = false
	registerWorkerState(c.Flags(), &home)
	c.Flags().StringVar(&file, "code-file", "", "a file with the code; - is standard input")
	c.Flags().StringVar(&name, "name", "",
		"name of the worker, if the code does not give it (default: this machine's name)")
	return c
}

func (a *app) join(ctx context.Context, home *homeFlags, server, file, name string) error {
	dir, err := home.worker()
	if err != nil {
		return err
	}
	code, err := a.joinCode(file)
	if err != nil {
		return err
	}
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return usage("--name: this machine has none of its own: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	id, err := remote.Join(ctx, dir, server, code, name, buildName(debug.ReadBuildInfo()))
	if errors.Is(err, remote.ErrCode) {
		return usage("%v", err)
	}
	if err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	say(a.stdout, "joined as %s for the site %s; its certificate is in %s and renews itself", id.Name, id.Site, dir)
	return nil
}

// joinCode reads the code from a file, the environment or the terminal. It is a secret, so it is not an argument.
func (a *app) joinCode(file string) (string, error) {
	const most = 1024
	switch {
	case file == "-":
		return firstLine(io.LimitReader(a.stdin, most))
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		return firstLine(io.LimitReader(f, most))
	}
	if code := os.Getenv(joinVariable); code != "" {
		return code, nil
	}
	tty, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(tty.Fd())) {
		return "", hinted{usage("no code: there is no terminal to ask on"), "--code-file FILE, or " + joinVariable}
	}
	fmt.Fprint(a.stderr, "Code: ")
	b, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(a.stderr)
	return strings.TrimSpace(string(b)), err
}

func firstLine(r io.Reader) (string, error) {
	s := bufio.NewScanner(model.UTF8(r))
	s.Scan()
	return strings.TrimSpace(s.Text()), s.Err()
}

// fleetOptions returns the options of the server.
func (a *app) fleetOptions(f *fleetFlags) (fleet.Options, error) {
	o := fleet.Options{
		Site: f.site, Name: f.name, Version: buildName(debug.ReadBuildInfo()),
		Authenticate: logons{a, f.unsigned}.authenticate,
	}
	var err error
	if o.Scan, err = f.probeFlags.options(); err != nil {
		return o, err
	}
	o.Log, err = a.logger(&f.logFlags)
	return o, err
}

// ended maps the end of a service: being stopped is not an error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"

	"ipcguard/internal/apply/private"
	"ipcguard/internal/model"
)

const serviceHelp = `Run serve or worker as a Windows service, which starts with the machine and is restarted if it fails.

The service runs as its own account (NT SERVICE\ipcguard-serve, NT SERVICE\ipcguard-worker), which may write its state
directory and nothing else. It logs to service.log there; the Application log records when it fails. service.log also has
the set-up link of serve; only administrators can read it. A worker must join before its service is installed.
`

// verbsOfSystem returns the commands of this system only.
func (a *app) verbsOfSystem() []*cobra.Command {
	c := &cobra.Command{
		Use: "service", Short: "Run serve or worker as a service", Long: serviceHelp, Args: subcommands,
		Example: `  ipcguard service install serve --listen 0.0.0.0:8443
  ipcguard worker join https://fleet.example:8444 --state C:\ProgramData\ipcguard-worker
  ipcguard service install worker
  ipcguard service uninstall worker`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	for _, sub := range []*cobra.Command{
		{
			Use: "install serve|worker [FLAGS…]", Short: "Install the service, with the flags of the verb that it runs",
			RunE: a.installService,
		},
		{
			Use: "uninstall serve|worker", Short: "Stop the service and remove it; its state directory stays",
			RunE: a.uninstallService,
		},
		{Use: "run serve|worker [FLAGS…]", Short: "What the service manager starts", Hidden: true, RunE: a.runService},
	} {
		sub.Long, sub.DisableFlagParsing = serviceHelp+exitHelp, true
		c.AddCommand(sub)
	}
	return []*cobra.Command{c}
}

// asked is the command that a service runs.
type asked struct {
	verb    string // serve or worker
	command *cobra.Command
	args    []string
	dir     string // its state directory
}

func (s *asked) name() string { return "ipcguard-" + s.verb }

// askedFor parses the arguments for a service's command. If help was requested, it returns nil without an error.
func (a *app) askedFor(c *cobra.Command, args []string) (*asked, error) {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
		return nil, c.Help()
	}
	if len(args) == 0 || args[0] != "serve" && args[0] != "worker" {
		return nil, usage("which service? serve or worker")
	}
	verb := a.serve()
	if args[0] == "worker" {
		verb = a.worker()
	}
	if err := verb.ParseFlags(args[1:]); err != nil {
		return nil, hinted{usageError{err}, "ipcguard " + args[0] + " --help lists the flags"}
	}
	if rest := verb.Flags().Args(); len(rest) > 0 {
		return nil, usage("%q is no flag of %s", rest[0], args[0])
	}
	if verb.Flags().ArgsLenAtDash() >= 0 {
		return nil, usage("-- is no flag of %s", args[0])
	}
	if err := wholePaths(verb.Flags()); err != nil {
		return nil, err
	}
	dir, err := verb.Flags().GetString("state")
	if err == nil && dir == "" {
		dir, err = (&stateFlags{}).dir()
		dir += "-" + args[0]
	} else if err == nil {
		dir, err = filepath.Abs(dir)
	}
	return &asked{verb: args[0], command: verb, args: args, dir: dir}, err
}

// check refuses what the command itself would refuse at its start, where nobody sees it.
func (s *asked) check() error {
	if err := s.command.PreRunE(s.command, nil); err != nil || s.verb != "worker" {
		return err
	}
	_, err := joined(s.dir)
	return err
}

// wholePaths refuses relative names of files: the service manager starts a service in a directory of its own.
func wholePaths(flags *pflag.FlagSet) error {
	for _, name := range []string{"tls-cert", "tls-key", "key", "database", "oidc-secret-file", "oidc-ca"} {
		f := flags.Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		path := f.Value.String()
		if name == "database" {
			file, ok := cutSQLite(path)
			if !ok {
				continue // a server's path
			}
			path = file
		}
		if !filepath.IsAbs(path) {
			return hinted{
				usage("--%s %q: a service starts in a directory of its own", name, path),
				"name the whole path, with the drive",
			}
		}
	}
	return nil
}

// A service that ends by itself is restarted: soon, then less often; after a day without an end, as at first.
var restarts = []mgr.RecoveryAction{
	{Type: mgr.ServiceRestart, Delay: 5 * time.Second},
	{Type: mgr.ServiceRestart, Delay: time.Minute},
	{Type: mgr.ServiceRestart, Delay: 5 * time.Minute},
}

func (a *app) installService(c *cobra.Command, args []string) (err error) {
	s, err := a.askedFor(c, args)
	if s == nil || err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := private.Program(exe); err != nil {
		return hinted{
			fmt.Errorf("service: others could put another program in its place: %w", err),
			`move it below C:\Program Files first`,
		}
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	if installed(m, s.name()) {
		return hinted{
			fmt.Errorf("service: %s is installed already", s.name()),
			"ipcguard service uninstall " + s.verb + " removes it",
		}
	}
	service, err := m.CreateService(s.name(), exe, mgr.Config{
		StartType: mgr.StartAutomatic, ServiceStartName: `NT SERVICE\` + s.name(),
		DisplayName: "ipcguard " + s.verb, Description: map[string]string{
			"serve":  "Watches a fleet of SMB servers, with a web page.",
			"worker": "Scans one site for the fleet's server.",
		}[s.verb],
	}, s.line()...)
	if err != nil {
		return fmt.Errorf("service: %w", err)
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if err := s.prepare(service, a.stderr); err != nil {
		return errors.Join(err, service.Delete())
	}
	say(a.stdout, "installed %s; sc start %s starts it, and so does the next start of the machine", s.name(), s.name())
	say(a.stdout, "state and log: %s", s.dir)
	return nil
}

// line returns the command line of the service. It names the directory, because the service manager has another working
// directory and possibly another environment.
func (s *asked) line() []string {
	return slices.Concat([]string{"service", "run"}, s.args, []string{"--state", s.dir})
}

// prepare creates what a service needs beside its entry: a directory, an event source, restarts. Without an event
// source it works all the same.
func (s *asked) prepare(service *mgr.Service, stderr io.Writer) error {
	if err := private.ForService(s.dir, s.name()); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if err := registerSource(); err != nil {
		say(stderr, "the Application log will show its entries without a text: %v", err)
	}
	const day = 24 * 60 * 60
	if err := service.SetRecoveryActions(restarts, day); err != nil {
		return fmt.Errorf("service: restarts: %w", err)
	}
	return nil
}

// eventSource is this program's source in the Application log, and sourceKey its registration.
const (
	eventSource = "ipcguard"
	sourceKey   = `SYSTEM\CurrentControlSet\Services\EventLog\Application\` + eventSource
)

// registerSource names the file with the source's message texts: a program of Windows itself that has one for every ID
// up to 1000. Unlike eventlog.Install, it creates missing keys above: an installer that removes the last source of the
// log may remove the log's empty key, too.
func registerSource() error {
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, sourceKey, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	defer k.Close()
	return errors.Join(
		k.SetExpandStringValue("EventMessageFile", `%SystemRoot%\System32\EventCreate.exe`),
		k.SetDWordValue("TypesSupported", eventlog.Error|eventlog.Warning|eventlog.Info),
		k.SetDWordValue("CustomSource", 1),
	)
}

func (a *app) uninstallService(c *cobra.Command, args []string) (err error) {
	s, err := a.askedFor(c, args)
	if s == nil || err != nil {
		return err
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	service, err := m.OpenService(s.name())
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return fmt.Errorf("service: %s is not installed", s.name())
	}
	if err != nil {
		return fmt.Errorf("service: %w", err)
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if err := stopped(c.Context(), service); err != nil {
		return fmt.Errorf("service: stopping %s: %w", s.name(), err)
	}
	if err := service.Delete(); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	if !others(m, s.name()) && !ofInstaller() {
		if err := eventlog.Remove(eventSource); err != nil && !errors.Is(err, windows.ERROR_FILE_NOT_FOUND) {
			say(a.stderr, "its name in the event log stays: %v", err)
		}
	}
	say(a.stdout, "removed %s; its state stays where it is", s.name())
	return nil
}

// stopped stops a running service, and gives it time to hand back unfinished jobs.
func stopped(ctx context.Context, service *mgr.Service) error {
	status, err := service.Control(svc.Stop)
	if errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return nil
	}
	for end := time.Now().Add(stopWait); err == nil && status.State != svc.Stopped; {
		if time.Now().After(end) {
			return fmt.Errorf("it has not ended within %s", stopWait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		status, err = service.Query()
	}
	return err
}

// ofInstaller reports whether the installer registered the source, and will remove it.
func ofInstaller() bool {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, sourceKey, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	defer k.Close()
	_, _, err = k.GetIntegerValue("Installer")
	return err == nil
}

// others reports whether another service of this program is installed.
func others(m *mgr.Mgr, but string) bool {
	for _, verb := range []string{"serve", "worker"} {
		if name := (&asked{verb: verb}).name(); name != but && installed(m, name) {
			return true
		}
	}
	return false
}

func installed(m *mgr.Mgr, name string) bool {
	s, err := m.OpenService(name)
	if err == nil {
		_ = s.Close()
	}
	return err == nil
}

// stopWait bounds how long a service may take to stop: a scan ends at the next answer, and jobs are handed back.
const stopWait = 30 * time.Second

func (a *app) runService(c *cobra.Command, args []string) error {
	s, err := a.askedFor(c, args)
	if s == nil || err != nil {
		return err
	}
	err = svc.Run(s.name(), &running{asked: s, ctx: c.Context()})
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return hinted{usage("this verb is for the service manager"), "ipcguard " + strings.Join(args, " ")}
	}
	return err
}

// running is a running service.
type running struct {
	*asked
	ctx context.Context
}

// Execute implements svc.Handler.
func (r *running) Execute(
	_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status,
) (specific bool, code uint32) {
	status <- svc.Status{State: svc.StartPending}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	ended := make(chan int, 1)
	go func() { ended <- r.verb(ctx) }()
	const takes = svc.AcceptStop | svc.AcceptShutdown
	status <- svc.Status{State: svc.Running, Accepts: takes}
	for {
		select {
		case code := <-ended:
			return code != exitOK, uint32(code)
		case q := <-requests:
			switch q.Cmd {
			case svc.Interrogate:
				status <- q.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: uint32(stopWait.Milliseconds())}
				cancel()
				<-ended // an error after a stop is not a failure
				return false, 0
			}
		}
	}
}

// verb runs the command as its command line would, with a log instead of a terminal.
func (r *running) verb(ctx context.Context) int {
	log, err := openServiceLog(filepath.Join(r.dir, "service.log"))
	if err != nil {
		return r.failed(err)
	}
	defer log.Close()
	visible := model.VisibleWriter{Writer: log}
	b := &app{stdin: strings.NewReader(""), stdout: visible, stderr: visible, screen: visible}
	root := b.root()
	root.SetArgs(r.args)
	err = root.ExecuteContext(ctx)
	if err != nil && ctx.Err() == nil {
		_ = r.failed(err)
	}
	return exitCode(err, b.stderr)
}

// failed writes to the Application log that the service ended by itself.
func (r *running) failed(err error) int {
	const ended = 10 // the ID of the event
	if l, lerr := eventlog.Open(eventSource); lerr == nil {
		_ = l.Error(ended, model.Visible(r.name()+" ended: "+err.Error())) // there is no other log
		_ = l.Close()
	}
	return exitFailed
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"ipcguard/internal/gateway"
	"ipcguard/internal/model"
	"ipcguard/internal/observe"
)

const gatewayHelp = `Stand between clients and an SMB server that cannot be configured, and refuse strangers.

A stranger is a client that does not prove who it is: a null session, or a user whom the server maps to guest. The
gateway reads how a connection begins. It answers the logon of a null session with STATUS_ACCESS_DENIED before the
server sees it. Users pass unchanged, signed and encrypted end to end: the gateway has no keys.

Start with --observe-only. It refuses nothing, and logs and counts what it would refuse; with --state DIR it also
keeps every logon, which "ipcguard observe --state DIR --show" lists.

A policy (--policy) lets some strangers pass: by client, server and identity, with everything or with single pipes,
interfaces and calls. It can deny pipes, interfaces and calls to users, where the traffic can be read.

The gateway reads SMB1 (NT LM 0.12) to 3.1.1, on port 445, and with NetBIOS sessions on port 139. Whether an account
has an empty or well-known password, and whose a Kerberos ticket is, it cannot see.

The counts are logged every --report, and written to --metrics: sessions by identity, refusals by reason, and how long
bytes stayed in the gateway. -v logs every logon.

SIGINT and SIGTERM stop new connections; open ones have --drain to end. SIGHUP reads the configuration file and the
policies again; sessions continue. SIGUSR2 starts the program again and gives the new process the listening sockets,
so that an upgrade refuses no connection; the old process ends with its last connection.

docs/gateway.md describes what clients notice, the ways around a gateway, and the systemd unit.
`

const gatewayExamples = `  ipcguard gateway --listen 192.0.2.10:445 --to 192.0.2.20 --observe-only --state /var/lib/ipcguard-gateway
  ipcguard gateway --listen 192.0.2.10:445 --to nas.example --policy gateway.yaml
  ipcguard gateway --listen 127.0.0.1:8445 --transparent
  ipcguard gateway --config /etc/ipcguard/gateway.toml --log json`

type gatewayFlags struct {
	logFlags
	listen, to, policy, config, state, metrics string
	observeOnly, transparent                   bool
	drain, report                              time.Duration
	limits                                     gateway.Limits
}

func (a *app) gateway() *cobra.Command {
	f := &gatewayFlags{}
	c := &cobra.Command{
		Use:     "gateway --listen ADDRESS --to HOST",
		Short:   "Refuse strangers in front of a server that cannot be configured",
		Long:    gatewayHelp,
		Example: gatewayExamples,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.runGateway(c.Context(), f) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.listen, "listen", "", "address and port that clients connect to")
	s.StringVar(&f.to, "to", "", "the server, HOST or HOST:PORT (445, or 139 behind a listener at 139)")
	s.BoolVar(&f.transparent, "transparent", false,
		"on Linux, instead of --to: take connections for any server that the firewall leads here (TPROXY), in the "+
			"client's name")
	s.StringVar(&f.policy, "policy", "", "YAML file that says which strangers may pass; without it none may")
	s.BoolVar(&f.observeOnly, "observe-only", false, "refuse nothing; count what would be refused")
	s.StringVar(&f.config, "config", "",
		"TOML file with several listeners, instead of --listen, --to, --transparent, --policy and --observe-only")
	s.StringVar(&f.state, "state", "", "keep every logon in this directory, in observe's rows")
	s.DurationVar(&f.drain, "drain", 30*time.Second, "how long open connections go on after an interrupt")
	s.DurationVar(&f.report, "report", time.Minute,
		"how often the counts are logged, and --metrics is written; 0 is never")
	s.StringVar(&f.metrics, "metrics", "",
		"write the counts to this file, for node_exporter's textfile collector (NAME.prom)")
	s.IntVar(&f.limits.Connections, "connections", 0, "connections at once (default 16384)")
	s.IntVar(&f.limits.PerClient, "per-client", 0, "connections of one address at once (default 1024)")
	f.logFlags.register(s)
	c.AddCommand(a.gatewayCheck(), a.gatewayPolicy(), a.gatewayWhatIf())
	return c
}

// listening is one active listener.
type listening struct {
	way    *gateway.Way
	socket net.Listener
	stop   context.CancelFunc
}

// gatewayRun is a gateway with its listeners.
type gatewayRun struct {
	*gateway.Gateway
	flags     *gatewayFlags
	log       *slog.Logger
	limits    gateway.Limits
	listeners map[string]listening // by address
	handed    handed
	rows      *gatewayRows
	metrics   gatewayMetrics
	failed    chan error
}

func (a *app) runGateway(ctx context.Context, f *gatewayFlags) error {
	config, err := f.read()
	if err != nil {
		return err
	}
	log, err := a.logger(&f.logFlags)
	if err != nil {
		return err
	}
	rows := &gatewayRows{dir: f.state}
	sockets, err := takeHanded()
	if err == nil {
		err = rows.open()
	}
	if err != nil {
		return err
	}
	run := &gatewayRun{
		Gateway: gateway.New(gateway.Options{Limits: config.Limits, Log: log, Use: rows.add}), flags: f, log: log,
		limits:    config.Limits,
		listeners: map[string]listening{}, failed: make(chan error, 1), handed: sockets, rows: rows,
	}
	run.metrics = gatewayMetrics{f.metrics, run.Stats}
	if err = run.metrics.write(); err == nil { // a file that cannot be written is an error at the start
		err = run.apply(ctx, config)
	}
	if err == nil {
		run.handed.close()
		err = ready()
	}
	if err == nil {
		err = run.wait(ctx)
	}
	run.end()
	return errors.Join(err, rows.close())
}

// gatewayRows saves the rows that the gateway observes, if a directory was named.
type gatewayRows struct {
	dir   string
	mu    sync.Mutex
	keeps *observe.Recorder
	stop  context.CancelFunc
	saved chan error
}

func (r *gatewayRows) add(u model.Use) {
	r.mu.Lock()
	keeps := r.keeps
	r.mu.Unlock()
	if keeps != nil {
		keeps.Add(u)
	}
}

// open locks and reads the directory.
func (r *gatewayRows) open() error {
	if r.dir == "" {
		return nil
	}
	keeps, err := observe.NewRecorder(r.dir)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keeps, r.stop, r.saved = keeps, stop, make(chan error, 1)
	go func(saved chan error) { saved <- keeps.Run(ctx) }(r.saved)
	return nil
}

// close saves the rows and unlocks the directory.
func (r *gatewayRows) close() error {
	r.mu.Lock()
	keeps := r.keeps
	r.keeps = nil
	r.mu.Unlock()
	if keeps == nil {
		return nil
	}
	r.stop()
	return <-r.saved
}

// wait serves until an interrupt, or until a listener fails.
func (r *gatewayRun) wait(ctx context.Context) error {
	reload, restart := make(chan os.Signal, 1), make(chan os.Signal, 1)
	for c, signals := range map[chan os.Signal][]os.Signal{reload: reloadSignals(), restart: restartSignals()} {
		if len(signals) > 0 {
			signal.Notify(c, signals...)
			defer signal.Stop(c)
		}
	}
	var report <-chan time.Time
	if r.flags.report > 0 {
		t := time.NewTicker(r.flags.report)
		defer t.Stop()
		report = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil // an interrupt is the normal end
		case err := <-r.failed:
			return err
		case <-report:
			r.report()
		case <-reload:
			r.reload(ctx)
		case <-restart:
			if r.restart(ctx) {
				return nil
			}
		}
	}
}

func (r *gatewayRun) report() {
	s := r.Stats()
	r.log.Info("counts", "open", s.Open, "connections", s.Connections, "sessions", s.Sessions, "refused", s.Refused,
		"encrypted", s.Encrypted, "unread", s.Unread, "added_median_below", s.Added.Below(0.5).String(),
		"added_p99_below", s.Added.Below(0.99).String(), "since", s.Since)
	if err := r.metrics.write(); err != nil {
		r.log.Error("the metrics could not be written", "error", err.Error())
	}
}

// reload reads the files again. If one of them is invalid, nothing changes.
func (r *gatewayRun) reload(ctx context.Context) {
	config, err := r.flags.read()
	if err == nil {
		err = r.apply(ctx, config)
	}
	if err != nil {
		r.log.Error("reload failed: the old policy goes on", "error", err.Error())
		return
	}
	if config.Limits != r.limits {
		r.log.Warn("the new limits apply after a restart")
	}
	r.log.Info("reloaded", "listeners", len(r.listeners))
}

// restart passes the sockets to a new process, and reports whether that listens. Open connections continue here until
// they end.
func (r *gatewayRun) restart(ctx context.Context) bool {
	var sockets []*net.TCPListener
	for _, at := range r.listeners {
		if tcp, ok := at.socket.(*net.TCPListener); ok {
			sockets = append(sockets, tcp)
		}
	}
	err := r.rows.close()
	if err == nil {
		err = handOver(ctx, sockets)
	}
	if err != nil {
		r.log.Error("restart failed: this process goes on", "error", errors.Join(err, r.rows.open()).Error())
		return false
	}
	for _, at := range r.listeners {
		at.stop()
	}
	r.log.Info("handed over", "listeners", len(sockets), "open", r.Stats().Open)
	r.Shutdown(ctx)
	return true
}

// apply sets the listeners of a configuration. Listeners that stay keep their connections. On an error nothing changes.
func (r *gatewayRun) apply(ctx context.Context, config *gatewayConfig) error {
	opened, err := r.open(ctx, config)
	if err != nil {
		for _, at := range opened {
			at.socket.Close()
		}
		return err
	}
	for address, at := range r.listeners {
		if route, ok := config.Routes[address]; !ok {
			at.stop()
			delete(r.listeners, address)
			r.log.Info("no longer listening", "address", address)
		} else if err := at.way.Set(route); err != nil { // cannot fail: open has checked it
			return err
		}
	}
	for address, at := range opened {
		r.serve(ctx, address, at)
	}
	for _, server := range gateway.Strays(slices.Collect(maps.Values(config.Routes))) {
		r.log.Warn("a policy names a server that no listener leads to", "server", server)
	}
	return nil
}

// open opens the listeners that a configuration adds, and checks the routes of all. On an error it also returns what it
// has opened.
func (r *gatewayRun) open(ctx context.Context, config *gatewayConfig) (map[string]listening, error) {
	opened := map[string]listening{}
	for address, route := range config.Routes {
		way, err := gateway.NewWay(route)
		if err != nil {
			return opened, err
		}
		if at, ok := r.listeners[address]; ok {
			if at.way.Route().Transparent != route.Transparent {
				return opened, fmt.Errorf("listen %s: only a restart makes it transparent or no longer so", address)
			}
			continue
		}
		l := r.handed.take(address)
		if l == nil {
			if l, err = openListener(ctx, address, route.Transparent); err != nil {
				return opened, err
			}
		}
		opened[address] = listening{way: way, socket: l}
	}
	return opened, nil
}

// serve starts a listener.
func (r *gatewayRun) serve(ctx context.Context, address string, at listening) {
	ctx, at.stop = context.WithCancel(ctx)
	r.listeners[address] = at
	route := at.way.Route()
	r.log.Info("listening", "address", at.socket.Addr().String(), "to", route.To, "transparent", route.Transparent,
		"observe_only", route.ObserveOnly, "exceptions", len(route.Policy.Strangers), "denied_to_users",
		len(route.Policy.Users))
	go func() {
		if err := r.Serve(ctx, at.socket, at.way); ctx.Err() == nil {
			select {
			case r.failed <- err:
			default:
			}
		}
	}()
}

func openListener(ctx context.Context, address string, transparent bool) (net.Listener, error) {
	if transparent {
		return gateway.ListenTransparent(ctx, address)
	}
	return gateway.Listen(ctx, address)
}

// end accepts no more connections, and lets open ones continue for a while.
func (r *gatewayRun) end() {
	for _, at := range r.listeners {
		at.stop()
	}
	if n := r.Stats().Open; n > 0 {
		r.log.Info("ending", "open", n, "within", r.flags.drain.String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.flags.drain)
	defer cancel()
	r.Shutdown(ctx)
	r.report()
}

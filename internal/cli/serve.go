package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/gate"
	"ipcguard/internal/fleet/notify"
	"ipcguard/internal/scan"
	"ipcguard/internal/store"
	"ipcguard/internal/web"
	"ipcguard/internal/web/api"
	"ipcguard/internal/web/limit"
	"ipcguard/internal/web/metrics"
	"ipcguard/internal/web/proxy"
	"ipcguard/internal/web/tlscert"
)

const serveHelp = `Watch a fleet of servers: scan and audit them on a schedule, keep the history, report what changed, and show it on a
web page.

It needs nothing else installed: one process, and one SQLite file in the state directory. --database postgres://… uses
PostgreSQL. --workers opens a listener for workers in other networks (ipcguard worker). The first start prints a link
that creates the first administrator.

You can also set every flag in a configuration file (--config) or in the environment: --tls-cert is tls-cert = "…" in
the file and IPCGUARD_TLS_CERT in the environment. ipcguard serve config prints each value and where it comes from.

It listens on loopback over TLS, with a certificate that it makes unless you give one. It never changes a server: make
plans on the page, and apply them with ipcguard apply.

docs/fleet.md describes sites and workers, PostgreSQL, backup and hardening.
`

const serveExamples = `  ipcguard serve
  ipcguard serve --listen 0.0.0.0:8443 --tls-cert fleet.pem --tls-key fleet.key.pem --url https://fleet.example:8443
  IPCGUARD_DATABASE=postgres://ipcguard@db.example/ipcguard ipcguard serve --metrics 127.0.0.1:9464`

const databaseFile = "ipcguard.db"

type serveFlags struct {
	fleetFlags
	homeFlags
	listen, workers, metrics, cert, certKey, url string
	keep, retire                                 string
	noTLS, newKey                                bool
	trustProxy                                   []string
	keepActs                                     string
	provider                                     providerFlags
}

func (a *app) serve() *cobra.Command {
	f := &serveFlags{}
	c := &cobra.Command{
		Use:     "serve",
		Short:   "Watch a fleet, with a web page",
		Long:    serveHelp,
		Example: serveExamples,
		Args:    subcommands,
		PreRunE: func(*cobra.Command, []string) error { return a.checkServe(f) },
		RunE:    func(c *cobra.Command, _ []string) error { return a.runServe(c.Context(), f) },
	}
	f.register(c.Flags())
	given := &settings{flags: c.Flags(), from: map[string]string{}}
	c.PersistentFlags().StringVar(&given.file, "config", "",
		"a file (TOML) with any of these flags; "+variableOf("config")+" names it too (default: "+defaultConfig()+
			", if it exists)")
	c.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return given.configure(c) }
	for _, sub := range []*cobra.Command{
		a.serveConfig(given), a.serveMigrate(), a.serveBackup(), a.serveRestore(), a.servePassword(), a.serveRekey(),
		a.serveCheck(),
	} {
		sub.Long += exitHelp
		c.AddCommand(sub)
	}
	return c
}

func (f *serveFlags) register(s *pflag.FlagSet) {
	s.SortFlags = false
	f.homeFlags.register(s)
	s.StringVar(&f.listen, "listen", "127.0.0.1:8443", "address of the page")
	s.StringVar(&f.url, "url", "", "the page's address as users reach it, for links in notifications")
	s.StringVar(&f.cert, "tls-cert", "", "certificate chain (PEM); reloaded when it changes")
	s.StringVar(&f.certKey, "tls-key", "", "its private key (PEM)")
	s.BoolVar(&f.noTLS, "no-tls", false, "plain HTTP, only on loopback, for a proxy on this machine")
	s.StringSliceVar(&f.trustProxy, "trust-proxy", nil,
		"proxies (addresses, prefixes) whose X-Forwarded-For is trusted")
	s.StringVar(&f.workers, "workers", "",
		"address of a separate listener for workers at other sites, such as 0.0.0.0:8444; none by default")
	s.StringVar(&f.metrics, "metrics", "", "address of a separate listener for Prometheus (/metrics); none by default")
	s.StringVar(&f.keep, "keep", "400d", "how long results are kept, such as 400d, or forever")
	s.StringVar(&f.keepActs, "keep-audit-log", "1100d", "how long the audit log is kept, such as 1100d, or forever")
	s.StringVar(&f.retire, "retire-after", "90d",
		"how long a host may stay silent before it leaves the fleet, such as 90d, or never")
	s.BoolVar(&f.newKey, "new-key", false,
		"make a new key file although the database has secrets that only the lost key opens")
	f.provider.register(s)
	f.fleetFlags.register(s)
}

// checkServe refuses wrong flags and creates nothing; installing a service calls it, too.
func (a *app) checkServe(f *serveFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	for flag, value := range map[string]string{
		"--keep": f.keep, "--retire-after": f.retire, "--keep-audit-log": f.keepActs,
	} {
		if _, err := parseKeep(flag, value); err != nil {
			return err
		}
	}
	if _, err := a.fleetOptions(&f.fleetFlags); err != nil {
		return err
	}
	if _, err := f.address(""); err != nil {
		return err
	}
	if _, err := proxy.Parse(f.trustProxy); err != nil {
		return usageError{err}
	}
	if _, err := f.provider.open(f.url); err != nil { // it sends nothing
		return err
	}
	if err := f.checkURL(); err != nil {
		return err
	}
	if f.cert == "" {
		return nil
	}
	_, err := tlscert.Open(tlscert.Options{Cert: f.cert, Key: f.certKey})
	return err
}

// checkURL refuses an address that no browser opens as the page.
func (f *serveFlags) checkURL() error {
	if f.url == "" {
		return nil
	}
	u, err := url.Parse(f.url)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return usage("--url %q: want the page's address, such as https://ipcguard.example:8443", f.url)
	}
	return nil
}

func (f *serveFlags) check() error {
	for _, l := range []struct{ flag, address string }{
		{"--listen", f.listen}, {"--workers", f.workers}, {"--metrics", f.metrics},
	} {
		if (l.address != "" || l.flag == "--listen") && !isAddress(l.address) {
			return usage("%s %q: want HOST:PORT", l.flag, l.address)
		}
	}
	host, _, err := net.SplitHostPort(f.listen)
	switch {
	case err != nil:
		return err // isAddress has refused it
	case (f.cert == "") != (f.certKey == ""):
		return usage("--tls-cert and --tls-key go together")
	case f.noTLS && f.cert != "":
		return usage("--no-tls and --tls-cert exclude one another")
	case f.noTLS && !isLoopback(host):
		return hinted{
			usage("--no-tls: passwords would cross the network in the clear"),
			"listen on loopback behind a proxy, or leave --no-tls out",
		}
	}
	return nil
}

func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil || port == "" {
		return false
	}
	_, err = net.LookupPort("tcp", port) // a number up to 65535, or a name from the machine's list of services
	return err == nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (a *app) runServe(ctx context.Context, f *serveFlags) error {
	keep, err := parseKeep("--keep", f.keep)
	if err != nil {
		return err
	}
	retire, err := parseKeep("--retire-after", f.retire)
	if err != nil {
		return err
	}
	o, err := a.fleetOptions(&f.fleetFlags)
	if err != nil {
		return err
	}
	o.Retention, o.RetireAfter = keep, retire
	if o.ActsRetention, err = parseKeep("--keep-audit-log", f.keepActs); err != nil {
		return err
	}
	dir, err := f.homeFlags.dir()
	if err != nil {
		return err
	}
	dsn, err := f.address(filepath.Join(dir, databaseFile))
	if err != nil {
		return err
	}
	if f.key == "" {
		f.key = filepath.Join(dir, keyFile)
	}
	st, err := openStore(ctx, dsn)
	if err != nil {
		return err
	}
	defer st.Close()
	if o.Key, err = a.serverKey(ctx, f, st); err != nil {
		return err
	}
	return a.serveWith(ctx, f, st, o, dir)
}

// serving is one run of the server.
type serving struct {
	*app
	flags   *serveFlags
	st      *store.Store
	options fleet.Options
	base    string          // the page's address
	cert    *tlscert.Source // nil without TLS
	fleet   *fleet.Fleet
	people  *access.Access
	numbers *metrics.Metrics
}

// serveWith runs every part of the server, until one of them ends.
func (a *app) serveWith(ctx context.Context, f *serveFlags, st *store.Store, o fleet.Options, dir string) error {
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	defer l.Close()
	proxies, err := proxy.Parse(f.trustProxy)
	if err != nil {
		return usageError{err}
	}
	own := pageURL(l.Addr(), f.noTLS)
	r := &serving{app: a, flags: f, st: st, options: o, base: cmp.Or(f.url, own)}
	if r.cert, err = a.certificate(f, dir, l.Addr()); err != nil {
		return err
	}
	listeners := 1
	if f.workers != "" {
		listeners++
	}
	bounds, left := descriptors(scan.OpenFiles(), listeners)
	bounds.Proxies, r.options.Scan.Files = proxies, left
	r.options.Watch = watch(dir, r.cert)
	handler, err := r.open()
	if err != nil {
		return err
	}
	say(a.stderr, "page: %s", r.base)
	if r.base != own {
		say(a.stderr, "listening on %s", l.Addr())
	}
	if err := r.invite(ctx); err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	listen(gctx, group, pageServer(handler, proxies, r.cert, o.Log), limit.Listen(l, bounds))
	if f.metrics != "" {
		l, err := net.Listen("tcp", f.metrics)
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		defer l.Close()
		listen(gctx, group, &http.Server{
			Handler: r.numbers.Handler(), ReadHeaderTimeout: headerWait, IdleTimeout: idleWait,
			ErrorLog: serverLog(o.Log),
		}, l)
		say(a.stderr, "metrics: http://%s/metrics", l.Addr())
	}
	if f.workers != "" {
		l, err := net.Listen("tcp", f.workers)
		if err != nil {
			return fmt.Errorf("workers: %w", err)
		}
		defer l.Close()
		g := gate.New(r.fleet, st, r.people, gate.Options{Log: o.Log, Came: limit.Come})
		listen(gctx, group, forWorkers(g, o.Log),
			limit.Listen(l, limit.Options{Strangers: bounds.Strangers, Address: bounds.Address, Known: bounds.Known}))
		say(a.stderr, "workers: ipcguard worker join https://%s", l.Addr())
	}
	group.Go(func() error { return r.fleet.Serve(gctx) })
	return ended(ctx, group.Wait())
}

// certificate opens the page's certificate and prints its fingerprint; nil without TLS.
func (a *app) certificate(f *serveFlags, dir string, addr net.Addr) (*tlscert.Source, error) {
	if f.noTLS {
		return nil, nil
	}
	cert, err := tlscert.Open(tlscert.Options{
		Cert: f.cert, Key: f.certKey, Dir: filepath.Join(dir, "tls"), Hosts: f.hosts(addr),
	})
	if err != nil {
		return nil, err
	}
	say(a.stderr, "certificate's SHA-256 fingerprint: %s", cert.Fingerprint())
	return cert, nil
}

// open opens the fleet with its notifications and accounts, and returns the pages and the API.
func (r *serving) open() (http.Handler, error) {
	o := &r.options
	notes := notify.New(r.st, notify.Options{Key: o.Key, Version: o.Version, Base: r.base, Log: o.Log})
	o.Beside = append(o.Beside, notes.Run)
	var err error
	if r.fleet, err = fleet.New(r.st, *o); err != nil {
		return nil, err
	}
	r.people = access.New(r.st, access.Options{Log: o.Log, Key: o.Key, Base: r.base})
	provider, err := r.flags.provider.open(r.base)
	if err != nil {
		return nil, err
	}
	does, err := acts.New(r.fleet, r.st, r.people, acts.Options{Key: o.Key, Test: notes.Test})
	if err != nil {
		return nil, err
	}
	programs, err := api.New(does, r.st, r.people, api.Options{Version: o.Version, Log: o.Log})
	if err != nil {
		return nil, err
	}
	pages, err := web.New(does, r.st, r.st.Sessions(), r.people, web.Options{
		Version: o.Version, Secure: !r.flags.noTLS || strings.HasPrefix(r.base, "https://"), Provider: provider,
		Log: o.Log, WrongKey: r.fleet.WrongKey, Full: r.fleet.Full,
	})
	if err != nil {
		return nil, err
	}
	r.numbers = metrics.New(r.st, o.Version, nil)
	mux := http.NewServeMux()
	mux.Handle("/api/", r.numbers.Watch("api", programs))
	mux.Handle("/", r.numbers.Watch("page", pages))
	return mux, nil
}

// invite prints the link that sets up the first account, if there is none yet.
func (r *serving) invite(ctx context.Context) error {
	token, needed, err := r.people.Setup(ctx)
	if err == nil && needed {
		say(r.stderr, "set-up link, for once: %s/setup?token=%s", strings.TrimSuffix(r.base, "/"), token)
	}
	return err
}

// descriptors divides the file descriptors of this process: each listener gets its maximum of connections, all
// listeners together at most a third, and scans the rest. So a flood of clients stops no scan, and scans do not make
// the page unavailable.
func descriptors(files, listeners int) (each limit.Options, scans int) {
	room := min(files/3/listeners, limit.Strangers+limit.Known)
	each.Strangers = max(room*limit.Strangers/(limit.Strangers+limit.Known), 1)
	each.Known = max(room-each.Strangers, 1)
	each.Address = min(limit.Address, max(each.Strangers/2, 1))
	return each, files - listeners*(each.Strangers+each.Known)
}

// forWorkers returns the HTTP server of the workers' listener.
func forWorkers(g *gate.Gate, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: limit.Bodies(g), ConnContext: limit.Context, TLSConfig: g.TLS(),
		ReadHeaderTimeout: headerWait, IdleTimeout: idleWait, MaxHeaderBytes: 16 << 10,
		ErrorLog: serverLog(log),
	}
}

// serverLog receives what an HTTP server logs by itself.
func serverLog(log *slog.Logger) *stdlog.Logger { return stdlog.New(reports{log}, "", 0) }

type reports struct{ log *slog.Logger }

// Write implements io.Writer. A failed handshake is a port scan or a browser that does not know the certificate; that
// is common and is logged for debugging only. Everything else, such as a panic of a handler, is an error.
func (r reports) Write(b []byte) (int, error) {
	text, level := strings.TrimSpace(string(b)), slog.LevelError
	if strings.HasPrefix(text, "http: TLS handshake error") {
		level = slog.LevelDebug
	}
	r.log.Log(context.Background(), level, text)
	return len(b), nil
}

// pageServer returns the page's HTTP server, with TLS unless that is turned off.
func pageServer(h http.Handler, proxies []netip.Prefix, cert *tlscert.Source, log *slog.Logger) *http.Server {
	s := &http.Server{
		Handler:           limit.Bodies(proxy.Trust(proxies, h)),
		ConnContext:       limit.Context,
		ReadHeaderTimeout: headerWait, IdleTimeout: idleWait, MaxHeaderBytes: 64 << 10,
		ErrorLog: serverLog(log),
	}
	if cert != nil {
		s.TLSConfig = cert.Config()
	}
	return s
}

// hosts returns the names and addresses by which people reach the page, for a self-signed certificate.
func (f *serveFlags) hosts(addr net.Addr) []string {
	var out []string
	for _, text := range []string{f.url, pageURL(addr, f.noTLS)} {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
			out = append(out, u.Hostname())
		}
	}
	return out
}

// listen serves until ctx ends. Requests that are being answered may finish.
func listen(ctx context.Context, group *errgroup.Group, server *http.Server, l net.Listener) {
	group.Go(func() error {
		var err error
		if server.TLSConfig != nil {
			err = server.ServeTLS(l, "", "")
		} else {
			err = server.Serve(l)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	group.Go(func() error {
		<-ctx.Done()
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWait)
		defer cancel()
		if server.Shutdown(wait) != nil {
			return server.Close()
		}
		return nil
	})
}

// Timeouts of a client. Bodies have a minimum rate instead: a table of a million targets takes minutes to send.
const (
	headerWait   = 10 * time.Second
	idleWait     = 2 * time.Minute
	shutdownWait = 10 * time.Second // for requests being answered when the server is stopped; a live view never ends
)

// pageURL returns the address of a listener's page.
func pageURL(addr net.Addr, plain bool) string {
	scheme := "https"
	if plain {
		scheme = "http"
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = reachable()
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// reachable returns the address of this machine for its network: the source address of a connection to the Internet,
// else the first address that is not local. It sends nothing.
func reachable() string {
	// documentation addresses of RFC 5737 and RFC 3849
	for _, far := range []string{"198.51.100.1:9", "[2001:db8::1]:9"} {
		c, err := net.Dial("udp", far)
		if err != nil {
			continue // there is no route
		}
		here, ok := c.LocalAddr().(*net.UDPAddr)
		if c.Close() == nil && ok && here.IP.IsGlobalUnicast() {
			return here.IP.String()
		}
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "localhost"
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "localhost"
}

// cutSQLite returns the path of an SQLite database.
func cutSQLite(dsn string) (path string, ok bool) {
	if rest, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		return rest, true
	}
	return dsn, dsn != "" && !strings.Contains(dsn, "://")
}

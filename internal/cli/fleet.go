package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"ipcguard/internal/fleet"
	"ipcguard/internal/kerberos"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/scan"
	"ipcguard/internal/store"
)

// databaseVariable may hold the address of a database with its password: everybody can read arguments.
const databaseVariable = "IPCGUARD_DATABASE"

// fleetFlags are the flags of the fleet's server.
type fleetFlags struct {
	probeFlags
	logFlags
	database, key, site, name string
	unsigned                  bool
}

// logFlags say what is logged, and how.
type logFlags struct {
	logFormat string
	verbose   bool
}

func (f *logFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.logFormat, "log", "text", "the log on standard error: text or json")
	s.BoolVarP(&f.verbose, "verbose", "v", false, "log in more detail")
}

func (f *fleetFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.database, "database", "",
		"postgres://USER@HOST/NAME, or sqlite:FILE; also from "+databaseVariable+
			". Passwords: PGPASSFILE, or in the variable")
	s.StringVar(&f.key, "key", "",
		"the key file that opens stored credentials (default fleet.key in the state directory)")
	s.StringVar(&f.site, "site", fleet.DefaultSite, "the site whose targets this process scans")
	s.StringVar(&f.name, "name", "",
		"name of this process among all workers (default: host name, process and a random part)")
	f.probeFlags.register(s)
	registerUnsigned(s, &f.unsigned)
	f.logFlags.register(s)
}

func (a *app) logger(f *logFlags) (*slog.Logger, error) {
	if err := oneOf("--log", f.logFormat, []string{"text", "json"}); err != nil {
		return nil, err
	}
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if f.verbose {
		o.Level = slog.LevelDebug
	}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(model.JSONWriter{Writer: a.stderr}, o)), nil
	}
	return slog.New(slog.NewTextHandler(a.stderr, o)), nil
}

// address returns the requested database, or the fallback. It may contain a password and must not be printed.
func (f *fleetFlags) address(fallback string) (string, error) {
	if f.database != "" {
		return f.database, noPassword("--database", f.database)
	}
	if v := os.Getenv(databaseVariable); v != "" {
		return v, nil
	}
	return fallback, nil
}

// openStore opens the requested database, or the file in a state directory, if it has this version's tables.
func (f *fleetFlags) openStore(ctx context.Context, dir string, o store.Options) (*store.Store, error) {
	dsn, err := f.address(filepath.Join(dir, databaseFile))
	if err != nil {
		return nil, err
	}
	if path, ok := cutSQLite(dsn); ok { // opening would make it
		if err := thereIs(path); err != nil {
			return nil, err
		}
	}
	st, err := store.Open(ctx, dsn, o)
	if err != nil {
		return nil, err
	}
	if err := st.CheckSchema(ctx); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// thereIs returns an error if a database file does not exist.
func thereIs(path string) error {
	if _, err := os.Stat(path); err != nil {
		return hinted{fmt.Errorf("database: %w", err), "name the server's directory with --state, or run this as its account"}
	}
	return nil
}

// openShared opens the database of a server that may be running.
func (f *fleetFlags) openShared(ctx context.Context, home *homeFlags) (*store.Store, error) {
	dir, err := home.dir()
	if err != nil {
		return nil, err
	}
	return f.openStore(ctx, dir, store.Options{Shared: true})
}

// noPassword refuses an address with a password in an argument.
func noPassword(flag, dsn string) error {
	if hasPassword(dsn) {
		return hinted{
			usage("%s: there is a password in it, and everybody on this machine can read arguments", flag),
			"put it into a password file (PGPASSFILE), or the whole address into " + databaseVariable,
		}
	}
	return nil
}

func hasPassword(dsn string) bool {
	found := false
	if u, err := url.Parse(dsn); err == nil {
		_, found = u.User.Password()
		found = found || u.Query().Has("password")
	}
	return found || strings.Contains(dsn, "password=")
}

// openStore opens a database and migrates its tables.
func openStore(ctx context.Context, dsn string) (*store.Store, error) {
	st, err := store.Open(ctx, dsn, store.Options{})
	if err != nil {
		return nil, err
	}
	if err := st.Migrate(ctx); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// keyFile is the name of the key in the server's state directory.
const keyFile = "fleet.key"

// logons makes logons from stored credentials.
type logons struct {
	app      *app
	unsigned bool // NTLM also goes to servers that do not require signing
}

func (l logons) authenticate(
	_ context.Context, c store.Credential, opened []byte, _ store.Target,
) (fleet.Logon, error) {
	logon, err := storedLogon(c, opened, l.unsigned)
	if err != nil {
		return fleet.Logon{}, err
	}
	return fleet.Logon{
		// The credential was given to this target, even if it is a range.
		Scan:  func(o *scan.Options) { o.User, o.UserInRanges = logon, true },
		Pipes: &pipes{app: l.app, logon: logon},
	}, nil
}

// storedLogon makes logons from a stored credential. No error contains the secret.
func storedLogon(c store.Credential, opened []byte, unsigned bool) (logonMaker, error) {
	who := split(c.Account)
	switch c.Kind {
	case "password":
		who.password = string(opened)
		return who.logons(unsigned), nil
	case "hash":
		var hash ntlm.Hash
		if n, err := hex.Decode(hash[:], opened[:min(len(opened), 2*len(hash))]); err != nil || n != len(hash) ||
			len(opened) != 2*len(hash) {
			return nil, fmt.Errorf("credential %s: an NT hash has 32 hexadecimal digits", c.Name)
		}
		return logonsOf(who.user, who.domain, hash, unsigned), nil
	case "keytab":
		credentials, err := kerberos.FromKeytab(opened, c.Account)
		if err != nil {
			return nil, err
		}
		return ticketsOf(credentials), nil
	}
	return nil, fmt.Errorf("credential %s: unknown kind %q", c.Name, c.Kind)
}

// parseKeep parses how long something is kept; 0 is for ever.
func parseKeep(flag, s string) (time.Duration, error) {
	if s == "" || s == "forever" || s == "never" {
		return 0, nil
	}
	d, err := parseLength(flag, s)
	if err != nil {
		return 0, err
	}
	if d < 24*time.Hour {
		return 0, usage("%s: at least 1d", flag)
	}
	return d, nil
}

// say writes to the terminal, beside the log.
func say(w io.Writer, format string, args ...any) {
	fmt.Fprintf(model.VisibleWriter{Writer: w}, "ipcguard: "+format+"\n", args...)
}

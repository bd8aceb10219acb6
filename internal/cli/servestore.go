package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	sealing "ipcguard/internal/fleet/secret"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

const migrateHelp = `Copy everything from one database to another: from SQLite to PostgreSQL, or back. Stop the server first. The new
database must be empty; the old one is only read. Keep the key file: it opens the secrets in both.
`

func (a *app) serveMigrate() *cobra.Command {
	var from, to string
	c := &cobra.Command{
		Use:   "migrate --from DATABASE --to DATABASE",
		Short: "Carry everything to another database",
		Long:  migrateHelp,
		Example: "  ipcguard serve migrate --from sqlite:/var/lib/ipcguard-serve/ipcguard.db --to " +
			"postgres://ipcguard@db.example/ipcguard",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.runMigrate(c.Context(), from, to) },
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&from, "from", "", "the existing database (default: "+databaseVariable+")")
	c.Flags().StringVar(&to, "to", "", "the empty one (default: "+databaseVariable+", if --from is given)")
	return c
}

func (a *app) runMigrate(ctx context.Context, from, to string) error {
	for _, f := range []struct {
		flag string
		dsn  *string
	}{{"--from", &from}, {"--to", &to}} {
		if err := noPassword(f.flag, *f.dsn); err != nil {
			return err
		}
		if *f.dsn == "" {
			*f.dsn = os.Getenv(databaseVariable)
		}
		if *f.dsn == "" {
			return usage("%s is missing", f.flag)
		}
	}
	if from == to {
		return usage("--from and --to are the same database")
	}
	if path, ok := cutSQLite(from); ok {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("from: %w", err)
		}
	}
	old, err := store.Open(ctx, from, store.Options{})
	if err != nil {
		return fmt.Errorf("from: %w", err)
	}
	defer old.Close()
	if err := old.CheckSchema(ctx); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	fresh, err := openStore(ctx, to)
	if err != nil {
		return fmt.Errorf("to: %w", err)
	}
	defer fresh.Close()
	var rows int64
	tables := map[string]int64{}
	err = store.Copy(ctx, old, fresh, func(table string, n int64) { tables[table] = n })
	if err != nil {
		return err
	}
	for _, n := range tables {
		rows += n
	}
	say(a.stdout, "%d rows of %d tables carried over", rows, len(tables))
	return nil
}

const backupHelp = `Write the server's SQLite database to one file, complete and consistent, while the server runs. For PostgreSQL use
pg_dump.

The backup does not contain the key file. Keep a copy of that elsewhere.
`

func (a *app) serveBackup() *cobra.Command {
	var f homeFlags
	var database string
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the SQLite database to one file, while the server runs",
		Long:  backupHelp,
		Args:  oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			path, err := sqliteFile(&f, database)
			if err != nil {
				return err
			}
			if err := thereIs(path); err != nil {
				return err
			}
			st, err := store.Open(c.Context(), path, store.Options{Shared: true})
			if err != nil {
				return err
			}
			defer st.Close()
			if err := st.Backup(c.Context(), args[0]); err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			say(a.stdout, "%s: %.1f MB", args[0], float64(info.Size())/1e6)
			return nil
		},
	}
	f.register(c.Flags())
	c.Flags().StringVar(&database, "database", "", "sqlite:FILE, if it is not in the state directory")
	return c
}

const restoreHelp = `Replace the server's SQLite database with a backup. Stop the server first: restore refuses a database that is in use.
The old database stays beside the new one, with the time in its name. restore names every secret that the key file does
not open.
`

func (a *app) serveRestore() *cobra.Command {
	var f homeFlags
	var database, key string
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the SQLite database",
		Long:  restoreHelp,
		Args:  oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			path, err := sqliteFile(&f, database)
			if err != nil {
				return err
			}
			if key == "" {
				key = filepath.Join(filepath.Dir(path), keyFile)
			}
			return a.restore(c.Context(), args[0], path, key)
		},
	}
	f.register(c.Flags())
	c.Flags().StringVar(&key, "key", "", "the key file (default "+keyFile+" beside the database)")
	c.Flags().StringVar(&database, "database", "", "sqlite:FILE, if it is not in the state directory")
	return c
}

// restore proves that the backup can be opened before it moves anything, and moves by renaming.
func (a *app) restore(ctx context.Context, from, path, keyPath string) error {
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	key, err := sealing.Load(keyPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	draft := path + ".restored"
	clear := func() { // what a restore left that was killed, too; after a rename there is none
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			_ = os.Remove(draft + suffix)
		}
	}
	clear()
	defer clear()
	lost, err := a.draft(ctx, from, draft, key)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := giveToOwner(draft); err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		there, err := store.Open(ctx, path, store.Options{}) // fails while a server uses it; merges the write-ahead log
		if err != nil {
			return err
		}
		if err := there.Close(); err != nil {
			return err
		}
		kept := path + "." + time.Now().UTC().Format("20060102T150405Z")
		if err := os.Rename(path, kept); err != nil {
			return err
		}
		for _, suffix := range []string{"-wal", "-shm"} { // left by a crash; they belong to the old file
			if err := os.Rename(path+suffix, kept+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		say(a.stdout, "what was there is now %s", kept)
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	say(a.stdout, "%s restored from %s", path, from)
	if len(lost) > 0 {
		say(a.stdout, "%s does not open what is sealed in it: %s. Put back the key file of the time of the backup "+
			"before the server starts", keyPath, listed(lost))
	}
	return nil
}

// draft copies a backup, upgrades the copy to this program's tables, and returns what the key does not open in it.
func (a *app) draft(ctx context.Context, from, to string, key sealing.Key) (lost []string, err error) {
	backup, err := store.Open(ctx, from, store.Options{Shared: true})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(backup.Backup(ctx, to), backup.Close()); err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, to, store.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	var steps int // any other database would get empty tables
	if err := st.DB().QueryRowContext(ctx,
		`SELECT count(*) FROM goose_db_version WHERE version_id > 0`).Scan(&steps); err != nil || steps == 0 {
		return nil, fmt.Errorf("%s is not a database of ipcguard", from)
	}
	if err := st.CheckSchema(ctx); errors.Is(err, store.ErrOlder) {
		if err := st.Migrate(ctx); err != nil {
			return nil, err
		}
		say(a.stdout, "%s is of an older ipcguard; its tables are upgraded in the copy", from)
	} else if err != nil {
		return nil, err
	}
	return fleet.Unopened(ctx, st, key)
}

// sqliteFile returns the path of the server's SQLite database.
func sqliteFile(f *homeFlags, database string) (string, error) {
	if path, ok := cutSQLite(database); ok {
		return path, nil
	}
	if database != "" {
		return "", hinted{usage("--database: only SQLite is one file"), "use pg_dump and pg_restore for PostgreSQL"}
	}
	dir, err := f.dir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, databaseFile), nil
}

const passwordHelp = `Set a new password for an account that is locked out. The command asks for the password on the terminal and ends the
account's sessions. The server may be running.
`

func (a *app) servePassword() *cobra.Command {
	f := &fleetFlags{}
	var home homeFlags
	c := &cobra.Command{
		Use:   "password NAME",
		Short: "Give an account another password",
		Long:  passwordHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("name one account")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.setPassword(c.Context(), f, &home, args[0]) },
	}
	home.register(c.Flags())
	c.Flags().StringVar(&f.database, "database", "", "as for serve; also from "+databaseVariable)
	return c
}

func (a *app) setPassword(ctx context.Context, f *fleetFlags, home *homeFlags, name string) error {
	st, err := f.openShared(ctx, home)
	if err != nil {
		return err
	}
	defer st.Close()
	user, err := st.UserByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no account %q", name)
	}
	if err != nil {
		return err
	}
	tty, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(tty.Fd())) {
		return usage("the password is asked for on a terminal, and there is none")
	}
	var given [2]string
	for i, question := range []string{"New password of " + name, "Once more"} {
		fmt.Fprintf(a.stderr, "%s: ", question)
		b, err := term.ReadPassword(int(tty.Fd()))
		fmt.Fprintln(a.stderr)
		if err != nil {
			return fmt.Errorf("reading the password: %w", err)
		}
		given[i] = string(b)
	}
	if given[0] != given[1] {
		return errors.New("the two are not the same; nothing was changed")
	}
	return access.New(st, access.Options{}).SetPassword(ctx, access.System(), user.ID, "", given[0])
}

const rekeyHelp = `Make a new key for stored credentials, the secrets of channels and the workers' authority, and seal them all with it.
Stop the server first. Other servers on the same database need a copy of the new key file. Workers need nothing.

The old keys stay in the file after the new one, because they open the secrets in backups. --forget removes them, as you
should if somebody may have read the file, and replaces the workers' authority, so that every worker has to join again.
Change the passwords then as well: a new key does not protect what was already read.
`

func (a *app) serveRekey() *cobra.Command {
	f := &fleetFlags{}
	var home homeFlags
	var forget bool
	c := &cobra.Command{
		Use:   "rekey",
		Short: "Seal stored credentials with a new key",
		Long:  rekeyHelp,
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return a.rekey(c.Context(), f, &home, forget) },
	}
	c.Flags().SortFlags = false
	home.register(c.Flags())
	c.Flags().StringVar(&f.database, "database", "", "as for serve; also from "+databaseVariable)
	c.Flags().StringVar(&f.key, "key", "", "the key file (default "+keyFile+" in the state directory)")
	c.Flags().BoolVar(&forget, "forget", false,
		"remove the old keys from the file; nothing opens the secrets in old backups then")
	return c
}

func (a *app) rekey(ctx context.Context, f *fleetFlags, home *homeFlags, forget bool) error {
	dir, err := home.dir()
	if err != nil {
		return err
	}
	if f.key == "" {
		f.key = filepath.Join(dir, keyFile)
	}
	st, err := f.openStore(ctx, dir, store.Options{}) // fails while a server uses the SQLite file
	if err != nil {
		return err
	}
	defer st.Close()
	// One that works has the old key until it ends: what it seals meanwhile nothing would open once that is forgotten.
	if err := st.Alone(ctx, "stop every server before the key is replaced"); err != nil {
		return err
	}
	n, err := fleet.Rekey(ctx, st, f.key, forget)
	if err == nil {
		err = giveToOwner(f.key)
	}
	if err != nil {
		return err
	}
	say(a.stdout, "%s has a new key; %s sealed anew", f.key, model.Count(n, "secret was", "secrets were"))
	if forget {
		say(a.stdout, "the older keys are gone")
	}
	return nil
}

func oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("name one file")
	}
	return nil
}

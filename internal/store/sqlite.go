package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// uriPath returns an absolute path as part of a URI: a path with a drive gets a leading slash. See
// https://sqlite.org/uri.html 3.1.
func uriPath(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "/" + path
	}
	return path
}

// openSQLite opens the file with one writer and several readers, which in WAL mode do not wait for each other. Only the
// process that holds the lock file writes, so waits for a lock are short: checkpoints and a concurrent backup.
//
// With synchronous=NORMAL a killed process loses nothing; after a power failure the last transactions may be missing,
// each as a whole, and their units are then scanned again.
//
// No statistics are gathered (PRAGMA optimize): every page over 50,000 hosts takes the same time with and without, and
// without them no query changes its plan between one day and the next.
func (s *Store) openSQLite(ctx context.Context, path string, o Options) error {
	if path == "" {
		return errors.New("store: no database named")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.path = path
	if !o.Shared {
		if s.lock, err = lockFile(path + ".lock"); err != nil {
			return err
		}
	}
	// Other accounts must not read it: it contains which hosts are open, and who signs in.
	if f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("store: %w", err)
	} else if err := f.Close(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	open := func(conns int, pragmas ...string) (*sql.DB, error) {
		values := url.Values{"_txlock": {"immediate"}}
		values["_pragma"] = append([]string{
			"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)", "temp_store(MEMORY)",
		}, pragmas...)
		dsn := (&url.URL{Scheme: "file", Path: uriPath(filepath.ToSlash(path)), RawQuery: values.Encode()}).String()
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
		if err := db.PingContext(ctx); err != nil {
			return db, fmt.Errorf("store: opening %s: %w", path, classify(err))
		}
		return db, nil
	}
	// 16 MB of pages for the writer, 4 MB for each reader: an idle server stays small.
	if s.writer, err = open(1, "cache_size(-16384)"); err != nil {
		return err
	}
	s.prepared = &prepared{kept: map[string]*sql.Stmt{}, seen: map[string]bool{}}
	if s.reader, err = open(o.Conns, "cache_size(-4096)", "query_only(1)", "mmap_size(1073741824)"); err != nil {
		return err
	}
	// The readers' caches are freed when nobody uses pages.
	s.reader.SetConnMaxIdleTime(time.Minute)
	s.reader.SetConnMaxLifetime(10 * time.Minute)
	s.c = lite{reader: s.reader, writer: s.writer}
	return nil
}

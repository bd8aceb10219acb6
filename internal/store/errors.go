package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The errors that callers distinguish. Every error of the store wraps one of them or is a bug.
var (
	ErrNotFound    = errors.New("store: not found")
	ErrConflict    = errors.New("store: it is there already")
	ErrBusy        = errors.New("store: in use by another server")
	ErrUnavailable = errors.New("store: the database does not answer") // callers retry later
	ErrFull        = errors.New("store: no space left for the database")
	ErrNewer       = errors.New("store: the database was made by a newer ipcguard")
	ErrAsked       = errors.New("store: this cannot be answered") // the query is invalid; the error says why
	ErrOlder       = errors.New("store: the database was made by an older ipcguard and is not migrated yet")
)

// errOvertaken is what every write returns after a newer program has upgraded the database. A newer server may take
// what is sent again.
var errOvertaken error = overtaken{}

type overtaken struct{}

// Error implements error.
func (overtaken) Error() string {
	return "store: a newer ipcguard has upgraded the database: stop this program and start the newer one"
}

// Is makes it both of these errors to callers.
func (overtaken) Is(target error) bool { return target == ErrNewer || target == ErrUnavailable }

var errTooLarge = errors.New("store: a document of more than 64 MB")

// errAgain marks errors after which an immediate retry of the transaction may succeed.
var errAgain = errors.New("try again")

// classify translates a driver's error to the store's errors.
func classify(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	switch {
	case errors.Is(err, sql.ErrNoRows), errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return classifySQLite(lite)
	}
	var post *pgconn.PgError
	if errors.As(err, &post) {
		return classifyPostgres(post)
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed") {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

func classifySQLite(err *sqlite.Error) error {
	switch err.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("%w: what it refers to, or what refers to it: %w", ErrConflict, err)
	}
	switch err.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w: %w", ErrUnavailable, errAgain, err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// classifyPostgres follows the table of error codes in PostgreSQL's manual, appendix A.
func classifyPostgres(err *pgconn.PgError) error {
	switch err.Code {
	case "23505": // unique_violation
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case "23503": // foreign_key_violation
		return fmt.Errorf("%w: what it refers to, or what refers to it: %w", ErrConflict, err)
	case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
		return fmt.Errorf("%w: %w: %w", ErrUnavailable, errAgain, err)
	case "53100": // disk_full
		return fmt.Errorf("%w: %w", ErrFull, err)
	// Too many connections, shutting down, starting up, read only.
	case "53300", "57P01", "57P02", "57P03", "57P05", "25006":
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if strings.HasPrefix(err.Code, "08") || strings.HasPrefix(err.Code, "58") { // connection exceptions, system errors
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

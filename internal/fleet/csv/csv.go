// Package csv reads and writes targets as a table with one target a row. The number of rows is not limited:
//
//	spec,site,tags,owner,criticality,note,audit_source
//	srv1.example,office,"dc windows",Anna,high,,winreg://srv1.example
//
// Only spec is required. The header may be in any order and case; UTF-16 with a byte order mark is read too. The header
// also decides what separates columns: a comma, a semicolon or a tab. Tags are separated by spaces, commas or "|".
//
// The rules of the room, which does not know targets:
//
//   - A bad row is reported with its line; the other rows are read all the same.
//   - Only one row is in memory at a time, and its size is bounded.
//   - A cell that a spreadsheet would take for a formula is written with an apostrophe before it, and read without.
package csv

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"ipcguard/internal/model"
)

// Columns are the names of the columns, in the order in which they are written.
var Columns = []string{"spec", "site", "tags", "owner", "criticality", "note", "audit_source"}

// Row is one target as written. Line is the line of its file where it begins.
type Row struct {
	Line        int
	Spec        string
	Site        string
	Tags        []string
	Owner       string
	Criticality string
	Note        string
	AuditSource string
}

// RowError is a row that cannot be used.
type RowError struct {
	Line int
	Err  error
}

// Error implements error and names the line.
func (e *RowError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

const (
	// maxCell bounds one cell: a note of a page. Names and sources are much shorter.
	maxCell = 4096
	// maxRow bounds one row with quotes and line ends: all its cells and as much again for the quotes.
	maxRow = 64 << 10
	// maxColumns bounds the columns of a table from elsewhere, most of which are ignored.
	maxColumns = 256
)

// Read reads a table and passes each row to take. A row that cannot be read, or that take refuses, goes to bad as a
// *RowError. The returned error is about the whole table: there is no spec column, a name occurs twice, or reading
// failed.
func Read(r io.Reader, take func(Row) error, bad func(*RowError)) error {
	rows := &rows{in: bufio.NewReaderSize(model.UTF8(r), maxRow), line: 1}
	first, err := rows.next()
	for err == nil && len(bytes.TrimSpace(first)) == 0 {
		first, err = rows.next()
	}
	if err != nil && !errors.Is(err, io.EOF) || len(first) == 0 {
		return whole(err)
	}
	comma := separator(first)
	names, err := cells(first, comma)
	if err != nil {
		return fmt.Errorf("csv: the first line: %w", err)
	}
	place, err := header(names)
	if err != nil {
		return err
	}
	for {
		line := rows.line
		text, err := rows.next()
		if errors.Is(err, errLong) {
			bad(&RowError{line, err})
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("csv: line %d: %w", line, err)
		}
		if len(bytes.TrimSpace(text)) > 0 {
			if rerr := one(text, comma, place, len(names), line, take); rerr != nil {
				bad(&RowError{line, rerr})
			}
		}
		if err != nil {
			return nil
		}
	}
}

func whole(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("csv: nothing in it: the first line names the columns (%s)", strings.Join(Columns, ","))
	}
	return fmt.Errorf("csv: the first line: %w", err)
}

// one parses a row.
func one(text []byte, comma rune, place []int, columns, line int, take func(Row) error) error {
	values, err := cells(text, comma)
	if err != nil {
		return err
	}
	if len(values) != columns && strings.TrimSpace(strings.Join(values, "")) == "" {
		return nil // a spreadsheet's empty row
	}
	if len(values) != columns {
		return fmt.Errorf("%d columns; the first line has %d", len(values), columns)
	}
	row := Row{Line: line}
	for i, v := range values {
		if place[i] < 0 {
			continue
		}
		if len(v) > maxCell {
			return fmt.Errorf("%s: more than %d bytes", Columns[place[i]], maxCell)
		}
		if !utf8.ValidString(v) {
			return fmt.Errorf("%s: not UTF-8", Columns[place[i]])
		}
		v = strings.TrimSpace(model.UnescapeCell(v))
		switch Columns[place[i]] {
		case "spec":
			row.Spec = v
		case "site":
			row.Site = v
		case "tags":
			row.Tags = strings.FieldsFunc(v, func(r rune) bool {
				return r == ' ' || r == ',' || r == '|' || r == ';' || r == '\n'
			})
		case "owner":
			row.Owner = v
		case "criticality":
			row.Criticality = strings.ToLower(v)
		case "note":
			row.Note = v
		case "audit_source":
			row.AuditSource = v
		}
	}
	switch {
	case row.Spec == "" && strings.TrimSpace(strings.Join(values, "")) == "":
		return nil
	case row.Spec == "":
		return errors.New("no spec")
	}
	return take(row)
}

// header finds the meaning of each column; -1 is an unknown one.
func header(names []string) ([]int, error) {
	if len(names) > maxColumns {
		return nil, fmt.Errorf("csv: %d columns", len(names))
	}
	place := make([]int, len(names))
	seen := map[int]bool{}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(model.UnescapeCell(name)))
		name = strings.NewReplacer(" ", "_", "-", "_").Replace(name)
		p := slices.Index(Columns, name)
		if place[i] = p; p < 0 {
			continue
		}
		if seen[p] {
			return nil, fmt.Errorf("csv: the column %s is there twice", name)
		}
		seen[p] = true
	}
	if !seen[0] {
		return nil, fmt.Errorf("csv: the first line names no column spec; it may name %s", strings.Join(Columns, ", "))
	}
	return place, nil
}

// separator returns the separator that occurs most in the first line.
func separator(line []byte) rune {
	best, most := ',', bytes.Count(line, []byte{','})
	for _, c := range []rune{';', '\t'} {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

// cells splits a row.
func cells(text []byte, comma rune) ([]string, error) {
	if bytes.IndexByte(text, '"') < 0 { // nearly every row
		return strings.Split(strings.TrimRight(string(text), "\r\n"), string(comma)), nil
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = comma, -1
	values, err := r.Read()
	var p *csv.ParseError
	if errors.As(err, &p) {
		return nil, p.Err // its own line numbers start at this row
	}
	return values, err
}

var errLong = fmt.Errorf("longer than %d bytes; is a quote left open?", maxRow)

// rows splits a stream into rows. A quoted cell may contain line ends. After a quote that is never closed, the standard
// reader would read a whole file into one cell; so a row is bounded, and the line after the quote starts a new row.
type rows struct {
	in   *bufio.Reader
	line int // of the next row
	buf  []byte
	back [][]byte // lines to read again, since the quote before them was never closed
}

func (r *rows) readLine() ([]byte, error) {
	if len(r.back) > 0 {
		l := r.back[0]
		r.back = r.back[1:]
		return l, nil
	}
	var long bool
	var out []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if len(out)+len(part) > maxRow {
			long = true
		}
		if !long {
			out = append(out, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if long && (err == nil || errors.Is(err, io.EOF)) {
			return nil, errLong
		}
		return out, err
	}
}

// next returns the next row with its line ends. io.EOF comes with the last row or after it.
func (r *rows) next() ([]byte, error) {
	r.buf = r.buf[:0]
	var taken [][]byte
	quotes := 0
	for {
		l, err := r.readLine()
		if errors.Is(err, errLong) && len(taken) == 0 {
			r.line++
			return nil, errLong
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLong) {
			return nil, err
		}
		quotes += bytes.Count(l, []byte{'"'})
		ended := err != nil // by the end of the file, or by a line that is too long
		if len(r.buf)+len(l) > maxRow || ended && quotes%2 == 1 && len(taken) > 0 {
			// The quote was never closed: only the first line is lost.
			r.back = append(append(taken[1:], l), r.back...)
			r.line++
			return nil, errLong
		}
		taken = append(taken, l)
		r.buf = append(r.buf, l...)
		if quotes%2 == 0 || ended {
			r.line += len(taken)
			return r.buf, err
		}
	}
}

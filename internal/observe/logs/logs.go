package logs

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
	"ipcguard/internal/observe/source"
)

// ErrNotLog means that bytes are not a log of a known kind.
var ErrNotLog = errors.New("not a log of a known kind")

// Options says what the logs themselves do not contain.
type Options struct {
	// Server names the host of logs whose records do not: smbstatus and full_audit.
	Server string
}

// Reader reads log sources into an Aggregator: Windows event logs (EVTX, exported XML, JSON of log shippers) and
// Samba's (JSON authentication audit, full_audit, smbstatus --json). It detects the kind by the content, and
// decompresses. Close emits the uses that wait for a logon's event. It is not safe for concurrent use.
type Reader struct {
	agg     *observe.Aggregator
	cov     *observe.Coverage
	options Options
	windows *windowsLog
	samba   *sambaLog
	files   int
	twins   source.Twins
}

// New returns a reader of logs that adds to agg and cov.
func New(agg *observe.Aggregator, cov *observe.Coverage, o Options) *Reader {
	l := &Reader{agg: agg, cov: cov, options: o}
	l.windows = newWindowsLog(l.add, cov)
	l.samba = newSambaLog(l.add, cov)
	l.samba.server = o.Server
	return l
}

func (l *Reader) add(u model.Use) {
	u.Log = true
	l.agg.Add(u)
}

// Close emits what still waits and completes the coverage's notes. No log may be read after it.
func (l *Reader) Close() {
	l.windows.close()
	l.samba.close()
	l.cov.CompareClocks()
	l.cov.Complete(l.agg)
}

// ReadPath reads a file, or every log in a folder with its subfolders, or in a zip archive. In a folder or an archive,
// files of other kinds are counted and skipped, and a file that cannot be read is counted and does not stop the
// reading.
func (l *Reader) ReadPath(ctx context.Context, path string) error {
	return l.ReadFolder(ctx, path, nil)
}

// ReadFolder is ReadPath, but does not count files whose first bytes other recognizes: they belong to another reader.
func (l *Reader) ReadFolder(ctx context.Context, path string, other func(head []byte) bool) error {
	all, err := source.Files(ctx, path, func(n int64) { l.cov.CountUnreadable("files that could not be opened", n) })
	if err != nil {
		return err
	}
	if len(all) == 1 && all[0].Path == path {
		if l.twin(&all[0]) {
			return nil
		}
		return all[0].Read(ctx, l.Read)
	}
	for _, f := range all {
		if head := f.Head(); other != nil && other(head) || Is(head) && l.twin(&f) {
			continue
		}
		err := f.Read(ctx, l.Read)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrNotLog):
			l.cov.CountUnreadable("files that are no log", 1)
			what, _ := source.Describe(f.Head())
			l.cov.Unread(f.Path, cmp.Or(described(what), ErrNotLog))
		case err != nil:
			l.cov.CountUnreadable("files that could not be read to their end", 1)
			l.cov.Unread(f.Path, err)
		}
	}
	return nil
}

// twin notes and reports a file with the content of an earlier one.
func (l *Reader) twin(f *source.File) bool {
	same := l.twins.Of(f)
	if same != "" {
		l.cov.Note(fmt.Sprintf("%s holds the same bytes as %s and was read once", f.Path, same))
	}
	return same != ""
}

// Read reads one log, which the rows call name.
func (l *Reader) Read(ctx context.Context, name string, r io.Reader) error {
	l.windows.fileEnds()
	l.windows.source, l.samba.source = name, name
	r, err := source.Decompress(r)
	if err != nil {
		return err
	}
	// The first part of a log decides its kind; a first JSON record must fit into it to be distinguished from an array
	// of records.
	b := bufio.NewReader(r)
	if plain := utf8Reader(b); plain != io.Reader(b) {
		b = bufio.NewReader(plain)
	}
	if _, err := b.Peek(b.Size()); err == nil { // not for small files: an archive may have many
		b = bufio.NewReaderSize(b, 256<<10)
	}
	head := source.Sniff(b, func(head []byte) bool { return enough(head) && logKind(head) != kindNone })
	if ctx.Err() != nil && len(head) == 0 {
		return context.Cause(ctx)
	}
	kind := logKind(head)
	if kind == kindNone {
		return ErrNotLog
	}
	l.files++
	switch kind {
	case kindEVTX:
		return l.readEVTX(ctx, b)
	case kindXML:
		return l.readXML(ctx, b)
	case kindJSON:
		return l.readJSON(ctx, b)
	case kindJournal:
		return l.readJournal(ctx, b)
	case kindSplunk:
		return l.readSplunk(ctx, b)
	case kindCSV:
		return l.readCSV(ctx, b)
	}
	return l.readText(ctx, b)
}

// enough reports whether the beginning of a log shows its kind: a line, or as many bytes as any header has.
func enough(head []byte) bool {
	const longestHead = 512
	return len(head) >= longestHead || bytes.IndexByte(bytes.TrimLeft(head, " \t\r\n"), '\n') >= 0
}

// described returns an error that says what a file is; nil if that is unknown.
func described(what string) error {
	if what == "" {
		return nil
	}
	return errors.New("it is " + what)
}

// Is reports, from the first bytes of an uncompressed file, whether Reader can read it. 4 KiB are enough.
func Is(head []byte) bool { return logKind(head) != kindNone }

type logFormat int

const (
	kindNone logFormat = iota
	kindEVTX
	kindXML
	kindJSON
	kindText
	kindJournal // systemd's journal, exported
	kindSplunk  // name=value, an event over several lines
	kindCSV     // events as a table
)

func logKind(head []byte) logFormat {
	switch {
	case bytes.HasPrefix(head, []byte("ElfFile\x00")), bytes.HasPrefix(head, []byte("ElfChnk\x00")):
		return kindEVTX
	case isUTF16(head):
		plain, _ := io.ReadAll(utf8Reader(bufio.NewReader(bytes.NewReader(head))))
		return logKind(plain)
	}
	text := bytes.TrimLeft(head, " \t\r\n\xef\xbb\xbf")
	switch {
	case len(text) == 0:
		return kindNone
	case text[0] == '<' && bytes.Contains(text, openEvent):
		return kindXML
	case text[0] == '{', text[0] == '[' && !isSambaHeader(text), isSyslogJSON(text):
		return kindJSON
	case isJournal(text):
		return kindJournal
	case isEventCSV(text):
		return kindCSV
	case bytes.HasPrefix(text, []byte("LogName=")) || bytes.Contains(text, []byte("\nLogName=")) &&
		bytes.Contains(text, []byte("\nEventCode=")):
		return kindSplunk
	case bytes.Contains(text, []byte(auditName)), isSambaText(string(text[:min(len(text), 4<<10)])),
		isSambaHeader(text), bytes.Contains(text, []byte(`"type": "Auth`)):
		return kindText
	case bytes.Contains(head, []byte("\x00ElfChnk\x00")):
		return kindEVTX // its first sectors are lost
	case bytes.IndexByte(text, 0) < 0 && bytes.Contains(text, []byte("|connect|")):
		return kindText
	}
	return kindNone
}

// isSyslogJSON reports whether a text is events as JSON after a syslog header, as NXLog sends them.
func isSyslogJSON(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	at := bytes.IndexByte(line, '{')
	const longestHead = 256
	return at >= 0 && at <= longestHead && (bytes.Contains(line[at:], []byte(`"EventID":`)) || bytes.Contains(line[at:],
		[]byte(`"event_id":`)))
}

// isSambaHeader reports whether a text begins as lines of Samba's log do: [2026/11/22 10:59:49.558591, 0] …
func isSambaHeader(text []byte) bool {
	_, ok := sambaHeader(text)
	return ok
}

func sambaHeader(line []byte) (time.Time, bool) {
	const layout = "2006/01/02 15:04:05"
	if len(line) < len(layout)+1 || line[0] != '[' {
		return time.Time{}, false
	}
	// The line does not contain the zone: the log is in its host's local time, which is assumed to be ours.
	t, err := time.ParseInLocation(layout, string(line[1:1+len(layout)]), time.Local)
	return t.UTC(), err == nil
}

// readText reads Samba's own log files and syslog.
func (l *Reader) readText(ctx context.Context, r *bufio.Reader) error {
	var at time.Time
	year := 0 // of the last line that has one
	now := time.Now()
	return l.readLines(ctx, r, func(line []byte) {
		if t, ok := sambaHeader(line); ok {
			at = t
			// the message on the same line
			if i := bytes.IndexByte(line, ')'); i >= 0 && isSambaText(string(line[i:])) {
				l.samba.line(l, line[i+1:], t, "")
			}
			return
		}
		s, ok := parseSyslog(string(line), year, now)
		switch {
		case !ok:
			l.samba.line(l, line, at, "")
		case s.program == auditName:
			l.samba.fullAuditLine(s.rest, s.at, s.host)
		default:
			if t, ok := sambaHeader([]byte(s.rest)); ok {
				year = t.Year()
				return
			}
			l.samba.line(l, []byte(s.rest), s.at, s.host)
		}
	})
}

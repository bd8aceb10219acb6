package store

import (
	"context"
	"time"
)

// maxDocument bounds one document: a hundred times the largest scan seen.
const maxDocument = 64 << 20

// SaveDocument stores a host's document of a kind (scan, audit, plan, observe or journal), and keeps the previous one.
// The logons of an observation are also stored for lists.
func (q *Queries) SaveDocument(ctx context.Context, hostID int64, kind string, at time.Time, document []byte) error {
	if len(document) > maxDocument {
		return errTooLarge
	}
	return q.atomic(ctx, func(q *Queries) error {
		var seq int64
		if err := q.insertDocument(ctx, &seq, hostID, kind, at, document); err != nil {
			return err
		}
		if kind == KindObserve {
			if err := q.saveLogons(ctx, hostID, document); err != nil {
				return err
			}
		}
		if seq <= 2 {
			return nil
		}
		_, err := q.exec(ctx, `DELETE FROM documents WHERE host_id = $1 AND kind = $2 AND seq < $3`,
			hostID, kind, seq-1)
		return err
	})
}

func (q *Queries) insertDocument(
	ctx context.Context, seq *int64, hostID int64, kind string, at time.Time, document []byte,
) error {
	return q.insert(ctx, seq, `INSERT INTO documents (host_id, kind, seq, at, body)
		VALUES ($1, $2, COALESCE((SELECT max(seq) FROM documents WHERE host_id = $1 AND kind = $2), 0) + 1, $3, $4)
		RETURNING seq`,
		hostID, kind, at, q.st.packer.pack(document))
}

// keptBytes is the approximate size of the documents written by one statement.
const keptBytes = 4 << 20

// keepDocument queues a result's document for flush.
func (rec *recorder) keepDocument(r *Result) error {
	if r.Document == nil {
		return nil
	}
	if len(r.Document) > maxDocument {
		return errTooLarge
	}
	key := hostKind{r.HostID, r.Kind}
	rec.documents[key]++
	rec.kept = append(rec.kept, numbered{r, rec.documents[key]})
	return nil
}

// numbered is a result with its document's number.
type numbered struct {
	*Result
	seq int64
}

// writeDocuments writes the last two documents of each host and kind, and deletes the previous ones.
func (rec *recorder) writeDocuments(ctx context.Context) error {
	gone := &values{columns: "host bigint, kind text, seq bigint"}
	body := &values{columns: "host bigint, kind text, seq bigint, at bigint, body bytea"}
	size := 0
	write := func() error {
		defer func() { body.rows, size = nil, 0 }()
		return rec.change(ctx, body,
			`INSERT INTO documents (host_id, kind, seq, at, body) SELECT v.host, v.kind, v.seq, v.at, v.body FROM v`)
	}
	for _, d := range rec.kept {
		if d.seq > 2 {
			gone.add(d.HostID, string(d.Kind), d.seq-2)
		}
		if d.seq < rec.documents[hostKind{d.HostID, d.Kind}]-1 {
			continue // two newer ones follow
		}
		packed := rec.st.packer.pack(d.Document)
		body.add(d.HostID, string(d.Kind), d.seq, d.At, packed)
		if size += len(packed); size >= keptBytes {
			if err := write(); err != nil {
				return err
			}
		}
	}
	if err := write(); err != nil {
		return err
	}
	return rec.change(ctx, gone,
		`DELETE FROM documents WHERE (host_id, kind, seq) IN (SELECT v.host, v.kind, v.seq FROM v)`)
}

// Document returns a host's last document of a kind and its time.
func (q *Queries) Document(ctx context.Context, hostID int64, kind string) ([]byte, time.Time, error) {
	return q.document(ctx, hostID, kind, 0)
}

// PreviousDocument returns the one before the last.
func (q *Queries) PreviousDocument(ctx context.Context, hostID int64, kind string) ([]byte, time.Time, error) {
	return q.document(ctx, hostID, kind, 1)
}

func (q *Queries) document(ctx context.Context, hostID int64, kind string, back int) ([]byte, time.Time, error) {
	var body []byte
	var at time.Time
	if err := q.one(ctx, []any{&body, &at},
		`SELECT body, at FROM documents WHERE host_id = $1 AND kind = $2 ORDER BY seq DESC LIMIT 1 OFFSET $3`, hostID,
		kind, back); err != nil {
		return nil, time.Time{}, err
	}
	plain, err := q.st.packer.unpack(body)
	return plain, at, err
}

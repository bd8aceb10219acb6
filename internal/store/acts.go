package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The audit log is a hash chain:
//
//	hash of a line = SHA-256(hash of the line before, its fields with their lengths)
//
// meta stores the hash of the last entry (actsHead) and of the last pruned entry (actsAnchor), so that entries missing
// at either end are detected like those missing in the middle. Whoever can write to the database can recompute the
// whole chain: then only the hashes in the log and in syslog reveal it.
const (
	actsHead   = "acts.head"
	actsAnchor = "acts.anchor"
)

// link returns the hash of an entry that follows another.
func (a *Act) link(before []byte) []byte {
	h := sha256.New()
	h.Write([]byte("ipcguard act 1\n"))
	h.Write(before)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(micros(a.At)))
	h.Write(n[:])
	for _, s := range []string{a.Who, a.From, a.Action, a.Subject, a.Detail} {
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return h.Sum(nil)
}

// searched returns the text that a search matches. The chain does not cover it, because it is derived from what the
// chain covers.
func (a *Act) searched() string {
	return strings.ToLower(strings.Join([]string{a.Who, a.From, a.Action, a.Subject, a.Detail}, "\n"))
}

// AddAct adds an entry to the audit log and sets its id and hash. Entries are never changed; PruneActs removes old
// ones. On PostgreSQL the transactions that add entries commit one after the other, as the chain requires.
func (q *Queries) AddAct(ctx context.Context, a *Act) error {
	if a.At.IsZero() {
		a.At = q.now()
	}
	for _, s := range []*string{&a.Who, &a.From, &a.Action, &a.Subject, &a.Detail} {
		*s = clean(*s) // in its stored form
	}
	return q.atomic(ctx, func(q *Queries) error {
		if err := q.lockActs(ctx); err != nil {
			return err
		}
		before, err := q.metaHash(ctx, actsHead)
		if err != nil {
			return err
		}
		a.Hash = a.link(before)
		if err := q.insert(ctx, &a.ID,
			`INSERT INTO acts (at, who, origin, action, subject, detail, search, hash)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
			a.At, a.Who, a.From, a.Action, a.Subject, a.Detail, a.searched(), a.Hash); err != nil {
			return err
		}
		return q.SetMeta(ctx, actsHead, hex.EncodeToString(a.Hash))
	})
}

// lockActs lets nobody else change the audit log or check it until the transaction ends. SQLite has one writer.
func (q *Queries) lockActs(ctx context.Context) error {
	if !q.pg {
		return nil
	}
	_, err := q.exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockActs)
	return err
}

func (q *Queries) metaHash(ctx context.Context, key string) ([]byte, error) {
	s, err := q.Meta(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("store: %s is no hash", key)
	}
	return b, nil
}

const actColumns = `SELECT id, at, who, origin, action, subject, detail, hash FROM acts`

func scanAct(r row, a *Act) error {
	return r.Scan(&a.ID, &a.At, &a.Who, &a.From, &a.Action, &a.Subject, &a.Detail, &a.Hash)
}

// Acts returns a page of the entries that contain the text, the last first, and their total number.
func (q *Queries) Acts(ctx context.Context, text string, p Page) ([]Act, int, error) {
	order, err := p.order(map[string]string{
		"id": "id", "who": "who", "from": "origin", "action": "action", "subject": "subject", "detail": "detail",
	}, "-id", "id")
	if err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	if text != "" {
		w.like("search", text)
	}
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM acts`+w.String(), w.args...); err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, q, scanAct, actColumns+w.String()+order+p.limits(w), w.args...)
	return all, total, err
}

// ActsAfter returns the entries after an id in order, at most [MaxPage].
func (q *Queries) ActsAfter(ctx context.Context, id int64) ([]Act, error) {
	return list(ctx, q, scanAct, actColumns+` WHERE id > $1 ORDER BY id LIMIT $2`, id, MaxPage)
}

// PruneActs removes entries of the audit log older than a time, up to the first newer one: the chain stays complete and
// continues from the last removed entry.
func (s *Store) PruneActs(ctx context.Context, olderThan time.Time) (int64, error) {
	var total int64
	for {
		var n int64
		err := s.InTx(ctx, func(tx *Tx) error {
			n = 0
			if err := tx.lockActs(ctx); err != nil {
				return err
			}
			old, err := list(ctx, &tx.Queries, scanAct,
				actColumns+` WHERE id < COALESCE((SELECT min(id) FROM acts WHERE at >= $1), $2) ORDER BY id LIMIT $3`,
				olderThan, int64(1)<<62, MaxPage)
			if err != nil || len(old) == 0 {
				return err
			}
			last := old[len(old)-1]
			if n, err = tx.exec(ctx, `DELETE FROM acts WHERE id <= $1`, last.ID); err != nil {
				return err
			}
			return tx.SetMeta(ctx, actsAnchor, hex.EncodeToString(last.Hash))
		})
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}

// keptAct is an entry with all its stored fields.
type keptAct struct {
	Act
	search string
}

// keptActs returns the entries after an id in order, at most [MaxPage].
func (q *Queries) keptActs(ctx context.Context, id int64) ([]keptAct, error) {
	return list(ctx, q, func(r row, a *keptAct) error {
		return r.Scan(&a.ID, &a.At, &a.Who, &a.From, &a.Action, &a.Subject, &a.Detail, &a.Hash, &a.search)
	}, `SELECT id, at, who, origin, action, subject, detail, hash, search FROM acts WHERE id > $1 ORDER BY id LIMIT $2`,
		id, MaxPage)
}

// ActsCheck says whether the audit log is unchanged.
type ActsCheck struct {
	Lines   int64  // covered by the chain
	Before  int64  // from a version without a chain
	Broken  string // what is wrong; empty is nothing
	At      int64  // the id of the entry where it shows, 0 for the end
	Witness bool   // the given hash is in the chain
	Head    []byte // of the last entry
}

// CheckActs recomputes the chain of the audit log. witness is a hash that was recorded elsewhere, or nil. It reads in
// one transaction and ignores what is written meanwhile.
func (s *Store) CheckActs(ctx context.Context, witness []byte) (c ActsCheck, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		c = ActsCheck{}
		if err := tx.lockActs(ctx); err != nil { // the ends of the chain are in another table than its entries
			return err
		}
		head, err := tx.metaHash(ctx, actsHead)
		if err != nil {
			return err
		}
		before, err := tx.metaHash(ctx, actsAnchor)
		if err != nil {
			return err
		}
		c.Witness = len(witness) > 0 && bytes.HasPrefix(before, witness)
		for after := int64(0); ; {
			part, err := tx.keptActs(ctx, after)
			if err != nil {
				return err
			}
			for i := range part {
				a := &part[i].Act
				after = a.ID
				if len(a.Hash) == 0 && c.Lines == 0 && len(before) == 0 {
					c.Before++
					continue
				}
				if !bytes.Equal(a.link(before), a.Hash) {
					c.Broken, c.At = "a line was changed, added or removed", a.ID
					return nil
				}
				if part[i].search != a.searched() {
					c.Broken, c.At = "a line was hidden from searches", a.ID
					return nil
				}
				before = a.Hash
				c.Lines++
				c.Witness = c.Witness || len(witness) > 0 && bytes.HasPrefix(a.Hash, witness)
			}
			if len(part) < MaxPage {
				break
			}
		}
		if c.Head = before; !bytes.Equal(before, head) {
			c.Broken = "the last lines were removed"
		}
		return nil
	})
	return c, err
}

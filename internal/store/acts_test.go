package store

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestActsChain changes an entry, removes entries in the middle and at both ends, and inserts one: all are detected.
// Pruning is not reported, and entries written concurrently form one chain.
func TestActsChain(t *testing.T) {
	onBoth(t, func(s *suite) {
		check := func(want string) ActsCheck {
			s.Helper()
			c, err := s.CheckActs(s.ctx, nil)
			s.ok(err)
			if c.Broken != want && (want == "" || !strings.Contains(c.Broken, want)) {
				s.Errorf("the check says %q at %d, want %q", c.Broken, c.At, want)
			}
			return c
		}
		check("")
		_, err := s.exec(s.ctx,
			`INSERT INTO acts (at, who, origin, action, subject, detail, search)
				VALUES (1, 'old', '', 'a', '', '', '')`)
		s.ok(err) // from before there was a chain
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				s.advance(time.Second)
				s.ok(s.AddAct(s.ctx, &Act{
					Who:     "eve\x00",
					From:    "192.0.2.1",
					Action:  "target.add",
					Subject: fmt.Sprint(i),
					Detail:  "a\xff",
				}))
			})
		}
		all.Wait()
		if c := check(""); c.Lines != 40 || c.Before != 1 {
			s.Errorf("%+v", c)
		}
		list, _, err := s.Acts(s.ctx, "", Page{Size: MaxPage})
		s.ok(err)
		middle, last := list[20], list[0]
		if c, err := s.CheckActs(s.ctx, middle.Hash[:16]); err != nil || !c.Witness {
			s.Errorf("a line that is there: %+v %v", c, err)
		}
		if c, err := s.CheckActs(s.ctx, []byte("12345678")); err != nil || c.Witness {
			s.Errorf("a line that never was: %+v %v", c, err)
		}
		for name, x := range map[string]struct{ do, undo, want string }{
			"a field": {
				`UPDATE acts SET who = 'bob' WHERE id = $1`, `UPDATE acts SET who = 'eve�' WHERE id = $1`, "changed",
			},
			"a time": {
				`UPDATE acts SET at = at + 1 WHERE id = $1`, `UPDATE acts SET at = at - 1 WHERE id = $1`, "changed",
			},
			"its text for searches": {`UPDATE acts SET search = '' WHERE id = $1`, "", "hidden"},
			"its own hash":          {`UPDATE acts SET hash = substr(hash, 2) WHERE id = $1`, ``, "changed"},
		} {
			_, err := s.exec(s.ctx, x.do, middle.ID)
			s.ok(err)
			if c := check(x.want); c.At != middle.ID {
				s.Errorf("%s: told of line %d, want %d", name, c.At, middle.ID)
			}
			if x.undo == "" {
				_, err = s.exec(s.ctx, `UPDATE acts SET hash = $2, search = $3 WHERE id = $1`,
					middle.ID, middle.Hash, middle.searched())
			} else {
				_, err = s.exec(s.ctx, x.undo, middle.ID)
			}
			s.ok(err)
			check("")
		}
		gone := func(a Act, want string) {
			s.Helper()
			_, err := s.exec(s.ctx, `DELETE FROM acts WHERE id = $1`, a.ID)
			s.ok(err)
			check(want)
			_, err = s.exec(s.ctx,
				`INSERT INTO acts (id, at, who, origin, action, subject, detail, search, hash)
					VALUES ($1, $2, $3, $4, $5, $6, $7, $9, $8)`,
				a.ID, a.At, a.Who, a.From, a.Action, a.Subject, a.Detail, a.Hash, a.searched())
			s.ok(err)
			check("")
		}
		gone(middle, "removed")
		gone(last, "last lines")
		gone(list[len(list)-2], "removed") // the first of the chain
		_, err = s.exec(s.ctx,
			`INSERT INTO acts (at, who, origin, action, subject, detail, search, hash)
				VALUES (1, 'x', '', 'a', '', '', '', $1)`, last.Hash)
		s.ok(err)
		check("added")
		_, err = s.exec(s.ctx, `DELETE FROM acts WHERE who = 'x'`)
		s.ok(err)

		n, err := s.PruneActs(s.ctx, middle.At)
		s.ok(err)
		if c := check(""); n == 0 || c.Lines != 41-n || c.Before != 0 {
			s.Errorf("%d went: %+v", n, c)
		}
		s.ok(s.AddAct(s.ctx, &Act{Who: "eve", Action: "login"}))
		check("")
		list, _, err = s.Acts(s.ctx, "", Page{Size: MaxPage})
		s.ok(err)
		gone(list[len(list)-1], "removed") // the first that pruning left
		_, err = s.PruneActs(s.ctx, s.clock().Add(time.Hour))
		s.ok(err)
		if c := check(""); c.Lines != 0 {
			s.Errorf("all went: %+v", c)
		}
		_, err = s.exec(s.ctx, `DELETE FROM acts`)
		s.ok(err)
		s.ok(s.AddAct(s.ctx, &Act{Who: "eve", Action: "login"}))
		check("")
	})
}

// TestPruneWhileChecking: a check of the audit log reads where the chain begins and then its entries, and nothing
// prunes it in between.
func TestPruneWhileChecking(t *testing.T) {
	t.Parallel()
	s := newSuite(t, KindPostgres) // SQLite has one writer
	s.ok(s.AddAct(s.ctx, &Act{Who: "eve", Action: "login"}))
	pruned := make(chan error, 1)
	s.ok(s.InTx(s.ctx, func(tx *Tx) error {
		if err := tx.lockActs(s.ctx); err != nil { // as CheckActs does
			return err
		}
		go func() {
			_, err := s.PruneActs(s.ctx, s.clock().Add(time.Hour))
			pruned <- err
		}()
		for s.number(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database =
			(SELECT oid FROM pg_database WHERE datname = current_database())`) == 0 {
			select {
			case err := <-pruned:
				t.Fatalf("it was pruned meanwhile: %v", err)
			case <-time.After(10 * time.Millisecond):
			}
		}
		return nil
	}))
	s.ok(<-pruned)
	if _, n, err := s.Acts(s.ctx, "", Page{}); err != nil || n != 0 {
		t.Errorf("%d entries are left: %v", n, err)
	}
}

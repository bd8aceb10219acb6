package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// RolloutState is the state of a host in a rollout.
type RolloutState string

// The states of a host. Waiting ones are planned by the server; open, closed and gone are kept up to date with every
// result, unwatched with every audit; the others stay as they were when the host was planned, until it is gone.
const (
	RolloutWaiting RolloutState = "waiting"
	RolloutOpen    RolloutState = "open" // it has changes, and a finding that they close is open
	// later results show none of these findings any more, or an audit the values
	RolloutClosed RolloutState = "closed"
	RolloutGone   RolloutState = "gone" // nobody looks at it any more: it is retired, or its targets are switched off
	// it has changes, and no open finding by which a scan could tell that they are made
	RolloutUnwatched RolloutState = "unwatched"
	RolloutUnaudited RolloutState = "unaudited" // it was never audited
	RolloutNothing   RolloutState = "nothing"   // there is nothing to change
	RolloutQuestion  RolloutState = "question"  // the evidence contradicts itself
	RolloutRefused   RolloutState = "refused"   // a block would stop what is in use
	RolloutFailed    RolloutState = "failed"    // the stored evidence cannot be read
)

// Rollout is one plan for many hosts.
type Rollout struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// the filter that chose the hosts, as in a URL; empty if they were ticked
	Query string `json:"query,omitempty"`
	// the only setting that it changes; empty: whatever each host needs
	Setting  string               `json:"setting,omitempty"`
	Strategy string               `json:"strategy"`
	Goal     string               `json:"goal,omitempty"`
	Accept   bool                 `json:"accept_breakage,omitempty"`
	By       string               `json:"by"`
	Created  time.Time            `json:"created"`
	Planned  time.Time            `json:"planned,omitzero"` // when the last host was planned
	Ended    time.Time            `json:"ended,omitzero"`   // when following it ended
	Hosts    int                  `json:"hosts"`            // read only, as is States
	States   map[RolloutState]int `json:"states"`           // hosts by state
}

// RolloutGroup is the hosts of a rollout that get exactly the same changes: the same product and role, the same values
// before and after. The number and states count only the hosts that the requester may see.
type RolloutGroup struct {
	ID      int64                `json:"id"`
	System  string               `json:"system"`
	Product string               `json:"product,omitempty"`
	Role    model.Role           `json:"role"`
	Changes []model.Change       `json:"changes"`
	Closes  []string             `json:"closes"` // the findings that the changes close
	Hosts   int                  `json:"hosts"`
	States  map[RolloutState]int `json:"states"`
	Plan    *model.Plan          `json:"-"` // with only the changes, sealed
}

// RolloutHost is one host of a rollout.
type RolloutHost struct {
	HostID  int64         `json:"host_id"`
	Host    string        `json:"host"`
	Address string        `json:"address"`
	Site    string        `json:"site"`
	Owner   string        `json:"owner"`
	Group   int64         `json:"group,omitempty"` // 0 if it gets no changes
	State   RolloutState  `json:"state"`
	Since   time.Time     `json:"since"`
	Before  model.Verdict `json:"before"` // when it was planned
	Verdict model.Verdict `json:"verdict"`
	// it gets no changes, or nothing but an audit shows them, or it has changes again
	Why   string `json:"why,omitempty"`
	Newer bool   `json:"newer,omitempty"` // something is known of it that its plan was made without
}

// RolloutStop is something that the changes would stop, with the number of hosts on which they would.
type RolloutStop struct {
	Certainty string `json:"certainty"` // observed, documented or possible
	Who       string `json:"who"`
	What      string `json:"what"`
	Because   string `json:"because"`
	Hosts     int    `json:"hosts"`
}

// RolloutFilter chooses hosts of a rollout; empty fields choose all.
type RolloutFilter struct {
	Within Sites
	Group  int64
	State  RolloutState
	Newer  bool // only hosts of which something is known that their plan was made without
}

// PlannedHost is the result of planning for one host.
type PlannedHost struct {
	HostID int64
	State  RolloutState
	Why    string
	// the key of the group: hosts with the same bytes get exactly the same changes; empty is no group
	Changes []byte
	Plan    *model.Plan   // of the group, if this host is its first
	Closes  []string      // the findings that the changes close
	Stops   []RolloutStop // without the number of hosts
}

// MaxRollouts bounds the rollouts that are followed at the same time: each is compared with its hosts' findings once a
// minute.
const MaxRollouts = 50

// rolloutColumns selects the columns of a rollout.
const rolloutColumns = `SELECT o.id, o.name, o.query, o.setting, o.strategy, o.goal, o.accept, o.by_whom, o.created,
	o.planned, o.ended FROM rollouts o`

func scanRollout(r row, o *Rollout) error {
	o.States = map[RolloutState]int{}
	return r.Scan(&o.ID, &o.Name, &o.Query, &o.Setting, &o.Strategy, &o.Goal, &o.Accept, &o.By, &o.Created, &o.Planned,
		&o.Ended)
}

// AddRollout creates a rollout of the hosts that a filter selects. All of them wait to be planned.
func (q *Queries) AddRollout(ctx context.Context, o *Rollout, f HostFilter) error {
	return q.atomic(ctx, func(q *Queries) error {
		o.Created, o.Planned, o.Ended = q.now(), time.Time{}, time.Time{}
		if err := q.insert(ctx, &o.ID, `INSERT INTO rollouts (name, query, setting, strategy, goal, accept, by_whom,
			created, planned, ended)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0) RETURNING id`,
			o.Name, o.Query, o.Setting, o.Strategy, o.Goal, o.Accept, o.By, o.Created); err != nil {
			return err
		}
		f.Retired = false
		w := f.where(q.pg)
		n, err := q.exec(ctx, `INSERT INTO rollout_hosts (rollout_id, host_id, site_id, state, since, verdict,
			group_id, set_id, why)
			SELECT CAST(`+w.arg(o.ID)+` AS BIGINT), h.id, h.site_id, 0, CAST(`+w.arg(o.Created)+` AS BIGINT),
			h.verdict, 0, 0, '' FROM hosts h`+w.String(), w.args...)
		o.Hosts, o.States = int(n), map[RolloutState]int{RolloutWaiting: int(n)}
		return err
	})
}

// Rollout returns a rollout with at least one host at a site in within.
func (q *Queries) Rollout(ctx context.Context, id int64, within Sites) (Rollout, error) {
	o, err := get(ctx, q, scanRollout, rolloutColumns+` WHERE o.id = $1`, id)
	if err != nil {
		return o, err
	}
	all := []Rollout{o}
	if err := q.countRollouts(ctx, all, within); err != nil {
		return o, err
	}
	if o = all[0]; o.Hosts == 0 && within != nil {
		return Rollout{}, ErrNotFound
	}
	return o, nil
}

// Rollouts returns a page of the rollouts with at least one host at a site in within, and their number.
func (q *Queries) Rollouts(ctx context.Context, within Sites, p Page) ([]Rollout, int, error) {
	order, err := p.order(map[string]string{
		"id": "o.id", "name": "o.name", "created": "o.created", "by": "o.by_whom", "ended": "o.ended",
	}, "-id", "o.id")
	if err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	if within != nil {
		hosts := &where{pg: q.pg, args: w.args}
		hosts.within("h.site_id", within)
		w.args = hosts.args
		w.parts = append(w.parts, `EXISTS (SELECT 1 FROM rollout_hosts h`+hosts.String()+` AND h.rollout_id = o.id)`)
	}
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM rollouts o`+w.String(), w.args...); err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, q, scanRollout, rolloutColumns+w.String()+order+p.limits(w), w.args...)
	if err != nil {
		return nil, 0, err
	}
	return all, total, q.countRollouts(ctx, all, within)
}

// countRollouts sets how many hosts of each rollout are in which state.
func (q *Queries) countRollouts(ctx context.Context, all []Rollout, within Sites) error {
	at, ids := map[int64]*Rollout{}, []int64{}
	for i := range all {
		at[all[i].ID], ids = &all[i], append(ids, all[i].ID)
	}
	if len(ids) == 0 {
		return nil
	}
	w := &where{pg: q.pg}
	w.in("rollout_id", ids)
	w.within("site_id", within)
	return q.each(ctx, func(r row) error {
		var id int64
		var state RolloutState
		var n int
		if err := r.Scan(&id, &state, &n); err != nil {
			return err
		}
		at[id].States[state] = n
		at[id].Hosts += n
		return nil
	}, `SELECT rollout_id, state, count(*) FROM rollout_hosts`+w.String()+` GROUP BY rollout_id, state`, w.args...)
}

// OpenRollouts returns how many rollouts are followed.
func (q *Queries) OpenRollouts(ctx context.Context) (n int, err error) {
	err = q.one(ctx, []any{&n}, `SELECT count(*) FROM rollouts WHERE ended = 0`)
	return n, err
}

// RolloutSites returns the sites of a rollout's hosts.
func (q *Queries) RolloutSites(ctx context.Context, id int64) (Sites, error) {
	return list(ctx, q, scanID, `SELECT DISTINCT site_id FROM rollout_hosts WHERE rollout_id = $1 ORDER BY site_id`, id)
}

// EndRollout ends the following of a rollout now; an ended one is [ErrConflict].
func (q *Queries) EndRollout(ctx context.Context, id int64) error {
	if _, err := q.Rollout(ctx, id, nil); err != nil {
		return err
	}
	n, err := q.exec(ctx, `UPDATE rollouts SET ended = $2 WHERE id = $1 AND ended = 0`, id, q.now())
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: the rollout has ended", ErrConflict)
	}
	return err
}

// DeleteRollout deletes a rollout.
func (q *Queries) DeleteRollout(ctx context.Context, id int64) error {
	return q.must(ctx, `DELETE FROM rollouts WHERE id = $1`, id)
}

// RolloutGroups returns a page of the groups of a rollout, the largest first, and their number.
func (q *Queries) RolloutGroups(ctx context.Context, id int64, within Sites, p Page) ([]RolloutGroup, int, error) {
	w := &where{pg: q.pg}
	w.and(`h.rollout_id = ?`, id)
	w.and(`h.group_id > 0`)
	w.within("h.site_id", within)
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(DISTINCT h.group_id) FROM rollout_hosts h`+w.String(),
		w.args...); err != nil {
		return nil, 0, err
	}
	groups, err := q.groups(ctx, `(SELECT h.group_id, count(*) AS n FROM rollout_hosts h`+w.String()+`
		GROUP BY h.group_id) c
		JOIN rollout_groups g ON g.id = c.group_id ORDER BY c.n DESC, g.id`+p.limits(w), w.args...)
	if err != nil {
		return nil, 0, err
	}
	at, ids := map[int64]*RolloutGroup{}, []int64{}
	for i := range groups {
		at[groups[i].ID], ids = &groups[i], append(ids, groups[i].ID)
	}
	if len(ids) == 0 {
		return groups, total, nil
	}
	w = &where{pg: q.pg}
	w.and(`h.rollout_id = ?`, id)
	w.in("h.group_id", ids)
	w.within("h.site_id", within)
	if err := q.each(ctx, func(r row) error {
		var group int64
		var state RolloutState
		var n int
		err := r.Scan(&group, &state, &n)
		at[group].States[state] = n
		return err
	}, `SELECT h.group_id, h.state, count(*) FROM rollout_hosts h`+w.String()+` GROUP BY h.group_id, h.state`,
		w.args...); err != nil {
		return nil, 0, err
	}
	return groups, total, q.each(ctx, func(r row) error {
		var group int64
		var finding string
		err := r.Scan(&group, &finding)
		at[group].Closes = append(at[group].Closes, finding)
		return err
	}, `SELECT s.group_id, c.finding FROM (SELECT DISTINCT h.group_id, h.set_id FROM rollout_hosts h`+w.String()+`) s
		JOIN rollout_closes c ON c.set_id = s.set_id GROUP BY s.group_id, c.finding
		ORDER BY s.group_id, c.finding`, w.args...)
}

func (q *Queries) groups(ctx context.Context, from string, args ...any) ([]RolloutGroup, error) {
	return list(ctx, q, func(r row, g *RolloutGroup) error {
		var body []byte
		var role string
		if err := r.Scan(&g.ID, &g.System, &g.Product, &role, &body, &g.Hosts); err != nil {
			return err
		}
		g.Role, g.States, g.Plan = model.Role(role), map[RolloutState]int{}, &model.Plan{}
		plain, err := q.st.packer.unpack(body)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(plain, g.Plan); err != nil {
			return fmt.Errorf("store: the plan of a group: %w", err)
		}
		g.Changes = g.Plan.Changes
		return nil
	}, `SELECT g.id, g.system, g.product, g.role, g.body, c.n FROM `+from, args...)
}

// RolloutHosts returns a page of the hosts of a rollout, and their number. They can be sorted like hosts.
func (q *Queries) RolloutHosts(ctx context.Context, id int64, f RolloutFilter, p Page) ([]RolloutHost, int, error) {
	order, err := p.order(map[string]string{
		"host": "h.sort_name", "site": "h.site_id", "owner": "h.owner", "state": "o.state", "since": "o.since",
		"verdict": "h.verdict", "group": "o.group_id", "id": "h.id",
	}, "host", "h.id")
	if err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	w.and(`o.rollout_id = ?`, id)
	w.within("o.site_id", f.Within)
	if f.Group != 0 {
		w.and(`o.group_id = ?`, f.Group)
	}
	if f.State != "" {
		w.and(`o.state = ?`, f.State)
	}
	from := ` FROM rollout_hosts o`
	if f.Newer {
		from += ` JOIN hosts h ON h.id = o.host_id`
		w.parts = append(w.parts, w.newer())
	}
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*)`+from+w.String(), w.args...); err != nil || total == 0 {
		return nil, 0, err
	}
	all, err := list(ctx, q, func(r row, h *RolloutHost) error {
		return r.Scan(&h.HostID, &h.Host, &h.Address, &h.Site, &h.Owner, &h.Group, &h.State, &h.Since, &h.Before,
			&h.Verdict, &h.Why, &h.Newer)
	}, `SELECT h.id, h.name, h.address, (SELECT s.name FROM sites s WHERE s.id = h.site_id), h.owner, o.group_id,
		o.state, o.since, o.verdict, h.verdict, o.why, CASE WHEN `+w.newer()+` THEN 1 ELSE 0 END
		FROM rollout_hosts o JOIN hosts h ON h.id = o.host_id`+w.String()+order+p.limits(w), w.args...)
	return all, total, err
}

// newer is true for a row o of rollout_hosts, of a host h that is left, whose plan was made without what is known of
// the host now: it changed after it was planned, has its first audit since, or a new observation. Results count from
// when they were made, so one that is uploaded later and was made before does not count.
func (w *where) newer() string {
	return `(o.state NOT IN (` + w.arg(RolloutWaiting) + `, ` + w.arg(RolloutClosed) + `, ` + w.arg(RolloutGone) + `)
		AND (h.last_changed > o.since OR o.why = ` + w.arg(whyNewer) + `
		OR (o.state = ` + w.arg(RolloutUnaudited) + ` AND h.last_audit > 0)
		OR EXISTS (SELECT 1 FROM documents d WHERE d.host_id = h.id AND d.kind = ` + w.arg(KindObserve) + `
		AND d.at > o.since)))`
}

// RolloutStops returns a page of what the changes of a rollout would stop, and the number: first what was observed,
// then what affects most hosts.
func (q *Queries) RolloutStops(ctx context.Context, id int64, within Sites, p Page) ([]RolloutStop, int, error) {
	w := &where{pg: q.pg}
	w.and(`s.rollout_id = ?`, id)
	from := ` FROM rollout_stops s JOIN rollout_stopped d ON d.stop_id = s.id`
	if within != nil {
		from += ` JOIN hosts h ON h.id = d.host_id`
		w.within("h.site_id", within)
	}
	from += w.String()
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(DISTINCT s.id)`+from, w.args...); err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, q, func(r row, s *RolloutStop) error {
		return r.Scan(&s.Certainty, &s.Who, &s.What, &s.Because, &s.Hosts)
	},
		`SELECT s.certainty, s.who, s.what, s.because, count(*)`+from+`
			GROUP BY s.id, s.certainty, s.who, s.what, s.because
		ORDER BY CASE s.certainty WHEN 'observed' THEN 0 WHEN 'documented' THEN 1 ELSE 2 END, count(*) DESC, s.who,
		s.what, s.id`+p.limits(w), w.args...)
	return all, total, err
}

// UnplannedRollouts returns the followed rollouts whose planning is not finished, the oldest first.
func (q *Queries) UnplannedRollouts(ctx context.Context) ([]Rollout, error) {
	return list(ctx, q, scanRollout, rolloutColumns+` WHERE o.planned = 0 AND o.ended = 0 ORDER BY o.id`)
}

// WaitingHosts returns the first hosts of a rollout that wait to be planned, at most [MaxPage].
func (q *Queries) WaitingHosts(ctx context.Context, id int64, most int) ([]int64, error) {
	return list(ctx, q, scanID,
		`SELECT host_id FROM rollout_hosts WHERE rollout_id = $1 AND state = 0 ORDER BY host_id LIMIT $2`, id,
		min(most, MaxPage))
}

// PlanAgain makes all hosts of a rollout that are neither closed nor gone wait to be planned again, and returns their
// number.
func (q *Queries) PlanAgain(ctx context.Context, id int64) (n int64, err error) {
	err = q.atomic(ctx, func(q *Queries) error {
		const left = `rollout_id = $1 AND state NOT IN ($2, $3)`
		if _, err := q.exec(ctx, `DELETE FROM rollout_stopped WHERE stop_id IN (SELECT id FROM rollout_stops
			WHERE rollout_id = $1)
			AND host_id IN (SELECT host_id FROM rollout_hosts
			WHERE `+left+`)`, id, RolloutClosed, RolloutGone); err != nil {
			return err
		}
		if n, err = q.exec(ctx,
			`UPDATE rollout_hosts SET state = 0, since = $4, group_id = 0, set_id = 0, why = '' WHERE `+left,
			id, RolloutClosed, RolloutGone, q.now()); err != nil {
			return err
		}
		return q.must(ctx, `UPDATE rollouts SET planned = 0 WHERE id = $1`, id)
	})
	return n, err
}

// RolloutPlanned records that no host of a rollout waits any more.
func (q *Queries) RolloutPlanned(ctx context.Context, id int64) error {
	_, err := q.exec(ctx, `UPDATE rollouts SET planned = $2 WHERE id = $1 AND planned = 0`, id, q.now())
	return err
}

// planning is one transaction of planned hosts, with the shared rows that it has found or inserted.
type planning struct {
	*Queries
	rollout             int64
	groups, sets, stops map[string]int64
}

// RecordPlanned records the results of planning for hosts of a rollout. It ignores hosts that no longer wait, so that
// it can be repeated.
func (q *Queries) RecordPlanned(ctx context.Context, id int64, planned []PlannedHost) error {
	return q.atomic(ctx, func(q *Queries) error {
		if _, err := get(ctx, q, scanID, `SELECT id FROM rollouts WHERE id = $1`, id); err != nil {
			return err // it was deleted meanwhile
		}
		w := &planning{q, id, map[string]int64{}, map[string]int64{}, map[string]int64{}}
		waiting := map[int64]bool{}
		asked := make([]int64, len(planned))
		for i, p := range planned {
			asked[i] = p.HostID
		}
		still, err := list(ctx, q, scanID,
			`SELECT host_id FROM rollout_hosts WHERE rollout_id = $1 AND state = 0 AND host_id `+q.in("$2"), id,
			q.ids(asked))
		if err != nil {
			return err
		}
		for _, h := range still {
			waiting[h] = true
		}
		hosts := &values{columns: "rollout bigint, host bigint, state bigint, grp bigint, closes bigint, since " +
			"bigint, why text"}
		stopped := &values{columns: "stop bigint, host bigint"}
		for i := range planned {
			p := &planned[i]
			if !waiting[p.HostID] {
				continue
			}
			waiting[p.HostID] = false
			group, set, err := w.shared(ctx, p)
			if err != nil {
				return err
			}
			hosts.add(id, p.HostID, p.State, group, set, q.now(), p.Why)
			seen := map[int64]bool{}
			for _, s := range p.Stops {
				stop, err := w.stop(ctx, s)
				if err != nil {
					return err
				}
				if !seen[stop] {
					seen[stop] = true
					stopped.add(stop, p.HostID)
				}
			}
		}
		// The rollout is a column of v, too: with a number instead, SQLite goes over all hosts of the rollout, and for
		// each over all of v.
		if err := q.change(ctx, hosts, `UPDATE rollout_hosts SET state = v.state, group_id = v.grp, set_id = v.closes,
			why = v.why, since = v.since FROM v WHERE rollout_hosts.rollout_id = v.rollout
			AND rollout_hosts.host_id = v.host`); err != nil {
			return err
		}
		if err := q.change(ctx, stopped,
			`INSERT INTO rollout_stopped (stop_id, host_id) SELECT v.stop, v.host FROM v`); err != nil {
			return err
		}
		// Without an open finding now, nothing shows when the changes are made.
		_, err = q.exec(ctx,
			`UPDATE rollout_hosts SET state = $3, why = $5 WHERE rollout_id = $1 AND state = $4 AND host_id `+
				q.in("$2")+
				` AND NOT `+stillOpen,
			id, q.ids(asked), RolloutUnwatched, RolloutOpen, whyUnwatched)
		return err
	})
}

// whyUnwatched is why nothing is said of an unwatched host until somebody audits it.
const whyUnwatched = "no open finding would end with these changes: an audit shows whether they are made"

// whyNewer is why a host is open that was not so when it was planned.
const whyNewer = "it changed after it was planned"

// stillOpen is true for a row of rollout_hosts whose host has an open finding that its changes close.
const stillOpen = `EXISTS (SELECT 1 FROM hosts h JOIN posture_findings p ON p.posture_id = h.posture_id
	JOIN rollout_closes c ON c.finding = p.finding AND c.set_id = rollout_hosts.set_id
	WHERE h.id = rollout_hosts.host_id)`

// stillOpenOfAll is the same for all hosts at once: PostgreSQL joins it, instead of looking at each host of each
// rollout.
const stillOpenOfAll = `EXISTS (SELECT 1 FROM hosts h JOIN (SELECT DISTINCT p.posture_id, c.set_id
	FROM posture_findings p JOIN rollout_closes c ON c.finding = p.finding) v ON v.posture_id = h.posture_id
	WHERE h.id = rollout_hosts.host_id AND v.set_id = rollout_hosts.set_id)`

// shared finds or inserts the group of a host, and the set of findings that its changes close.
func (w *planning) shared(ctx context.Context, p *PlannedHost) (group, set int64, err error) {
	if len(p.Changes) == 0 {
		return 0, 0, nil
	}
	key := sum(string(p.Changes))
	if group = w.groups[key]; group == 0 {
		b, err := json.Marshal(p.Plan)
		if err != nil {
			return 0, 0, fmt.Errorf("store: %w", err)
		}
		if group, _, err = w.row(ctx, "rollout_groups", "hash", "system, product, role, body", []byte(key),
			p.Plan.Platform.System, p.Plan.Platform.Product, p.Plan.Platform.Role, w.st.packer.pack(b)); err != nil {
			return 0, 0, err
		}
		w.groups[key] = group
	}
	closes := slices.Compact(slices.Sorted(slices.Values(p.Closes)))
	text, err := json.Marshal(closes)
	if err != nil {
		return 0, 0, fmt.Errorf("store: %w", err)
	}
	key = string(text)
	if set = w.sets[key]; set != 0 {
		return group, set, nil
	}
	set, made, err := w.row(ctx, "rollout_sets", "findings", "", key)
	if err != nil {
		return 0, 0, err
	}
	if made {
		v := &values{columns: "id bigint, finding text"}
		for _, f := range closes {
			v.add(set, f)
		}
		if err := w.change(ctx, v,
			`INSERT INTO rollout_closes (set_id, finding) SELECT v.id, v.finding FROM v`); err != nil {
			return 0, 0, err
		}
	}
	w.sets[key] = set
	return group, set, nil
}

func (w *planning) stop(ctx context.Context, s RolloutStop) (int64, error) {
	key := sum(s.Certainty, s.Who, s.What, s.Because)
	if id := w.stops[key]; id != 0 {
		return id, nil
	}
	id, _, err := w.row(ctx, "rollout_stops", "hash", "certainty, who, what, because", []byte(key), s.Certainty, s.Who,
		s.What, s.Because)
	w.stops[key] = id
	return id, err
}

// row finds or inserts the rollout's row with a key, and reports whether it inserted it.
func (w *planning) row(
	ctx context.Context, table, key, more string, is any, with ...any,
) (id int64, made bool, err error) {
	columns := "rollout_id, " + key
	if more != "" {
		columns += ", " + more
	}
	args := &where{pg: w.pg}
	marks := []string{args.arg(w.rollout), args.arg(is)}
	for _, v := range with {
		marks = append(marks, args.arg(v))
	}
	err = w.insert(ctx, &id,
		`INSERT INTO `+table+` (`+columns+`) VALUES (`+strings.Join(marks, ", ")+`) ON CONFLICT (rollout_id, `+key+
			`) DO NOTHING RETURNING id`, args.args...)
	if errors.Is(err, ErrConflict) {
		return id, false, w.one(ctx, []any{&id}, `SELECT id FROM `+table+` WHERE rollout_id = $1 AND `+key+` = $2`,
			w.rollout, is)
	}
	return id, err == nil, err
}

// sum returns a short key of texts.
func sum(texts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return string(h[:16])
}

// whyRetired and whyOff are why a host is gone: nobody looks at it any more, so nothing would show that it is changed.
const (
	whyRetired = "it is retired: nobody looks at it any more"
	whyOff     = "every target that leads to it is switched off: nobody looks at it any more"
)

// unseenHosts returns the hosts that have left the fleet, and those to which targets lead that are all switched off.
// Both are asked for once, not for each of their rollouts.
func (q *Queries) unseenHosts(ctx context.Context) (retired, off []int64, err error) {
	const (
		byLink = `EXISTS (SELECT 1 FROM targets t WHERE t.host_id = h.id`
		byName = `EXISTS (SELECT 1 FROM host_names n JOIN targets t ON t.site_id = h.site_id AND t.spec = n.name
			WHERE n.host_id = h.id AND n.kind = 'target'`
	)
	retired, err = list(ctx, q, scanID, `SELECT h.id FROM hosts h WHERE h.retired > 0`)
	if err != nil {
		return nil, nil, err
	}
	off, err = list(ctx, q, scanID, `SELECT h.id FROM hosts h WHERE h.retired = 0
		AND NOT `+byLink+` AND t.enabled > 0) AND NOT `+byName+` AND t.enabled > 0)
		AND (`+byLink+`) OR `+byName+`))`)
	return retired, off, err
}

// FollowRollouts updates the hosts of all followed rollouts. Open ones are closed when they no longer show any of the
// findings that their changes close, and so are gone ones of which a later result shows it. Those that are neither
// closed nor waiting are gone when nobody looks at them any more. Closed and unwatched ones that show such a finding,
// and gone ones that were open and are looked at again, are open again; other gone ones wait to be planned again, also
// when they are audited. It returns how many hosts changed their state.
func (q *Queries) FollowRollouts(ctx context.Context) (moved int64, err error) {
	const (
		followed = ` AND rollout_id IN (SELECT id FROM rollouts WHERE ended = 0) AND `
		audited  = `EXISTS (SELECT 1 FROM hosts h WHERE h.id = rollout_hosts.host_id AND h.retired = 0
			AND h.last_audit > rollout_hosts.since)`
	)
	err = q.atomic(ctx, func(q *Queries) error {
		moved = 0
		some, err := list(ctx, q, scanID, `SELECT id FROM rollouts WHERE ended = 0 ORDER BY id LIMIT 1`)
		if err != nil || len(some) == 0 {
			return err
		}
		retired, off, err := q.unseenHosts(ctx)
		if err != nil {
			return err
		}
		open := stillOpen
		if q.pg {
			open = stillOpenOfAll
		}
		unseen := q.ids(slices.Concat(retired, off))
		seen := `NOT host_id ` + q.in("$5")
		for _, step := range []struct {
			from, to RolloutState
			why, is  string
			hosts    any
		}{
			{RolloutOpen, RolloutClosed, "", seen + ` AND NOT ` + open, q.ids(retired)},
			// Somebody looked once more: with targets that are off, an import.
			{
				RolloutGone, RolloutClosed, "",
				`group_id > 0 AND ` + seen + ` AND NOT ` + open, q.ids(retired),
			},
			{RolloutGone, RolloutOpen, whyNewer, `group_id > 0 AND ` + seen, unseen},
			{RolloutGone, RolloutWaiting, "", `group_id = 0 AND ` + seen, unseen},
			// Without a plan, an audit is what was missing.
			{RolloutGone, RolloutWaiting, "", `group_id = 0 AND ` + audited, nil},
			{RolloutClosed, RolloutOpen, whyNewer, open, nil},
			{RolloutUnwatched, RolloutOpen, whyNewer, open, nil},
		} {
			args := []any{step.to, q.now(), step.from, step.why}
			if step.hosts != nil {
				args = append(args, step.hosts)
			}
			n, err := q.exec(ctx,
				`UPDATE rollout_hosts SET state = $1, since = $2, why = $4 WHERE state = $3`+followed+step.is, args...)
			if err != nil {
				return err
			}
			moved += n
		}
		for _, gone := range []struct {
			hosts []int64
			why   string
		}{{retired, whyRetired}, {off, whyOff}} {
			n, err := q.leave(ctx, gone.hosts, gone.why)
			if err != nil {
				return err
			}
			moved += n
		}
		_, err = q.exec(ctx, `UPDATE rollouts SET planned = 0 WHERE planned > 0 AND ended = 0 AND EXISTS
			(SELECT 1 FROM rollout_hosts o WHERE o.rollout_id = rollouts.id AND o.state = $1)`, RolloutWaiting)
		return err
	})
	return moved, err
}

// leave makes these hosts gone in all followed rollouts where they are neither closed nor waiting. An open one keeps
// its changes: findings show whether they are made. The others are planned anew when somebody looks at them again.
func (q *Queries) leave(ctx context.Context, hosts []int64, why string) (int64, error) {
	if len(hosts) == 0 {
		return 0, nil
	}
	n, err := q.exec(ctx, `UPDATE rollout_hosts SET state = $1, since = $2, why = $3,
		group_id = CASE WHEN state = $4 THEN group_id ELSE 0 END, set_id = CASE WHEN state = $4 THEN set_id ELSE 0 END
		WHERE host_id `+q.in("$5")+` AND state NOT IN ($6, $7, $8)
		AND rollout_id IN (SELECT id FROM rollouts WHERE ended = 0)`,
		RolloutGone, q.now(), why, RolloutOpen, q.ids(hosts), RolloutWaiting, RolloutClosed, RolloutGone)
	if err != nil || n == 0 {
		return n, err
	}
	_, err = q.exec(ctx, `DELETE FROM rollout_stopped WHERE host_id `+q.in("$2")+` AND EXISTS (SELECT 1
		FROM rollout_stops s JOIN rollout_hosts o ON o.rollout_id = s.rollout_id WHERE s.id = rollout_stopped.stop_id
		AND o.host_id = rollout_stopped.host_id AND o.state = $1 AND o.group_id = 0)`, RolloutGone, q.ids(hosts))
	return n, err
}

// AuditedHost is an unwatched host of a rollout that was audited since it was planned.
type AuditedHost struct {
	Rollout, Group, Host int64
	Made                 bool // the audit shows every value of the group
}

// AuditedHosts returns at most this many of the unwatched hosts of followed rollouts that were audited since they were
// planned.
func (q *Queries) AuditedHosts(ctx context.Context, most int) ([]AuditedHost, error) {
	return list(ctx, q, func(r row, a *AuditedHost) error { return r.Scan(&a.Rollout, &a.Group, &a.Host) },
		`SELECT o.rollout_id, o.group_id, o.host_id FROM rollout_hosts o JOIN hosts h ON h.id = o.host_id
		WHERE o.rollout_id IN (SELECT id FROM rollouts WHERE ended = 0) AND o.state = $1 AND h.retired = 0
		AND h.last_audit > o.since
		ORDER BY o.rollout_id, o.group_id, o.host_id LIMIT $2`, RolloutUnwatched, min(most, MaxPage))
}

// RolloutPlan returns the plan of a group, which has only the changes of its hosts.
func (q *Queries) RolloutPlan(ctx context.Context, group int64) (*model.Plan, error) {
	all, err := q.groups(ctx, `(SELECT 0 AS n) c JOIN rollout_groups g ON g.id = $1`, group)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNotFound
	}
	return all[0].Plan, nil
}

// RecordAudited closes the hosts whose audit shows every value. The others wait to be planned anew, from that audit.
func (q *Queries) RecordAudited(ctx context.Context, audited []AuditedHost) error {
	return q.atomic(ctx, func(q *Queries) error {
		for _, a := range audited {
			to := RolloutWaiting
			if a.Made {
				to = RolloutClosed
			}
			n, err := q.exec(ctx, `UPDATE rollout_hosts SET state = $4, since = $5, why = ''
				WHERE rollout_id = $1 AND host_id = $2 AND state = $3`,
				a.Rollout, a.Host, RolloutUnwatched, to, q.now())
			if err != nil {
				return err
			}
			if n == 0 || a.Made { // it was planned again meanwhile, or it is done
				continue
			}
			for _, query := range []string{
				`UPDATE rollout_hosts SET group_id = 0, set_id = 0 WHERE rollout_id = $1 AND host_id = $2`,
				`DELETE FROM rollout_stopped WHERE host_id = $2
					AND stop_id IN (SELECT id FROM rollout_stops WHERE rollout_id = $1)`,
			} {
				if _, err := q.exec(ctx, query, a.Rollout, a.Host); err != nil {
					return err
				}
			}
			if _, err := q.exec(ctx, `UPDATE rollouts SET planned = 0 WHERE id = $1`, a.Rollout); err != nil {
				return err
			}
		}
		return nil
	})
}

package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/store"
)

// targetBody is a target as somebody wants it. A site is named by its name.
type targetBody struct {
	Spec        string            `json:"spec"`
	Site        string            `json:"site"`
	Tags        []string          `json:"tags,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Criticality store.Criticality `json:"criticality,omitempty"`
	Credential  int64             `json:"credential,omitempty"`
	AuditSource string            `json:"audit_source,omitempty"`
	Enabled     *bool             `json:"enabled,omitempty"` // true where it is left out
	Note        string            `json:"note,omitempty"`
}

func (c *call) target() (store.Target, error) {
	id, err := c.id()
	if err != nil {
		return store.Target{}, err
	}
	return c.store.Target(c.ctx(), id)
}

func listTargets(c *call) (any, error) {
	q := c.query
	targets, total, err := c.store.Targets(c.ctx(), store.TargetFilter{
		Site: q.Get("site"), Tag: strings.ToLower(q.Get("tag")), Owner: q.Get("owner"), Text: q.Get("q"), Kind: store.TargetKind(q.Get("kind")),
		HostID: c.number("host"), OnlyEnabled: c.yes("enabled"),
	}, c.page())
	return part(c, targets, total, err)
}

func getTarget(c *call) (any, error) { return c.target() }

func saveTarget(c *call) (any, error) {
	b, err := body[targetBody](c)
	if err != nil {
		return nil, err
	}
	t, action := store.Target{}, "target.add"
	if c.r.Method == http.MethodPut {
		if t, err = c.target(); err != nil {
			return nil, err
		}
		action = "target.change"
	}
	old := t
	var k checks
	k.need("spec", &b.Spec)
	k.need("site", &b.Site)
	k.line("owner", &b.Owner)
	k.line("audit_source", &b.AuditSource)
	k.text("note", &b.Note, maxNote, true)
	t.Spec, t.Tags, t.Owner, t.Criticality, t.Credential = b.Spec, k.tags("tags", b.Tags), b.Owner, b.Criticality, b.Credential
	t.AuditSource, t.Note, t.Enabled = b.AuditSource, b.Note, b.Enabled == nil || *b.Enabled
	if err := k.err(); err != nil {
		return nil, err
	}
	if err := fleet.CheckTarget(&t); err != nil {
		field := "spec"
		for _, f := range []string{"audit_source", "criticality"} {
			if strings.HasPrefix(err.Error(), f) {
				field = f
			}
		}
		return nil, wrong(field, "%s", plainError(err))
	}
	site, err := c.store.SiteByName(c.ctx(), b.Site)
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrong("site", "there is no such site")
	} else if err != nil {
		return nil, err
	}
	t.SiteID = site.ID
	if field := fleet.Guarded(old, t); field != "" && !c.who.Can(store.RoleAdmin) {
		return nil, &problem{Status: http.StatusForbidden, Detail: field + ": " + fleet.ErrGuarded.Error()}
	}
	if t.Credential != 0 {
		if _, err := c.store.Credential(c.ctx(), t.Credential); errors.Is(err, store.ErrNotFound) {
			return nil, wrong("credential", "there is no such credential")
		} else if err != nil {
			return nil, err
		}
	}
	if err := c.store.SaveTarget(c.ctx(), &t); err != nil {
		return nil, err
	}
	if err := c.act(action, t.Spec, ""); err != nil {
		return nil, err
	}
	return c.store.Target(c.ctx(), t.ID)
}

func deleteTarget(c *call) (any, error) {
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	if err := c.store.DeleteTargets(c.ctx(), []int64{t.ID}); err != nil {
		return nil, err
	}
	return nil, c.act("target.delete", t.Spec, "")
}

func importTargets(c *call) (any, error) {
	report, err := c.fleet.ImportTargets(c.ctx(), c.r.Body, c.who.Name(), c.who.Can(store.RoleAdmin))
	if err != nil {
		return nil, c.unreadable(err)
	}
	return report, c.act("target.import", "", fmt.Sprintf("%d added, %d changed, %d bad", report.Added, report.Updated, report.Bad))
}

// unreadable tells a file that cannot be read from a server that cannot.
func (c *call) unreadable(err error) error {
	if p := c.explain(c.r, &quiet{err}); p.Status != http.StatusInternalServerError {
		return p
	}
	return &problem{Status: http.StatusUnprocessableEntity, Detail: plainError(err)}
}

// quiet keeps an error that is told to the sender out of the log.
type quiet struct{ error }

// Unwrap is the error itself.
func (q *quiet) Unwrap() error { return q.error }

func importResults(c *call) (any, error) {
	kind := c.query.Get("kind")
	report, err := c.fleet.Import(c.ctx(), c.who.Name(), kind, c.r.Body)
	if err != nil {
		return nil, c.unreadable(err)
	}
	return report, c.act("result.import", kind, fmt.Sprintf("%d of %d taken", report.Taken, report.Results))
}

// runRequest says what is to be done, and over which targets.
type runRequest struct {
	Kind     store.RunKind  `json:"kind"`
	Selector store.Selector `json:"selector,omitzero"`
	Quick    bool           `json:"quick,omitempty"` // of a scan: the null-session question alone
}

func (k *checks) kind(kind store.RunKind) {
	oneOf(k, "kind", kind, store.RunScan, store.RunAudit, store.RunDiscover)
}

// maxSelected bounds the targets and hosts that are named one by one; more are chosen by site, tag or owner.
const maxSelected = 10_000

func (k *checks) selector(s *store.Selector) {
	k.line("selector.site", &s.Site)
	k.line("selector.tag", &s.Tag)
	k.line("selector.owner", &s.Owner)
	s.Tag = strings.ToLower(s.Tag)
	if len(s.Targets) > maxSelected || len(s.Hosts) > maxSelected {
		k.wrong("selector", "want at most %d targets or hosts by number", maxSelected)
	}
}

func listRuns(c *call) (any, error) {
	runs, total, err := c.store.Runs(c.ctx(), c.page())
	return part(c, runs, total, err)
}

func (c *call) run() (store.Run, error) {
	id, err := c.id()
	if err != nil {
		return store.Run{}, err
	}
	return c.store.Run(c.ctx(), id)
}

func getRun(c *call) (any, error) { return c.run() }

func startRun(c *call) (any, error) {
	b, err := body[runRequest](c)
	if err != nil {
		return nil, err
	}
	var k checks
	k.kind(b.Kind)
	k.selector(&b.Selector)
	if err := k.err(); err != nil {
		return nil, err
	}
	r, err := c.fleet.StartRun(c.ctx(), c.who.Name(), b.Kind, b.Selector, b.Quick)
	if err != nil {
		return nil, err
	}
	return r, c.act("run.start", "run "+strconv.FormatInt(r.ID, 10), fmt.Sprintf("%s of %d targets", r.Kind, r.Total))
}

func cancelRun(c *call) (any, error) {
	r, err := c.run()
	if err != nil {
		return nil, err
	}
	if err := c.fleet.CancelRun(c.ctx(), c.who.Name(), r.ID); err != nil {
		return nil, err
	}
	if err := c.act("run.cancel", "run "+strconv.FormatInt(r.ID, 10), ""); err != nil {
		return nil, err
	}
	return c.run()
}

func listUnits(c *call) (any, error) {
	r, err := c.run()
	if err != nil {
		return nil, err
	}
	units, total, err := c.store.Units(c.ctx(), r.ID, store.UnitState(c.query.Get("state")), c.page())
	return part(c, units, total, err)
}

// scheduleBody is a schedule as somebody wants it.
type scheduleBody struct {
	Name     string         `json:"name"`
	Kind     store.RunKind  `json:"kind"`
	Cron     string         `json:"cron"`
	Zone     string         `json:"zone,omitempty"`
	Window   string         `json:"window,omitempty"`
	Selector store.Selector `json:"selector,omitzero"`
	Quick    bool           `json:"quick,omitempty"`
	Enabled  *bool          `json:"enabled,omitempty"` // true where it is left out
}

// clock checks a zone and a window.
func (k *checks) clock(zone, window *string) {
	k.line("zone", zone)
	k.line("window", window)
	if _, err := when.Zone(*zone); err != nil {
		k.wrong("zone", "%s", plainError(err))
	} else if _, err := when.ParseWindow(*window, *zone); err != nil {
		k.wrong("window", "%s", plainError(err))
	}
}

func listSchedules(c *call) (any, error) { return all(c.store.Schedules(c.ctx())) }

func (c *call) schedule() (store.Schedule, error) {
	id, err := c.id()
	if err != nil {
		return store.Schedule{}, err
	}
	return c.store.Schedule(c.ctx(), id)
}

func saveSchedule(c *call) (any, error) {
	b, err := body[scheduleBody](c)
	if err != nil {
		return nil, err
	}
	s, action := store.Schedule{}, "schedule.add"
	if c.r.Method == http.MethodPut {
		if s, err = c.schedule(); err != nil {
			return nil, err
		}
		action = "schedule.change"
	}
	var k checks
	k.need("name", &b.Name)
	k.need("cron", &b.Cron)
	k.kind(b.Kind)
	k.selector(&b.Selector)
	k.clock(&b.Zone, &b.Window)
	if len(k.Fields) == 0 {
		due, err := when.ParseSchedule(b.Cron, b.Zone)
		if err != nil {
			k.wrong("cron", "%s", plainError(err))
		} else {
			s.Next = due.Next(c.now())
		}
	}
	if err := k.err(); err != nil {
		return nil, err
	}
	s.Name, s.Kind, s.Cron, s.Zone, s.Window = b.Name, b.Kind, b.Cron, b.Zone, b.Window
	s.Selector, s.Quick, s.Enabled = b.Selector, b.Quick, b.Enabled == nil || *b.Enabled
	if err := c.store.SaveSchedule(c.ctx(), &s); err != nil {
		return nil, err
	}
	return s, c.act(action, s.Name, s.Cron)
}

func deleteSchedule(c *call) (any, error) {
	s, err := c.schedule()
	if err != nil {
		return nil, err
	}
	if err := c.store.DeleteSchedule(c.ctx(), s.ID); err != nil {
		return nil, err
	}
	return nil, c.act("schedule.delete", s.Name, "")
}

// exceptionBody accepts one finding for a while.
type exceptionBody struct {
	Finding string    `json:"finding"`
	HostID  int64     `json:"host_id,omitempty"` // 0: the hosts with Tag, or all
	Tag     string    `json:"tag,omitempty"`
	Reason  string    `json:"reason"`
	Owner   string    `json:"owner"`
	Until   time.Time `json:"until"`
}

// longestException is how long a finding may be accepted at once: longer, and nobody who accepted it is there any more.
const longestException = 2 * 366 * 24 * time.Hour

func listExceptions(c *call) (any, error) {
	return all(c.store.Exceptions(c.ctx(), c.yes("all")))
}

func addException(c *call) (any, error) {
	b, err := body[exceptionBody](c)
	if err != nil {
		return nil, err
	}
	var k checks
	k.need("finding", &b.Finding)
	k.need("owner", &b.Owner)
	k.line("tag", &b.Tag)
	if k.text("reason", &b.Reason, maxNote, true); b.Reason == "" {
		k.wrong("reason", "this is needed")
	}
	if b.Finding != "" && c.catalog.Finding(b.Finding) == nil {
		k.wrong("finding", "there is no such finding")
	}
	if b.HostID != 0 && b.Tag != "" {
		k.wrong("tag", "name a host or a tag, not both")
	}
	if !b.Until.After(c.now()) || b.Until.Sub(c.now()) > longestException {
		k.wrong("until", "want a time in the next two years")
	}
	if err := k.err(); err != nil {
		return nil, err
	}
	covers := "every host"
	if b.HostID != 0 {
		h, err := c.store.Host(c.ctx(), b.HostID)
		if errors.Is(err, store.ErrNotFound) {
			return nil, wrong("host_id", "there is no such host")
		} else if err != nil {
			return nil, err
		}
		covers = h.Name
	} else if b.Tag != "" {
		covers = "hosts with the tag " + b.Tag
	}
	e := store.Exception{
		Finding: b.Finding, HostID: b.HostID, Tag: strings.ToLower(b.Tag), Reason: b.Reason, Owner: b.Owner, Until: b.Until.UTC(), Created: c.now(), By: c.who.Name(),
	}
	if err := c.store.SaveException(c.ctx(), &e); err != nil {
		return nil, err
	}
	return e, c.act("exception.add", e.Finding, covers+" until "+e.Until.Format(time.DateOnly))
}

func withdrawException(c *call) (any, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	if err := c.store.WithdrawException(c.ctx(), id, c.who.Name()); err != nil {
		return nil, err
	}
	return nil, c.act("exception.withdraw", "exception "+strconv.FormatInt(id, 10), "")
}

// maxStreams bounds the runs that are followed at a time: each asks the database once a second.
const maxStreams = 100

// aliveEvery is how often a stream says that it is alive, and looks whether whoever follows still may.
const aliveEvery = 15 * time.Second

// followRun tells a run's progress while it changes. It comes from our own tables: nothing is lost when it is read anew.
func followRun(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		return &problem{Status: http.StatusServiceUnavailable, Detail: "Too many runs are followed at this moment.", wait: 10 * time.Second}
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.streaming = true
	control := http.NewResponseController(c.w)
	say := func(text string) error {
		_ = control.SetWriteDeadline(time.Now().Add(30 * time.Second)) // where the server has one of its own
		if _, err := c.w.Write([]byte(text)); err != nil {
			return err
		}
		return control.Flush()
	}
	last, alive := "", time.Now()
	poll := time.NewTicker(c.Poll)
	defer poll.Stop()
	for {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if s := string(b); s != last {
			if err := say("event: run\ndata: " + s + "\n\n"); err != nil {
				return nil // who follows has gone
			}
			last = s
		}
		if r.State == store.RunDone || r.State == store.RunCancelled {
			_ = say("event: end\ndata: {}\n\n")
			return nil
		}
		select {
		case <-c.ctx().Done():
			return nil
		case <-poll.C:
		}
		if time.Since(alive) > aliveEvery {
			if who, err := c.API.who(c.r); err != nil || !who.Can(c.route.role) {
				return nil // the token or the session has ended, and so does this
			}
			if err := say(": alive\n\n"); err != nil {
				return nil // who follows has gone
			}
			alive = time.Now()
		}
		if r, err = c.store.Run(c.ctx(), r.ID); err != nil {
			return nil // a program that follows begins again
		}
	}
}

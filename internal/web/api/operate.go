package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// save decodes an object and saves it under the number in the path, or as a new one.
func save[In, Out any](c *call, change func(id int64, in In) (Out, error)) (any, error) {
	in, err := body[In](c)
	if err != nil {
		return nil, err
	}
	id := int64(0)
	if c.r.Method == http.MethodPut {
		if id, err = c.id(); err != nil {
			return nil, err
		}
	}
	return change(id, in)
}

// remove deletes the object of the path.
func remove(c *call, away func(ctx context.Context, who access.Who, id int64) error) (any, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return nil, away(c.ctx(), c.who, id)
}

func (c *call) target() (store.Target, error) {
	id, err := c.id()
	if err != nil {
		return store.Target{}, err
	}
	return c.store.Target(c.ctx(), id)
}

func listTargets(c *call) (any, error) {
	targets, total, err := c.store.Targets(c.ctx(), view.Targets(c.query), c.page())
	return part(c, targets, total, err)
}

func getTarget(c *call) (any, error) { return c.target() }

func saveTarget(c *call) (any, error) {
	return save(c, func(id int64, in acts.TargetChange) (store.Target, error) {
		return c.acts.SaveTarget(c.ctx(), c.who, id, in)
	})
}

func deleteTarget(c *call) (any, error) {
	return remove(c, func(ctx context.Context, who access.Who, id int64) error {
		_, err := c.acts.DeleteTargets(ctx, who, []int64{id})
		return err
	})
}

func retireHost(c *call) (any, error) { return remove(c, c.acts.RetireHost) }

func removeHost(c *call) (any, error) { return remove(c, c.acts.RemoveHost) }

func removeResult(c *call) (any, error) {
	host, err := c.id()
	if err != nil {
		return nil, err
	}
	result, err := strconv.ParseInt(c.r.PathValue("result"), 10, 64)
	if err != nil {
		return nil, store.ErrNotFound
	}
	return nil, c.acts.RemoveResult(c.ctx(), c.who, host, result)
}

func changeTargets(c *call) (any, error) {
	in, err := body[acts.TargetsChange](c)
	if err != nil {
		return nil, err
	}
	return c.acts.ChangeTargets(c.ctx(), c.who, in)
}

func importTargets(c *call) (any, error) { return c.acts.ImportTargets(c.ctx(), c.who, c.r.Body) }

func importResults(c *call) (any, error) {
	out, err := c.acts.ImportResults(c.ctx(), c.who, c.query.Get("kind"), c.r.Body)
	if err != nil {
		// Read the rest, within the request's bounds of size and speed. Otherwise the connection ends while the client
		// is still sending, and the client does not see the reason.
		_, _ = io.Copy(io.Discard, c.r.Body)
	}
	return out, err
}

func importJournal(c *call) (any, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return nil, c.acts.SaveJournal(c.ctx(), c.who, id, c.r.Body)
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
	in, err := body[acts.NewRun](c)
	if err != nil {
		return nil, err
	}
	return c.acts.StartRun(c.ctx(), c.who, in)
}

func cancelRun(c *call) (any, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return c.acts.CancelRun(c.ctx(), c.who, id)
}

func listUnits(c *call) (any, error) {
	r, err := c.run()
	if err != nil {
		return nil, err
	}
	units, total, err := c.store.Units(c.ctx(), r.ID, store.UnitState(c.query.Get("state")), c.page())
	return part(c, units, total, err)
}

func listSchedules(c *call) (any, error) { return all(c.store.Schedules(c.ctx())) }

func saveSchedule(c *call) (any, error) {
	return save(c, func(id int64, in acts.ScheduleChange) (store.Schedule, error) {
		return c.acts.SaveSchedule(c.ctx(), c.who, id, in)
	})
}

func deleteSchedule(c *call) (any, error) { return remove(c, c.acts.DeleteSchedule) }

func listExceptions(c *call) (any, error) {
	return all(c.store.Exceptions(c.ctx(), c.yes("all")))
}

// addException returns the new exception; the first of several.
func addException(c *call) (any, error) {
	in, err := body[acts.NewException](c)
	if err != nil {
		return nil, err
	}
	made, err := c.acts.Except(c.ctx(), c.who, in)
	if err != nil {
		return nil, err
	}
	return made[0], nil
}

func withdrawException(c *call) (any, error) { return remove(c, c.acts.Withdraw) }

// maxStreams bounds the runs followed at a time: each queries the database once a second.
const maxStreams = 100

// aliveEvery is the interval at which a stream sends a keep-alive and checks whether the caller still has access.
const aliveEvery = 15 * time.Second

// followRun sends a run's progress as it changes. It reads the database, so a client that reconnects misses nothing.
func followRun(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		return &problem{
			Status: http.StatusServiceUnavailable, Detail: "Too many runs are followed at this moment.",
			wait: 10 * time.Second,
		}
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.streaming = true
	control := http.NewResponseController(c.w)
	say := func(text string) error {
		_ = control.SetWriteDeadline(time.Now().Add(30 * time.Second)) // if the server has one of its own
		if _, err := io.WriteString(model.JSONWriter{Writer: c.w}, text); err != nil {
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
				return nil // the client is gone
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
		if time.Since(alive) > c.Alive {
			who, err := c.API.who(c.r)
			if err != nil || !c.route.lets(who) {
				return nil // the token or the session has ended, and so does the stream
			}
			c.store = access.Sight(c.API.store, who) // roles may have changed
			if err := say(": alive\n\n"); err != nil {
				return nil // the client is gone
			}
			alive = time.Now()
		}
		if r, err = c.store.Run(c.ctx(), r.ID); err != nil {
			return nil // a client reconnects
		}
	}
}

func saveView(c *call) (any, error) {
	in, err := body[acts.ViewChange](c)
	if err != nil {
		return nil, err
	}
	return c.acts.SaveView(c.ctx(), c.who, in)
}

func deleteView(c *call) (any, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return nil, c.acts.DeleteView(c.ctx(), c.who, id)
}

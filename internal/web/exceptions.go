package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
)

type exceptions struct {
	All   bool
	Rows  []exceptionRow
	Heads []head
}

type exceptionRow struct {
	store.Exception
	Title string
	Host  string
	State string // in force, ended or withdrawn
}

func exceptionsPage(v *visit) error {
	d := exceptions{All: v.r.URL.Query().Get("all") != ""}
	list, err := v.store.Exceptions(v.ctx(), d.All)
	if err != nil {
		return err
	}
	for _, e := range list {
		row := exceptionRow{Exception: e, Title: v.findingTitle(e.Finding), State: "in force"}
		switch {
		case !e.Withdrew.IsZero():
			row.State = "withdrawn"
		case e.Until.Before(v.now()):
			row.State = "ended"
		}
		if e.HostID != 0 {
			row.Host = "host " + strconv.FormatInt(e.HostID, 10)
			if h, err := v.store.Host(v.ctx(), e.HostID); err == nil {
				row.Host = h.Name
			}
		}
		d.Rows = append(d.Rows, row)
	}
	columns := []column{
		{"finding", "finding", "", false},
		{"host", "hosts", "", false},
		{"reason", "reason", "", false},
		{"owner", "owner", "", false},
		{"until", "until", "", false},
		{"state", "state", "", false},
		{"made", "made", "", true},
	}
	order := v.sorted(byParam, "", columns)
	d.Heads = v.heads(byParam, order, columns)
	arrange(d.Rows, order, map[string]func(a, b exceptionRow) int{
		"finding": by(func(e exceptionRow) string { return e.Title }),
		"host":    by(func(e exceptionRow) string { return e.Host + e.Tag }),
		"reason":  by(func(e exceptionRow) string { return e.Reason }),
		"owner":   by(func(e exceptionRow) string { return e.Owner }),
		"until":   byTime(func(e exceptionRow) time.Time { return e.Until }),
		"state":   by(func(e exceptionRow) string { return e.State }),
		"made":    byTime(func(e exceptionRow) time.Time { return e.Created }),
	})
	return v.render("exceptions", "Exceptions", d)
}

// exception is the form of a new one.
type exception struct {
	Form   *form
	Hosts  []store.Host
	Gone   []int64 // chosen hosts that do not exist: they stay chosen, so that the rest is not taken for every host
	Fields map[string]field
}

func newExceptionPage(v *visit) error {
	f := newForm(v.r.URL.Query())
	f.Set("until", day(v.now().AddDate(0, 3, 0)))
	return v.showException(f, http.StatusOK)
}

func (v *visit) showException(f *form, status int) error {
	d := exception{Form: f}
	for _, id := range f.ids("host") {
		if len(d.Hosts) == acts.MaxExcepted {
			break
		}
		h, err := v.store.Host(v.ctx(), id)
		if errors.Is(err, store.ErrNotFound) {
			d.Gone = append(d.Gone, id)
			continue
		}
		if err != nil {
			return err
		}
		d.Hosts = append(d.Hosts, h)
	}
	if n := len(d.Gone); n > 0 && f.Problem == "" {
		f.Problem = plural(n, "host that was chosen does not exist", "hosts that were chosen do not exist") +
			" any more. Choose the hosts again."
	}
	tags, err := v.store.Tags(v.ctx(), nil)
	if err != nil {
		return err
	}
	kinds := []option{{Value: "", Label: "choose"}}
	for i := range v.catalog.Findings {
		k := &v.catalog.Findings[i]
		kinds = append(kinds, option{Value: k.ID, Label: k.Title})
	}
	d.Fields = map[string]field{
		"finding": f.Choose("finding", "Finding", "Only this kind is accepted, no other.", kinds),
		"tag": f.Choose("tag", "Hosts with the tag", "Where no hosts are named above. None is every host.",
			options(f.Get("tag"), "every host", tags)),
		"reason": f.Field("reason", "Reason", "Why it is accepted, for whoever asks in a year"),
		"owner":  f.Field("owner", "Owner", "Who answers for it"),
		"until":  f.Field("until", "Until", "Two years at most; then the finding is open again, and told"),
	}
	return v.renderStatus(status, "exception", "Make an exception", d)
}

func saveException(v *visit) error {
	f := newForm(v.r.PostForm)
	change := acts.NewException{
		Finding: f.Get("finding"), Reason: f.Get("reason"), Owner: f.Get("owner"),
		Until: f.date("until"), HostIDs: f.ids("host"),
	}
	if len(change.HostIDs) == 0 {
		change.Tag = f.Get("tag")
	}
	made, err := v.acts.Except(v.ctx(), v.who(), change)
	switch {
	case f.refused(err):
		if f.Problem == "" {
			f.Problem = f.Wrong["host_id"] + f.Wrong["host_ids"] // these have no field on the page
		}
		return v.showException(f, statusOf(err))
	case err != nil:
		return err
	}
	e, to := made[0], "/exceptions"
	covers := "every host"
	switch {
	case len(change.HostIDs) > 0:
		covers = plural(len(made), "host", "hosts")
		if len(made) == 1 {
			to = "/hosts/" + strconv.FormatInt(e.HostID, 10) + "#findings"
		}
	case e.Tag != "":
		covers = "hosts with the tag " + e.Tag
	}
	return v.done(to, "The exception holds for "+covers+" until "+day(e.Until)+".")
}

func withdrawException(v *visit) error {
	return v.remove(v.acts.Withdraw, "/exceptions", "The exception is withdrawn: its findings count again.")
}

package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/store"
)

type exceptions struct {
	All  bool
	Rows []exceptionRow
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
	return v.render("exceptions", "Exceptions", d)
}

// exception is the form of a new one.
type exception struct {
	Form   *form
	Hosts  []store.Host
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
		if len(d.Hosts) == mostExcepted {
			break
		}
		h, err := v.store.Host(v.ctx(), id)
		if err != nil {
			return err
		}
		d.Hosts = append(d.Hosts, h)
	}
	tags, err := v.store.Tags(v.ctx())
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
		"tag":     f.Choose("tag", "Hosts with the tag", "Where no hosts are named above. None is every host.", options(f.Get("tag"), "every host", tags)),
		"reason":  f.Field("reason", "Reason", "Why it is accepted, for whoever asks in a year"),
		"owner":   f.Field("owner", "Owner", "Who answers for it"),
		"until":   f.Field("until", "Until", "Two years at most; then the finding is open again, and told"),
	}
	return v.renderStatus(status, "exception", "Make an exception", d)
}

// longestException is how long one may last: what is accepted for ever is forgotten.
const longestException = 2 * 366 * 24 * time.Hour

func saveException(v *visit) error {
	f := newForm(v.r.PostForm)
	e := store.Exception{Finding: f.need("finding"), Reason: f.note("reason"), Owner: f.need("owner"), Until: f.date("until"), By: v.user.Name, Created: v.now()}
	hosts := f.ids("host")
	if e.Reason == "" {
		f.wrong("reason", "This is needed.")
	}
	if e.Finding != "" && v.catalog.Finding(e.Finding) == nil {
		f.wrong("finding", "Choose one of the list.")
	}
	if f.Wrong["until"] == "" {
		switch {
		case e.Until.Before(v.now()):
			f.wrong("until", "This day is past.")
		case e.Until.Sub(v.now()) > longestException:
			f.wrong("until", "Two years at most.")
		}
	}
	if len(hosts) > mostExcepted {
		f.Problem = "At most " + strconv.Itoa(mostExcepted) + " hosts at once."
	}
	if !f.ok() {
		return v.showException(f, http.StatusUnprocessableEntity)
	}
	var covers string
	if len(hosts) == 0 {
		e.Tag = strings.ToLower(f.line("tag"))
		covers = "every host"
		if e.Tag != "" {
			covers = "hosts with the tag " + e.Tag
		}
		if err := v.store.SaveException(v.ctx(), &e); err != nil {
			return err
		}
	} else {
		covers = plural(len(hosts), "host", "hosts")
		err := v.store.InTx(v.ctx(), func(tx *store.Tx) error {
			for _, id := range hosts {
				one := e
				one.HostID = id
				if err := tx.SaveException(v.ctx(), &one); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	v.act("exception.add", e.Finding, covers+" until "+day(e.Until))
	to := "/exceptions"
	if len(hosts) == 1 {
		to = "/hosts/" + strconv.FormatInt(hosts[0], 10) + "#findings"
	}
	return v.done(to, "The exception holds for "+covers+" until "+day(e.Until)+".")
}

func withdrawException(v *visit) error {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	if err := v.store.WithdrawException(v.ctx(), id, v.user.Name); err != nil {
		return err
	}
	v.act("exception.withdraw", "exception "+url.PathEscape(v.r.PathValue("id")), "")
	return v.done("/exceptions", "The exception is withdrawn: its findings count again.")
}

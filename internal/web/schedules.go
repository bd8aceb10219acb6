package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/store"
)

type schedules struct {
	Rows  []scheduleRow
	Heads []head
}

type scheduleRow struct {
	store.Schedule
	Takes, When string
	At          time.Time // Next, in the schedule's own zone
}

func schedulesPage(v *visit) error {
	all, err := v.store.Schedules(v.ctx())
	if err != nil {
		return err
	}
	columns := []column{
		{"name", "name", "", false},
		{"kind", "what", "", false},
		{"cron", "when", "", false},
		{"takes", "targets", "", false},
		{"window", "only within", "", false},
		{"next", "next", "", false},
		{"last", "last", "", true},
	}
	order := v.sorted(byParam, "", columns)
	d := schedules{Heads: v.heads(byParam, order, columns)}
	for _, s := range all {
		row := scheduleRow{s, acts.Chosen(s.Selector), when.Say(s.Cron), s.Next}
		if zone, err := when.Zone(s.Zone); err == nil && !s.Next.IsZero() {
			row.At = s.Next.In(zone)
		}
		d.Rows = append(d.Rows, row)
	}
	arrange(d.Rows, order, map[string]func(a, b scheduleRow) int{
		"name":   by(func(s scheduleRow) string { return s.Name }),
		"kind":   by(func(s scheduleRow) string { return string(s.Kind) }),
		"cron":   by(func(s scheduleRow) string { return s.Cron }),
		"takes":  by(func(s scheduleRow) string { return s.Takes }),
		"window": by(func(s scheduleRow) string { return s.Window }),
		"next":   byTime(func(s scheduleRow) time.Time { return s.Next }),
		"last":   byTime(func(s scheduleRow) time.Time { return s.Last }),
	})
	return v.render("schedules", "Schedules", d)
}

// howMany is the number of due times that a form shows.
const howMany = 5

// coming returns the next due times of a cron line in a zone; none if it is not valid. zone is its name in words.
func coming(line, zone string, now time.Time) (next []time.Time, name string) {
	s, err := when.ParseSchedule(line, zone)
	if line == "" || err != nil {
		return nil, ""
	}
	return s.Coming(now, howMany), cmp.Or(zone, "UTC")
}

// nextTimes are the next due times of a form's schedule, or what is wrong with it.
type nextTimes struct {
	Coming []dueTime
	Zone   string
	Wrong  string
}

type dueTime struct {
	At    time.Time
	Waits time.Time // the end of the wait, if the window is closed then
}

// nextOf parses a form's schedule as saving would.
func nextOf(f *form, now time.Time) nextTimes {
	if strings.TrimSpace(f.Get("cron")) == "" {
		return nextTimes{}
	}
	line, zone, err := when.Read(f.Get("cron"))
	zone = cmp.Or(zone, strings.TrimSpace(f.Get("zone")))
	var w when.Window
	if err == nil {
		w, err = when.ParseWindow(f.Get("window"), zone)
	}
	if err != nil {
		return nextTimes{Wrong: sentence(acts.Words(err))}
	}
	times, name := coming(line, zone, now)
	d := nextTimes{Zone: name}
	for _, t := range times {
		due := dueTime{At: t}
		if opens := w.Next(t); opens.After(t) {
			due.Waits = opens.In(t.Location())
		}
		d.Coming = append(d.Coming, due)
	}
	return d
}

// nextPage sends the part of a schedule's form that shows when it is due.
func nextPage(v *visit) error {
	return v.fragment(http.StatusOK, "schedule", "next", nextOf(newForm(v.r.URL.Query()), v.now()))
}

// schedule is the form of one.
type schedule struct {
	Form     *form
	Schedule store.Schedule
	Fields   map[string]field
	Next     nextTimes
}

func newSchedulePage(v *visit) error {
	f := newForm(url.Values{"cron": {"every day at 02:30"}, "enabled": {"yes"}})
	return v.showSchedule(store.Schedule{}, f, http.StatusOK)
}

func schedulePage(v *visit) error {
	s, err := v.scheduleOf()
	if err != nil {
		return err
	}
	f := newForm(url.Values{
		"name": {s.Name}, "kind": {string(s.Kind)}, "cron": {when.Say(s.Cron)}, "zone": {s.Zone}, "window": {s.Window},
		"site": {s.Selector.Site}, "tag": {s.Selector.Tag},
		"owner": {s.Selector.Owner},
	})
	for name, on := range map[string]bool{"quick": s.Quick, "enabled": s.Enabled} {
		if on {
			f.Set(name, "yes")
		}
	}
	return v.showSchedule(s, f, http.StatusOK)
}

func (v *visit) scheduleOf() (store.Schedule, error) {
	id, err := v.number()
	if err != nil {
		return store.Schedule{}, err
	}
	return v.store.Schedule(v.ctx(), id)
}

func (v *visit) showSchedule(s store.Schedule, f *form, status int) error {
	c, err := v.choices(f.Values)
	if err != nil {
		return err
	}
	title := "Schedule " + brief(s.Name)
	if s.ID == 0 {
		title = "Add a schedule"
	}
	return v.renderStatus(status, "schedule", title, schedule{
		Form: f, Schedule: s, Next: nextOf(f, v.now()),
		Fields: map[string]field{
			"name": f.Field("name", "Name", ""),
			"kind": f.Choose("kind", "What", "", runKinds),
			"cron": f.Field("cron", "When",
				"every day at 02:00, every weekday at 07:30, every Monday and Thursday at 22:00, every month on day 1 at 02:00, every 6 hours; or a cron line: 30 2 * * 1-5"),
			"zone": f.Field("zone", "Time zone", "Europe/Berlin; empty is UTC"),
			"window": f.Field("window", "Only within",
				"Mon-Fri 22:00-06:00; what is not done then waits. Empty is always"),
			"site":    f.Choose("site", "Site", "", c.Sites),
			"tag":     f.Choose("tag", "Tag", "", c.Tags),
			"owner":   f.Choose("owner", "Owner", "", c.Owners),
			"quick":   f.Field("quick", "Quick: ask the null-session question alone", ""),
			"enabled": f.Field("enabled", "In force", ""),
		},
	})
}

func saveSchedule(v *visit) error {
	var s store.Schedule
	if v.r.PathValue("id") != "" {
		var err error
		if s, err = v.scheduleOf(); err != nil {
			return err
		}
	}
	f := newForm(v.r.PostForm)
	if f.Get("do") == "look" {
		return v.showSchedule(s, f, http.StatusOK)
	}
	_, err := v.acts.SaveSchedule(v.ctx(), v.who(), s.ID, acts.ScheduleChange{
		Name: f.Get("name"), Kind: store.RunKind(f.Get("kind")), Cron: f.Get("cron"), Zone: f.Get("zone"),
		Window: f.Get("window"),
		Selector: store.Selector{
			Site: f.Get("site"), Tag: f.Get("tag"), Owner: f.Get("owner"),
			Targets: s.Selector.Targets, Hosts: s.Selector.Hosts,
		},
		Quick: f.yes("quick"), Enabled: f.on("enabled"),
	})
	switch {
	case f.refused(err):
		return v.showSchedule(s, f, statusOf(err))
	case err != nil:
		return err
	}
	return v.done("/schedules", "The schedule was saved.")
}

func deleteSchedule(v *visit) error {
	return v.remove(v.acts.DeleteSchedule, "/schedules", "The schedule was removed.")
}

package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"ipcguard/internal/fleet/when"
	"ipcguard/internal/store"
)

type scheduleRow struct {
	store.Schedule
	Takes string
}

func schedulesPage(v *visit) error {
	all, err := v.store.Schedules(v.ctx())
	if err != nil {
		return err
	}
	var d []scheduleRow
	for _, s := range all {
		d = append(d, scheduleRow{s, selectorWords(s.Selector)})
	}
	return v.render("schedules", "Schedules", d)
}

// schedule is the form of one.
type schedule struct {
	Form     *form
	Schedule store.Schedule
	Fields   map[string]field
}

func newSchedulePage(v *visit) error {
	f := newForm(url.Values{"cron": {"30 2 * * *"}, "enabled": {"yes"}})
	return v.showSchedule(store.Schedule{}, f, http.StatusOK)
}

func schedulePage(v *visit) error {
	s, err := v.scheduleOf()
	if err != nil {
		return err
	}
	f := newForm(url.Values{
		"name": {s.Name}, "kind": {string(s.Kind)}, "cron": {s.Cron}, "zone": {s.Zone}, "window": {s.Window}, "site": {s.Selector.Site}, "tag": {s.Selector.Tag},
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
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return store.Schedule{}, errNotFound
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
	return v.renderStatus(status, "schedule", title, schedule{f, s, map[string]field{
		"name":    f.Field("name", "Name", ""),
		"kind":    f.Choose("kind", "What", "", runKinds),
		"cron":    f.Field("cron", "When", "Minute, hour, day of month, month, day of week: 30 2 * * 1-5 is 02:30 from Monday to Friday. @daily, @hourly and @every 6h work too."),
		"zone":    f.Field("zone", "Time zone", "Europe/Berlin; empty is UTC"),
		"window":  f.Field("window", "Only within", "Mon-Fri 22:00-06:00; what is not done then waits. Empty is always"),
		"site":    f.Choose("site", "Site", "", c.Sites),
		"tag":     f.Choose("tag", "Tag", "", c.Tags),
		"owner":   f.Choose("owner", "Owner", "", c.Owners),
		"quick":   f.Field("quick", "Quick: ask the null-session question alone", ""),
		"enabled": f.Field("enabled", "In force", ""),
	}})
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
	s.Name, s.Cron, s.Zone, s.Window = f.need("name"), f.need("cron"), f.line("zone"), f.line("window")
	s.Kind = store.RunKind(f.choice("kind", "scan", "audit", "discover"))
	s.Selector.Site, s.Selector.Tag, s.Selector.Owner = f.line("site"), strings.ToLower(f.line("tag")), f.line("owner")
	s.Quick, s.Enabled = f.yes("quick"), f.yes("enabled")
	f.checkZone("zone", s.Zone)
	f.checkWindow("window", s.Window, s.Zone)
	if f.Wrong["cron"] == "" && f.Wrong["zone"] == "" {
		due, err := when.ParseSchedule(s.Cron, s.Zone)
		if err != nil {
			f.wrong("cron", plainError(err))
		} else if s.Next = due.Next(v.now()); s.Next.IsZero() {
			f.wrong("cron", "This never comes.")
		}
	}
	if !f.ok() {
		return v.showSchedule(s, f, http.StatusUnprocessableEntity)
	}
	isNew := s.ID == 0
	switch err := v.store.SaveSchedule(v.ctx(), &s); {
	case errors.Is(err, store.ErrConflict):
		f.wrong("name", "Another schedule has this name.")
		return v.showSchedule(s, f, http.StatusConflict)
	case err != nil:
		return err
	}
	if isNew {
		v.act("schedule.add", s.Name, s.Cron)
	} else {
		v.act("schedule.change", s.Name, s.Cron)
	}
	return v.done("/schedules", "The schedule was saved.")
}

func deleteSchedule(v *visit) error {
	s, err := v.scheduleOf()
	if err != nil {
		return err
	}
	if err := v.store.DeleteSchedule(v.ctx(), s.ID); err != nil {
		return err
	}
	v.act("schedule.delete", s.Name, "")
	return v.done("/schedules", "The schedule was removed.")
}

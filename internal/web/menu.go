package web

import (
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
)

// menuGroup is a part of the menu, menuItem one line of it.
type (
	menuGroup struct {
		Title string
		Items []menuItem
	}
	menuItem struct {
		Path, Title string
		Current     bool
		needs       store.Role
		whole       bool // the role everywhere
	}
)

// menu lists the pages by purpose.
var menu = []menuGroup{
	{"Look", []menuItem{
		{Path: "/", Title: "Overview"},
		{Path: "/hosts", Title: "Hosts"},
		{Path: "/clients", Title: "Clients"},
		{Path: "/findings", Title: "Findings"},
		{Path: "/settings", Title: "What fixes most"},
		{Path: "/events", Title: "Changes"},
		{Path: "/compare", Title: "Compare"},
		{Path: "/report", Title: "Report"},
		{Path: "/catalog", Title: "Catalog"},
	}},
	{"Work", []menuItem{
		{Path: "/runs", Title: "Runs"},
		{Path: "/rollouts", Title: "Rollouts"},
		{Path: "/targets", Title: "Targets"},
		{Path: "/schedules", Title: "Schedules"},
		{Path: "/exceptions", Title: "Exceptions"},
		{Path: "/import", Title: "Import", needs: store.RoleOperator},
		{Path: "/sites", Title: "Sites and workers"},
	}},
	{"Administer", []menuItem{
		{Path: "/channels", Title: "Notifications", needs: store.RoleAdmin, whole: true},
		{Path: "/credentials", Title: "Credentials", needs: store.RoleAdmin, whole: true},
		{Path: "/accounts", Title: "Accounts", needs: store.RoleAdmin, whole: true},
		{Path: "/acts", Title: "Audit log", needs: store.RoleAdmin, whole: true},
	}},
}

// menuFor returns the entries that the account may see, with the current one marked.
func menuFor(who access.Who, here string) []menuGroup {
	var out []menuGroup
	for _, g := range menu {
		var items []menuItem
		for _, i := range g.Items {
			if i.needs == "" || who.Somewhere(i.needs) && (!i.whole || who.Can(i.needs)) {
				i.Current = i.Path == here
				items = append(items, i)
			}
		}
		if len(items) > 0 {
			out = append(out, menuGroup{g.Title, items})
		}
	}
	return out
}

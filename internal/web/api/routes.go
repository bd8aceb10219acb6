package api

import (
	"net/http"
	"slices"
	"strings"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/handover"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// route is one entry of the table of everything that is served.
type route struct {
	method, path string
	role         store.Role // the least role, everywhere or at a site
	whole        bool       // the role is needed everywhere: its subject belongs to no site
	upload       bool       // also allowed for tokens that submit results
	id, summary  string
	query        []view.Param
	in           any      // a value of the body's type; nil is no body
	takes        []string // the body's media types, if not JSON
	limit        int64    // of the body, in bytes; 0 is maxBody
	out          any      // a value of the answer's type; nil is no answer
	gives        []string // the answer's media types, if not JSON
	status       int      // of success; 0 is 200, or 204 without an answer
	do           func(*call) (any, error)
	stream       func(*call) error
}

// lets reports whether a caller may use the route. Access to a site is checked when it is read or changed.
func (r route) lets(who access.Who) bool {
	switch {
	case r.whole:
		return who.Can(r.role)
	case r.upload:
		return who.UploadsSomewhere()
	}
	return who.Somewhere(r.role)
}

// matches reports whether a path is this route's, whatever the method.
func (r route) matches(path string) bool {
	a, b := strings.Split(r.path, "/"), strings.Split(path, "/")
	return len(a) == len(b) && slices.EqualFunc(a, b, func(want, got string) bool {
		return want == got || strings.HasPrefix(want, "{") && got != ""
	})
}

// list is a part of a list, with the total length.
type list[T any] struct {
	Total  int `json:"total"`
	Offset int `json:"offset"`
	Items  []T `json:"items"`
}

// all returns a list that is short enough to be complete.
func all[T any](items []T, err error) (any, error) {
	return list[T]{Total: len(items), Items: items}, err
}

// part returns a page of a list.
func part[T any](c *call, items []T, total int, err error) (any, error) {
	return list[T]{Total: total, Offset: c.page().Offset, Items: items}, err
}

// maxUpload bounds a file in bytes: a CSV with a million targets has about 100 MiB.
const maxUpload = 256 << 20

// Parameters of several routes.
var (
	paging = []view.Param{
		{Name: "offset", Kind: view.Number, About: "how many to leave out"},
		{Name: "limit", Kind: view.Number, About: "how many to give: 100 where nothing is said, 1000 at most"},
	}
	ofKind  = view.Param{Name: "kind", Kind: view.Text, Enum: []string{"scan", "audit"}}
	formats = view.Param{
		Name: "format", Kind: view.Text, Enum: []string{view.CSV, view.JSON, view.SARIF, view.OCSF},
		Needed: true,
	}
)

func sorts(columns ...string) view.Param {
	var names []string
	for _, c := range columns {
		names = append(names, c, "-"+c)
	}
	return view.Param{Name: "sort", Kind: view.Text, Enum: names, About: "- turns the order round"}
}

func with(sets ...[]view.Param) []view.Param { return slices.Concat(sets...) }

// routes returns all routes. Viewers read, operators act; accounts, secrets and sites are for administrators.
func routes() []route {
	const (
		look    = store.RoleViewer
		operate = store.RoleOperator
		admin   = store.RoleAdmin
		get     = http.MethodGet
		post    = http.MethodPost
		put     = http.MethodPut
		del     = http.MethodDelete
		created = http.StatusCreated
	)
	hostColumns := []string{
		"name", "site", "verdict", "severity", "findings", "owner", "criticality", "cells",
		"last_seen", "last_changed", "logon", "id",
	}
	for _, d := range model.Disclosures() {
		hostColumns = append(hostColumns, store.GivesSort(d))
	}
	hostSorts := sorts(hostColumns...)
	return []route{
		{
			method: get, path: "/openapi.json", role: look, id: "document", summary: "This document",
			out: map[string]any{}, do: document,
		},
		{
			method: get, path: "/me", role: look, id: "me", summary: "The caller, with roles and scope", out: me{},
			do: whoIsIt,
		},

		{
			method: get, path: "/search", role: look, id: "search",
			summary: "Hosts, settings, pipes and other entries of the catalog with a text in their name",
			query:   []view.Param{{Name: "q", Kind: view.Text, Needed: true}}, out: list[view.FoundGroup]{}, do: search,
		},
		{
			method: get, path: "/me/views", role: look, id: "listViews", summary: "One's own saved views",
			out: list[store.SavedView]{}, do: listViews,
		},
		{
			method: post, path: "/me/views", role: look, id: "saveView",
			summary: "Save a view under a name; replaces one's own of that name", in: acts.ViewChange{},
			out: store.SavedView{}, status: created, do: saveView,
		},
		{
			method: del, path: "/me/views/{id}", role: look, id: "deleteView", summary: "Remove one of one's own views",
			do: deleteView,
		},

		{
			method: get, path: "/overview", role: look, id: "overview",
			summary: "How many hosts are exposed, limited, closed and unknown, the score, and what strangers get",
			query:   view.HostFilter, out: overview{}, do: getOverview,
		},
		{
			method: get, path: "/standings", role: look, id: "listStandings",
			summary: "How many hosts of each site and owner have each verdict, and since when the one that has not " +
				"changed for longest is so", query: view.HostFilter, out: list[store.Standing]{}, do: listStandings,
		},
		{
			method: get, path: "/hosts", role: look, id: "listHosts", summary: "Hosts as last seen",
			query: with(view.HostFilter, paging, []view.Param{hostSorts}), out: list[store.Host]{}, do: listHosts,
		},
		{
			method: get, path: "/hosts/{id}", role: look, id: "getHost",
			summary: "A host with its names, open findings and ended ones", out: hostDetail{}, do: getHost,
		},
		{
			method: get, path: "/hosts/{id}/spans", role: look, id: "listSpans",
			summary: "The host's history: periods without changes", query: []view.Param{ofKind},
			out: list[store.Span]{}, do: listSpans,
		},
		{
			method: get, path: "/hosts/{id}/results", role: look, id: "listResults",
			summary: "The host's results, newest first", query: paging, out: list[store.Result]{}, do: listResults,
		},
		{
			method: del, path: "/hosts/{id}/results/{result}", role: admin, id: "removeResult",
			summary: "Delete a result, such as a wrong one or one with a time in the future: history, counts, " +
				"findings " +
				"and trend are then as if it had never been imported", do: removeResult,
		},
		{
			method: get, path: "/hosts/{id}/documents/{kind}", role: look, id: "getDocument",
			summary: "The host's last scan, audit, observe, plan or journal, as the command line writes it",
			query:   []view.Param{{Name: "previous", Kind: view.Boolean, About: "the one before the last"}},
			out:     anyDocument{}, do: getDocument,
		},
		{
			method: post, path: "/hosts/{id}/plan", role: operate, id: "makePlan",
			summary: "Make a plan from the host's stored documents; nothing is changed on the host",
			in:      acts.NewPlan{}, out: model.Plan{}, do: makePlan,
		},
		{
			method: post, path: "/hosts/{id}/retire", role: operate, id: "retireHost",
			summary: "Retire a host: it no longer counts, and its targets are disabled; a scan that " +
				"it answers brings it back", do: retireHost,
		},
		{
			method: del, path: "/hosts/{id}", role: operate, id: "removeHost",
			summary: "Delete a host with its history and its targets", do: removeHost,
		},
		{
			method: post, path: "/hosts/{id}/journal", role: operate, id: "importJournal",
			summary: "Import what was applied on the host: the output of history --format json there",
			takes:   []string{"application/json"}, limit: maxUpload, do: importJournal,
		},

		{
			method: get, path: "/rollouts", role: look, id: "listRollouts",
			summary: "Plans for many hosts, newest first",
			query:   with(paging, []view.Param{sorts("id", "name", "created", "by", "ended")}),
			out:     list[store.Rollout]{}, do: listRollouts,
		},
		{
			method: post, path: "/rollouts", role: operate, id: "startRollout",
			summary: "Make one plan for many hosts: the hosts of a filter, or by number; the server plans for one " +
				"after another, and nothing is changed on any", in: acts.NewRollout{}, out: store.Rollout{},
			status: created, do: startRollout,
		},
		{
			method: get, path: "/rollouts/{id}", role: look, id: "getRollout",
			summary: "A rollout, with its hosts by state", out: store.Rollout{}, do: getRollout,
		},
		{
			method: get, path: "/rollouts/{id}/groups", role: look, id: "listGroups",
			summary: "The hosts of a rollout that get exactly the same changes, by product and role", query: paging,
			out: list[store.RolloutGroup]{}, do: listGroups,
		},
		{
			method: get, path: "/rollouts/{id}/hosts", role: look, id: "listRolloutHosts",
			summary: "The hosts of a rollout: what is left, and what has closed",
			query: with(paging, []view.Param{
				{Name: "state", Kind: view.Text, Enum: view.RolloutStates},
				{Name: "newer", Kind: view.Boolean, About: "only hosts that changed after their plan was made, or " +
					"were audited for the first time or observed since"},
				{Name: "group", Kind: view.Number},
				sorts("host", "site", "owner", "state", "since", "verdict", "group",
					"id"),
			}), out: list[store.RolloutHost]{}, do: listRolloutHosts,
		},
		{
			method: get, path: "/rollouts/{id}/stops", role: look, id: "listStops",
			summary: "What the changes of a rollout would stop, and on how many hosts: what was observed first",
			query:   paging, out: list[store.RolloutStop]{}, do: listStops,
		},
		{
			method: get, path: "/rollouts/{id}/archive", role: look, id: "rolloutArchive",
			summary: "What is left of a rollout as one zip: group policy backups, Ansible inventory and tasks, " +
				"PowerShell, each with its undo, the hosts, what would be stopped, and tickets",
			gives: []string{"application/zip"}, stream: rolloutArchive,
		},
		{
			method: get, path: "/rollouts/{id}/tickets", role: look, id: "rolloutTickets",
			summary: "What is left of a rollout as tickets, one for each owner of each group",
			query:   []view.Param{{Name: "shape", Kind: view.Text, Enum: handover.Shapes(), Needed: true}},
			gives:   []string{"text/csv"}, stream: rolloutTickets,
		},
		{
			method: post, path: "/rollouts/{id}/plan", role: operate, id: "planAgain",
			summary: "Plan again for the remaining hosts of a rollout, such as after their audit",
			out:     store.Rollout{}, do: planAgain,
		},
		{
			method: post, path: "/rollouts/{id}/end", role: operate, id: "endRollout",
			summary: "End a rollout: its hosts keep their state", out: store.Rollout{},
			do: endRollout,
		},
		{
			method: del, path: "/rollouts/{id}", role: operate, id: "deleteRollout", summary: "Delete a rollout",
			do: deleteRollout,
		},

		{
			method: get, path: "/clients", role: look, id: "listClients",
			summary: "How clients come in to the hosts that a filter takes, as last observed; q and client choose " +
				"clients, logon their ways", query: with(view.HostFilter, paging,
				[]view.Param{sorts("client", "strength", "hosts", "package", "dialect", "first_seen", "last_seen")}),
			out: list[store.ClientLogon]{}, do: listClients,
		},
		{
			method: get, path: "/findings", role: look, id: "listFindings",
			summary: "Open findings of the hosts that a filter takes", query: with(view.HostFilter, paging,
				[]view.Param{sorts("host", "severity", "finding", "first_seen")}), out: list[store.HostFinding]{},
			do: listFindings,
		},
		{
			method: get, path: "/findings/counts", role: look, id: "countFindings",
			summary: "How many hosts have each finding", query: view.HostFilter, out: list[store.FindingCount]{},
			do: countFindings,
		},
		{
			method: get, path: "/settings", role: look, id: "countSettings",
			summary: "How many hosts each setting would fix", query: view.HostFilter, out: list[store.SettingCount]{},
			do: countSettings,
		},
		{
			method: get, path: "/events", role: look, id: "listEvents", summary: "What changed, newest first",
			query: with(view.EventFilter, paging, []view.Param{sorts("id", "at", "severity")}),
			out:   list[store.Event]{}, do: listEvents,
		},
		{
			method: get, path: "/trend", role: look, id: "trend",
			summary: "How many hosts had each verdict, day by day",
			query:   view.TrendFilter, out: list[store.TrendPoint]{}, do: getTrend,
		},
		{
			method: get, path: "/compare", role: look, id: "compare", summary: "Hosts that differ between two times",
			query: with(view.HostFilter, paging, view.Between), out: list[store.Difference]{}, do: compare,
		},
		{
			method: get, path: "/exports/{view}", role: look, id: "export",
			summary: "A complete view as a file: hosts and findings in every format, the others as CSV and JSON",
			query:   with(exportFilter(), []view.Param{formats}),
			gives:   []string{"text/csv", "application/json", "application/sarif+json", "application/jsonl"},
			stream:  exportView,
		},

		{
			method: get, path: "/sites", role: look, id: "listSites", summary: "Sites", out: list[store.Site]{},
			do: listSites,
		},
		{
			method: post, path: "/sites", role: admin, whole: true, id: "addSite", summary: "Add a site",
			in: acts.SiteChange{}, out: store.Site{}, status: created, do: saveSite,
		},
		{
			method: put, path: "/sites/{id}", role: admin, id: "changeSite", summary: "Change a site",
			in: acts.SiteChange{}, out: store.Site{}, do: saveSite,
		},
		{
			method: del, path: "/sites/{id}", role: admin, whole: true, id: "deleteSite",
			summary: "Remove a site that has no targets and no hosts", do: deleteSite,
		},
		{
			method: get, path: "/workers", role: look, id: "listWorkers",
			summary: "Workers, and the times of their last heartbeats", out: list[store.Worker]{}, do: listWorkers,
		},

		{
			method: get, path: "/workers/enrolled", role: admin, id: "listEnrolled",
			summary: "Workers that have joined with a certificate, and those that were revoked",
			out:     list[store.Enrolled]{}, do: listEnrolled,
		},
		{
			method: post, path: "/workers", role: admin, id: "addWorker",
			summary: "Make a code with which one worker joins a site; it is shown only now",
			in:      acts.NewWorker{}, out: acts.JoinCode{}, status: created, do: addWorker,
		},
		{
			method: del, path: "/workers/enrolled/{id}", role: admin, id: "revokeWorker",
			summary: "Revoke a worker: its certificates end with the next request", do: revokeWorker,
		},

		{
			method: get, path: "/targets", role: look, id: "listTargets", summary: "Targets",
			query: with(view.TargetFilter, paging,
				[]view.Param{sorts("spec", "site", "owner", "criticality", "kind", "created", "id")}),
			out: list[store.Target]{}, do: listTargets,
		},
		{
			method: post, path: "/targets", role: operate, id: "addTarget", summary: "Add a target",
			in: acts.TargetChange{}, out: store.Target{}, status: created, do: saveTarget,
		},
		{
			method: post, path: "/targets/import", role: operate, id: "importTargets",
			summary: "Add and change targets from a CSV file", takes: []string{"text/csv"}, limit: maxUpload,
			out: fleet.ImportReport{}, do: importTargets,
		},
		{
			method: post, path: "/targets/change", role: operate, id: "changeTargets",
			summary: "Tag, untag, or give an owner or a criticality to all targets that lead to some hosts",
			in:      acts.TargetsChange{}, out: acts.Changed{}, do: changeTargets,
		},
		{
			method: get, path: "/targets/export.csv", role: look, id: "exportTargets",
			summary: "All targets as a CSV file that can be imported", gives: []string{"text/csv"},
			stream: exportTargets,
		},
		{
			method: get, path: "/targets/{id}", role: look, id: "getTarget", summary: "A target", out: store.Target{},
			do: getTarget,
		},
		{
			method: put, path: "/targets/{id}", role: operate, id: "changeTarget", summary: "Change a target",
			in: acts.TargetChange{}, out: store.Target{}, do: saveTarget,
		},
		{
			method: del, path: "/targets/{id}", role: operate, id: "deleteTarget",
			summary: "Remove a target; its host's results stay", do: deleteTarget,
		},
		{
			method: get, path: "/tags", role: look, id: "listTags", summary: "Tags in use", out: list[string]{},
			do: listTags,
		},
		{
			method: get, path: "/owners", role: look, id: "listOwners", summary: "Owners in use", out: list[string]{},
			do: listOwners,
		},

		{
			method: get, path: "/runs", role: look, id: "listRuns", summary: "Runs, newest first", query: paging,
			out: list[store.Run]{}, do: listRuns,
		},
		{
			method: post, path: "/runs", role: operate, id: "startRun",
			summary: "Start a scan, an audit or a discovery",
			in:      acts.NewRun{}, out: store.Run{}, status: created, do: startRun,
		},
		{
			method: get, path: "/runs/{id}", role: look, id: "getRun", summary: "A run and its progress",
			out: store.Run{},
			do:  getRun,
		},
		{
			method: get, path: "/runs/{id}/units", role: look, id: "listUnits",
			summary: "A run's targets, each with its state",
			query: with(paging,
				[]view.Param{{Name: "state", Kind: view.Text, Enum: []string{
					"waiting", "running", "done", "failed",
					"skipped",
				}}}), out: list[store.Unit]{}, do: listUnits,
		},
		{
			method: get, path: "/runs/{id}/stream", role: look, id: "followRun",
			summary: "A run's progress as server-sent events: an event named run after each change, until its end",
			gives:   []string{"text/event-stream"}, stream: followRun,
		},
		{
			method: post, path: "/runs/{id}/cancel", role: operate, id: "cancelRun",
			summary: "End a run; what is not done is skipped", out: store.Run{}, do: cancelRun,
		},
		{
			method: post, path: "/results", role: operate, upload: true, id: "importResults",
			summary: "Import results of scan, audit or observe",
			query: []view.Param{{
				Name: "kind", Kind: view.Text, Enum: []string{"scan", "audit", "observe"},
				Needed: true,
			}}, takes: []string{"application/json", "application/jsonl"}, limit: maxUpload,
			out: fleet.Imported{}, do: importResults,
		},

		{
			method: get, path: "/schedules", role: look, id: "listSchedules", summary: "Schedules",
			out: list[store.Schedule]{}, do: listSchedules,
		},
		{
			method: post, path: "/schedules", role: operate, id: "addSchedule", summary: "Add a schedule",
			in: acts.ScheduleChange{}, out: store.Schedule{}, status: created, do: saveSchedule,
		},
		{
			method: put, path: "/schedules/{id}", role: operate, id: "changeSchedule", summary: "Change a schedule",
			in: acts.ScheduleChange{}, out: store.Schedule{}, do: saveSchedule,
		},
		{
			method: del, path: "/schedules/{id}", role: operate, id: "deleteSchedule", summary: "Remove a schedule",
			do: deleteSchedule,
		},
		{
			method: get, path: "/exceptions", role: look, id: "listExceptions", summary: "Exceptions in force, or all",
			query: []view.Param{{Name: "all", Kind: view.Boolean}}, out: list[store.Exception]{}, do: listExceptions,
		},
		{
			method: post, path: "/exceptions", role: operate, id: "addException",
			summary: "Accept one finding of a host, of the hosts with a tag, or of all, for a while",
			in:      acts.NewException{}, out: store.Exception{}, status: created, do: addException,
		},
		{
			method: del, path: "/exceptions/{id}", role: operate, id: "withdrawException", summary: "End an exception",
			do: withdrawException,
		},

		{
			method: get, path: "/channels", role: admin, whole: true, id: "listChannels",
			summary: "Notification channels", out: list[channelOut]{}, do: listChannels,
		},
		{
			method: post, path: "/channels", role: admin, whole: true, id: "addChannel", summary: "Add a channel",
			in: acts.ChannelChange{}, out: channelOut{}, status: created, do: saveChannel,
		},
		{
			method: put, path: "/channels/{id}", role: admin, whole: true, id: "changeChannel",
			summary: "Change a channel; secrets that are left out stay, unless the message would go elsewhere",
			in:      acts.ChannelChange{}, out: channelOut{}, do: saveChannel,
		},
		{
			method: del, path: "/channels/{id}", role: admin, whole: true, id: "deleteChannel",
			summary: "Remove a channel", do: deleteChannel,
		},
		{
			method: post, path: "/channels/{id}/test", role: admin, whole: true, id: "testChannel",
			summary: "Send a test message", out: tested{}, do: testChannel,
		},
		{
			method: get, path: "/channels/{id}/deliveries", role: admin, whole: true, id: "listDeliveries",
			summary: "What was sent to a channel, newest first", query: paging, out: list[store.Delivery]{},
			do: listDeliveries,
		},

		{
			method: get, path: "/credentials", role: admin, whole: true, id: "listCredentials",
			summary: "Credentials by name; their secrets are never returned", out: list[store.Credential]{},
			do: listCredentials,
		},
		{
			method: post, path: "/credentials", role: admin, whole: true, id: "addCredential",
			summary: "Add a credential",
			in:      acts.CredentialChange{}, out: store.Credential{}, status: created, do: saveCredential,
		},
		{
			method: put, path: "/credentials/{id}", role: admin, whole: true, id: "changeCredential",
			summary: "Change a credential and its secret", in: acts.CredentialChange{}, out: store.Credential{},
			do: saveCredential,
		},
		{
			method: del, path: "/credentials/{id}", role: admin, whole: true, id: "deleteCredential",
			summary: "Remove a credential that no target uses", do: deleteCredential,
		},

		{
			method: get, path: "/users", role: admin, whole: true, id: "listUsers", summary: "Accounts",
			out: list[store.User]{}, do: listUsers,
		},
		{
			method: post, path: "/users", role: admin, whole: true, id: "addUser", summary: "Add an account",
			in: userBody{}, out: store.User{}, status: created, do: addUser,
		},
		{
			method: put, path: "/users/{id}", role: admin, whole: true, id: "changeUser",
			summary: "Change an account's role, or lock it", in: userChange{}, out: store.User{}, do: changeUser,
		},
		{
			method: put, path: "/users/{id}/password", role: admin, whole: true, id: "setPassword",
			summary: "Set an account's password, which ends its sessions", in: passwordBody{}, do: setPassword,
		},
		{
			method: get, path: "/users/{id}/tokens", role: admin, whole: true, id: "listUserTokens",
			summary: "An account's tokens", out: list[store.Token]{}, do: listUserTokens,
		},
		{
			method: del, path: "/users/{id}/tokens/{token}", role: admin, whole: true, id: "deleteUserToken",
			summary: "End a token of an account", do: deleteUserToken,
		},
		{
			method: put, path: "/me/password", role: look, id: "changePassword", summary: "Change one's own password",
			in: passwordBody{}, do: setPassword,
		},
		{
			method: get, path: "/me/tokens", role: look, id: "listTokens", summary: "One's own tokens",
			out: list[store.Token]{}, do: listTokens,
		},
		{
			method: post, path: "/me/tokens", role: look, id: "addToken",
			summary: "Make a token; its secret is returned only now", in: tokenBody{}, out: newToken{},
			status: created, do: addToken,
		},
		{
			method: del, path: "/me/tokens/{id}", role: look, id: "deleteToken", summary: "End one of one's own tokens",
			do: deleteToken,
		},
		{
			method: get, path: "/acts", role: admin, whole: true, id: "listActs",
			summary: "The audit log, newest first",
			query:   with(paging, []view.Param{{Name: "q", Kind: view.Text, About: "part of a line"}}),
			out:     list[store.Act]{}, do: listActs,
		},
	}
}

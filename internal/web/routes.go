package web

import (
	"strings"

	"ipcguard/internal/store"
)

// route is one entry of the table of everything that is served.
type route struct {
	method, path string
	needs        store.Role // the role, everywhere or at a site; empty is everybody, including strangers
	whole        bool       // the role is needed everywhere: its subject belongs to no site
	do           func(*visit) error
	polled       bool // requested by the page itself: it does not extend a session
	upload       bool // it parses its form itself
}

// here returns the menu entry of a path.
func (r route) here() string {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
	return "/" + strings.TrimSuffix(first, "{$}")
}

// routes lists every path with its role. Viewers read, operators act; accounts, secrets and sites are for
// administrators.
func routes() []route {
	const (
		anyone  = store.Role("")
		look    = store.RoleViewer
		operate = store.RoleOperator
		admin   = store.RoleAdmin
	)
	return []route{
		{method: "GET", path: "/login", needs: anyone, do: loginPage},
		{method: "POST", path: "/login", needs: anyone, do: logIn},
		{method: "GET", path: "/login/second", needs: anyone, do: secondPage},
		{method: "POST", path: "/login/second", needs: anyone, do: showSecondFactor},
		{method: "POST", path: "/login/passkey/options", needs: anyone, do: passkeyOptions},
		{method: "POST", path: "/login/passkey", needs: anyone, do: passkeyLogin},
		{method: "GET", path: "/login/provider", needs: anyone, do: toProvider},
		{method: "GET", path: "/login/provider/back", needs: anyone, do: fromProvider},
		{method: "POST", path: "/logout", needs: anyone, do: logOut},
		{method: "GET", path: "/setup", needs: anyone, do: setupPage},
		{method: "POST", path: "/setup", needs: anyone, do: finishSetup},
		{method: "POST", path: "/theme", needs: anyone, do: chooseTheme},

		{method: "GET", path: "/{$}", needs: look, do: overviewPage},
		{method: "POST", path: "/seen", needs: look, do: sawAll},
		{method: "POST", path: "/views", needs: look, do: saveView},
		{method: "POST", path: "/views/{id}/delete", needs: look, do: deleteView},
		{method: "GET", path: "/search", needs: look, do: searchPage},
		{method: "GET", path: "/hosts", needs: look, do: hostsPage},
		{method: "POST", path: "/hosts/act", needs: operate, do: actOnHosts},
		{method: "GET", path: "/hosts/{id}", needs: look, do: hostPage},
		{method: "POST", path: "/hosts/{id}/scan", needs: operate, do: scanHost},
		{method: "POST", path: "/hosts/{id}/plan", needs: operate, do: makePlan},
		{method: "POST", path: "/hosts/{id}/retire", needs: operate, do: retireHost},
		{method: "POST", path: "/hosts/{id}/delete", needs: operate, do: removeHost},
		{method: "POST", path: "/hosts/{id}/results/{result}/delete", needs: admin, do: removeResult},
		{method: "POST", path: "/hosts/{id}/journal", needs: operate, do: takeJournal, upload: true},
		{method: "GET", path: "/hosts/{id}/plan.json", needs: look, do: planDownload},
		{method: "GET", path: "/hosts/{id}/documents/{kind}", needs: look, do: hostDocument},
		{method: "GET", path: "/rollouts", needs: look, do: rolloutsPage},
		{method: "GET", path: "/rollouts/new", needs: operate, do: newRolloutPage},
		{method: "POST", path: "/rollouts", needs: operate, do: startRollout},
		{method: "GET", path: "/rollouts/{id}", needs: look, do: rolloutPage},
		{method: "GET", path: "/rollouts/{id}/progress", needs: look, do: rolloutProgress, polled: true},
		{method: "GET", path: "/rollouts/{id}/files.zip", needs: look, do: rolloutArchive},
		{method: "GET", path: "/rollouts/{id}/tickets/{file}", needs: look, do: rolloutTickets},
		{method: "POST", path: "/rollouts/{id}/audit", needs: operate, do: auditRollout},
		{method: "POST", path: "/rollouts/{id}/plan", needs: operate, do: planAgain},
		{method: "POST", path: "/rollouts/{id}/end", needs: operate, do: endRollout},
		{method: "POST", path: "/rollouts/{id}/delete", needs: operate, do: deleteRollout},
		{method: "GET", path: "/clients", needs: look, do: clientsPage},
		{method: "GET", path: "/findings", needs: look, do: findingsPage},
		{method: "GET", path: "/settings", needs: look, do: settingsPage},
		{method: "GET", path: "/events", needs: look, do: eventsPage},
		{method: "GET", path: "/compare", needs: look, do: comparePage},
		{method: "GET", path: "/report", needs: look, do: reportPage},
		{method: "GET", path: "/export/{file}", needs: look, do: exportView},
		{method: "GET", path: "/catalog", needs: look, do: catalogPage},
		{method: "GET", path: "/catalog/{kind}/{id}", needs: look, do: topicPage},

		{method: "GET", path: "/runs", needs: look, do: runsPage},
		{method: "GET", path: "/runs/new", needs: operate, do: newRunPage},
		{method: "POST", path: "/runs", needs: operate, do: startRun},
		{method: "GET", path: "/runs/{id}", needs: look, do: runPage},
		{method: "GET", path: "/runs/rows", needs: look, do: runRows, polled: true},
		{method: "GET", path: "/runs/open", needs: look, do: openRunRows, polled: true},
		{method: "GET", path: "/runs/{id}/progress", needs: look, do: runProgress, polled: true},
		{method: "POST", path: "/runs/{id}/cancel", needs: operate, do: cancelRun},

		{method: "GET", path: "/targets", needs: look, do: targetsPage},
		{method: "GET", path: "/targets/new", needs: operate, do: newTargetPage},
		{method: "GET", path: "/targets/import", needs: operate, do: targetImportPage},
		{method: "POST", path: "/targets/import", needs: operate, do: importTargets, upload: true},
		{method: "GET", path: "/targets/export.csv", needs: look, do: exportTargets},
		{method: "POST", path: "/targets", needs: operate, do: addTargets},
		{method: "POST", path: "/targets/delete", needs: operate, do: deleteTargets},
		{method: "GET", path: "/targets/{id}", needs: look, do: targetPage},
		{method: "POST", path: "/targets/{id}", needs: operate, do: saveTarget},

		{method: "GET", path: "/schedules", needs: look, do: schedulesPage},
		{method: "GET", path: "/schedules/new", needs: operate, do: newSchedulePage},
		{method: "POST", path: "/schedules", needs: operate, do: saveSchedule},
		{method: "GET", path: "/schedules/next", needs: operate, do: nextPage},
		{method: "GET", path: "/schedules/{id}", needs: operate, do: schedulePage},
		{method: "POST", path: "/schedules/{id}", needs: operate, do: saveSchedule},
		{method: "POST", path: "/schedules/{id}/delete", needs: operate, do: deleteSchedule},

		{method: "GET", path: "/exceptions", needs: look, do: exceptionsPage},
		{method: "GET", path: "/exceptions/new", needs: operate, do: newExceptionPage},
		{method: "POST", path: "/exceptions", needs: operate, do: saveException},
		{method: "POST", path: "/exceptions/{id}/withdraw", needs: operate, do: withdrawException},

		{method: "GET", path: "/import", needs: operate, do: importPage},
		{method: "POST", path: "/import", needs: operate, do: takeResults, upload: true},

		{method: "GET", path: "/sites", needs: look, do: sitesPage},
		{method: "GET", path: "/sites/new", needs: admin, do: newSitePage, whole: true},
		{method: "POST", path: "/sites", needs: admin, do: saveSite, whole: true},
		{method: "GET", path: "/sites/{id}", needs: admin, do: sitePage},
		{method: "POST", path: "/sites/{id}", needs: admin, do: saveSite},
		{method: "POST", path: "/workers", needs: admin, do: addWorker},
		{method: "POST", path: "/workers/{id}/revoke", needs: admin, do: revokeWorker},
		{method: "POST", path: "/sites/{id}/delete", needs: admin, do: deleteSite, whole: true},

		{method: "GET", path: "/channels", needs: admin, do: channelsPage, whole: true},
		{method: "GET", path: "/channels/new", needs: admin, do: newChannelPage, whole: true},
		{method: "POST", path: "/channels", needs: admin, do: saveChannel, whole: true},
		{method: "GET", path: "/channels/{id}", needs: admin, do: channelPage, whole: true},
		{method: "POST", path: "/channels/{id}", needs: admin, do: saveChannel, whole: true},
		{method: "POST", path: "/channels/{id}/test", needs: admin, do: testChannel, whole: true},
		{method: "POST", path: "/channels/{id}/delete", needs: admin, do: deleteChannel, whole: true},

		{method: "GET", path: "/credentials", needs: admin, do: credentialsPage, whole: true},
		{method: "POST", path: "/credentials", needs: admin, do: saveCredential, whole: true, upload: true},
		{method: "POST", path: "/credentials/{id}/delete", needs: admin, do: deleteCredential, whole: true},

		{method: "GET", path: "/accounts", needs: admin, do: accountsPage, whole: true},
		{method: "POST", path: "/accounts", needs: admin, do: addAccount, whole: true},
		{method: "GET", path: "/accounts/{id}", needs: admin, do: rolesPage, whole: true},
		{method: "POST", path: "/accounts/{id}/tokens/{token}/delete", needs: admin, do: deleteTokenOf, whole: true},
		{method: "POST", path: "/accounts/{id}", needs: admin, do: changeAccount, whole: true},
		{method: "GET", path: "/acts", needs: admin, do: actsPage, whole: true},

		{method: "GET", path: "/account", needs: look, do: accountPage},
		{method: "GET", path: "/account/codes", needs: look, do: codesPage},
		{method: "POST", path: "/account/codes", needs: look, do: setCodes},
		{method: "POST", path: "/account/second", needs: look, do: changeSecond},
		{method: "POST", path: "/account/passkeys/options", needs: look, do: newPasskeyOptions},
		{method: "POST", path: "/account/passkeys", needs: look, do: addPasskey},
		{method: "POST", path: "/account/password", needs: look, do: changePassword},
		{method: "POST", path: "/account/tokens", needs: look, do: addToken},
		{method: "POST", path: "/account/tokens/{id}/delete", needs: look, do: deleteToken},
	}
}

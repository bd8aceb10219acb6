package web

import (
	"slices"
	"strings"
	"time"

	"ipcguard/internal/store"
)

// deed is one act, as the page's form sends it and as a program does.
type deed struct {
	name string
	role store.Role // or the name of an account of a site
	own  bool       // of everybody's own things: no role is refused

	page  string
	form  []string // names and values
	file  string   // the contents of a file, where the form has one
	names []string // fields whose name differs: the form's, the API's
	whole bool     // the page has no place for what is wrong with a field, and says it at its head

	method, path string
	body         any // JSON, or a string as it is
	media        string
}

// The roles that do the deeds.
const (
	viewer   = store.RoleViewer
	operator = store.RoleOperator
	admin    = store.RoleAdmin
)

// obj is a JSON object as a program sends it.
type obj = map[string]any

// hiddenText holds a character that turns the writing direction.
const hiddenText = "evil\u202eor"

// deeds returns every act that there is, with good and with bad inputs. They are done in their order.
func deeds() []deed {
	return slices.Concat(siteDeeds(), targetDeeds(), runDeeds(), scheduleDeeds(), exceptionDeeds(), channelDeeds(),
		credentialDeeds(), planDeeds(), viewDeeds(), resultDeeds(), accountDeeds(), tokenDeeds(), passwordDeeds())
}

// siteDeeds returns the acts on sites and workers.
func siteDeeds() []deed {
	site := adding("site", admin, "/sites")
	return []deed{
		site("good", obj{
			"name": "lab", "rate": 10.5, "concurrency": 4, "window": "Mon-Fri 22:00-06:00",
			"zone": "Europe/Berlin",
		}, "name", "lab", "rate", "10.5", "concurrency", "4", "window",
			"Mon-Fri 22:00-06:00", "zone", "Europe/Berlin"),
		site("fastest", obj{"name": "fast", "rate": 1_000_000}, "name", "fast", "rate", "1000000"),
		site("too fast", obj{"name": "faster", "rate": 1_000_001}, "name", "faster", "rate", "1000001"),
		site("slower than nothing", obj{"name": "slow", "rate": -1, "concurrency": -1}, "name", "slow", "rate", "-1",
			"concurrency", "-1"),
		site("too many", obj{"name": "slow", "concurrency": 10_001}, "name", "slow", "concurrency", "10001"),
		site("no name", obj{"name": "  "}, "name", "  "),
		site("name taken", obj{"name": "lab"}, "name", "lab"),
		site("no such zone", obj{"name": "z", "zone": "Mars/Phobos", "window": "now and then"}, "name", "z", "zone",
			"Mars/Phobos", "window", "now and then"),
		site("no window", obj{"name": "z", "window": "now and then"}, "name", "z", "window", "now and then"),
		site("hides text", obj{"name": hiddenText}, "name", hiddenText),
		{
			name: "site: change", role: admin, page: "/sites/1", form: []string{"name", "default", "rate", "7"},
			method: "PUT",
			path:   "/sites/1", body: obj{"name": "default", "rate": 7},
		},
		{
			name: "site: change to a taken name", role: admin, page: "/sites/1", form: []string{"name", "lab"},
			method: "PUT",
			path:   "/sites/1", body: obj{"name": "lab"},
		},
		{
			name: "site: change nothing", role: admin, page: "/sites/99", form: []string{"name", "default"}, method: "PUT",
			path: "/sites/99", body: obj{"name": "default"},
		},
		{
			name: "worker: good", role: admin, page: "/workers", form: []string{"site", "plant", "name", "plant-1"},
			method: "POST", path: "/workers", body: obj{"site": "plant", "name": "plant-1"},
		},
		{
			name: "worker: no site", role: admin, page: "/workers", form: []string{"site", "nowhere", "name", "two words"},
			method: "POST", path: "/workers", body: obj{"site": "nowhere", "name": "two words"},
		},
		{
			name: "worker: revoke", role: admin, page: "/workers/1/revoke", method: "DELETE",
			path: "/workers/enrolled/1",
		},
		{
			name: "worker: revoke again", role: admin, page: "/workers/1/revoke", method: "DELETE",
			path: "/workers/enrolled/1",
		},
		{
			name: "worker: revoke nothing", role: admin, page: "/workers/99/revoke", method: "DELETE",
			path: "/workers/enrolled/99",
		},
		remove(admin, "/sites/2"), remove(admin, "/sites/{site}"), remove(admin, "/sites/99"),
	}
}

// targetDeeds returns the acts on targets.
func targetDeeds() []deed {
	hosts := []int64{1, 2}
	target := adding("target", operator, "/targets")
	change := func(name string, in obj, form ...string) deed {
		return deed{
			name: "hosts: " + name, role: operator, page: "/hosts/act",
			form: append([]string{"which", "ticked", "host", "1", "host", "2"}, form...), whole: true, method: "POST",
			path: "/targets/change", body: in,
		}
	}
	return []deed{
		target("good", obj{
			"spec": "New.Example.org", "site": "default", "tags": []string{"Web", "DMZ"}, "owner": "Cy",
			"criticality": "high", "note": "two\nlines",
		}, "spec", "New.Example.org", "site", "default", "tags",
			"Web  DMZ", "owner", "Cy", "criticality", "high", "note", "two\r\nlines", "enabled", "yes"),
		target("there already", obj{"spec": "new.example.org", "site": "default"}, "spec", "new.example.org", "site",
			"default", "enabled", "yes"),
		target("nothing at all", obj{"spec": "", "site": ""}, "spec", "", "site", ""),
		target("no such site", obj{"spec": "a.example", "site": "nowhere"}, "spec", "a.example", "site", "nowhere"),
		target("no such prefix", obj{"spec": "10.0.0.0/99", "site": "default"}, "spec", "10.0.0.0/99", "site", "default"),
		target("no criticality", obj{"spec": "a.example", "site": "default", "criticality": "utmost"}, "spec",
			"a.example", "site", "default", "criticality", "utmost"),
		target("hides text", obj{"spec": "a.example", "site": "default", "owner": hiddenText}, "spec", "a.example", "site",
			"default", "owner", hiddenText),
		target("a long note", obj{"spec": "a.example", "site": "default", "note": strings.Repeat("x", 10_001)}, "spec",
			"a.example", "site", "default", "note", strings.Repeat("x", 10_001)),
		target("a long tag", obj{"spec": "a.example", "site": "default", "tags": []string{strings.Repeat("x", 61)}},
			"spec", "a.example", "site", "default", "tags", strings.Repeat("x", 61)),
		target("reads a file", obj{"spec": "a.example", "site": "default", "audit_source": "/etc/shadow"}, "spec",
			"a.example", "site", "default", "audit_source", "/etc/shadow"),
		target("takes a credential", obj{"spec": "a.example", "site": "default", "credential": 1}, "spec", "a.example",
			"site", "default", "credential", "1"),
		asAdmin(target("no such credential", obj{"spec": "a.example", "site": "default", "credential": 99}, "spec",
			"a.example", "site", "default", "credential", "99")),
		asAdmin(target("an account in a source",
			obj{"spec": "a.example", "site": "default", "audit_source": "winreg://u:p@a.example"}, "spec", "a.example",
			"site", "default", "audit_source", "winreg://u:p@a.example")),
		asAdmin(target("all that an administrator may",
			obj{"spec": "a.example", "site": "default", "audit_source": "winreg://a.example", "credential": 1}, "spec",
			"a.example", "site", "default", "audit_source", "winreg://a.example", "credential", "1", "enabled", "yes")),
		{
			name: "target: change", role: operator, page: "/targets/1", form: []string{
				"spec", "srv00.example.org", "site",
				"default", "owner", "Dee", "enabled", "yes",
			}, method: "PUT", path: "/targets/1",
			body: obj{"spec": "srv00.example.org", "site": "default", "owner": "Dee"},
		},
		{
			name: "target: remove", role: operator, page: "/targets/delete", form: []string{"target", "3"}, method: "DELETE",
			path: "/targets/3",
		},
		{
			name: "target: remove nothing", role: operator, page: "/targets/delete", form: []string{"target", "9999"},
			method: "DELETE", path: "/targets/9999",
		},
		sending("targets: import", "/targets/import", "/targets/import",
			"spec,site,tags\nb1.example,default,x\nb2.example,plant,\n10.0.0.0/99,,\n", "text/csv"),
		sending("targets: no table", "/targets/import", "/targets/import", "nothing,of,this\n1,2,3\n", "text/csv"),
		sending("targets: an empty table", "/targets/import", "/targets/import", "", "text/csv"),
		change("tag", obj{"hosts": hosts, "do": "tag", "value": "Moved, 2026"}, "do", "tag", "value", "Moved, 2026"),
		change("untag", obj{"hosts": hosts, "do": "untag", "value": "2026"}, "do", "untag", "value", "2026"),
		change("owner", obj{"hosts": hosts, "do": "owner", "value": " Dee "}, "do", "owner", "value", " Dee "),
		change("no owner", obj{"hosts": hosts, "do": "owner", "value": ""}, "do", "owner", "value", ""),
		change("criticality", obj{"hosts": hosts, "do": "criticality", "value": "High"}, "do", "criticality", "value",
			"High"),
		change("no tags", obj{"hosts": hosts, "do": "tag", "value": ""}, "do", "tag", "value", ""),
		change("no criticality", obj{"hosts": hosts, "do": "criticality", "value": "utmost"}, "do", "criticality",
			"value", "utmost"),
		change("nothing known", obj{"hosts": hosts, "do": "dance", "value": "x"}, "do", "dance", "value", "x"),
	}
}

// runDeeds returns the acts on runs.
func runDeeds() []deed {
	return []deed{
		{
			name: "run: good", role: operator, page: "/runs", form: []string{"kind", "scan", "tag", "DC", "quick", "yes"},
			method: "POST", path: "/runs", body: obj{"kind": "scan", "selector": obj{"tag": "DC"}, "quick": true},
		},
		{
			name: "run: nothing to do", role: operator, page: "/runs", form: []string{"kind", "scan", "owner", "nobody"},
			method: "POST", path: "/runs", body: obj{"kind": "scan", "selector": obj{"owner": "nobody"}},
		},
		{
			name: "run: no kind", role: operator, page: "/runs", form: []string{"kind", "guess", "tag", hiddenText},
			method: "POST",
			path:   "/runs", body: obj{"kind": "guess", "selector": obj{"tag": hiddenText}},
		},
		{
			name: "run: one host", role: operator, page: "/hosts/1/scan", form: []string{"kind", "scan"}, method: "POST",
			path: "/runs", body: obj{"kind": "scan", "selector": obj{"hosts": []int64{1}}},
		},
		{name: "run: cancel", role: operator, page: "/runs/{run}/cancel", method: "POST", path: "/runs/{run}/cancel"},
		{name: "run: cancel again", role: operator, page: "/runs/{run}/cancel", method: "POST", path: "/runs/{run}/cancel"},
		{name: "run: cancel nothing", role: operator, page: "/runs/99/cancel", method: "POST", path: "/runs/99/cancel"},
	}
}

// scheduleDeeds returns the acts on schedules.
func scheduleDeeds() []deed {
	schedule := adding("schedule", operator, "/schedules")
	return []deed{
		schedule("good", obj{
			"name": "weekly", "kind": "scan", "cron": "0 3 * * 0", "zone": "Europe/Berlin",
			"window": "Sat,Sun 00:00-24:00", "selector": obj{"site": "plant"},
		}, "name", "weekly", "kind", "scan", "cron",
			"0 3 * * 0", "zone", "Europe/Berlin", "window", "Sat,Sun 00:00-24:00", "site", "plant", "enabled", "yes"),
		schedule("name taken", obj{"name": "weekly", "kind": "scan", "cron": "@daily"}, "name", "weekly", "kind", "scan",
			"cron", "@daily", "enabled", "yes"),
		schedule("nothing at all", obj{"name": "", "kind": "", "cron": ""}, "name", "", "kind", "", "cron", ""),
		schedule("no time", obj{"name": "bad", "kind": "scan", "cron": "99 * * * *"}, "name", "bad", "kind", "scan",
			"cron", "99 * * * *"),
		schedule("never", obj{"name": "bad", "kind": "scan", "cron": "0 0 31 2 *"}, "name", "bad", "kind", "scan", "cron",
			"0 0 31 2 *"),
		schedule("no zone", obj{"name": "bad", "kind": "scan", "cron": "@daily", "zone": "Local"}, "name", "bad", "kind",
			"scan", "cron", "@daily", "zone", "Local"),
		{
			name: "schedule: change", role: operator, page: "/schedules/1", form: []string{
				"name", "nightly", "kind", "audit",
				"cron", "@daily",
			}, method: "PUT", path: "/schedules/1",
			body: obj{"name": "nightly", "kind": "audit", "cron": "@daily", "enabled": false},
		},
		remove(operator, "/schedules/1"), remove(operator, "/schedules/1"),
	}
}

// exceptionDeeds returns the acts on exceptions.
func exceptionDeeds() []deed {
	next, past, far := day(time.Now().AddDate(0, 1, 0)), "2020-01-01", "2099-01-01"
	until := func(day string) string { return day + "T23:59:59Z" }
	hosts := []int64{1, 2}
	exception := adding("exception", operator, "/exceptions")
	return []deed{
		exception("one host", obj{
			"finding": "anonymous-lists-accounts", "host_id": 1, "reason": "being replaced",
			"owner": "Bo", "until": until(next),
		}, "finding", "anonymous-lists-accounts", "host", "1", "reason",
			"being replaced", "owner", "Bo", "until", next),
		exception("two hosts", obj{
			"finding": "anonymous-lists-accounts", "host_ids": hosts, "reason": "being replaced",
			"owner": "Bo", "until": until(next),
		}, "finding", "anonymous-lists-accounts", "host", "1", "host", "2",
			"reason", "being replaced", "owner", "Bo", "until", next),
		exception("a tag", obj{
			"finding": "anonymous-lists-groups", "tag": "DC", "reason": "old", "owner": "Bo",
			"until": until(next),
		}, "finding", "anonymous-lists-groups", "tag", "DC", "reason", "old", "owner", "Bo",
			"until", next),
		exception("everything", obj{
			"finding": "anonymous-lists-groups", "reason": "old", "owner": "Bo",
			"until": until(next),
		}, "finding", "anonymous-lists-groups", "reason", "old", "owner", "Bo", "until", next),
		exception("past", obj{"finding": "anonymous-lists-groups", "reason": "x", "owner": "y", "until": until(past)},
			"finding", "anonymous-lists-groups", "reason", "x", "owner", "y", "until", past),
		exception("far", obj{"finding": "anonymous-lists-groups", "reason": "x", "owner": "y", "until": until(far)},
			"finding", "anonymous-lists-groups", "reason", "x", "owner", "y", "until", far),
		exception("nothing at all", obj{"finding": "", "reason": "", "owner": "", "until": "0001-01-01T00:00:00Z"},
			"finding", "", "reason", "", "owner", "", "until", "tomorrow"),
		exception("no such finding", obj{"finding": "everything", "reason": "x", "owner": "y", "until": until(next)},
			"finding", "everything", "reason", "x", "owner", "y", "until", next),
		atHead(exception("no such host", obj{
			"finding": "anonymous-lists-groups", "host_id": 9999, "reason": "x",
			"owner": "y", "until": until(next),
		}, "finding", "anonymous-lists-groups", "host", "9999", "reason", "x",
			"owner", "y", "until", next)),
		atHead(exception("no number of a host", obj{
			"finding": "anonymous-lists-groups", "host_ids": []int64{1, 0}, "reason": "x",
			"owner": "y", "until": until(next),
		}, "finding", "anonymous-lists-groups", "host", "1", "host", "-4", "reason", "x",
			"owner", "y", "until", next)),
		{name: "exception: withdraw", role: operator, page: "/exceptions/1/withdraw", method: "DELETE", path: "/exceptions/1"},
		{
			name: "exception: withdraw again", role: operator, page: "/exceptions/1/withdraw", method: "DELETE",
			path: "/exceptions/1",
		},
	}
}

// channelDeeds returns the acts on channels.
func channelDeeds() []deed {
	channel := adding("channel", admin, "/channels")
	return []deed{
		channel("webhook",
			obj{"name": "chat", "kind": "webhook", "secrets": obj{
				"url": "https://hooks.example.org/T0/x",
				"key": "0123456789abcdef0123",
			}, "least": "medium", "kinds": []string{"became-exposed"}}, "kind", "webhook",
			"name", "chat", "url", "https://hooks.example.org/T0/x", "key", "0123456789abcdef0123", "least",
			"medium", "kinds", "became-exposed", "enabled", "yes"),
		channel("syslog",
			obj{"name": "broken siem", "kind": "syslog", "config": obj{
				"address": "siem.example.org:6514", "network": "tls",
				"format": "cef",
			}, "least": "high", "acts": "only"}, "kind", "syslog", "name", "broken siem", "address",
			"siem.example.org:6514", "network", "tls", "format", "cef", "least", "high", "acts", "only", "enabled",
			"yes"),
		channel("name taken",
			obj{"name": "chat", "kind": "webhook", "secrets": obj{
				"url": "https://hooks.example.org/T0/x",
				"key": "0123456789abcdef0123",
			}}, "kind", "webhook", "name", "chat", "url", "https://hooks.example.org/T0/x",
			"key", "0123456789abcdef0123", "least", "", "enabled", "yes"),
		channel("no address",
			obj{"name": "bad", "kind": "webhook", "secrets": obj{"url": "gopher://x", "key": "0123456789abcdef0123"}},
			"kind", "webhook", "name", "bad", "url", "gopher://x", "key", "0123456789abcdef0123", "least", ""),
		channel("a short key",
			obj{"name": "bad", "kind": "webhook", "secrets": obj{"url": "https://hooks.example.org/", "key": "short"}},
			"kind", "webhook", "name", "bad", "url", "https://hooks.example.org/", "key", "short", "least", ""),
		channel("no security",
			obj{"name": "bad", "kind": "email", "config": obj{
				"server": "mail.example.org:25", "security": "some",
				"from": "a@example.org", "to": []string{"b@example.org"},
			}}, "kind", "email", "name", "bad", "server",
			"mail.example.org:25", "security", "some", "from", "a@example.org", "to", "b@example.org", "least", ""),
		channel("the audit log by e-mail",
			obj{
				"name": "bad", "kind": "email", "acts": "also",
				"config": obj{
					"server": "mail.example.org:25", "security": "tls", "from": "a@example.org",
					"to": []string{"b@example.org"},
				},
			}, "kind", "email", "name", "bad", "acts", "also", "server",
			"mail.example.org:25", "security", "tls", "from", "a@example.org", "to", "b@example.org", "least", ""),
		channel("bad words",
			obj{
				"name": "bad", "kind": "syslog", "config": obj{"address": "x", "network": "tls", "format": "cef"},
				"least": "huge", "acts": "some", "kinds": []string{"x"}, "digest": "whenever", "quiet": "Mon-Sun",
			}, "kind",
			"syslog", "name", "bad", "address", "x", "network", "tls", "format", "cef", "least", "huge", "acts",
			"some", "kinds", "x", "digest", "whenever", "quiet", "Mon-Sun"),
		channel("bad zone", obj{
			"name": "bad", "kind": "webhook", "config": obj{"shape": "slack"}, "acts": "also",
			"zone": "Nowhere/Land",
		}, "kind", "webhook", "name", "bad", "shape", "slack", "acts", "also", "zone",
			"Nowhere/Land"),
		channel("slack", obj{
			"name": "chat", "kind": "webhook", "config": obj{"shape": "slack"},
			"secrets": obj{"url": "https://hooks.example.org/x"}, "digest": "every weekday at 07:00, Europe/Berlin",
			"quiet": "22:00-07:00",
		}, "kind", "webhook", "name", "chat", "shape", "slack", "url",
			"https://hooks.example.org/x", "digest", "every weekday at 07:00, Europe/Berlin", "quiet",
			"22:00-07:00", "enabled", "yes"),
		{
			name: "channel: test", role: admin, page: "/channels/{channel}/test", method: "POST",
			path: "/channels/{channel}/test",
		},
		remove(admin, "/channels/{channel}"), remove(admin, "/channels/99999"),
	}
}

// credentialDeeds returns the acts on credentials.
func credentialDeeds() []deed {
	credential := func(name, file string, in obj, form ...string) deed {
		field, secret := "value", "secret"
		if in["kind"] == "keytab" {
			field, secret = "file", "keytab"
		}
		return deed{
			name: "credential: " + name, role: admin, page: "/credentials", form: form, file: file,
			names: []string{field, secret}, method: "POST", path: "/credentials", body: in,
		}
	}
	return []deed{
		credential("password", "", obj{
			"name": "svc", "kind": "password", "account": `LAB\svc`,
			"secret": "hunter2 and more",
		}, "name", "svc", "kind", "password", "account", `LAB\svc`, "value",
			"hunter2 and more"),
		credential("name taken", "", obj{
			"name": "svc", "kind": "password", "account": `LAB\svc`,
			"secret": "hunter2 and more",
		}, "name", "svc", "kind", "password", "account", `LAB\svc`, "value",
			"hunter2 and more"),
		credential("no hash", "", obj{"name": "h", "kind": "hash", "account": "a", "secret": "tooshort"}, "name", "h",
			"kind", "hash", "account", "a", "value", "tooshort"),
		credential("nothing at all", "", obj{"name": "", "kind": "password", "account": ""}, "name", "", "kind",
			"password", "account", ""),
		credential("no kind", "", obj{"name": "k", "kind": "poem", "account": "a", "secret": "x"}, "name", "k", "kind",
			"poem", "account", "a", "value", "x"),
		credential("keytab", "\x05\x02bytes", obj{
			"name": "k", "kind": "keytab", "account": "svc@LAB",
			"keytab": []byte("\x05\x02bytes"),
		}, "name", "k", "kind", "keytab", "account", "svc@LAB"),
		credential("no keytab", "a letter", obj{
			"name": "l", "kind": "keytab", "account": "svc@LAB",
			"keytab": []byte("a letter"),
		}, "name", "l", "kind", "keytab", "account", "svc@LAB"),
		remove(admin, "/credentials/1"), remove(admin, "/credentials/{credential}"),
	}
}

// planDeeds returns the acts on plans and rollouts.
func planDeeds() []deed {
	hosts := []int64{1, 2}
	rollout := adding("rollout", operator, "/rollouts")
	return []deed{
		{
			name: "plan: good", role: operator, page: "/hosts/1/plan", form: []string{"strategy", "restrict"}, method: "POST",
			path: "/hosts/1/plan", body: obj{"strategy": "restrict"},
		},
		{
			name: "plan: block", role: operator, page: "/hosts/1/plan",
			form:   []string{"strategy", "block", "accept", "yes"},
			method: "POST", path: "/hosts/1/plan", body: obj{"strategy": "block", "accept_breakage": true},
		},
		{
			name: "plan: no goal", whole: true, role: operator, page: "/hosts/1/plan",
			form:   []string{"strategy", "restrict", "goal", "peace"},
			method: "POST", path: "/hosts/1/plan", body: obj{"strategy": "restrict", "goal": "peace"},
		},
		{
			name: "plan: no host", role: operator, page: "/hosts/9999/plan", form: []string{"strategy", "restrict"},
			method: "POST", path: "/hosts/9999/plan", body: obj{"strategy": "restrict"},
		},
		{
			name: "plan: no strategy", whole: true, role: operator, page: "/hosts/1/plan", form: []string{"strategy", "bomb"},
			method: "POST", path: "/hosts/1/plan", body: obj{"strategy": "bomb"},
		},
		{
			name: "plan: never audited", role: operator, page: "/hosts/2/plan", form: []string{"strategy", "block"},
			method: "POST", path: "/hosts/2/plan", body: obj{"strategy": "block"},
		},
		rollout("good", obj{"name": "Berlin", "query": "verdict=exposed", "goal": "harden"}, "name", "Berlin", "query",
			"verdict=exposed", "strategy", "restrict", "goal", "harden"),
		rollout("ticked", obj{"name": "two", "hosts": hosts, "strategy": "block", "accept_breakage": true}, "name", "two",
			"host", "1", "host", "2", "strategy", "block", "accept", "yes"),
		rollout("one setting", obj{"name": "one", "setting": "RestrictAnonymous"}, "name", "one", "setting",
			"RestrictAnonymous"),
		rollout("nothing at all", obj{"name": ""}, "name", ""),
		rollout("no such filter", obj{"name": "x", "query": "colour=red"}, "name", "x", "query", "colour=red"),
		rollout("no such word", obj{"name": "x", "query": "verdict=worst"}, "name", "x", "query", "verdict=worst"),
		atHead(rollout("no host", obj{"name": "x", "query": "owner=nobody"}, "name", "x", "query", "owner=nobody")),
		atHead(rollout("no number of a host", obj{"name": "x", "hosts": []int64{0}}, "name", "x", "host", "-1")),
		rollout("no such setting", obj{"name": "x", "setting": "magic"}, "name", "x", "setting", "magic"),
		rollout("one setting blocks", obj{"name": "x", "setting": "RestrictAnonymous", "strategy": "block"}, "name", "x",
			"setting", "RestrictAnonymous", "strategy", "block"),
		rollout("no strategy", obj{"name": "x", "strategy": "bomb", "goal": "peace"}, "name", "x", "strategy", "bomb",
			"goal", "peace"),
		{
			name: "rollout: plan the rest", role: operator, page: "/rollouts/{rollout}/plan", method: "POST",
			path: "/rollouts/{rollout}/plan",
		},
		{
			name: "rollout: end", role: operator, page: "/rollouts/{rollout}/end", method: "POST",
			path: "/rollouts/{rollout}/end",
		},
		{
			name: "rollout: end again", role: operator, page: "/rollouts/{rollout}/end", method: "POST",
			path: "/rollouts/{rollout}/end",
		},
		{
			name: "rollout: plan again", role: operator, page: "/rollouts/{rollout}/plan", method: "POST",
			path: "/rollouts/{rollout}/plan",
		},
		{
			name: "rollout: plan nothing", role: operator, page: "/rollouts/9999/plan", method: "POST",
			path: "/rollouts/9999/plan",
		},
		remove(operator, "/rollouts/{rollout}"), remove(operator, "/rollouts/9999"),
	}
}

// viewDeeds returns the acts on saved views.
func viewDeeds() []deed {
	view := func(name string, in obj, form ...string) deed {
		return deed{
			name: "view: " + name, role: viewer, own: true, page: "/views", form: form, whole: true,
			method: "POST", path: "/me/views", body: in,
		}
	}
	return []deed{
		view("good", obj{"name": "mine", "path": "/hosts", "query": "verdict=exposed&offset=7"}, "name", "mine", "path",
			"/hosts", "query", "verdict=exposed&offset=7"),
		view("the same name", obj{"name": "mine", "path": "/runs"}, "name", "mine", "path", "/runs"),
		view("no name", obj{"name": " ", "path": "/runs"}, "name", " ", "path", "/runs"),
		view("elsewhere", obj{"name": "x", "path": "//evil.example"}, "name", "x", "path", "//evil.example"),
		{
			name: "view: remove", role: viewer, own: true, page: "/views/{view}/delete", method: "DELETE",
			path: "/me/views/{view}",
		},
		{
			name: "view: remove nothing", role: viewer, own: true, page: "/views/9999/delete", method: "DELETE",
			path: "/me/views/9999",
		},
	}
}

// resultDeeds returns the acts on results and hosts.
func resultDeeds() []deed {
	audit := `{"schema":"ipcguard.audit/1","source":{"kind":"smbconf","name":"x"},"host":"srv01.example.org","platform":{"system":"samba","role":"standalone"},"settings":[],"access":{},"findings":[]}`
	return []deed{
		sending("journal: good", "/hosts/2/journal", "/hosts/2/journal", `[{"id":"20261101-1"}]`, "application/json"),
		atHead(sending("journal: none", "/hosts/2/journal", "/hosts/2/journal", `[]`, "application/json")),
		sending("journal: no host", "/hosts/9999/journal", "/hosts/9999/journal", `[{"id":"x"}]`, "application/json"),
		sending("results: good", "/import", "/results?kind=audit", audit, "application/json", "kind", "audit"),
		sending("results: of nobody", "/import", "/results?kind=audit", strings.Replace(audit, "srv01", "nobody", 1),
			"application/json", "kind", "audit"),
		{
			name: "result: nothing of another host", role: admin, page: "/hosts/2/results/1/delete", method: "DELETE",
			path: "/hosts/2/results/1",
		},
		{
			name: "result: nothing", role: admin, page: "/hosts/1/results/9999/delete", method: "DELETE",
			path: "/hosts/1/results/9999",
		},
		{
			name: "result: take back", role: admin, page: "/hosts/1/results/1/delete", method: "DELETE",
			path: "/hosts/1/results/1",
		},
		{name: "host: retire", role: operator, page: "/hosts/1/retire", method: "POST", path: "/hosts/1/retire"},
		{name: "host: retire again", role: operator, page: "/hosts/1/retire", method: "POST", path: "/hosts/1/retire"},
		{name: "host: retire nothing", role: operator, page: "/hosts/9999/retire", method: "POST", path: "/hosts/9999/retire"},
		remove(operator, "/hosts/1"), remove(operator, "/hosts/9999"),
		sending("results: none", "/import", "/results?kind=scan", "not json", "application/json", "kind", "scan"),
	}
}

// accountDeeds returns an administrator's acts on accounts.
func accountDeeds() []deed {
	const fresh = "a window for each of us 8"
	account := func(name string, in obj, form ...string) deed {
		return deed{
			name: "account: " + name, role: admin, page: "/accounts", form: form, names: []string{"new", "password"},
			method: "POST", path: "/users", body: in,
		}
	}
	change := func(name, id string, in obj, form ...string) deed {
		return deed{
			name: "account: " + name, role: admin, page: "/accounts/" + id, form: form, whole: true,
			method: "PUT", path: "/users/" + id, body: in,
		}
	}
	password := func(name, id, fresh string) deed {
		d := change(name, id, obj{"password": fresh}, "do", "password", "new", fresh)
		d.path += "/password"
		return d
	}
	atSite := func(site int, role store.Role) []obj { return []obj{{"site_id": site, "role": role}} }
	return []deed{
		account("at a site", obj{"name": "Dee", "sites": atSite(2, operator), "password": fresh}, "name", "Dee", "role",
			"operator", "site", "2", "new", fresh),
		account("good", obj{"name": "cy", "role": "viewer", "password": fresh}, "name", "cy", "role", "viewer", "new",
			fresh),
		account("name taken", obj{"name": "CY", "role": "viewer", "password": fresh}, "name", "CY", "role", "viewer",
			"new", fresh),
		account("no name", obj{"name": " ", "role": "viewer", "password": fresh}, "name", " ", "role", "viewer", "new",
			fresh),
		account("a name with a blank", obj{"name": "c y", "role": "viewer", "password": fresh}, "name", "c y", "role",
			"viewer", "new", fresh),
		account("a long name", obj{"name": strings.Repeat("x", 65), "role": "viewer", "password": fresh}, "name",
			strings.Repeat("x", 65), "role", "viewer", "new", fresh),
		account("no such role", obj{"name": "x", "role": "king", "password": fresh}, "name", "x", "role", "king", "new",
			fresh),
		account("no such site", obj{"name": "x", "sites": atSite(99, viewer), "password": fresh}, "name", "x", "role",
			"viewer", "site", "99", "new", fresh),
		account("a short password", obj{"name": "x", "role": "viewer", "password": "11letters11"}, "name", "x", "role",
			"viewer", "new", "11letters11"),
		change("role", "{user}", obj{"role": "operator"}, "do", "role", "role", "operator"),
		change("no such role", "{user}", obj{"role": "king"}, "do", "role", "role", "king"),
		change("role of nobody", "9999", obj{"role": "viewer"}, "do", "role", "role", "viewer"),
		change("roles", "{user}", obj{"role": "viewer", "sites": atSite(1, admin)}, "do", "roles", "role", "viewer",
			"site-1", "admin"),
		change("no roles", "{user}", obj{"role": "", "sites": []obj{}}, "do", "roles", "role", ""),
		change("roles at no site", "{user}", obj{"role": "", "sites": atSite(99, admin)}, "do", "roles", "role", "",
			"site-99", "admin"),
		change("the last administrator's role", "3", obj{"role": "viewer"}, "do", "role", "role", "viewer"),
		change("lock the last administrator", "3", obj{"disabled": true}, "do", "lock"),
		change("lock", "{user}", obj{"disabled": true}, "do", "lock"),
		change("unlock", "{user}", obj{"disabled": false}, "do", "unlock"),
		change("lock nobody", "9999", obj{"disabled": true}, "do", "lock"),
		password("password", "{user}", "a roof for each of us 9"),
		password("a short password for another", "{user}", "short"),
		password("password of nobody", "9999", fresh),
	}
}

// tokenDeeds returns the acts on tokens: an account's own, and an administrator's on those of others.
func tokenDeeds() []deed {
	next, past, far := day(time.Now().AddDate(0, 1, 0)), "2020-01-01", day(time.Now().AddDate(2, 0, 0))
	token := func(name, token string, scope store.Scope, until, proof string) deed {
		return deed{
			name: "token: " + name, role: operator, own: true, page: "/account/tokens", form: []string{
				"name", token, "scope", string(scope), "until", until, "proof", proof,
			}, names: []string{"proof", "password"}, method: "POST", path: "/me/tokens", body: obj{
				"name": token, "scope": scope, "until": until + "T23:59:59Z", "password": proof,
			},
		}
	}
	end := func(name, id string) deed {
		return deed{
			name: "token: " + name, role: operator, own: true, page: "/account/tokens/" + id + "/delete",
			method: "DELETE", path: "/me/tokens/" + id,
		}
	}
	endOf := func(name, id string) deed {
		return deed{
			name: "token: " + name, role: admin, page: "/accounts/2/tokens/" + id + "/delete", method: "DELETE",
			path: "/users/2/tokens/" + id,
		}
	}
	return []deed{
		token("good", "first", store.ScopeRead, next, password),
		token("name taken", "first", store.ScopeUpload, next, password),
		token("no name", " ", store.ScopeRead, next, password),
		token("no such scope", "x", "everything", next, password),
		token("more than the role", "x", store.ScopeAdminister, next, password),
		token("past", "x", store.ScopeRead, past, password),
		token("far", "x", store.ScopeRead, far, password),
		token("a wrong password", "x", store.ScopeRead, next, "not it"),
		end("end", "{token}"),
		end("end nothing", "99999"),
		token("another", "second", store.ScopeOperate, next, password),
		endOf("end another's", "{token}"),
		endOf("end nothing of another", "99999"),
	}
}

// passwordDeeds returns the acts on one's own password.
func passwordDeeds() []deed {
	const fresh = "a window for each of us 8"
	change := func(name, old, fresh string) deed {
		return deed{
			name: "password: " + name, role: viewer, own: true, page: "/account/password", form: []string{
				"password", old, "new", fresh, "again", fresh,
			}, names: []string{"password", "old", "new", "password"}, method: "PUT", path: "/me/password",
			body: obj{"old": old, "password": fresh},
		}
	}
	return []deed{
		change("a wrong one", "not it", fresh),
		change("a short one", password, "short"),
		change("good", password, fresh),
		change("back", fresh, password),
	}
}

// ofSite is the account that does siteOperatorDeeds: an operator of the site default.
const ofSite = store.Role("at-default-operator")

// siteOperatorDeeds returns what an operator of one site tries there, at another site, and for the whole fleet. Host 2
// is at the site default, and host 6 at plant.
func siteOperatorDeeds() []deed {
	next := day(time.Now().AddDate(0, 1, 0))
	run := func(name string, selector obj, form ...string) deed {
		return deed{
			name: "of a site: run " + name, role: ofSite, page: "/runs", form: append([]string{"kind", "scan"}, form...),
			method: "POST", path: "/runs", body: obj{"kind": "scan", "selector": selector},
		}
	}
	scan := func(name, host string, id int64) deed {
		return deed{
			name: "of a site: " + name, role: ofSite, page: "/hosts/" + host + "/scan", form: []string{"kind", "scan"},
			method: "POST", path: "/runs", body: obj{"kind": "scan", "selector": obj{"hosts": []int64{id}}},
		}
	}
	schedule := func(name, path, method string, selector obj, form ...string) deed {
		in := obj{"name": name, "kind": "scan", "cron": "@daily", "selector": selector}
		return deed{
			name: "of a site: schedule " + name, role: ofSite, page: path,
			form:   append([]string{"name", name, "kind", "scan", "cron", "@daily", "enabled", "yes"}, form...),
			method: method, path: path, body: in,
		}
	}
	exception := func(name string, in obj, form ...string) deed {
		in["finding"], in["reason"], in["owner"], in["until"] = "anonymous-lists-shares", "old", "Bo", next+"T23:59:59Z"
		return deed{
			name: "of a site: exception " + name, role: ofSite, page: "/exceptions", method: "POST", path: "/exceptions",
			form: append([]string{"finding", "anonymous-lists-shares", "reason", "old", "owner", "Bo", "until", next},
				form...), body: in,
		}
	}
	plain := func(name, page, method, path string) deed {
		return deed{name: "of a site: " + name, role: ofSite, page: page, method: method, path: path}
	}
	target := func(name, spec, site string) deed {
		return deed{
			name: "of a site: target " + name, role: ofSite, page: "/targets",
			form:   []string{"spec", spec, "site", site, "enabled", "yes"},
			method: "POST", path: "/targets", body: obj{"spec": spec, "site": site},
		}
	}
	tag := func(name string, id int64, host string) deed {
		return deed{
			name: "of a site: tag " + name, role: ofSite, page: "/hosts/act",
			form:  []string{"which", "ticked", "host", host, "do", "tag", "value", "kept"},
			whole: true, method: "POST", path: "/targets/change",
			body: obj{"hosts": []int64{id}, "do": "tag", "value": "kept"},
		}
	}
	journal := func(name, host string) deed {
		d := sending("of a site: journal "+name, "/hosts/"+host+"/journal", "/hosts/"+host+"/journal",
			`[{"id":"20261101-1"}]`, "application/json")
		d.role = ofSite
		return d
	}
	planned := func(name, host string) deed {
		return deed{
			name: "of a site: plan " + name, role: ofSite, page: "/hosts/" + host + "/plan",
			form: []string{"strategy", "restrict"}, method: "POST", path: "/hosts/" + host + "/plan",
			body: obj{"strategy": "restrict"},
		}
	}
	return []deed{
		run("there", obj{"site": "default"}, "site", "default"),
		plain("run cancel", "/runs/{run}/cancel", "POST", "/runs/{run}/cancel"),
		run("at another site", obj{"site": "plant"}, "site", "plant"),
		run("everywhere", obj{}),
		scan("scan a host there", "2", 2),
		scan("scan another site's host", "6", 6),
		schedule("another's", "/schedules/{schedule}", "PUT", obj{"site": "default"}, "site", "default"),
		plain("remove another's schedule", "/schedules/{schedule}/delete", "DELETE", "/schedules/{schedule}"),
		schedule("there", "/schedules", "POST", obj{"site": "default"}, "site", "default"),
		schedule("elsewhere", "/schedules", "POST", obj{"site": "plant"}, "site", "plant"),
		schedule("everywhere", "/schedules", "POST", obj{}),
		exception("a host there", obj{"host_id": 2}, "host", "2"),
		plain("exception withdraw", "/exceptions/{exception}/withdraw", "DELETE", "/exceptions/{exception}"),
		atHead(exception("another site's host", obj{"host_id": 6}, "host", "6")),
		exception("a tag", obj{"tag": "dc"}, "tag", "dc"),
		exception("everything", obj{}),
		plain("withdraw one of a tag", "/exceptions/2/withdraw", "DELETE", "/exceptions/2"),
		target("there", "b7.example", "default"),
		target("at another site", "b8.example", "plant"),
		tag("there", 2, "2"),
		tag("another site's", 6, "6"),
		journal("there", "2"),
		journal("of another site's host", "6"),
		planned("there", "2"),
		planned("of another site's host", "6"),
		plain("retire another site's host", "/hosts/6/retire", "POST", "/hosts/6/retire"),
		plain("remove another site's host", "/hosts/6/delete", "DELETE", "/hosts/6"),
		plain("revoke a worker", "/workers/2/revoke", "DELETE", "/workers/enrolled/2"),
		plain("remove the other site", "/sites/2/delete", "DELETE", "/sites/2"),
		{
			name: "of a site: change it", role: ofSite, page: "/sites/1", form: []string{"name", "mine"},
			method: "PUT", path: "/sites/1", body: obj{"name": "mine"},
		},
	}
}

// adding returns the builder of the acts that add an object of a kind, at one address of the page and of the API.
func adding(noun string, role store.Role, address string) func(name string, in obj, form ...string) deed {
	return func(name string, in obj, form ...string) deed {
		return deed{
			name: noun + ": " + name, role: role, page: address, form: form, method: "POST", path: address, body: in,
		}
	}
}

// remove is the removal of an object, by its address.
func remove(role store.Role, what string) deed {
	return deed{name: "remove " + what, role: role, page: what + "/delete", method: "DELETE", path: what}
}

// sending is an act that sends a file.
func sending(name, page, path, content, media string, form ...string) deed {
	return deed{
		name: name, role: operator, page: page, file: content, form: form, method: "POST", path: path,
		body: content, media: media,
	}
}

func atHead(d deed) deed {
	d.whole = true
	return d
}

func asAdmin(d deed) deed {
	d.role = admin
	return d
}

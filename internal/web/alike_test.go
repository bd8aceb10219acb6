package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
	"ipcguard/internal/web/api"
)

// deed is one act, as the page's form sends it and as a program does.
type deed struct {
	name string
	role store.Role

	page  string
	form  []string // names and values
	file  string   // the contents of a file, where the form has one
	names []string // fields whose name differs: the form's, the API's
	whole bool     // the page has no place for what is wrong with a field, and says it at its head

	method, path string
	body         any // JSON, or a string as it is
	media        string
}

// deeds returns every act that there is, with good and with bad inputs. They are done in their order.
func deeds() []deed {
	const o, a = store.RoleOperator, store.RoleAdmin
	next, past, far := day(time.Now().AddDate(0, 1, 0)), "2020-01-01", "2099-01-01"
	type m = map[string]any
	until := func(day string) string { return day + "T23:59:59Z" }
	site := func(name string, in m, form ...string) deed {
		return deed{
			name: "site: " + name, role: a, page: "/sites", form: form, method: "POST", path: "/sites",
			body: in,
		}
	}
	target := func(name string, in m, form ...string) deed {
		return deed{
			name: "target: " + name, role: o, page: "/targets", form: form, method: "POST", path: "/targets",
			body: in,
		}
	}
	schedule := func(name string, in m, form ...string) deed {
		return deed{
			name: "schedule: " + name, role: o, page: "/schedules", form: form, method: "POST",
			path: "/schedules", body: in,
		}
	}
	exception := func(name string, in m, form ...string) deed {
		return deed{
			name: "exception: " + name, role: o, page: "/exceptions", form: form, method: "POST",
			path: "/exceptions", body: in,
		}
	}
	channel := func(name string, in m, form ...string) deed {
		return deed{
			name: "channel: " + name, role: a, page: "/channels", form: form, method: "POST", path: "/channels",
			body: in,
		}
	}
	credential := func(name, file string, in m, form ...string) deed {
		field, secret := "value", "secret"
		if in["kind"] == "keytab" {
			field, secret = "file", "keytab"
		}
		return deed{
			name: "credential: " + name, role: a, page: "/credentials", form: form, file: file,
			names: []string{field, secret}, method: "POST", path: "/credentials", body: in,
		}
	}
	change := func(name string, in m, form ...string) deed {
		return deed{
			name: "hosts: " + name, role: o, page: "/hosts/act",
			form: append([]string{"which", "ticked", "host", "1", "host", "2"}, form...), whole: true, method: "POST",
			path: "/targets/change", body: in,
		}
	}
	rollout := func(name string, in m, form ...string) deed {
		return deed{
			name: "rollout: " + name, role: o, page: "/rollouts", form: form, method: "POST", path: "/rollouts",
			body: in,
		}
	}
	view := func(name string, in m, form ...string) deed {
		return deed{
			name: "view: " + name, role: store.RoleViewer, page: "/views", form: form, whole: true,
			method: "POST", path: "/me/views", body: in,
		}
	}
	remove := func(role store.Role, what string) deed {
		return deed{name: "remove " + what, role: role, page: what + "/delete", method: "DELETE", path: what}
	}
	file := func(name, page, path, content, media string, form ...string) deed {
		return deed{
			name: name, role: o, page: page, file: content, form: form, method: "POST", path: path,
			body: content, media: media,
		}
	}
	hidden := "evil\u202eor"
	hosts := []int64{1, 2}
	audit := `{"schema":"ipcguard.audit/1","source":{"kind":"smbconf","name":"x"},"host":"srv01.example.org","platform":{"system":"samba","role":"standalone"},"settings":[],"access":{},"findings":[]}`
	return []deed{
		site("good", m{
			"name": "lab", "rate": 10.5, "concurrency": 4, "window": "Mon-Fri 22:00-06:00",
			"zone": "Europe/Berlin",
		}, "name", "lab", "rate", "10.5", "concurrency", "4", "window",
			"Mon-Fri 22:00-06:00", "zone", "Europe/Berlin"),
		site("fastest", m{"name": "fast", "rate": 1_000_000}, "name", "fast", "rate", "1000000"),
		site("too fast", m{"name": "faster", "rate": 1_000_001}, "name", "faster", "rate", "1000001"),
		site("slower than nothing", m{"name": "slow", "rate": -1, "concurrency": -1}, "name", "slow", "rate", "-1",
			"concurrency", "-1"),
		site("too many", m{"name": "slow", "concurrency": 10_001}, "name", "slow", "concurrency", "10001"),
		site("no name", m{"name": "  "}, "name", "  "),
		site("name taken", m{"name": "lab"}, "name", "lab"),
		site("no such zone", m{"name": "z", "zone": "Mars/Phobos", "window": "now and then"}, "name", "z", "zone",
			"Mars/Phobos", "window", "now and then"),
		site("no window", m{"name": "z", "window": "now and then"}, "name", "z", "window", "now and then"),
		site("hides text", m{"name": hidden}, "name", hidden),
		{
			name: "site: change", role: a, page: "/sites/1", form: []string{"name", "default", "rate", "7"},
			method: "PUT",
			path:   "/sites/1", body: m{"name": "default", "rate": 7},
		},
		{
			name: "site: change to a taken name", role: a, page: "/sites/1", form: []string{"name", "lab"},
			method: "PUT",
			path:   "/sites/1", body: m{"name": "lab"},
		},
		{
			name: "site: change nothing", role: a, page: "/sites/99", form: []string{"name", "default"}, method: "PUT",
			path: "/sites/99", body: m{"name": "default"},
		},
		{
			name: "worker: good", role: a, page: "/workers", form: []string{"site", "plant", "name", "plant-1"},
			method: "POST", path: "/workers", body: m{"site": "plant", "name": "plant-1"},
		},
		{
			name: "worker: no site", role: a, page: "/workers", form: []string{"site", "nowhere", "name", "two words"},
			method: "POST", path: "/workers", body: m{"site": "nowhere", "name": "two words"},
		},
		{
			name: "worker: revoke nothing", role: a, page: "/workers/99/revoke", method: "DELETE",
			path: "/workers/enrolled/99",
		},
		remove(a, "/sites/2"), remove(a, "/sites/{site}"), remove(a, "/sites/99"),

		target("good", m{
			"spec": "New.Example.org", "site": "default", "tags": []string{"Web", "DMZ"}, "owner": "Cy",
			"criticality": "high", "note": "two\nlines",
		}, "spec", "New.Example.org", "site", "default", "tags",
			"Web  DMZ", "owner", "Cy", "criticality", "high", "note", "two\r\nlines", "enabled", "yes"),
		target("there already", m{"spec": "new.example.org", "site": "default"}, "spec", "new.example.org", "site",
			"default", "enabled", "yes"),
		target("nothing at all", m{"spec": "", "site": ""}, "spec", "", "site", ""),
		target("no such site", m{"spec": "a.example", "site": "nowhere"}, "spec", "a.example", "site", "nowhere"),
		target("no such prefix", m{"spec": "10.0.0.0/99", "site": "default"}, "spec", "10.0.0.0/99", "site", "default"),
		target("no criticality", m{"spec": "a.example", "site": "default", "criticality": "utmost"}, "spec",
			"a.example", "site", "default", "criticality", "utmost"),
		target("hides text", m{"spec": "a.example", "site": "default", "owner": hidden}, "spec", "a.example", "site",
			"default", "owner", hidden),
		target("a long note", m{"spec": "a.example", "site": "default", "note": strings.Repeat("x", 10_001)}, "spec",
			"a.example", "site", "default", "note", strings.Repeat("x", 10_001)),
		target("a long tag", m{"spec": "a.example", "site": "default", "tags": []string{strings.Repeat("x", 61)}},
			"spec", "a.example", "site", "default", "tags", strings.Repeat("x", 61)),
		target("reads a file", m{"spec": "a.example", "site": "default", "audit_source": "/etc/shadow"}, "spec",
			"a.example", "site", "default", "audit_source", "/etc/shadow"),
		target("takes a credential", m{"spec": "a.example", "site": "default", "credential": 1}, "spec", "a.example",
			"site", "default", "credential", "1"),
		asAdmin(target("no such credential", m{"spec": "a.example", "site": "default", "credential": 99}, "spec",
			"a.example", "site", "default", "credential", "99")),
		asAdmin(target("an account in a source",
			m{"spec": "a.example", "site": "default", "audit_source": "winreg://u:p@a.example"}, "spec", "a.example",
			"site", "default", "audit_source", "winreg://u:p@a.example")),
		asAdmin(target("all that an administrator may",
			m{"spec": "a.example", "site": "default", "audit_source": "winreg://a.example", "credential": 1}, "spec",
			"a.example", "site", "default", "audit_source", "winreg://a.example", "credential", "1", "enabled", "yes")),
		{
			name: "target: change", role: o, page: "/targets/1", form: []string{
				"spec", "srv00.example.org", "site",
				"default", "owner", "Dee", "enabled", "yes",
			}, method: "PUT", path: "/targets/1",
			body: m{"spec": "srv00.example.org", "site": "default", "owner": "Dee"},
		},
		{
			name: "target: remove", role: o, page: "/targets/delete", form: []string{"target", "3"}, method: "DELETE",
			path: "/targets/3",
		},
		{
			name: "target: remove nothing", role: o, page: "/targets/delete", form: []string{"target", "9999"},
			method: "DELETE", path: "/targets/9999",
		},
		file("targets: import", "/targets/import", "/targets/import",
			"spec,site,tags\nb1.example,default,x\nb2.example,plant,\n10.0.0.0/99,,\n", "text/csv"),
		file("targets: no table", "/targets/import", "/targets/import", "nothing,of,this\n1,2,3\n", "text/csv"),
		file("targets: an empty table", "/targets/import", "/targets/import", "", "text/csv"),
		change("tag", m{"hosts": hosts, "do": "tag", "value": "Moved, 2026"}, "do", "tag", "value", "Moved, 2026"),
		change("untag", m{"hosts": hosts, "do": "untag", "value": "2026"}, "do", "untag", "value", "2026"),
		change("owner", m{"hosts": hosts, "do": "owner", "value": " Dee "}, "do", "owner", "value", " Dee "),
		change("no owner", m{"hosts": hosts, "do": "owner", "value": ""}, "do", "owner", "value", ""),
		change("criticality", m{"hosts": hosts, "do": "criticality", "value": "High"}, "do", "criticality", "value",
			"High"),
		change("no tags", m{"hosts": hosts, "do": "tag", "value": ""}, "do", "tag", "value", ""),
		change("no criticality", m{"hosts": hosts, "do": "criticality", "value": "utmost"}, "do", "criticality",
			"value", "utmost"),
		change("nothing known", m{"hosts": hosts, "do": "dance", "value": "x"}, "do", "dance", "value", "x"),

		{
			name: "run: good", role: o, page: "/runs", form: []string{"kind", "scan", "tag", "DC", "quick", "yes"},
			method: "POST", path: "/runs", body: m{"kind": "scan", "selector": m{"tag": "DC"}, "quick": true},
		},
		{
			name: "run: nothing to do", role: o, page: "/runs", form: []string{"kind", "scan", "owner", "nobody"},
			method: "POST", path: "/runs", body: m{"kind": "scan", "selector": m{"owner": "nobody"}},
		},
		{
			name: "run: no kind", role: o, page: "/runs", form: []string{"kind", "guess", "tag", hidden},
			method: "POST",
			path:   "/runs", body: m{"kind": "guess", "selector": m{"tag": hidden}},
		},
		{
			name: "run: one host", role: o, page: "/hosts/1/scan", form: []string{"kind", "scan"}, method: "POST",
			path: "/runs", body: m{"kind": "scan", "selector": m{"hosts": []int64{1}}},
		},
		{name: "run: cancel", role: o, page: "/runs/{run}/cancel", method: "POST", path: "/runs/{run}/cancel"},
		{name: "run: cancel again", role: o, page: "/runs/{run}/cancel", method: "POST", path: "/runs/{run}/cancel"},
		{name: "run: cancel nothing", role: o, page: "/runs/99/cancel", method: "POST", path: "/runs/99/cancel"},

		schedule("good", m{
			"name": "weekly", "kind": "scan", "cron": "0 3 * * 0", "zone": "Europe/Berlin",
			"window": "Sat,Sun 00:00-24:00", "selector": m{"site": "plant"},
		}, "name", "weekly", "kind", "scan", "cron",
			"0 3 * * 0", "zone", "Europe/Berlin", "window", "Sat,Sun 00:00-24:00", "site", "plant", "enabled", "yes"),
		schedule("name taken", m{"name": "weekly", "kind": "scan", "cron": "@daily"}, "name", "weekly", "kind", "scan",
			"cron", "@daily", "enabled", "yes"),
		schedule("nothing at all", m{"name": "", "kind": "", "cron": ""}, "name", "", "kind", "", "cron", ""),
		schedule("no time", m{"name": "bad", "kind": "scan", "cron": "99 * * * *"}, "name", "bad", "kind", "scan",
			"cron", "99 * * * *"),
		schedule("never", m{"name": "bad", "kind": "scan", "cron": "0 0 31 2 *"}, "name", "bad", "kind", "scan", "cron",
			"0 0 31 2 *"),
		schedule("no zone", m{"name": "bad", "kind": "scan", "cron": "@daily", "zone": "Local"}, "name", "bad", "kind",
			"scan", "cron", "@daily", "zone", "Local"),
		{
			name: "schedule: change", role: o, page: "/schedules/1", form: []string{
				"name", "nightly", "kind", "audit",
				"cron", "@daily",
			}, method: "PUT", path: "/schedules/1",
			body: m{"name": "nightly", "kind": "audit", "cron": "@daily", "enabled": false},
		},
		remove(o, "/schedules/1"), remove(o, "/schedules/1"),

		exception("one host", m{
			"finding": "anonymous-lists-accounts", "host_id": 1, "reason": "being replaced",
			"owner": "Bo", "until": until(next),
		}, "finding", "anonymous-lists-accounts", "host", "1", "reason",
			"being replaced", "owner", "Bo", "until", next),
		exception("two hosts", m{
			"finding": "anonymous-lists-accounts", "host_ids": hosts, "reason": "being replaced",
			"owner": "Bo", "until": until(next),
		}, "finding", "anonymous-lists-accounts", "host", "1", "host", "2",
			"reason", "being replaced", "owner", "Bo", "until", next),
		exception("a tag", m{
			"finding": "anonymous-lists-groups", "tag": "DC", "reason": "old", "owner": "Bo",
			"until": until(next),
		}, "finding", "anonymous-lists-groups", "tag", "DC", "reason", "old", "owner", "Bo",
			"until", next),
		exception("everything", m{
			"finding": "anonymous-lists-groups", "reason": "old", "owner": "Bo",
			"until": until(next),
		}, "finding", "anonymous-lists-groups", "reason", "old", "owner", "Bo", "until", next),
		exception("past", m{"finding": "anonymous-lists-groups", "reason": "x", "owner": "y", "until": until(past)},
			"finding", "anonymous-lists-groups", "reason", "x", "owner", "y", "until", past),
		exception("far", m{"finding": "anonymous-lists-groups", "reason": "x", "owner": "y", "until": until(far)},
			"finding", "anonymous-lists-groups", "reason", "x", "owner", "y", "until", far),
		exception("nothing at all", m{"finding": "", "reason": "", "owner": "", "until": "0001-01-01T00:00:00Z"},
			"finding", "", "reason", "", "owner", "", "until", "tomorrow"),
		exception("no such finding", m{"finding": "everything", "reason": "x", "owner": "y", "until": until(next)},
			"finding", "everything", "reason", "x", "owner", "y", "until", next),
		atHead(exception("no such host", m{
			"finding": "anonymous-lists-groups", "host_id": 9999, "reason": "x",
			"owner": "y", "until": until(next),
		}, "finding", "anonymous-lists-groups", "host", "9999", "reason", "x",
			"owner", "y", "until", next)),
		{name: "exception: withdraw", role: o, page: "/exceptions/1/withdraw", method: "DELETE", path: "/exceptions/1"},
		{
			name: "exception: withdraw again", role: o, page: "/exceptions/1/withdraw", method: "DELETE",
			path: "/exceptions/1",
		},

		channel("webhook",
			m{"name": "chat", "kind": "webhook", "secrets": m{
				"url": "https://hooks.example.org/T0/x",
				"key": "0123456789abcdef0123",
			}, "least": "medium", "kinds": []string{"became-exposed"}}, "kind", "webhook",
			"name", "chat", "url", "https://hooks.example.org/T0/x", "key", "0123456789abcdef0123", "least",
			"medium", "kinds", "became-exposed", "enabled", "yes"),
		channel("syslog",
			m{"name": "broken siem", "kind": "syslog", "config": m{
				"address": "siem.example.org:6514", "network": "tls",
				"format": "cef",
			}, "least": "high", "acts": "only"}, "kind", "syslog", "name", "broken siem", "address",
			"siem.example.org:6514", "network", "tls", "format", "cef", "least", "high", "acts", "only", "enabled",
			"yes"),
		channel("name taken",
			m{"name": "chat", "kind": "webhook", "secrets": m{
				"url": "https://hooks.example.org/T0/x",
				"key": "0123456789abcdef0123",
			}}, "kind", "webhook", "name", "chat", "url", "https://hooks.example.org/T0/x",
			"key", "0123456789abcdef0123", "least", "", "enabled", "yes"),
		channel("no address",
			m{"name": "bad", "kind": "webhook", "secrets": m{"url": "gopher://x", "key": "0123456789abcdef0123"}},
			"kind", "webhook", "name", "bad", "url", "gopher://x", "key", "0123456789abcdef0123", "least", ""),
		channel("a short key",
			m{"name": "bad", "kind": "webhook", "secrets": m{"url": "https://hooks.example.org/", "key": "short"}},
			"kind", "webhook", "name", "bad", "url", "https://hooks.example.org/", "key", "short", "least", ""),
		channel("no security",
			m{"name": "bad", "kind": "email", "config": m{
				"server": "mail.example.org:25", "security": "some",
				"from": "a@example.org", "to": []string{"b@example.org"},
			}}, "kind", "email", "name", "bad", "server",
			"mail.example.org:25", "security", "some", "from", "a@example.org", "to", "b@example.org", "least", ""),
		channel("the audit log by e-mail",
			m{
				"name": "bad", "kind": "email", "acts": "also",
				"config": m{
					"server": "mail.example.org:25", "security": "tls", "from": "a@example.org",
					"to": []string{"b@example.org"},
				},
			}, "kind", "email", "name", "bad", "acts", "also", "server",
			"mail.example.org:25", "security", "tls", "from", "a@example.org", "to", "b@example.org", "least", ""),
		channel("bad words",
			m{
				"name": "bad", "kind": "syslog", "config": m{"address": "x", "network": "tls", "format": "cef"},
				"least": "huge", "acts": "some", "kinds": []string{"x"}, "digest": "whenever", "quiet": "Mon-Sun",
			}, "kind",
			"syslog", "name", "bad", "address", "x", "network", "tls", "format", "cef", "least", "huge", "acts",
			"some", "kinds", "x", "digest", "whenever", "quiet", "Mon-Sun"),
		channel("bad zone", m{
			"name": "bad", "kind": "webhook", "config": m{"shape": "slack"}, "acts": "also",
			"zone": "Nowhere/Land",
		}, "kind", "webhook", "name", "bad", "shape", "slack", "acts", "also", "zone",
			"Nowhere/Land"),
		channel("slack", m{
			"name": "chat", "kind": "webhook", "config": m{"shape": "slack"},
			"secrets": m{"url": "https://hooks.example.org/x"}, "digest": "every weekday at 07:00, Europe/Berlin",
			"quiet": "22:00-07:00",
		}, "kind", "webhook", "name", "chat", "shape", "slack", "url",
			"https://hooks.example.org/x", "digest", "every weekday at 07:00, Europe/Berlin", "quiet",
			"22:00-07:00", "enabled", "yes"),
		{
			name: "channel: test", role: a, page: "/channels/{channel}/test", method: "POST",
			path: "/channels/{channel}/test",
		},
		remove(a, "/channels/{channel}"), remove(a, "/channels/99999"),

		credential("password", "", m{
			"name": "svc", "kind": "password", "account": `LAB\svc`,
			"secret": "hunter2 and more",
		}, "name", "svc", "kind", "password", "account", `LAB\svc`, "value",
			"hunter2 and more"),
		credential("name taken", "", m{
			"name": "svc", "kind": "password", "account": `LAB\svc`,
			"secret": "hunter2 and more",
		}, "name", "svc", "kind", "password", "account", `LAB\svc`, "value",
			"hunter2 and more"),
		credential("no hash", "", m{"name": "h", "kind": "hash", "account": "a", "secret": "tooshort"}, "name", "h",
			"kind", "hash", "account", "a", "value", "tooshort"),
		credential("nothing at all", "", m{"name": "", "kind": "password", "account": ""}, "name", "", "kind",
			"password", "account", ""),
		credential("no kind", "", m{"name": "k", "kind": "poem", "account": "a", "secret": "x"}, "name", "k", "kind",
			"poem", "account", "a", "value", "x"),
		credential("keytab", "\x05\x02bytes", m{
			"name": "k", "kind": "keytab", "account": "svc@LAB",
			"keytab": []byte("\x05\x02bytes"),
		}, "name", "k", "kind", "keytab", "account", "svc@LAB"),
		credential("no keytab", "a letter", m{
			"name": "l", "kind": "keytab", "account": "svc@LAB",
			"keytab": []byte("a letter"),
		}, "name", "l", "kind", "keytab", "account", "svc@LAB"),
		remove(a, "/credentials/1"), remove(a, "/credentials/{credential}"),

		{
			name: "plan: good", role: o, page: "/hosts/1/plan", form: []string{"strategy", "restrict"}, method: "POST",
			path: "/hosts/1/plan", body: m{"strategy": "restrict"},
		},
		{
			name: "plan: no strategy", whole: true, role: o, page: "/hosts/1/plan", form: []string{"strategy", "bomb"},
			method: "POST", path: "/hosts/1/plan", body: m{"strategy": "bomb"},
		},
		{
			name: "plan: never audited", role: o, page: "/hosts/2/plan", form: []string{"strategy", "block"},
			method: "POST", path: "/hosts/2/plan", body: m{"strategy": "block"},
		},
		rollout("good", m{"name": "Berlin", "query": "verdict=exposed", "goal": "harden"}, "name", "Berlin", "query",
			"verdict=exposed", "strategy", "restrict", "goal", "harden"),
		rollout("ticked", m{"name": "two", "hosts": hosts, "strategy": "block", "accept_breakage": true}, "name", "two",
			"host", "1", "host", "2", "strategy", "block", "accept", "yes"),
		rollout("one setting", m{"name": "one", "setting": "RestrictAnonymous"}, "name", "one", "setting",
			"RestrictAnonymous"),
		rollout("nothing at all", m{"name": ""}, "name", ""),
		rollout("no such filter", m{"name": "x", "query": "colour=red"}, "name", "x", "query", "colour=red"),
		rollout("no such word", m{"name": "x", "query": "verdict=worst"}, "name", "x", "query", "verdict=worst"),
		atHead(rollout("no host", m{"name": "x", "query": "owner=nobody"}, "name", "x", "query", "owner=nobody")),
		rollout("no such setting", m{"name": "x", "setting": "magic"}, "name", "x", "setting", "magic"),
		rollout("one setting blocks", m{"name": "x", "setting": "RestrictAnonymous", "strategy": "block"}, "name", "x",
			"setting", "RestrictAnonymous", "strategy", "block"),
		rollout("no strategy", m{"name": "x", "strategy": "bomb", "goal": "peace"}, "name", "x", "strategy", "bomb",
			"goal", "peace"),
		{
			name: "rollout: plan the rest", role: o, page: "/rollouts/{rollout}/plan", method: "POST",
			path: "/rollouts/{rollout}/plan",
		},
		{
			name: "rollout: end", role: o, page: "/rollouts/{rollout}/end", method: "POST",
			path: "/rollouts/{rollout}/end",
		},
		{
			name: "rollout: end again", role: o, page: "/rollouts/{rollout}/end", method: "POST",
			path: "/rollouts/{rollout}/end",
		},
		{
			name: "rollout: plan again", role: o, page: "/rollouts/{rollout}/plan", method: "POST",
			path: "/rollouts/{rollout}/plan",
		},
		{
			name: "rollout: plan nothing", role: o, page: "/rollouts/9999/plan", method: "POST",
			path: "/rollouts/9999/plan",
		},
		remove(o, "/rollouts/{rollout}"), remove(o, "/rollouts/9999"),
		view("good", m{"name": "mine", "path": "/hosts", "query": "verdict=exposed&offset=7"}, "name", "mine", "path",
			"/hosts", "query", "verdict=exposed&offset=7"),
		view("the same name", m{"name": "mine", "path": "/runs"}, "name", "mine", "path", "/runs"),
		view("no name", m{"name": " ", "path": "/runs"}, "name", " ", "path", "/runs"),
		view("elsewhere", m{"name": "x", "path": "//evil.example"}, "name", "x", "path", "//evil.example"),
		{
			name: "view: remove", role: store.RoleViewer, page: "/views/{view}/delete", method: "DELETE",
			path: "/me/views/{view}",
		},
		{
			name: "view: remove nothing", role: store.RoleViewer, page: "/views/9999/delete", method: "DELETE",
			path: "/me/views/9999",
		},
		file("journal: good", "/hosts/2/journal", "/hosts/2/journal", `[{"id":"20261101-1"}]`, "application/json"),
		atHead(file("journal: none", "/hosts/2/journal", "/hosts/2/journal", `[]`, "application/json")),
		file("journal: no host", "/hosts/9999/journal", "/hosts/9999/journal", `[{"id":"x"}]`, "application/json"),
		file("results: good", "/import", "/results?kind=audit", audit, "application/json", "kind", "audit"),
		file("results: of nobody", "/import", "/results?kind=audit", strings.Replace(audit, "srv01", "nobody", 1),
			"application/json", "kind", "audit"),
		{
			name: "result: nothing of another host", role: a, page: "/hosts/2/results/1/delete", method: "DELETE",
			path: "/hosts/2/results/1",
		},
		{
			name: "result: nothing", role: a, page: "/hosts/1/results/9999/delete", method: "DELETE",
			path: "/hosts/1/results/9999",
		},
		{
			name: "result: take back", role: a, page: "/hosts/1/results/1/delete", method: "DELETE",
			path: "/hosts/1/results/1",
		},
		{name: "host: retire", role: o, page: "/hosts/1/retire", method: "POST", path: "/hosts/1/retire"},
		{name: "host: retire again", role: o, page: "/hosts/1/retire", method: "POST", path: "/hosts/1/retire"},
		{name: "host: retire nothing", role: o, page: "/hosts/9999/retire", method: "POST", path: "/hosts/9999/retire"},
		remove(o, "/hosts/1"), remove(o, "/hosts/9999"),
		file("results: none", "/import", "/results?kind=scan", "not json", "application/json", "kind", "scan"),
	}
}

func atHead(d deed) deed {
	d.whole = true
	return d
}

func asAdmin(d deed) deed {
	d.role = store.RoleAdmin
	return d
}

// outcome is the result of a deed: its status, the errors by field, and the lines of the audit log.
type outcome struct {
	Refused bool
	Words   map[string]string
	Log     []string
}

// TestAlike does every act through the page and through the API, each on its own database: both refuse the same, with
// the same words for the same fields, and write the same lines to the audit log. An act that cannot be logged is not
// done.
func TestAlike(t *testing.T) {
	for _, kind := range []string{store.KindSQLite, store.KindPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			one, two := newAlike(t, kind), newAlike(t, kind)
			one.withoutLog(func() { one.nothingIsDone(one.byPage) })
			two.withoutLog(func() { two.nothingIsDone(two.byAPI) })
			one.viewer(one.byPage)
			two.viewer(two.byAPI)
			for _, d := range deeds() {
				a, statusA := one.done(d, d.role, one.byPage)
				b, statusB := two.done(d, d.role, two.byAPI)
				if diff := cmp.Diff(b, a); diff != "" {
					t.Errorf("%s: API (-) and page (+) differ:\n%s", d.name, diff)
				}
				if statusA >= 500 || statusB >= 500 || statusA != statusB && statusA >= 400 {
					t.Errorf("%s: the page answers %d, the API %d", d.name, statusA, statusB)
				}
				if statusA == http.StatusNotFound && !gone.MatchString(d.name) {
					t.Errorf("%s: what it is about is not there", d.name)
				}
				if !a.Refused && len(a.Log) == 0 && d.name != "results: of nobody" {
					t.Errorf("%s was done, and is not in the log", d.name)
				}
				if a.Refused && len(a.Log) > 0 {
					t.Errorf("%s was refused, and is in the log: %q", d.name, a.Log)
				}
			}
		})
	}
}

// gone are the deeds on objects that do not exist.
var gone = regexp.MustCompile(`nothing|again|no host|/99|schedules/1`)

// alike is a server whose audit log is read.
type alike struct {
	*testSite
	t       *testing.T
	people  map[store.Role]*person
	tokens  map[store.Role]string
	logLine int64 // the last one that was seen
}

func newAlike(t *testing.T, kind string) *alike {
	t.Helper()
	dsn := filepath.Join(t.TempDir(), "fleet.db")
	if kind == store.KindPostgres {
		dsn = peer.Postgres(t)
	}
	s := &alike{
		testSite: newTestSiteOn(t, dsn), t: t, people: map[store.Role]*person{},
		tokens: map[store.Role]string{},
	}
	plainSeed().fill(t, s.st)
	for _, role := range []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin} {
		s.people[role] = s.login(role)
		u, err := s.st.UserByName(t.Context(), string(role))
		if err != nil {
			t.Fatal(err)
		}
		if s.tokens[role], _, err = s.access.NewToken(t.Context(), access.Who{User: u, Role: role}, password, "t", access.Scopes(access.Who{Role: role})[len(access.Scopes(access.Who{Role: role}))-1], time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	s.lines()
	return s
}

// lines returns those of the audit log since the last call, without who did it: the page's account, or the account's
// token.
func (s *alike) lines() []string {
	s.t.Helper()
	all, _, err := s.st.Acts(s.t.Context(), "", store.Page{Size: 200})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, l := range all {
		if l.ID > s.logLine {
			out = append([]string{l.Action + "|" + l.Subject + "|" + l.Detail}, out...)
			if who, _, _ := strings.Cut(l.Who, " "); !strings.Contains("viewer operator admin system", who) && !strings.HasPrefix(who, "at-") {
				s.t.Errorf("done by %q", l.Who)
			}
		}
	}
	if len(all) > 0 {
		s.logLine = max(s.logLine, all[0].ID)
	}
	return out
}

// done does a deed.
func (s *alike) done(d deed, role store.Role, by func(deed, store.Role) (int, map[string]string)) (outcome, int) {
	s.t.Helper()
	last := s.last()
	d.page, d.path = last.Replace(d.page), last.Replace(d.path)
	status, words := by(d, role)
	o := outcome{Words: words, Log: s.lines()}
	o.Refused = status >= 400 || len(o.Log) == 0 && status == http.StatusSeeOther
	switch {
	case !o.Refused, status == http.StatusNotFound:
		o.Words = nil
	}
	return o, status
}

// last returns the newest numbers: PostgreSQL does not reuse those of rows that were rolled back.
func (s *alike) last() *strings.Replacer {
	s.t.Helper()
	ctx := s.t.Context()
	var run, site, channel, credential int64
	runs, _, err := s.st.Runs(ctx, store.Page{Size: 1})
	sites, err1 := s.st.Sites(ctx)
	channels, err2 := s.st.Channels(ctx)
	credentials, err3 := s.st.Credentials(ctx)
	if err := errors.Join(err, err1, err2, err3); err != nil {
		s.t.Fatal(err)
	}
	for _, x := range runs {
		run = max(run, x.ID)
	}
	for _, x := range sites {
		site = max(site, x.ID)
	}
	for _, x := range channels {
		channel = max(channel, x.ID)
	}
	for _, x := range credentials {
		credential = max(credential, x.ID)
	}
	rollouts, _, err := s.st.Rollouts(ctx, nil, store.Page{Size: 1})
	if err != nil || len(rollouts) == 0 {
		s.t.Fatal("no rollout", err)
	}
	viewer, err := s.st.UserByName(ctx, string(store.RoleViewer))
	if err != nil {
		s.t.Fatal(err)
	}
	views, err := s.st.Views(ctx, viewer.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	view := int64(9999)
	for _, x := range views {
		view = x.ID
	}
	return strings.NewReplacer("{view}", fmt.Sprint(view), "{rollout}", fmt.Sprint(rollouts[0].ID), "{run}",
		fmt.Sprint(run), "{site}", fmt.Sprint(site), "{channel}", fmt.Sprint(channel), "{credential}",
		fmt.Sprint(credential))
}

var (
	fieldWords = regexp.MustCompile(`<span class="problem" id="w-([a-z_]+)">([^<]*)</span>`)
	wholeWords = regexp.MustCompile(`<p class="(?:problem" role="alert|note good" role="status|note bad)">([^<]*)</p>`)
)

// byPage sends the form, follows the redirect, and reads the message there.
func (s *alike) byPage(d deed, role store.Role) (int, map[string]string) {
	s.t.Helper()
	p := s.people[role]
	var a answer
	if d.file != "" || d.media != "" || strings.HasPrefix(d.page, "/credentials") && d.form != nil {
		a = p.upload(d.page, map[bool]string{true: "a file", false: ""}[d.file != "" || d.media != ""], d.file,
			d.form...)
	} else {
		a = p.post(d.page, d.form...)
	}
	status := a.status
	if status == http.StatusSeeOther {
		a = p.get(a.header.Get("Location"))
	}
	words := map[string]string{}
	for _, m := range fieldWords.FindAllStringSubmatch(a.body, -1) {
		words[m[1]] = html.UnescapeString(m[2])
	}
	for i := 0; i+1 < len(d.names); i += 2 {
		if w, ok := words[d.names[i]]; ok {
			delete(words, d.names[i])
			words[d.names[i+1]] = w
			break
		}
	}
	if m := wholeWords.FindStringSubmatch(a.body); m != nil && !strings.HasPrefix(m[1], "Not saved") {
		said := html.UnescapeString(m[1])
		for _, lead := range []string{"Nothing was changed: ", "Nothing was started: ", "No plan: "} {
			said = strings.TrimPrefix(said, lead)
		}
		words[""] = said
	}
	return status, words
}

// byAPI sends JSON or a file.
func (s *alike) byAPI(d deed, role store.Role) (int, map[string]string) {
	s.t.Helper()
	var body []byte
	media := d.media
	switch b := d.body.(type) {
	case nil:
	case string:
		body = []byte(b)
	default:
		media = "application/json"
		var err error
		if body, err = json.Marshal(b); err != nil {
			s.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(s.t.Context(), d.method, s.server.URL+api.Prefix+d.path,
		bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.tokens[role])
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	a := s.stranger().do(req)
	var problem struct {
		Detail string
		Fields []struct{ Field, Detail string }
	}
	if a.status >= 400 {
		if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
			s.t.Fatalf("%s: %v: %s", d.name, err, a.body)
		}
	}
	words := map[string]string{}
	for _, f := range problem.Fields {
		words[strings.TrimPrefix(f.Field, "selector.")] = sentence(f.Detail)
	}
	switch {
	case len(words) == 0 && problem.Detail != "":
		words[""] = sentence(problem.Detail)
	case d.whole && len(words) == 1:
		for _, w := range words {
			words = map[string]string{"": w}
		}
	}
	return a.status, words
}

// withoutLog removes the audit log while f runs.
func (s *alike) withoutLog(f func()) {
	s.t.Helper()
	rename := func(from, to string) {
		s.t.Helper()
		statement := fmt.Sprintf("ALTER TABLE %s RENAME TO %s", from, to)
		var err error
		if pool := s.st.Pool(); pool != nil {
			_, err = pool.Exec(s.t.Context(), statement)
		} else {
			_, err = s.st.DB().ExecContext(s.t.Context(), statement)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	rename("acts", "acts_away")
	f()
	rename("acts_away", "acts")
}

// nothingIsDone tries every deed, and compares the estate with its state before.
func (s *alike) nothingIsDone(by func(deed, store.Role) (int, map[string]string)) {
	s.t.Helper()
	before := s.estate()
	for _, d := range deeds() {
		last := s.last()
		d.page, d.path = last.Replace(d.page), last.Replace(d.path)
		if status, _ := by(d, d.role); status < 300 && d.name != "results: of nobody" {
			s.t.Errorf("%s: %d, although it cannot be logged", d.name, status)
		}
		if diff := cmp.Diff(before, s.estate()); diff != "" {
			s.t.Fatalf("%s was done, although it cannot be logged:\n%s", d.name, diff)
		}
	}
}

// viewer tries every deed as a viewer.
func (s *alike) viewer(by func(deed, store.Role) (int, map[string]string)) {
	s.t.Helper()
	before := s.estate()
	for _, d := range deeds() {
		if d.role == store.RoleViewer { // everybody's own
			continue
		}
		last := s.last()
		d.page, d.path = last.Replace(d.page), last.Replace(d.path)
		if status, _ := by(d, store.RoleViewer); status != http.StatusForbidden {
			s.t.Errorf("%s as a viewer: %d", d.name, status)
		}
	}
	if diff := cmp.Diff(before, s.estate()); diff != "" {
		s.t.Errorf("a viewer changed something:\n%s", diff)
	}
	if lines := s.lines(); len(lines) > 0 {
		s.t.Errorf("a viewer is in the log: %q", lines)
	}
}

// estate returns everything that deeds change.
func (s *alike) estate() map[string]any {
	s.t.Helper()
	ctx := s.t.Context()
	out := map[string]any{}
	keep := func(name string, v any, err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(name, err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		out[name] = string(b)
	}
	page := store.Page{Size: store.MaxPage, Sort: "id"}
	targets, _, err := s.st.Targets(ctx, store.TargetFilter{}, page)
	keep("targets", targets, err)
	runs, _, err := s.st.Runs(ctx, store.Page{Size: 100})
	keep("runs", runs, err)
	rollouts, _, err := s.st.Rollouts(ctx, nil, store.Page{Size: 100})
	keep("rollouts", rollouts, err)
	viewer, err := s.st.UserByName(ctx, string(store.RoleViewer))
	keep("viewer", viewer.ID, err)
	views, err := s.st.Views(ctx, viewer.ID)
	keep("views", views, err)
	sites, err := s.st.Sites(ctx)
	keep("sites", sites, err)
	schedules, err := s.st.Schedules(ctx)
	keep("schedules", schedules, err)
	exceptions, err := s.st.Exceptions(ctx, true)
	keep("exceptions", exceptions, err)
	channels, err := s.st.Channels(ctx)
	keep("channels", channels, err)
	credentials, err := s.st.Credentials(ctx)
	keep("credentials", credentials, err)
	for _, host := range []int64{1, 2} {
		for _, kind := range []string{"plan", "journal", "audit", "scan"} {
			b, at, err := s.st.Document(ctx, host, kind)
			if err == nil {
				keep(fmt.Sprintf("%s of %d", kind, host), []any{string(b), at}, nil)
			}
		}
	}
	return maps.Clone(out)
}

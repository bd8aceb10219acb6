package fleet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// maxWeakEvents bounds the events of one observation of one host: on a server that was never observed before, every
// client of a network may be new.
const maxWeakEvents = 100

// brokenWays names the logons whose response, or password itself, can be recovered from the traffic.
var brokenWays = map[string]string{
	model.PackagePlaintext: "plaintext", model.PackageLM: "LM", model.PackageNTLMv1: "NTLMv1",
	model.PackageNTLMv1ESS: "NTLMv1",
}

// weakClient is a client that logs on in such a way.
type weakClient struct{ client, way string }

// weakLogon is the first such logon of a client.
type weakLogon struct {
	at    time.Time
	letIn bool // one of them succeeded; otherwise the log does not tell their results
}

func weakClients(o *model.Observation) map[weakClient]weakLogon {
	out := map[weakClient]weakLogon{}
	for i := range o.Uses {
		u := &o.Uses[i]
		letIn := u.Outcome == model.Allowed
		if way := brokenWays[u.Package]; way != "" && (letIn || u.Untold()) && u.Layer == model.LayerSession {
			k := weakClient{u.Client, way}
			l, ok := out[k]
			if !ok || u.First.Before(l.at) {
				l.at = u.First
			}
			l.letIn = l.letIn || letIn
			out[k] = l
		}
	}
	return out
}

// newWeakClients returns events for clients that log on to a host in a broken way, with success or with a result that
// is not told, and that the previous observation does not contain. If before is nil, all of them are new.
func newWeakClients(h *store.Host, before []byte, now *model.Observation, at time.Time) ([]store.Event, error) {
	was, past := &model.Observation{}, "nothing was observed of this host before"
	if before != nil {
		past = "the observation before had no such logon of it"
		if err := json.Unmarshal(before, was); err != nil {
			return nil, fmt.Errorf("fleet: a stored observation: %w", err)
		}
	}
	is := weakClients(now)
	for k := range weakClients(was) {
		delete(is, k)
	}
	keys := slices.SortedFunc(maps.Keys(is), func(a, b weakClient) int {
		return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.way, b.way))
	})
	var out []store.Event
	say := func(subject, after, format string, args ...any) {
		out = append(out, store.Event{
			At: at, Kind: store.EventWeakLogon, HostID: h.ID, Host: h.Name, Site: h.Site,
			Severity: model.Medium, Subject: subject, After: after,
			Text: h.Name + " " + fmt.Sprintf(format, args...) + ".",
		})
	}
	for i, k := range keys {
		if i == maxWeakEvents {
			say("", "", "has %d further clients with weak logons that were not observed before", len(keys)-i)
			break
		}
		verb, result := "let in", ""
		if !is[k].letIn {
			verb, result = "was asked by", ", whether it was let in is not told"
		}
		say(k.client, k.way, "%s %s with %s, first at %s UTC%s; %s",
			verb, k.client, k.way, is[k].at.UTC().Format(time.DateTime), result, past)
	}
	return out, nil
}

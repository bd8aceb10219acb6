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

func weakClients(o *model.Observation) map[weakClient]time.Time {
	out := map[weakClient]time.Time{}
	for i := range o.Uses {
		u := &o.Uses[i]
		if way := brokenWays[u.Package]; way != "" && u.Outcome == model.Allowed && u.Layer == model.LayerSession {
			k := weakClient{u.Client, way}
			if first, ok := out[k]; !ok || u.First.Before(first) {
				out[k] = u.First
			}
		}
	}
	return out
}

// newWeakClients returns events for clients that logged on to a host in a broken way and that the previous observation
// does not contain. If before is nil, all of them are new.
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
			say("", "", "let in %d further clients with weak logons that were not observed before", len(keys)-i)
			break
		}
		say(k.client, k.way, "let in %s with %s, first at %s UTC; %s",
			k.client, k.way, is[k].UTC().Format(time.DateTime), past)
	}
	return out, nil
}

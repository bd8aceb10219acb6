package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/model"
)

// useKey is one kind of use by a stranger.
type useKey struct {
	client netip.Addr
	as     model.Identity
	pipe   string
	iface  string
}

// Observed returns the narrowest policy under which strangers could continue their observed uses: allowed calls on
// pipes. What a policy cannot express is returned as sentences. Whether any of it should continue is for people to
// decide.
func Observed(uses []model.Use) (p Policy, left []string) {
	done := map[useKey]map[string]bool{}
	seen := map[netip.Addr]int64{}
	for _, u := range uses {
		if u.Identity.IsStranger() && u.Outcome == model.Allowed && u.Share != "" && !isIPC(u.Share) {
			left = append(left,
				fmt.Sprintf("%s used the share %s as %s: a policy that lets strangers use shares has allow: everything",
					u.Client, u.Share, u.Identity))
			continue
		}
		if !u.Identity.IsStranger() || u.Outcome != model.Allowed || u.Layer != model.LayerCall {
			continue
		}
		client, err := netip.ParseAddr(u.Client)
		client = nameable(client)
		switch {
		case err != nil:
			left = append(left, fmt.Sprintf("%s used %s: a policy names clients by their addresses", u.Client, u.Pipe))
			continue
		case pipeName(u.Pipe) == "" || u.UUID == "" || u.Opnum < 0:
			left = append(left, fmt.Sprintf("%s used %q: pipe, interface or call are not known", u.Client, u.Pipe))
			continue
		}
		k := useKey{client, u.Identity, pipeName(u.Pipe), cmp.Or(u.Interface, u.UUID)}
		if _, _, err := interfaceOf(k.iface); err != nil {
			k.iface = u.UUID
		}
		if done[k] == nil {
			done[k] = map[string]bool{}
		}
		done[k][callName(k.iface, u)] = true
		seen[client] += u.Count
	}
	keys := slices.SortedFunc(maps.Keys(done), func(a, b useKey) int {
		return cmp.Or(a.client.Compare(b.client), cmp.Compare(a.as, b.as), cmp.Compare(a.pipe, b.pipe),
			cmp.Compare(a.iface, b.iface))
	})
	for _, k := range keys {
		p.add(k, slices.Sorted(maps.Keys(done[k])), seen[k.client])
	}
	slices.Sort(left)
	return p, slices.Compact(left)
}

// isIPC reports whether a share is IPC$, by its name or its path.
func isIPC(share string) bool {
	return strings.EqualFold(share[strings.LastIndexByte(share, '\\')+1:], "IPC$")
}

// callName returns the name of a call in a policy.
func callName(of string, u model.Use) string {
	if _, known, err := interfaceOf(of); err == nil {
		if n, err := opnumOf(known, u.Call); err == nil && int(n) == u.Opnum {
			return u.Call
		}
	}
	return strconv.Itoa(u.Opnum)
}

// add adds the calls of a client on one interface; keys must be sorted.
func (p *Policy) add(k useKey, names []string, times int64) {
	last := len(p.Strangers) - 1
	if last < 0 || p.Strangers[last].Clients[0].Addr() != k.client || p.Strangers[last].As[0] != k.as {
		p.Strangers = append(p.Strangers, Exception{
			Clients: []netip.Prefix{netip.PrefixFrom(k.client, k.client.BitLen())},
			As:      []model.Identity{k.as}, Allow: somePipes,
			Why: fmt.Sprintf("seen: %d calls", times),
		})
		last++
	}
	e := &p.Strangers[last]
	if n := len(e.Pipes) - 1; n < 0 || e.Pipes[n].Pipe != k.pipe {
		e.Pipes = append(e.Pipes, Pipe{Pipe: k.pipe})
	}
	on := &e.Pipes[len(e.Pipes)-1]
	on.Interfaces = append(on.Interfaces, Interface{k.iface, names})
}

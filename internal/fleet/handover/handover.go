// Package handover turns a rollout into files for other teams: an archive with a group policy backup, Ansible tasks and
// scripts for each group of hosts, and tickets for the owners.
//
//	rollout ─► groups ─► export ─► groups/01-…/gpo, ansible, powershell, reg ─┐
//	        ├► hosts that are left ─► hosts.csv, ansible/inventory.yml ────────┼► one zip, written as it is made
//	        ├► what it would stop ─► stops.csv                                 │
//	        └► groups × owners ─► tickets ─────────────────────────────────────┘
//
// The rules of the room:
//
//   - Only what remains of a rollout is handed over: closed hosts and hosts that are gone are listed, and get no files.
//   - A host's name is data: it is quoted in YAML, is no formula in a table, and is not part of a path.
//   - Every count is bounded, and the README of the archive says what a bound leaves out.
//   - It reads through the requester's reader, and so contains only what they may see.
package handover

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Bounds of the output.
const (
	// mostGroups bounds the groups with files: each is a policy, and nobody links five hundred of them.
	mostGroups = 500
	// mostStops bounds the rows about what would stop: more than anybody reviews host by host.
	mostStops = 10_000
	// mostTickets bounds the tickets of one file, following Jira's advice for imports.
	mostTickets = 1500
	// mostNamed bounds the hosts that a ticket names.
	mostNamed = 100
)

// Rollout is a rollout in the form that is handed over.
type Rollout struct {
	store.Rollout
	Groups []Group
	Hosts  []store.RolloutHost
	Stops  []store.RolloutStop

	MoreGroups, MoreStops int // left out by the bounds

	catalog *catalog.Catalog
}

// Group is a group with its remaining hosts.
type Group struct {
	store.RolloutGroup
	Name string // usable in a path and as an Ansible group
	Left []store.RolloutHost
}

// Read reads a whole rollout.
func Read(ctx context.Context, st store.Reader, c *catalog.Catalog, id int64) (*Rollout, error) {
	o, err := st.Rollout(ctx, id, nil)
	if err != nil {
		return nil, err
	}
	r := &Rollout{Rollout: o, catalog: c}
	for p := (store.Page{Size: store.MaxPage}); len(r.Groups) < mostGroups; p.Offset += p.Size {
		list, total, err := st.RolloutGroups(ctx, id, nil, p)
		if err != nil {
			return nil, err
		}
		for _, g := range list[:min(len(list), mostGroups-len(r.Groups))] {
			r.Groups = append(r.Groups, Group{RolloutGroup: g, Name: groupName(len(r.Groups)+1, &g)})
		}
		if r.MoreGroups = total - len(r.Groups); len(list) < p.Size {
			break
		}
	}
	at := map[int64]*Group{}
	for i := range r.Groups {
		at[r.Groups[i].ID] = &r.Groups[i]
	}
	for p := (store.Page{Size: store.MaxPage, Sort: "id"}); ; p.Offset += p.Size {
		list, _, err := st.RolloutHosts(ctx, id, store.RolloutFilter{}, p)
		if err != nil {
			return nil, err
		}
		r.Hosts = append(r.Hosts, list...)
		for _, h := range list {
			if g := at[h.Group]; g != nil && (h.State == store.RolloutOpen || h.State == store.RolloutUnwatched) {
				g.Left = append(g.Left, h)
			}
		}
		if len(list) < p.Size {
			break
		}
	}
	for p := (store.Page{Size: store.MaxPage}); len(r.Stops) < mostStops; p.Offset += p.Size {
		list, total, err := st.RolloutStops(ctx, id, nil, p)
		if err != nil {
			return nil, err
		}
		r.Stops = append(r.Stops, list...)
		if r.MoreStops = total - len(r.Stops); len(list) < p.Size {
			break
		}
	}
	return r, nil
}

// groupName returns a group's number with its platform and role, in letters, digits and underscores only: for a folder
// and an Ansible group.
func groupName(n int, g *store.RolloutGroup) string {
	name := fmt.Sprintf("g%02d_%s_%s", n, cmp.Or(g.Product, g.System), g.Role)
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// platform names a group's product and role for people.
func (r *Rollout) platform(g *Group) string {
	name := cmp.Or(g.Product, g.System)
	if p, release := r.catalog.ProductRelease(g.Product); p != nil {
		name = strings.TrimSpace(p.Title + " " + release)
	}
	if g.Role != "" && g.Role != model.UnknownRole {
		name += ", " + strings.ReplaceAll(string(g.Role), "-", " ")
	}
	return name
}

// does describes a group's changes, one a line.
func (g *Group) does() []string {
	var out []string
	for _, c := range g.Changes {
		line := fmt.Sprintf("%s: %s -> %s (%s)", c.Setting, c.From, c.To, c.Where)
		if c.Policy != "" {
			line += "; the policy " + c.Policy + " writes it: change it there"
		}
		out = append(out, shown(line))
	}
	return out
}

// owners returns the remaining hosts of a group by owner; hosts without an owner have the empty name.
func (g *Group) owners() (names []string, of map[string][]store.RolloutHost) {
	of = map[string][]store.RolloutHost{}
	for _, h := range g.Left {
		of[h.Owner] = append(of[h.Owner], h)
	}
	return slices.Sorted(maps.Keys(of)), of
}

// shown makes characters visible that hide or reorder text.
func shown(s string) string { return model.Visible(strings.ToValidUTF8(s, "?")) }

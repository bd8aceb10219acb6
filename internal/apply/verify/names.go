package verify

import (
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// opened holds the disk shares that were open to strangers before, as far as their names are known. Other names are
// kept only for this run and never shown.
type opened struct {
	count int      // how many there were
	names []string // those known by name
	given []string // those that the user named
}

// remember takes the open shares from an earlier scan.
func (o *opened) remember(s *model.Scan) {
	for i := range s.Identities {
		r := &s.Identities[i]
		if !r.Identity.IsStranger() {
			continue
		}
		n := 0
		for _, share := range r.Shares {
			if share.Open.Outcome != model.Allowed {
				continue
			}
			n++
			if share.Name != "" && !contains(o.names, share.Name) {
				o.names = append(o.names, share.Name)
			}
		}
		o.count = max(o.count, n)
	}
}

func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// toAsk returns the shares to request by name: those that the user or the plan names, and those that were open.
func (v *Verification) toAsk() []string {
	out := slices.Clone(v.Shares)
	add := func(n string) {
		if !contains(out, n) {
			out = append(out, n)
		}
	}
	if v.Plan != nil {
		for _, s := range v.Plan.Shares {
			add(s.Name)
		}
		for _, o := range v.Plan.Open {
			if name, ok := strings.CutPrefix(o.What, "anonymous-share:"); ok {
				add(name)
			}
		}
		for _, ch := range v.Plan.Changes {
			for _, c := range ch.Closes {
				if name, ok := strings.CutPrefix(c, "anonymous-share:"); ok {
					add(name)
				}
				if c == "default-shares" {
					for _, n := range defaultShares() {
						add(n)
					}
				}
			}
		}
	}
	for _, n := range v.opened.names {
		add(n)
	}
	return out
}

// toOpen returns the pipes that the plan closes or leaves to strangers: only a request by name proves that a pipe is
// closed.
func (v *Verification) toOpen() []string {
	var out []string
	if v.Plan == nil {
		return out
	}
	add := func(what string) {
		if name, ok := strings.CutPrefix(what, "anonymous-pipe:"); ok && !contains(out, name) {
			out = append(out, name)
		}
	}
	for _, ch := range v.Plan.Changes {
		for _, c := range ch.Closes {
			add(c)
		}
	}
	for _, o := range v.Plan.Open {
		add(o.What)
	}
	return out
}

// hide removes every name that the server disclosed from a scan, except shares that the user or the plan named.
func (v *Verification) hide(s *model.Scan) {
	for i := range s.Identities {
		r := &s.Identities[i]
		for j := range r.Shares {
			if contains(v.secret, r.Shares[j].Name) {
				r.Shares[j].Name = ""
			}
		}
		for _, p := range r.Pipes {
			for _, f := range p.Interfaces {
				for k := range f.Calls {
					f.Calls[k].Names = nil
				}
			}
		}
	}
}

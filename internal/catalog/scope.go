package catalog

import (
	"slices"

	"ipcguard/internal/model"
)

// fit says whether a statement applies on a platform. maybe means that too little is known of the platform.
type fit int

const (
	no fit = iota
	maybe
	yes
)

// empty reports whether a statement applies everywhere.
func (s Scope) empty() bool {
	return len(s.Products) == 0 && s.Since == "" && s.Until == "" && s.Family == "" && len(s.Roles) == 0
}

// empty reports whether a setting controls nothing.
func (g Governs) empty() bool {
	return !g.Session && !g.Tree && len(g.Pipes) == 0 && len(g.Discloses) == 0
}

// fits compares a scope with a platform. If the scope needs an unknown product or role, the answer is maybe.
func (c *Catalog) fits(s Scope, p model.Platform) fit { return c.fitsOneOf(s, p, nil) }

// fitsOneOf is fits with the products that the platform may be, if they are already known.
func (c *Catalog) fitsOneOf(s Scope, p model.Platform, candidates []*Product) fit {
	answer := yes
	if len(s.Roles) > 0 {
		switch {
		case p.Role == "" || p.Role == model.UnknownRole:
			answer = maybe
		case !slices.Contains(s.Roles, p.Role):
			return no
		}
	}
	if len(s.Products) == 0 && s.Since == "" && s.Until == "" && s.Family == "" {
		return answer
	}
	if candidates == nil {
		candidates = c.candidates(p)
	}
	if len(candidates) == 0 {
		return maybe
	}
	in, out := 0, 0
	for _, q := range candidates {
		switch c.holds(s, q, p.Role) {
		case yes:
			in++
		case no:
			out++
		default:
			in, out = in+1, out+1
		}
	}
	switch {
	case in == 0:
		return no
	case out > 0:
		return maybe
	}
	return answer
}

func (c *Catalog) holds(s Scope, p *Product, role model.Role) fit {
	if len(s.Products) > 0 && !slices.Contains(s.Products, p.ID) {
		return no
	}
	if since := c.release[s.Since]; since != nil && (p.System != since.System || p.position < since.position) {
		return no
	}
	if until := c.release[s.Until]; until != nil && (p.System != until.System || p.position > until.position) {
		return no
	}
	if s.Family == "" || s.Family == p.Family {
		return yes
	}
	if p.Family != "both" {
		return no
	}
	// NT 4.0 and Windows 2000 are one product here; the role determines the edition.
	switch family := familyOf(role); family {
	case "":
		return maybe
	case s.Family:
		return yes
	}
	return no
}

// familyOf returns the product family for a role; empty if the role is unknown.
func familyOf(role model.Role) string {
	switch role {
	case model.Workstation:
		return "client"
	case model.Member, model.Standalone, model.DomainController:
		return "server"
	}
	return ""
}

// candidates returns the products that a platform may be: one if it is named, several if only a build number or the
// system is known.
func (c *Catalog) candidates(p model.Platform) []*Product {
	if q := c.products[fold(p.Product)]; q != nil {
		return []*Product{q}
	}
	if p.System == "windows" && p.Build > 0 {
		family := ""
		switch p.Role {
		case model.DomainController:
			family = "server"
		case model.Workstation:
			family = "client"
		}
		if found := c.ProductsByBuild(p.Build, family); len(found) > 0 {
			return found
		}
	}
	var all []*Product
	for i := range c.Products {
		if c.Products[i].System == p.System {
			all = append(all, &c.Products[i])
		}
	}
	return all
}

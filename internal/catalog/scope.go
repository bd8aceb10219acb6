package catalog

import (
	"slices"

	"ipcguard/internal/model"
)

// fit answers whether a statement holds on a platform. maybe means that the platform is not known well enough.
type fit int

const (
	no fit = iota
	maybe
	yes
)

// empty tells whether a statement holds everywhere.
func (s Scope) empty() bool {
	return len(s.Products) == 0 && s.Since == "" && s.Until == "" && s.Family == "" && len(s.Roles) == 0
}

// fits compares a scope with a platform. A product or role that is not known makes the answer maybe where the scope
// asks for one.
func (c *Catalog) fits(s Scope, p model.Platform) fit { return c.fitsOneOf(s, p, nil) }

// fitsOneOf is fits with the products that the platform may be, where they are known already.
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
		if c.holds(s, q, p.Role) {
			in++
		} else {
			out++
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

func (c *Catalog) holds(s Scope, p *Product, role model.Role) bool {
	if len(s.Products) > 0 && !slices.Contains(s.Products, p.ID) {
		return false
	}
	if since := c.release[s.Since]; since != nil && (p.System != since.System || p.position < since.position) {
		return false
	}
	if until := c.release[s.Until]; until != nil && (p.System != until.System || p.position > until.position) {
		return false
	}
	if s.Family == "" || s.Family == p.Family {
		return true
	}
	// NT 4.0 and Windows 2000 are one product here; what they are follows from the role, as far as it does
	return p.Family == "both" && (role == model.DomainController) == (s.Family == "server")
}

// candidates are the products that a platform may be: one where it is named, several where a build number or nothing
// but the system is known.
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

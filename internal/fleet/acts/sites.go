package acts

import (
	"context"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
)

// SiteChange is the wanted state of a site.
type SiteChange struct {
	Name        string  `json:"name"`
	Rate        float64 `json:"rate,omitempty"`        // connections a second; 0 is no limit
	Concurrency int     `json:"concurrency,omitempty"` // hosts at a time for each worker; 0 is the scanner's default
	Window      string  `json:"window,omitempty"`
	Zone        string  `json:"zone,omitempty"`
}

// Bounds of a site: more connections a second than a network card makes, more hosts than a worker can scan.
const (
	maxRate        = 1_000_000
	maxConcurrency = 10_000
)

func (in *SiteChange) check() error {
	var k checks
	k.need("name", &in.Name)
	if !(in.Rate >= 0 && in.Rate <= maxRate) { // the comparison is also false for NaN
		k.wrong("rate", "want 0 to %d connections a second", maxRate)
	}
	if in.Concurrency < 0 || in.Concurrency > maxConcurrency {
		k.wrong("concurrency", "want 0 to %d hosts at a time", maxConcurrency)
	}
	k.clock(&in.Zone, &in.Window)
	return k.err()
}

// SaveSite adds a site if id is 0, or changes one.
func (a *Acts) SaveSite(ctx context.Context, who access.Who, id int64, in SiteChange) (s store.Site, err error) {
	err = a.doAt(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		s = store.Site{}
		sites := []int64{}
		if id != 0 {
			if s, err = tx.Site(ctx, id); err == nil {
				err = at(who, store.RoleAdmin, id)
			}
			if err != nil {
				return line{}, err
			}
			sites = append(sites, id)
		} else if err := may(who, store.RoleAdmin); err != nil {
			return line{}, err
		}
		was := s.Name
		if err := in.check(); err != nil {
			return line{}, err
		}
		if was != in.Name && !who.Can(store.RoleAdmin) { // other settings refer to it by name
			return line{}, &Refusal{
				Kind:   Forbidden,
				Fields: []Field{{"name", "an administrator of the whole fleet names sites"}},
			}
		}
		s.Name, s.Rate, s.Concurrency, s.Window, s.Zone = in.Name, in.Rate, in.Concurrency, in.Window, in.Zone
		return entry(action("site", id), s.Name,
			"").at(sites...), taken(tx.SaveSite(ctx, &s), "name", "another site has this name")
	})
	return s, err
}

// DeleteSite deletes a site without targets and hosts.
func (a *Acts) DeleteSite(ctx context.Context, who access.Who, id int64) error {
	return a.do(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		s, err := tx.Site(ctx, id)
		if err != nil {
			return line{}, err
		}
		return entry("site.delete", s.Name, ""), inUse(tx.DeleteSite(ctx, id),
			"the site has targets or hosts and stays")
	})
}

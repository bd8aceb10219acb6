package store

import (
	"context"
	"slices"
	"time"

	"ipcguard/internal/model"
)

// only restricts a Reader to some sites. It embeds nothing: a query that is added to Reader does not compile here until
// it has been decided what it may reveal.
type only struct {
	r     Reader
	sites Sites
	user  int64
}

// Only returns a Reader restricted to some sites, and among accounts to the reader's own. Everything else does not
// exist for it.
func Only(r Reader, sites Sites, user int64) Reader {
	if sites == nil {
		sites = Sites{}
	}
	return only{r, sites, user}
}

// noSite is a name that no site has: names contain no line break.
const noSite = "\n"

var _ Reader = only{}

func (o only) has(site int64) bool { return slices.Contains(o.sites, site) }

// mine returns v if its site is allowed.
func mine[T any](o only, v T, site int64, err error) (T, error) {
	if err == nil && !o.has(site) {
		err = ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}

// kept filters a list.
func kept[T any](list []T, err error, keep func(T) bool) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(v T) bool { return !keep(v) }), nil
}

// names returns the names of the sites.
func (o only) names(ctx context.Context) ([]string, error) {
	sites, err := o.Sites(ctx)
	var out []string
	for _, s := range sites {
		out = append(out, s.Name)
	}
	return out, err
}

func (o only) Site(ctx context.Context, id int64) (Site, error) {
	s, err := o.r.Site(ctx, id)
	return mine(o, s, s.ID, err)
}

func (o only) SiteByName(ctx context.Context, name string) (Site, error) {
	s, err := o.r.SiteByName(ctx, name)
	return mine(o, s, s.ID, err)
}

func (o only) Sites(ctx context.Context) ([]Site, error) {
	all, err := o.r.Sites(ctx)
	return kept(all, err, func(s Site) bool { return o.has(s.ID) })
}

func (o only) EnrolledWorkers(ctx context.Context) ([]Enrolled, error) {
	all, err := o.r.EnrolledWorkers(ctx)
	return kept(all, err, func(e Enrolled) bool { return o.has(e.SiteID) })
}

func (o only) Workers(ctx context.Context) ([]Worker, error) {
	names, err := o.names(ctx)
	if err != nil {
		return nil, err
	}
	all, err := o.r.Workers(ctx)
	return kept(all, err, func(w Worker) bool { return slices.Contains(names, w.Site) })
}

// Hosts, and queries with a filter of hosts.

func (o only) Host(ctx context.Context, id int64) (Host, error) {
	h, err := o.r.Host(ctx, id)
	return mine(o, h, h.SiteID, err)
}

func (o only) hosts(f HostFilter) HostFilter { f.Within = o.sites; return f }

func (o only) Hosts(ctx context.Context, f HostFilter, p Page) ([]Host, int, error) {
	return o.r.Hosts(ctx, o.hosts(f), p)
}

func (o only) EachHost(ctx context.Context, f HostFilter, do func(Host) error) error {
	return o.r.EachHost(ctx, o.hosts(f), do)
}

func (o only) Counts(ctx context.Context, f HostFilter) (Counts, error) {
	return o.r.Counts(ctx, o.hosts(f))
}

func (o only) CellCounts(ctx context.Context, f HostFilter) (map[model.Disclosure]int, error) {
	return o.r.CellCounts(ctx, o.hosts(f))
}

func (o only) ClientLogons(ctx context.Context, f HostFilter, p Page) ([]ClientLogon, int, error) {
	return o.r.ClientLogons(ctx, o.hosts(f), p)
}

func (o only) Compare(ctx context.Context, from, to time.Time, f HostFilter, p Page) ([]Difference, int, error) {
	return o.r.Compare(ctx, from, to, o.hosts(f), p)
}

func (o only) Findings(ctx context.Context, f HostFilter, p Page) ([]HostFinding, int, error) {
	return o.r.Findings(ctx, o.hosts(f), p)
}

func (o only) FindingCounts(ctx context.Context, f HostFilter) ([]FindingCount, error) {
	return o.r.FindingCounts(ctx, o.hosts(f))
}

func (o only) SettingCounts(ctx context.Context, f HostFilter) ([]SettingCount, error) {
	return o.r.SettingCounts(ctx, o.hosts(f))
}

func (o only) Standings(ctx context.Context, f HostFilter) ([]Standing, error) {
	return o.r.Standings(ctx, o.hosts(f))
}

func (o only) OpenSince(ctx context.Context, f HostFilter) (map[int64]time.Time, error) {
	return o.r.OpenSince(ctx, o.hosts(f))
}

// Queries about one host.

func (o only) HostFindings(ctx context.Context, hostID int64) ([]HostFinding, error) {
	if _, err := o.Host(ctx, hostID); err != nil {
		return nil, err
	}
	return o.r.HostFindings(ctx, hostID)
}

func (o only) HostNames(ctx context.Context, hostID int64) ([]HostName, error) {
	if _, err := o.Host(ctx, hostID); err != nil {
		return nil, err
	}
	return o.r.HostNames(ctx, hostID)
}

func (o only) Results(ctx context.Context, hostID int64, p Page) ([]Result, int, error) {
	if _, err := o.Host(ctx, hostID); err != nil {
		return nil, 0, err
	}
	return o.r.Results(ctx, hostID, p)
}

func (o only) Spans(ctx context.Context, hostID int64, kind RunKind) ([]Span, error) {
	if _, err := o.Host(ctx, hostID); err != nil {
		return nil, err
	}
	return o.r.Spans(ctx, hostID, kind)
}

func (o only) Document(ctx context.Context, hostID int64, kind string) ([]byte, time.Time, error) {
	if _, err := o.Host(ctx, hostID); err != nil {
		return nil, time.Time{}, err
	}
	return o.r.Document(ctx, hostID, kind)
}

func (o only) PreviousDocument(ctx context.Context, hostID int64, kind string) ([]byte, time.Time, error) {
	if _, err := o.Host(ctx, hostID); err != nil {
		return nil, time.Time{}, err
	}
	return o.r.PreviousDocument(ctx, hostID, kind)
}

// Targets.

func (o only) Target(ctx context.Context, id int64) (Target, error) {
	t, err := o.r.Target(ctx, id)
	return mine(o, t, t.SiteID, err)
}

func (o only) Targets(ctx context.Context, f TargetFilter, p Page) ([]Target, int, error) {
	f.Within = o.sites
	return o.r.Targets(ctx, f, p)
}

func (o only) EachTarget(ctx context.Context, f TargetFilter, do func(Target) error) error {
	f.Within = o.sites
	return o.r.EachTarget(ctx, f, do)
}

func (o only) Tags(ctx context.Context, _ Sites) ([]string, error) { return o.r.Tags(ctx, o.sites) }

func (o only) Owners(ctx context.Context, _ Sites) ([]string, error) { return o.r.Owners(ctx, o.sites) }

// Events without a site are the server's own and left out.
func (o only) Events(ctx context.Context, f EventFilter, p Page) ([]Event, int, error) {
	f.Within = o.sites
	return o.r.Events(ctx, f, p)
}

// Trend adds up the sites.
func (o only) Trend(ctx context.Context, from, to time.Time, site string) ([]TrendPoint, error) {
	names, err := o.names(ctx)
	if err != nil {
		return nil, err
	}
	if site != "" {
		if !slices.Contains(names, site) {
			names = nil
		} else {
			names = []string{site}
		}
	}
	// The days with empty counts.
	sum, err := o.r.Trend(ctx, from, to, noSite)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		one, err := o.r.Trend(ctx, from, to, name)
		if err != nil {
			return nil, err
		}
		for i, p := range one {
			sum[i].Exposed += p.Exposed
			sum[i].Limited += p.Limited
			sum[i].Closed += p.Closed
			sum[i].Unknown += p.Unknown
		}
	}
	return sum, nil
}

// Of a rollout, only the hosts at these sites are visible, and what concerns them.

func (o only) Rollout(ctx context.Context, id int64, _ Sites) (Rollout, error) {
	return o.r.Rollout(ctx, id, o.sites)
}

func (o only) Rollouts(ctx context.Context, _ Sites, p Page) ([]Rollout, int, error) {
	return o.r.Rollouts(ctx, o.sites, p)
}

func (o only) RolloutGroups(ctx context.Context, id int64, _ Sites, p Page) ([]RolloutGroup, int, error) {
	return o.r.RolloutGroups(ctx, id, o.sites, p)
}

func (o only) RolloutHosts(ctx context.Context, id int64, f RolloutFilter, p Page) ([]RolloutHost, int, error) {
	f.Within = o.sites
	return o.r.RolloutHosts(ctx, id, f, p)
}

func (o only) RolloutStops(ctx context.Context, id int64, _ Sites, p Page) ([]RolloutStop, int, error) {
	return o.r.RolloutStops(ctx, id, o.sites, p)
}

// A run is visible if it was started for an allowed site, and so is a schedule. A run over several sites counts the
// results of all of them.

func (o only) Run(ctx context.Context, id int64) (Run, error) {
	r, err := o.r.Run(ctx, id)
	if err != nil {
		return r, err
	}
	s, err := o.r.SiteByName(ctx, r.Selector.Site)
	return mine(o, r, s.ID, err)
}

func (o only) OpenRuns(ctx context.Context) ([]Run, error) {
	names, err := o.names(ctx)
	if err != nil {
		return nil, err
	}
	all, err := o.r.OpenRuns(ctx)
	return kept(all, err, func(r Run) bool { return slices.Contains(names, r.Selector.Site) })
}

func (o only) Runs(ctx context.Context, p Page) ([]Run, int, error) {
	names, err := o.names(ctx)
	if err != nil {
		return nil, 0, err
	}
	return o.r.RunsOf(ctx, names, p)
}

func (o only) RunsOf(ctx context.Context, sites []string, p Page) ([]Run, int, error) {
	names, err := o.names(ctx)
	if err != nil {
		return nil, 0, err
	}
	names, _ = kept(names, nil, func(s string) bool { return slices.Contains(sites, s) })
	return o.r.RunsOf(ctx, names, p)
}

func (o only) Units(ctx context.Context, runID int64, state UnitState, p Page) ([]Unit, int, error) {
	if _, err := o.Run(ctx, runID); err != nil {
		return nil, 0, err
	}
	return o.r.Units(ctx, runID, state, p)
}

func (o only) Schedule(ctx context.Context, id int64) (Schedule, error) {
	v, err := o.r.Schedule(ctx, id)
	if err != nil {
		return v, err
	}
	s, err := o.r.SiteByName(ctx, v.Selector.Site)
	return mine(o, v, s.ID, err)
}

func (o only) Schedules(ctx context.Context) ([]Schedule, error) {
	names, err := o.names(ctx)
	if err != nil {
		return nil, err
	}
	all, err := o.r.Schedules(ctx)
	return kept(all, err, func(s Schedule) bool { return slices.Contains(names, s.Selector.Site) })
}

// Exceptions are visible if their host is; one for a tag or for all hosts also applies to these sites.
func (o only) Exceptions(ctx context.Context, all bool) ([]Exception, error) {
	list, err := o.r.Exceptions(ctx, all)
	if err != nil {
		return nil, err
	}
	ids := []int64{}
	for _, e := range list {
		if e.HostID != 0 {
			ids = append(ids, e.HostID)
		}
	}
	known := map[int64]bool{0: true}
	for part := range slices.Chunk(ids, MaxPage) {
		hosts, _, err := o.Hosts(ctx, HostFilter{IDs: part}, Page{Size: MaxPage})
		if err != nil {
			return nil, err
		}
		for _, h := range hosts {
			known[h.ID] = true
		}
	}
	return kept(list, nil, func(e Exception) bool { return known[e.HostID] })
}

// Accounts: only the reader's own. The audit log, channels and stored credentials belong to no site.

func (o only) User(ctx context.Context, id int64) (User, error) {
	if id != o.user {
		return User{}, ErrNotFound
	}
	return o.r.User(ctx, id)
}

func (o only) Users(ctx context.Context) ([]User, error) {
	all, err := o.r.Users(ctx)
	return kept(all, err, func(u User) bool { return u.ID == o.user })
}

func (o only) Tokens(ctx context.Context, userID int64) ([]Token, error) {
	if userID != o.user {
		return nil, ErrNotFound
	}
	return o.r.Tokens(ctx, userID)
}

func (o only) View(ctx context.Context, userID, id int64) (SavedView, error) {
	if userID != o.user {
		return SavedView{}, ErrNotFound
	}
	return o.r.View(ctx, userID, id)
}

func (o only) Views(ctx context.Context, userID int64) ([]SavedView, error) {
	if userID != o.user {
		return nil, ErrNotFound
	}
	return o.r.Views(ctx, userID)
}

func (o only) Passkeys(ctx context.Context, userID int64) ([]Passkey, error) {
	if userID != o.user {
		return nil, ErrNotFound
	}
	return o.r.Passkeys(ctx, userID)
}

func (o only) RecoveryCodes(ctx context.Context, userID int64) (int, error) {
	if userID != o.user {
		return 0, ErrNotFound
	}
	return o.r.RecoveryCodes(ctx, userID)
}

func (o only) Acts(context.Context, string, Page) ([]Act, int, error) { return nil, 0, nil }
func (o only) Channel(context.Context, int64) (Channel, error)        { return Channel{}, ErrNotFound }
func (o only) Channels(context.Context) ([]Channel, error)            { return nil, nil }
func (o only) Credential(context.Context, int64) (Credential, error) {
	return Credential{}, ErrNotFound
}
func (o only) Credentials(context.Context) ([]Credential, error) { return nil, nil }
func (o only) Deliveries(context.Context, int64, Page) ([]Delivery, int, error) {
	return nil, 0, ErrNotFound
}
func (o only) Ping(ctx context.Context) error { return o.r.Ping(ctx) }

// Meta returns nothing: it belongs to no site.
func (o only) Meta(context.Context, string) (string, error) { return "", ErrNotFound }

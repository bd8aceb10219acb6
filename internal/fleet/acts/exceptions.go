package acts

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// NewException accepts one finding for a while: of some hosts, of the hosts with a tag, or of all if neither is given.
type NewException struct {
	Finding string    `json:"finding"`
	HostID  *int64    `json:"host_id,omitempty"`  // one host
	HostIDs []int64   `json:"host_ids,omitempty"` // several, each with an exception of its own
	Tag     string    `json:"tag,omitempty"`
	Reason  string    `json:"reason"`
	Owner   string    `json:"owner"`
	Until   time.Time `json:"until"`
}

const (
	// longestException is how long a finding may be accepted at once: after longer, whoever accepted it may have left.
	longestException = 2 * 366 * 24 * time.Hour
	// MaxExcepted bounds the hosts that are excepted one by one; for more, use a tag.
	MaxExcepted = 200
)

func (a *Acts) checkException(in *NewException) error {
	var k checks
	k.need("finding", &in.Finding)
	if in.Finding != "" && a.o.Catalog.Finding(in.Finding) == nil {
		k.wrong("finding", "there is no such finding")
	}
	k.line("tag", &in.Tag)
	in.Tag = strings.ToLower(in.Tag)
	if len(in.HostIDs) > 0 && in.Tag != "" {
		k.wrong("tag", "name hosts or a tag, not both")
	}
	if in.HostIDs != nil && len(in.HostIDs) == 0 { // a script with an empty list does not mean every host
		k.wrong("host_ids", "no host is named; leave this out to except every host")
	}
	if len(in.HostIDs) > MaxExcepted {
		k.wrong("host_ids", "at most %d hosts at once: give them a tag and except the tag", MaxExcepted)
	}
	if k.note("reason", &in.Reason); in.Reason == "" {
		k.wrong("reason", "this is needed")
	}
	k.need("owner", &in.Owner)
	switch now := a.now(); {
	case in.Until.IsZero():
		k.wrong("until", "want a date such as 2027-03-31")
	case !in.Until.After(now):
		k.wrong("until", "this is past")
	case in.Until.Sub(now) > longestException:
		k.wrong("until", "two years at most")
	}
	return k.err()
}

// Except accepts a finding, and returns the new exceptions: one, or one for each host.
func (a *Acts) Except(ctx context.Context, who access.Who, in NewException) (made []store.Exception, err error) {
	if in.HostID != nil {
		in.HostIDs = append([]int64{*in.HostID}, in.HostIDs...)
	}
	slices.Sort(in.HostIDs)
	in.HostIDs = slices.Compact(in.HostIDs)
	err = a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		made = nil
		if err := a.checkException(&in); err != nil {
			return line{}, err
		}
		if len(in.HostIDs) == 0 && !who.Can(store.RoleOperator) { // hosts of other sites have the tag too
			return line{}, &Refusal{
				Kind:   Forbidden,
				Fields: []Field{{"tag", "your role is for single sites: name hosts of yours"}},
			}
		}
		sites := []int64{}
		e := store.Exception{
			Finding: in.Finding,
			Tag:     in.Tag,
			Reason:  in.Reason,
			Owner:   in.Owner,
			Until:   in.Until.UTC(),
			By:      who.Name(),
			Created: a.now(),
		}
		covers := "every host"
		if in.Tag != "" {
			covers = "hosts with the tag " + in.Tag
		}
		for _, id := range in.HostIDs {
			h, err := tx.Host(ctx, id)
			if err == nil {
				err = at(who, store.RoleOperator, h.SiteID)
				sites = append(sites, h.SiteID)
			}
			if errors.Is(err, store.ErrNotFound) {
				return line{}, &Refusal{Fields: []Field{{"host_id", "there is no such host"}}}
			} else if err != nil {
				return line{}, err
			}
			if covers = h.Name; len(in.HostIDs) > 1 {
				covers = model.Count(len(in.HostIDs), "host", "hosts")
			}
			one := e
			one.HostID = id
			made = append(made, one)
		}
		if len(made) == 0 {
			made = append(made, e)
		}
		for i := range made {
			if err := tx.SaveException(ctx, &made[i]); err != nil {
				return line{}, err
			}
		}
		return entry("exception.add", in.Finding, covers+" until "+day(in.Until)).at(sites...), nil
	})
	return made, err
}

// Withdraw ends an exception now.
func (a *Acts) Withdraw(ctx context.Context, who access.Who, id int64) error {
	return a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		sites := []int64{}
		if !who.Can(store.RoleOperator) {
			e, err := tx.Exception(ctx, id)
			if err != nil {
				return line{}, err
			}
			if e.HostID == 0 {
				return line{}, access.ErrForbidden
			}
			if sites, err = sitesOf(ctx, tx, who, store.RoleOperator, []int64{e.HostID}); err != nil {
				return line{}, err
			}
		}
		return entry("exception.withdraw", "exception "+strconv.FormatInt(id, 10),
			"").at(sites...), tx.WithdrawException(ctx, id, who.Name())
	})
}

package acts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/store"
)

// ImportResults imports results that scan, audit or observe produced elsewhere, see [fleet.Fleet.Import]. Every
// imported result has an entry in the audit log. A file that cannot be read is a [Refusal]; results before the error
// stay imported.
func (a *Acts) ImportResults(ctx context.Context, who access.Who, kind string, r io.Reader) (fleet.Imported, error) {
	return a.importResults(ctx, who, kind, r, false)
}

// PreviewResults returns what ImportResults would do, and stores nothing.
func (a *Acts) PreviewResults(ctx context.Context, who access.Who, kind string, r io.Reader) (fleet.Imported, error) {
	return a.importResults(ctx, who, kind, r, true)
}

// maxNamed bounds the hosts that the outcome of an import names.
const maxNamed = 20

func (a *Acts) importResults(
	ctx context.Context, who access.Who, kind string, r io.Reader, look bool,
) (fleet.Imported, error) {
	none := fleet.Imported{Problems: []string{}}
	if !who.UploadsSomewhere() {
		return none, access.ErrForbidden
	}
	var k checks
	if oneOf(&k, "kind", kind, "scan", "audit", "observe"); k.err() != nil {
		return none, k.err()
	}
	source := a.reading(ctx, who, r)
	source.left, source.enter = smallUpload, func() (func(), error) {
		return a.uploads.enter(ctx, who.Name(), kind == "observe")
	}
	defer source.close()
	var hosts []string
	report, err := a.fleet.Import(ctx, kind, source, who.Uploads, func(tx *store.Tx, host string) error {
		if len(hosts) < maxNamed && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
		if look {
			return fleet.ErrLooked
		}
		return a.access.ActIn(ctx, tx, who, "result.import", host, kind)
	})
	report.Hosts = hosts
	return report, source.unreadable(err)
}

// RemoveResult removes a host's result as if it had never been recorded. It requires an administrator of the host's
// site.
func (a *Acts) RemoveResult(ctx context.Context, who access.Who, host, result int64) error {
	return a.doAt(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		h, err := tx.Host(ctx, host)
		if err == nil {
			err = at(who, store.RoleAdmin, h.SiteID) // before anything about it is revealed
		}
		if err != nil {
			return line{}, err
		}
		r, err := tx.Result(ctx, result)
		if err == nil && r.HostID != host {
			err = store.ErrNotFound
		}
		if err != nil {
			return line{}, err
		}
		out, err := a.fleet.RemoveResult(ctx, tx, result)
		if errors.Is(err, store.ErrHistory) {
			return line{},
				&Refusal{Kind: Conflict, Text: "it cannot be taken back: the host was retired or joined with another " +
					"since, or older results were cleared away; " +
					"scan the host again, or remove it"}
		}
		detail := fmt.Sprintf("%s of %s: %s", r.Kind, r.At.UTC().Format(time.DateOnly), orNone(string(r.Verdict)))
		if out.Gone {
			detail += "; it was the only one, and the host is gone"
		}
		return entry("result.remove", h.Name, detail).at(h.SiteID), err
	})
}

func orNone(s string) string {
	if s == "" {
		return "no verdict"
	}
	return s
}

// maxJournal bounds a journal as JSON in bytes: a hundred applies with a smb.conf in each.
const maxJournal = 8 << 20

// SaveJournal stores what was applied on a host: the output of history --format json there.
func (a *Acts) SaveJournal(ctx context.Context, who access.Who, host int64, r io.Reader) error {
	if !who.Somewhere(store.RoleOperator) {
		return access.ErrForbidden
	}
	b, err := io.ReadAll(io.LimitReader(a.reading(ctx, who, r), maxJournal+1))
	if err != nil {
		return err
	}
	return a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		h, err := tx.Host(ctx, host)
		if err == nil {
			err = at(who, store.RoleOperator, h.SiteID)
		}
		if err != nil {
			return line{}, err
		}
		switch {
		case len(b) > maxJournal:
			return line{}, &Refusal{Fields: []Field{
				{"file", fmt.Sprintf("more than %d bytes: this is longer than a journal is", maxJournal)},
			}}
		case !isJournal(b):
			return line{}, &Refusal{Fields: []Field{{"file", "this is not what ipcguard history --format json writes"}}}
		}
		return entry("result.import", h.Name,
			"journal").at(h.SiteID), tx.SaveDocument(ctx, h.ID, fleet.DocumentJournal, a.now(), b)
	})
}

// isJournal reports whether a document is an apply or a list of them.
func isJournal(b []byte) bool {
	type apply struct {
		ID string `json:"id"`
	}
	var list []apply
	if model.CheckDocument(b) != nil {
		return false
	}
	if json.Unmarshal(b, &list) != nil {
		var one apply
		if json.Unmarshal(b, &one) != nil {
			return false
		}
		list = []apply{one}
	}
	for _, x := range list {
		if x.ID != "" {
			return true
		}
	}
	return false
}

// NewPlan is the kind of plan that is wanted.
type NewPlan struct {
	Strategy string `json:"strategy,omitempty" enum:"restrict,block"` // restrict if omitted
	// Of restrict, how far it goes; strangers if omitted.
	Goal   string `json:"goal,omitempty" enum:"strangers,harden,findings"`
	Accept bool   `json:"accept_breakage,omitempty"`
}

// Plan plans how to close a host, from what is stored of it, and stores the plan. It changes nothing on the host.
func (a *Acts) Plan(ctx context.Context, who access.Who, host int64, in NewPlan) (*model.Plan, error) {
	if !who.Somewhere(store.RoleOperator) {
		return nil, access.ErrForbidden
	}
	h, err := a.st.Host(ctx, host)
	if err == nil {
		err = at(who, store.RoleOperator, h.SiteID)
	}
	if err != nil {
		return nil, err
	}
	if in.Strategy == "" {
		in.Strategy = plan.Restrict
	}
	var k checks
	oneOf(&k, "strategy", in.Strategy, plan.Restrict, plan.Block)
	if in.Goal != "" {
		oneOf(&k, "goal", in.Goal, plan.Goals()...)
	}
	if k.err() != nil {
		return nil, k.err()
	}
	p, err := a.fleet.Plan(ctx, host, fleet.Wish{
		Strategy: in.Strategy,
		Goal:     in.Goal,
		Accept:   in.Accept,
		By:       who.Name(),
		Made:     a.now().UTC().Truncate(time.Second),
	})
	if errors.Is(err, fleet.ErrNoAudit) {
		return nil, &Refusal{Text: Words(err)}
	} else if err != nil {
		return nil, err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("acts: a plan as JSON: %w", err)
	}
	err = a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		h, err := tx.Host(ctx, host)
		if err != nil {
			return line{}, err
		}
		said := entry("plan.make", h.Name, in.Strategy+", "+model.Count(len(p.Changes), "change",
			"changes")).at(h.SiteID)
		return said, tx.SaveDocument(ctx, host, fleet.DocumentPlan, a.now(), b)
	})
	return p, err
}

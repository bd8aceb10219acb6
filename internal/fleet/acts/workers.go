package acts

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"regexp"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/gate"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/store"
)

// NewWorker is a new right to enrol one worker.
type NewWorker struct {
	Site string `json:"site"`
	Name string `json:"name,omitempty"` // empty is the worker's own name
}

// JoinCode enrols one worker, once. It is shown only here.
type JoinCode struct {
	Code  string    `json:"code"`
	Site  string    `json:"site"`
	Until time.Time `json:"until"`
}

// codeLife is how long a join code is valid: carrying it to a machine takes minutes.
const codeLife = time.Hour

var workerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ErrKey says that what an act needs is sealed with another key.
var ErrKey = errors.New("acts: this server's key file does not open what is sealed in its database; " +
	"put back the one that sealed it, and start the server again")

// AddWorker creates a join code for a worker of a site.
func (a *Acts) AddWorker(ctx context.Context, who access.Who, in NewWorker) (out JoinCode, err error) {
	if !who.Somewhere(store.RoleAdmin) {
		return out, access.ErrForbidden
	}
	trust, err := a.fleet.Authority(ctx)
	if errors.Is(err, secret.ErrWrongKey) {
		err = fmt.Errorf("%w: %w", ErrKey, err)
	}
	if err != nil {
		return out, fmt.Errorf("acts: the authority of workers: %w", err)
	}
	text := base32.StdEncoding.WithPadding(base32.NoPadding)
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return out, fmt.Errorf("acts: %w", err)
	}
	secret, print := text.EncodeToString(raw), trust.Fingerprint(a.now())
	err = a.doAt(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		var k checks
		k.need("site", &in.Site)
		if k.line("name", &in.Name); in.Name != "" && !workerName.MatchString(in.Name) {
			k.wrong("name", "a worker's name has letters, digits, dots and hyphens, 63 at most")
		}
		site, err := tx.SiteByName(ctx, in.Site)
		if errors.Is(err, store.ErrNotFound) || err == nil && !who.At(site.ID, store.RoleAdmin) {
			k.wrong("site", "there is no such site")
		} else if err != nil {
			return line{}, err
		}
		if err := k.err(); err != nil {
			return line{}, err
		}
		out = JoinCode{
			Code:  wire.CodePrefix + secret + "-" + text.EncodeToString(print[:]),
			Site:  site.Name,
			Until: a.now().Add(codeLife),
		}
		j := store.Join{Hash: gate.CodeHash(secret), SiteID: site.ID, Name: in.Name, By: who.Name(), Until: out.Until}
		return entry("worker.add", in.Name, "site "+site.Name).at(site.ID), tx.AddJoin(ctx, j)
	})
	return out, err
}

// RevokeWorker revokes a worker's certificates from the next request on, and releases its units.
func (a *Acts) RevokeWorker(ctx context.Context, who access.Who, id int64) error {
	return a.doAt(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		e, err := tx.EnrolledWorker(ctx, id)
		if err == nil {
			err = at(who, store.RoleAdmin, e.SiteID)
		}
		if err != nil {
			return line{}, err
		}
		if err := tx.RevokeEnrolled(ctx, id); err != nil {
			return line{}, err
		}
		return entry("worker.revoke", e.Name, "site "+e.Site).at(e.SiteID), a.fleet.Drop(ctx, tx, e)
	})
}

package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// clearShares opens each share that the plan makes require encryption as the user, encrypted and then in clear text:
// the first has to work, and the second to be refused. Both logons are the user's own, and are not refused.
func (v *Verification) clearShares(ctx context.Context, c *catalog.Catalog) (out []Check) {
	if v.Plan == nil {
		return nil
	}
	for _, ch := range v.Plan.Changes {
		share, ok := encryptedShare(c, v.Plan.Platform, &ch)
		if !ok {
			continue
		}
		if len(out) == maxProposed {
			return append(out, note("weak:more", fmt.Sprintf("the first %d shares were tried", maxProposed)))
		}
		out = append(out, v.clearShare(ctx, share))
	}
	return out
}

// encryptedShare returns the share whose line a change makes require encryption.
func encryptedShare(c *catalog.Catalog, p model.Platform, ch *model.Change) (share string, ok bool) {
	s := c.Setting(ch.Setting)
	if s == nil {
		return "", false
	}
	share, ok = s.LineOfShare(ch.Where)
	value, known := s.Value(ch.To)
	return share, ok && known && slices.ContainsFunc(c.WeakWays(s, value, p), func(w catalog.WeakWay) bool {
		return w.Way == model.WayClear
	})
}

func (v *Verification) clearShare(ctx context.Context, share string) Check {
	check := Check{Check: "weak:" + model.WayClear + ":" + share, Result: Unchecked, Note: v.Weak == nil}
	switch {
	case v.Weak == nil:
		check.Detail = "--probe-weak-logons tries the share in clear text with an account"
		return check
	case v.User == nil:
		check.Detail = "it needs an account, and none was given"
		return check
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(v.checkTime, checkTime))
	defer cancel()
	if _, err := v.enter(ctx, share, v.options()); err != nil {
		check.Detail = "the account does not open the share with encryption, so that a refusal would say nothing: " +
			err.Error()
		return check
	}
	o := v.options()
	o.Unencrypted = true
	began := time.Now().UTC()
	keyed, err := v.enter(ctx, share, o)
	var nt status.NTStatus
	switch {
	case err == nil:
		check.Result, check.Detail = Failed, "accepted: the share opens in clear text"
	case errors.As(err, &nt) && nt.Answer() == status.No:
		check.Result, check.Detail = Passed, "tried and refused: "+nt.String()
	default:
		check.Result, check.Detail = Inconclusive, err.Error()
	}
	check.Looks = []model.Look{{
		Asked: "open the share " + share + " in clear text", Of: v.Target.Addr.String(), As: model.User, Times: 1,
		First: began, Last: time.Now().UTC(), Answer: check.Detail, Authenticated: keyed,
	}}
	return check
}

// enter opens a share as the user on a connection of its own. It reports whether the session's key proved the answers.
func (v *Verification) enter(ctx context.Context, share string, o smb.Options) (keyed bool, err error) {
	c, err := smb.Dial(ctx, v.Target.Addr.String(), o)
	if err != nil {
		return false, err
	}
	defer c.Close()
	who, err := v.User(v.Target)
	if err != nil {
		return false, err
	}
	s, err := c.SessionSetup(ctx, who)
	if err != nil {
		return false, logonError{err}
	}
	info := s.Info()
	if info.Guest {
		return false, errors.New("logon: the server takes the user for a guest")
	}
	return info.Signed || info.Encrypted, openShare(ctx, s, share)
}

// logonError is the failure of a logon that worked before: its status refuses no share.
type logonError struct{ err error }

func (e logonError) Error() string { return "logon: " + e.err.Error() }

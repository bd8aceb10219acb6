package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ipcguard/internal/store"
)

// A token is "ipcg_" and 256 random bits in base64url without padding. The prefix helps people and secret scanners
// recognize it.
const (
	tokenPrefix = "ipcg_"
	tokenBytes  = 32
)

// Bounds of tokens: a year and a day is how long one may go unnoticed, and a hundred is more than an account has
// programs.
const (
	maxTokenLife = 366 * 24 * time.Hour
	maxTokens    = 100
	usedEvery    = time.Minute // precision of its last use: each update is a write
)

// hashToken returns the hash by which the store finds a token; false if the text cannot be one.
func hashToken(secret string) ([]byte, bool) {
	rest, ok := strings.CutPrefix(secret, tokenPrefix)
	if !ok || len(rest) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return nil, false
	}
	if b, err := base64.RawURLEncoding.Strict().DecodeString(rest); err != nil || len(b) != tokenBytes {
		return nil, false
	}
	sum := sha256.Sum256([]byte(secret))
	return sum[:], true
}

// scopes lists the scopes, narrowest first, with the role that an account needs for each.
var scopes = []struct {
	scope store.Scope
	needs store.Role
}{
	{store.ScopeRead, store.RoleViewer},
	{store.ScopeUpload, store.RoleOperator},
	{store.ScopeOperate, store.RoleOperator},
	{store.ScopeAdminister, store.RoleAdmin},
}

// Scopes returns the scopes of the tokens that who may create, narrowest first.
func Scopes(who Who) []store.Scope {
	var out []store.Scope
	for _, s := range scopes {
		if who.Somewhere(s.needs) {
			out = append(out, s.scope)
		}
	}
	return out
}

// NewToken creates a token for who's own account, valid until a day, after [Access.Confirm]. It returns the secret,
// which is shown only once. A token cannot create one that outlives itself.
func (a *Access) NewToken(
	ctx context.Context, who Who, password, name string, scope store.Scope, until time.Time,
) (secret string, t store.Token, err error) {
	until = until.UTC().Truncate(time.Second)
	if err := a.checkToken(who, name, scope, until); err != nil {
		return "", store.Token{}, err
	}
	u, err := a.st.User(ctx, who.User.ID)
	if err != nil {
		return "", store.Token{}, err
	}
	if err := a.Confirm(ctx, who, password); err != nil {
		return "", store.Token{}, err
	}
	raw := make([]byte, tokenBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", store.Token{}, fmt.Errorf("access: %w", err)
	}
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
	hash, _ := hashToken(secret)
	err = a.st.InTx(ctx, func(tx *store.Tx) error {
		// A reset ends all tokens: none may be added afterwards with what was valid before.
		if _, err := a.unchanged(ctx, tx, &u); err != nil {
			return err
		}
		mine, err := tx.Tokens(ctx, who.User.ID)
		if err != nil {
			return err
		}
		if len(mine) >= maxTokens {
			return &RuleError{"name", fmt.Sprintf("the account has %d tokens already", maxTokens)}
		}
		t = store.Token{
			Name:    strings.TrimSpace(name),
			UserID:  who.User.ID,
			Scope:   scope,
			Hash:    hash,
			Until:   until,
			Created: a.now(),
		}
		if err := tx.SaveToken(ctx, &t); err != nil {
			return taken(err, "the account has a token of this name")
		}
		return a.ActIn(ctx, tx, who, "token.add", t.Name, string(scope)+" until "+until.Format(time.DateOnly))
	})
	if err != nil {
		return "", store.Token{}, err
	}
	return secret, t, nil
}

// checkToken refuses a token that the account may not have.
func (a *Access) checkToken(who Who, name string, scope store.Scope, until time.Time) error {
	now := a.now()
	wrong := func(field, text string) error { return &RuleError{field, text} }
	switch {
	case !who.Somewhere(store.RoleViewer) || who.User.ID == 0:
		return ErrForbidden
	case strings.TrimSpace(name) == "" || len(name) > maxName || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, unprintable):
		return wrong("name", fmt.Sprintf("a token needs a name of at most %d printable characters", maxName))
	case !slices.ContainsFunc(scopes, func(s struct {
		scope store.Scope
		needs store.Role
	},
	) bool {
		return s.scope == scope
	}):
		return wrong("scope", "the scope is read, upload, operate or administer")
	case !slices.Contains(Scopes(who), scope):
		return wrong("scope", "the scope is more than the role allows")
	case !until.After(now):
		return wrong("until", "the end of the token is not in the future")
	case until.After(now.Add(maxTokenLife)):
		return wrong("until", "a token lasts for a year at most")
	case !who.Until.IsZero() && until.After(who.Until):
		return wrong("until", "a token that is made with a token cannot last longer than that one")
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// TokenAuth returns the account of a token in its current state, limited by the token's scope. ErrToken does not say
// why.
func (a *Access) TokenAuth(ctx context.Context, secret, from string) (Who, error) {
	hash, ok := hashToken(secret)
	if !ok {
		return Who{}, ErrToken
	}
	return a.tokenOf(ctx, hash, from)
}

func (a *Access) tokenOf(ctx context.Context, hash []byte, from string) (Who, error) {
	t, err := a.st.TokenByHash(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return Who{}, ErrToken
	} else if err != nil {
		return Who{}, err
	}
	now := a.now()
	if !t.Until.After(now) {
		return Who{}, ErrToken
	}
	u, err := a.st.User(ctx, t.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return Who{}, ErrToken
	} else if err != nil {
		return Who{}, err
	}
	if u.Disabled || u.Subject != "" && now.Sub(u.LastLogin) > providerHolds {
		return Who{}, ErrToken
	}
	if now.Sub(t.Used) >= usedEvery {
		t.Used = now
		if err := a.st.SaveToken(ctx, &t); err != nil && !errors.Is(err, store.ErrNotFound) {
			// Reading must not fail because nothing can be written, such as on a full disk.
			a.Log.Warn("a token's last use is not kept", "token", t.Name, "error", err)
		}
	}
	who := as(u, t.Scope)
	who.Via, who.From, who.Until, who.token = viaToken+t.Name, from, t.Until, hash
	return who, nil
}

// providerHolds is how long a login at a provider counts for the user's tokens: the provider does not tell us about
// changes, only a new login does.
const providerHolds = 30 * 24 * time.Hour

// DeleteToken deletes a token: one's own, or, for an administrator, anybody's. A read or upload token can only delete
// itself.
func (a *Access) DeleteToken(ctx context.Context, who Who, userID, id int64) error {
	if userID != who.User.ID && !who.Can(store.RoleAdmin) {
		return ErrForbidden
	}
	return a.st.InTx(ctx, func(tx *store.Tx) error {
		all, err := tx.Tokens(ctx, userID)
		if err != nil {
			return err
		}
		for _, t := range all {
			if t.ID == id {
				if (who.Scope == store.ScopeRead || who.Scope == store.ScopeUpload) &&
					(userID != who.User.ID || who.Via != viaToken+t.Name) {
					return ErrForbidden
				}
				if err := tx.DeleteToken(ctx, id); err != nil {
					return err
				}
				return a.ActIn(ctx, tx, who, "token.delete", t.Name, "")
			}
		}
		return store.ErrNotFound
	})
}

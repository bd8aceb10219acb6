package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"ipcguard/internal/store"
)

// One-time codes follow RFC 6238 as every authenticator implements it: SHA-1, six digits, 30 seconds. A clock may be
// off by one step, and each step's code is accepted once.
const (
	totpPeriod = 30
	totpSkew   = 1
)

// recoveryCodes is the number of codes created at a time. Each has 80 random bits and needs no slow hash.
const recoveryCodes = 10

// hasSecond reports whether an account needs more than its password. A passkey is a login of its own and also counts as
// a second factor: a stolen password does not open an account that has one.
func hasSecond(ctx context.Context, q interface {
	Passkeys(ctx context.Context, user int64) ([]store.Passkey, error)
}, u *store.User,
) (bool, error) {
	if len(u.TOTP) > 0 {
		return true, nil
	}
	keys, err := q.Passkeys(ctx, u.ID)
	return len(keys) > 0, err
}

// Second completes a login after the right password, with a one-time code or a recovery code.
func (a *Access) Second(ctx context.Context, id int64, code, from string) (Entry, error) {
	u, err := a.st.User(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	counts := []count{{secondKey(id), ofSecond}}
	if err := a.slow(ctx, a.st, counts); err != nil {
		return Entry{}, err
	}
	if err := a.failed(ctx, counts); err != nil {
		return Entry{}, err
	}
	how, err := a.takeCode(ctx, &u, code)
	if err != nil {
		return Entry{}, a.refused(ctx, Who{From: from}, u, "the second factor", err)
	}
	return a.enter(ctx, u, from, "", how, counts)
}

// takeCode uses up a code and returns its kind.
func (a *Access) takeCode(ctx context.Context, u *store.User, code string) (string, error) {
	code = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
	if len(code) > 64 || u.Disabled {
		return "", ErrCredentials
	}
	if len(code) != 6 {
		err := a.st.TakeRecoveryCode(ctx, u.ID, recoveryHash(u.ID, code))
		if errors.Is(err, store.ErrNotFound) {
			return "", ErrCredentials
		}
		return "with a recovery code", err
	}
	if len(u.TOTP) == 0 {
		return "", ErrCredentials
	}
	secret, err := a.Key.Open(u.TOTP)
	if err != nil {
		return "", err
	}
	step, ok := fitting(string(secret), code, a.now())
	if !ok {
		return "", ErrCredentials
	}
	err = a.st.InTx(ctx, func(tx *store.Tx) error {
		if err := a.lock(ctx, tx); err != nil {
			return err
		}
		fresh, err := tx.User(ctx, u.ID)
		if err != nil {
			return err
		}
		if step <= fresh.TOTPStep { // seen over a shoulder or on the wire
			return ErrCredentials
		}
		fresh.TOTPStep = step
		return tx.SaveUser(ctx, &fresh)
	})
	return "with a one-time code", err
}

// fitting returns the step that a code belongs to.
func fitting(secret, code string, now time.Time) (step int64, ok bool) {
	at := now.Unix() / totpPeriod
	for step := at - totpSkew; step <= at+totpSkew; step++ {
		ok, err := totp.ValidateCustom(code, secret, time.Unix(step*totpPeriod, 0),
			totp.ValidateOpts{Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && ok {
			return step, true
		}
	}
	return 0, false
}

func recoveryHash(user int64, code string) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "recovery %d %s", user, code))
	return sum[:]
}

// NewCodes is a secret for one-time codes that is not stored yet, as text and as a picture (PNG).
type NewCodes struct {
	Secret string
	URL    string // otpauth://…
	Image  []byte
}

// MakeCodes creates a secret for one-time codes. [Access.SetCodes] stores it once a code proves that it works.
func (a *Access) MakeCodes(who Who) (NewCodes, error) {
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer:      "ipcguard",
		AccountName: who.User.Name,
		Period:      totpPeriod,
		Digits:      otp.DigitsSix,
		Algorithm:   otp.AlgorithmSHA1,
		SecretSize:  20,
	})
	if err != nil {
		return NewCodes{}, fmt.Errorf("access: %w", err)
	}
	return codesOf(key)
}

// CodesAgain shows a secret of MakeCodes once more.
func (a *Access) CodesAgain(url string) (NewCodes, error) {
	key, err := otp.NewKeyFromURL(url)
	if err != nil {
		return NewCodes{}, fmt.Errorf("access: %w", err)
	}
	return codesOf(key)
}

func codesOf(key *otp.Key) (NewCodes, error) {
	img, err := key.Image(200, 200)
	if err != nil {
		return NewCodes{}, fmt.Errorf("access: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return NewCodes{}, fmt.Errorf("access: %w", err)
	}
	return NewCodes{key.Secret(), key.URL(), b.Bytes()}, nil
}

// errLocal refuses second factors for a provider's account.
var errLocal = &RuleError{"code", "this account logs in at its provider, which asks for second factors"}

// SetCodes requires one-time codes for an account from now on, after [Access.Confirm] and with a code that proves that
// the owner's authenticator has the secret. It returns recovery codes; they are shown only once.
func (a *Access) SetCodes(ctx context.Context, who Who, password, secret, code string) (recovery []string, err error) {
	if who.User.Subject != "" {
		return nil, errLocal
	}
	step, ok := fitting(secret, strings.ReplaceAll(code, " ", ""), a.now())
	if !ok {
		return nil, &RuleError{"code", "this is not the code of now: look whether the clocks are right"}
	}
	if err := a.Confirm(ctx, who, password); err != nil {
		return nil, err
	}
	sealed, err := a.Key.Seal([]byte(secret))
	if err != nil {
		return nil, err
	}
	err = a.change(ctx, who, who.User.ID, "second.add", "one-time codes", func(tx *store.Tx, u *store.User) error {
		u.TOTP, u.TOTPStep = sealed, step
		recovery, err = a.newRecovery(ctx, tx, u.ID)
		return err
	})
	return recovery, err
}

func (a *Access) newRecovery(ctx context.Context, tx *store.Tx, user int64) ([]string, error) {
	codes := make([]string, recoveryCodes)
	hashes := make([][]byte, recoveryCodes)
	for i := range codes {
		raw := make([]byte, 10)
		if _, err := rand.Read(raw); err != nil {
			return nil, fmt.Errorf("access: %w", err)
		}
		text := base32.StdEncoding.EncodeToString(raw)
		hashes[i] = recoveryHash(user, text)
		codes[i] = text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
	}
	return codes, tx.SetRecoveryCodes(ctx, user, hashes)
}

// NewRecoveryCodes replaces an account's recovery codes, after [Access.Confirm]. The old ones stop working.
func (a *Access) NewRecoveryCodes(ctx context.Context, who Who, password string) (codes []string, err error) {
	u, err := a.st.User(ctx, who.User.ID)
	if err != nil {
		return nil, err
	}
	if second, err := hasSecond(ctx, a.st, &u); err != nil {
		return nil, err
	} else if !second {
		return nil, &RuleError{"code", "there is no second factor that they could stand in for"}
	}
	if err := a.Confirm(ctx, who, password); err != nil {
		return nil, err
	}
	err = a.change(ctx, who, who.User.ID, "second.recovery", "", func(tx *store.Tx, u *store.User) error {
		codes, err = a.newRecovery(ctx, tx, u.ID)
		return err
	})
	return codes, err
}

// EndCodes stops asking for one-time codes, after [Access.Confirm].
func (a *Access) EndCodes(ctx context.Context, who Who, password string) error {
	if err := a.Confirm(ctx, who, password); err != nil {
		return err
	}
	return a.change(ctx, who, who.User.ID, "second.remove", "one-time codes", func(tx *store.Tx, u *store.User) error {
		u.TOTP, u.TOTPStep = nil, 0
		return a.lastSecond(ctx, tx, u)
	})
}

// lastSecond deletes the recovery codes with the last second factor: they would count as one.
func (a *Access) lastSecond(ctx context.Context, tx *store.Tx, u *store.User) error {
	keys, err := tx.Passkeys(ctx, u.ID)
	if err != nil || len(keys) > 0 || len(u.TOTP) > 0 {
		return err
	}
	return tx.SetRecoveryCodes(ctx, u.ID, nil)
}

package fleet

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"ipcguard/internal/fleet/authority"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/store"
)

const (
	// MaxPassword bounds the password of a stored credential in bytes: Windows takes 256 characters at most.
	MaxPassword = 1024
	// MaxKeytab bounds a stored keytab in bytes: one with a thousand keys has some 100 KiB.
	MaxKeytab = 256 << 10
)

// CheckCredential says what is wrong with the secret of a credential of a kind: a password, a hash (the NT hash in
// hexadecimal) or a keytab (the file's contents). It does not quote the secret.
func CheckCredential(kind string, secret []byte) error {
	switch kind {
	case "password":
		if len(secret) == 0 || len(secret) > MaxPassword {
			return fmt.Errorf("a password has one to %d bytes", MaxPassword)
		}
	case "hash":
		if n, err := hex.Decode(make([]byte, len(secret)), secret); err != nil || n != 16 {
			return errors.New("an NT hash has 32 hexadecimal digits")
		}
	case "keytab":
		if len(secret) > MaxKeytab {
			return fmt.Errorf("a keytab has %d bytes at most", MaxKeytab)
		}
		if len(secret) < 2 || secret[0] != 5 || secret[1] != 1 && secret[1] != 2 { // the format's version, of MIT's krb5
			return errors.New("this is not a keytab")
		}
	default:
		return fmt.Errorf("no credential is of kind %q", kind)
	}
	return nil
}

// Rekey puts a new key into a key file and seals with it what older ones sealed. It says how many secrets there were. The
// older keys stay behind the new one, or are left out where they are to be forgotten: then the authority of workers goes,
// too, and they have to join again. Wherever it is cut off, the file opens
// everything in the database.
func Rekey(ctx context.Context, st *store.Store, path string, forget bool) (int, error) {
	key, err := secret.Rotate(path)
	if err != nil {
		return 0, err
	}
	n, err := reseal(ctx, st, key)
	if err == nil && forget { // whoever had the old key may have the authority's: the next start makes another one
		err = st.SetMeta(ctx, authorityKey, "")
	}
	if err == nil && forget {
		_, err = secret.Forget(path)
	}
	return n, err
}

// reseal seals anew, with the newest identity of key, what an older one of it sealed: credentials, the secrets of channels,
// those of one-time codes and the keys of the authority of workers, all or none.
func reseal(ctx context.Context, st *store.Store, key secret.Key) (n int, err error) {
	again := func(what string, sealed []byte) ([]byte, error) {
		plain, err := key.Open(sealed)
		if err != nil {
			return nil, fmt.Errorf("fleet: %s: %w", what, err)
		}
		n++
		return key.Seal(plain)
	}
	err = st.InTx(ctx, func(tx *store.Tx) error {
		n = 0
		credentials, err := tx.Credentials(ctx)
		if err != nil {
			return err
		}
		for _, c := range credentials {
			if key.Current(c.Sealed) {
				continue
			}
			if c.Sealed, err = again("credential "+c.Name, c.Sealed); err != nil {
				return err
			}
			if err := tx.SaveCredential(ctx, &c); err != nil {
				return err
			}
		}
		channels, err := tx.Channels(ctx)
		if err != nil {
			return err
		}
		for _, c := range channels {
			if len(c.Sealed) == 0 || key.Current(c.Sealed) {
				continue
			}
			if c.Sealed, err = again("channel "+c.Name, c.Sealed); err != nil {
				return err
			}
			if err := tx.SaveChannel(ctx, &c); err != nil {
				return err
			}
		}
		users, err := tx.Users(ctx)
		if err != nil {
			return err
		}
		for _, u := range users {
			if len(u.TOTP) == 0 || key.Current(u.TOTP) {
				continue
			}
			if u.TOTP, err = again("one-time codes of "+u.Name, u.TOTP); err != nil {
				return err
			}
			if err := tx.SaveUser(ctx, &u); err != nil {
				return err
			}
		}
		text, err := tx.Meta(ctx, authorityKey)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		text, keys, err := authority.Reseal(text, key)
		if err != nil {
			return err
		}
		n += keys
		return tx.SetMeta(ctx, authorityKey, text)
	})
	return n, err
}

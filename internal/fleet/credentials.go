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
	// MaxPassword bounds the password of a stored credential in bytes: Windows accepts at most 256 characters.
	MaxPassword = 1024
	// MaxKeytab bounds a stored keytab in bytes: one with a thousand keys has some 100 KiB.
	MaxKeytab = 256 << 10
)

// CheckCredential returns what is wrong with the secret of a credential of a kind: a password, a hash (the NT hash in
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
		// The format's version, of MIT's krb5.
		if len(secret) < 2 || secret[0] != 5 || secret[1] != 1 && secret[1] != 2 {
			return errors.New("this is not a keytab")
		}
	default:
		return fmt.Errorf("no credential is of kind %q", kind)
	}
	return nil
}

// Rekey adds a new key to a key file and reseals with it what older keys sealed. It returns the number of secrets. The
// older keys stay in the file after the new one unless forget is set; then the workers' authority is deleted too, and
// workers have to join again. The file opens everything in the database wherever Rekey is interrupted.
func Rekey(ctx context.Context, st *store.Store, path string, forget bool) (int, error) {
	key, err := secret.Rotate(path)
	if err != nil {
		return 0, err
	}
	n, err := reseal(ctx, st, key)
	// Whoever has the old key may have the authority's key: the next start creates another authority.
	if err == nil && forget {
		err = st.SetMeta(ctx, authorityKey, "")
	}
	if err == nil && forget {
		_, err = secret.Forget(path)
	}
	return n, err
}

// reseal reseals everything that an older identity of key sealed with the newest one: credentials, the secrets of
// channels and one-time codes, and the keys of the workers' authority. It reseals all or none.
func reseal(ctx context.Context, st *store.Store, key secret.Key) (n int, err error) {
	err = st.InTx(ctx, func(tx *store.Tx) (err error) {
		n, err = resealIn(ctx, tx, key)
		return err
	})
	return n, err
}

func resealIn(ctx context.Context, tx *store.Tx, key secret.Key) (n int, err error) {
	credentials, err := tx.Credentials(ctx)
	if err != nil {
		return n, err
	}
	for _, c := range credentials {
		if err := resealOne(key, "credential "+c.Name, &c.Sealed, &n, func() error {
			return tx.SaveCredential(ctx, &c)
		}); err != nil {
			return n, err
		}
	}
	channels, err := tx.Channels(ctx)
	if err != nil {
		return n, err
	}
	for _, c := range channels {
		if err := resealOne(key, "channel "+c.Name, &c.Sealed, &n, func() error {
			return tx.SaveChannel(ctx, &c)
		}); err != nil {
			return n, err
		}
	}
	users, err := tx.Users(ctx)
	if err != nil {
		return n, err
	}
	for _, u := range users {
		if err := resealOne(key, "one-time codes of "+u.Name, &u.TOTP, &n, func() error {
			return tx.SaveUser(ctx, &u)
		}); err != nil {
			return n, err
		}
	}
	text, err := tx.Meta(ctx, authorityKey)
	if errors.Is(err, store.ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	text, keys, err := authority.Reseal(text, key)
	if err != nil {
		return n, err
	}
	return n + keys, tx.SetMeta(ctx, authorityKey, text)
}

// resealOne reseals a secret and saves it, if it has one that an older identity sealed, and counts it in n.
func resealOne(key secret.Key, what string, sealed *[]byte, n *int, save func() error) error {
	if len(*sealed) == 0 || key.Current(*sealed) {
		return nil
	}
	plain, err := key.Open(*sealed)
	if err != nil {
		return fmt.Errorf("fleet: %s: %w", what, err)
	}
	if *sealed, err = key.Seal(plain); err != nil {
		return err
	}
	*n++
	return save()
}

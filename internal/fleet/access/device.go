package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/store"
)

// signKey is the store's key for the secret that signs cookies and links.
const signKey = "access.sign"

// signer returns the key that signs what browsers carry. Signatures are bound to one purpose.
func (a *Access) signer(ctx context.Context) ([]byte, error) {
	read := func(q interface {
		Meta(ctx context.Context, key string) (string, error)
	},
	) ([]byte, error) {
		text, err := q.Meta(ctx, signKey)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return hex.DecodeString(text)
	}
	key, err := read(a.st)
	if err != nil || len(key) > 0 {
		return key, err
	}
	// Two servers that start at once must share one key.
	err = a.st.InTx(ctx, func(tx *store.Tx) error {
		if err := a.lock(ctx, tx); err != nil {
			return err
		}
		if key, err = read(tx); err != nil || len(key) > 0 {
			return err
		}
		key = make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return err
		}
		return tx.SetMeta(ctx, signKey, hex.EncodeToString(key))
	})
	return key, err
}

// Sign signs a text for one purpose, valid until a time. [Access.Signed] reads it.
func (a *Access) Sign(ctx context.Context, purpose, text string, until time.Time) (string, error) {
	key, err := a.signer(ctx)
	if err != nil {
		return "", err
	}
	body := strconv.FormatInt(until.Unix(), 10) + "." + base64.RawURLEncoding.EncodeToString([]byte(text))
	return body + "." + base64.RawURLEncoding.EncodeToString(mac(key, purpose, body)), nil
}

func mac(key []byte, purpose, body string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(purpose + "\n" + body))
	return m.Sum(nil)
}

// maxSigned bounds the length of a signed text in bytes: browsers send no longer cookies.
const maxSigned = 4096

// Signed returns a text that Sign signed; ok is false for all others and for expired ones.
func (a *Access) Signed(ctx context.Context, purpose, signed string) (text string, ok bool, err error) {
	i := strings.LastIndexByte(signed, '.')
	if i < 0 || len(signed) > maxSigned {
		return "", false, nil
	}
	key, err := a.signer(ctx)
	if err != nil {
		return "", false, err
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(signed[i+1:])
	if err != nil || !hmac.Equal(sum, mac(key, purpose, signed[:i])) {
		return "", false, nil
	}
	end, kept, _ := strings.Cut(signed[:i], ".")
	until, err := strconv.ParseInt(end, 10, 64)
	if err != nil || a.now().Unix() > until {
		return "", false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(kept)
	return string(b), err == nil, nil
}

// DeviceLife is how long a device is remembered after its last login.
const DeviceLife = 180 * 24 * time.Hour

// device returns the device's id if the cookie is one of this account, and an empty string otherwise.
func (a *Access) device(ctx context.Context, name, cookie string) (string, error) {
	text, ok, err := a.Signed(ctx, "device", cookie)
	if err != nil || !ok {
		return "", err
	}
	id, owner, _ := strings.Cut(text, " ")
	if owner != name {
		return "", nil
	}
	return id, nil
}

// newDevice returns the cookie of a device on which an account has logged in. A known device keeps its id and its
// failure count.
func (a *Access) newDevice(ctx context.Context, name, id string) (string, error) {
	if id == "" {
		id = rand.Text()
	}
	return a.Sign(ctx, "device", id+" "+name, a.now().Add(DeviceLife))
}

package acts

import (
	"context"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
)

// CredentialChange is a credential with its secret: a password, an NT hash in hexadecimal, or a keytab.
type CredentialChange struct {
	Name    string `json:"name"`
	Kind    string `json:"kind" enum:"password,hash,keytab"`
	Account string `json:"account"`
	Secret  string `json:"secret,omitempty"` // a password or a hash
	Keytab  []byte `json:"keytab,omitempty"`
}

// check returns what is wrong with a credential, and its secret.
func (in *CredentialChange) check() ([]byte, error) {
	var k checks
	k.need("name", &in.Name)
	oneOf(&k, "kind", in.Kind, "password", "hash", "keytab")
	k.need("account", &in.Account)
	secret, field := []byte(in.Secret), "secret"
	if in.Kind == "keytab" {
		secret, field = in.Keytab, "keytab"
	}
	if len(secret) == 0 {
		k.wrong(field, "this is needed")
	} else if k.right("kind") {
		if err := fleet.CheckCredential(in.Kind, secret); err != nil {
			k.wrong(field, "%s", Words(err))
		}
	}
	return secret, k.err()
}

// SaveCredential adds a credential if id is 0, or changes one with its secret.
func (a *Acts) SaveCredential(
	ctx context.Context, who access.Who, id int64, in CredentialChange,
) (c store.Credential, err error) {
	err = a.do(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		c = store.Credential{Created: a.now()}
		if id != 0 {
			if c, err = tx.Credential(ctx, id); err != nil {
				return line{}, err
			}
		}
		secret, err := in.check()
		if err != nil {
			return line{}, err
		}
		c.Name, c.Kind, c.Account = in.Name, in.Kind, in.Account
		if c.Sealed, err = a.o.Key.Seal(secret); err != nil {
			return line{}, err
		}
		return entry(action("credential", id), c.Name,
			c.Kind), taken(tx.SaveCredential(ctx, &c), "name", "another credential has this name")
	})
	return c, err
}

// DeleteCredential deletes a credential that no target uses.
func (a *Acts) DeleteCredential(ctx context.Context, who access.Who, id int64) error {
	return a.do(ctx, who, store.RoleAdmin, func(tx *store.Tx) (line, error) {
		c, err := tx.Credential(ctx, id)
		if err != nil {
			return line{}, err
		}
		return entry("credential.delete", c.Name,
			""), inUse(tx.DeleteCredential(ctx, id), "targets use this credential: it stays")
	})
}

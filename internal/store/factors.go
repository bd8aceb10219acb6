package store

import "context"

const passkeyColumns = `SELECT id, user_id, name, credential, body, created, used FROM passkeys`

func scanPasskey(r row, k *Passkey) error {
	return r.Scan(&k.ID, &k.UserID, &k.Name, &k.Credential, &k.Body, &k.Created, &k.Used)
}

// Passkeys returns an account's passkeys, the oldest first.
func (q *Queries) Passkeys(ctx context.Context, userID int64) ([]Passkey, error) {
	return list(ctx, q, scanPasskey, passkeyColumns+` WHERE user_id = $1 ORDER BY id LIMIT 1000`, userID)
}

// SavePasskey adds a passkey if its ID is 0, or updates what changes with each use. A credential can be added only
// once.
func (q *Queries) SavePasskey(ctx context.Context, k *Passkey) error {
	if k.ID != 0 {
		return q.must(ctx, `UPDATE passkeys SET body = $2, used = $3 WHERE id = $1`, k.ID, k.Body, k.Used)
	}
	if k.Created.IsZero() {
		k.Created = q.now()
	}
	return q.insert(ctx, &k.ID,
		`INSERT INTO passkeys (user_id, name, credential, body, created, used) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING RETURNING id`, k.UserID, k.Name, k.Credential, k.Body, k.Created, k.Used)
}

// DeletePasskey deletes a passkey of an account.
func (q *Queries) DeletePasskey(ctx context.Context, userID, id int64) error {
	return q.must(ctx, `DELETE FROM passkeys WHERE id = $1 AND user_id = $2`, id, userID)
}

// DeletePasskeys deletes all passkeys of an account.
func (q *Queries) DeletePasskeys(ctx context.Context, userID int64) error {
	_, err := q.exec(ctx, `DELETE FROM passkeys WHERE user_id = $1`, userID)
	return err
}

// SetRecoveryCodes replaces an account's recovery codes, given by their hashes; none removes them.
func (q *Queries) SetRecoveryCodes(ctx context.Context, userID int64, hashes [][]byte) error {
	return q.atomic(ctx, func(q *Queries) error {
		if _, err := q.exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, userID); err != nil {
			return err
		}
		for _, h := range hashes {
			if _, err := q.exec(ctx, `INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)`,
				userID, h); err != nil {
				return err
			}
		}
		return nil
	})
}

// TakeRecoveryCode uses up a recovery code. It returns [ErrNotFound] if there is no such code.
func (q *Queries) TakeRecoveryCode(ctx context.Context, userID int64, hash []byte) error {
	return q.must(ctx, `DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2`, userID, hash)
}

// RecoveryCodes returns the number of an account's unused codes.
func (q *Queries) RecoveryCodes(ctx context.Context, userID int64) (int, error) {
	var n int
	err := q.one(ctx, []any{&n}, `SELECT count(*) FROM recovery_codes WHERE user_id = $1`, userID)
	return n, err
}

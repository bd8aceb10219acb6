-- +goose Up
-- Accounts of a provider of identities (subject is its issuer and its name for somebody), roles at single sites, second
-- factors, and the chain of the audit log.
ALTER TABLE users ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN totp BLOB NOT NULL DEFAULT x'';
ALTER TABLE users ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX users_subject ON users (subject) WHERE subject <> '';

CREATE TABLE site_roles (
  user_id INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  site_id INTEGER NOT NULL REFERENCES sites(id) ON DELETE CASCADE,
  role    TEXT NOT NULL,
  PRIMARY KEY (user_id, site_id)
) WITHOUT ROWID;
CREATE INDEX site_roles_site ON site_roles (site_id);

CREATE TABLE passkeys (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id    INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  name       TEXT NOT NULL,
  credential BLOB NOT NULL UNIQUE,
  body       TEXT NOT NULL,
  created    INTEGER NOT NULL,
  used       INTEGER NOT NULL
);
CREATE INDEX passkeys_user ON passkeys (user_id);

CREATE TABLE recovery_codes (
  user_id INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  hash    BLOB NOT NULL,
  PRIMARY KEY (user_id, hash)
) WITHOUT ROWID;

-- Tokens had the name of a role; they are for reading, for handing in results, or for what an operator does.
UPDATE tokens SET scope = CASE scope WHEN 'viewer' THEN 'read' WHEN 'operator' THEN 'operate' WHEN 'admin' THEN 'administer' ELSE scope END;

-- Lines of before have no hash: the chain begins with the first that has one.
ALTER TABLE acts ADD COLUMN hash BLOB NOT NULL DEFAULT x'';

-- +goose Down
ALTER TABLE acts DROP COLUMN hash;
UPDATE tokens SET scope = CASE scope WHEN 'read' THEN 'viewer' WHEN 'operate' THEN 'operator' WHEN 'administer' THEN 'admin' ELSE scope END;
DROP TABLE recovery_codes;
DROP TABLE passkeys;
DROP TABLE site_roles;
DROP INDEX users_subject;
ALTER TABLE users DROP COLUMN totp_step;
ALTER TABLE users DROP COLUMN totp;
ALTER TABLE users DROP COLUMN epoch;
ALTER TABLE users DROP COLUMN subject;

-- +goose Up
-- Who comes in how to a host, as its last observation has it, and the weakest of these ways on the host itself: 0 is that none is
-- known. What observations from before say is read from their documents when the program has migrated.
ALTER TABLE hosts ADD COLUMN logon INTEGER NOT NULL DEFAULT 0;
CREATE INDEX hosts_logon ON hosts (retired, logon, id);
CREATE TABLE logons (
  host_id    INTEGER NOT NULL REFERENCES hosts(id) ON DELETE CASCADE,
  client     TEXT NOT NULL,
  strength   INTEGER NOT NULL,
  package    TEXT NOT NULL,
  dialect    TEXT NOT NULL,
  agent      TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen  INTEGER NOT NULL,
  PRIMARY KEY (host_id, client, strength, package, dialect)
) WITHOUT ROWID;
CREATE INDEX logons_client ON logons (client, host_id);
INSERT INTO meta (key, value) VALUES ('logons', 'unread');

-- +goose Down
DELETE FROM meta WHERE key = 'logons';
DROP TABLE logons;
DROP INDEX hosts_logon;
ALTER TABLE hosts DROP COLUMN logon;

-- +goose Up
-- Workers that speak HTTPS to the server: who may join, who has, and which job is in whose hands.
CREATE TABLE joins (
  hash    TEXT PRIMARY KEY,
  site_id INTEGER NOT NULL REFERENCES sites(id) ON DELETE CASCADE,
  name    TEXT NOT NULL,
  by_whom TEXT NOT NULL,
  until   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE enrolled (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  name     TEXT NOT NULL UNIQUE,
  site_id  INTEGER NOT NULL REFERENCES sites(id) ON DELETE CASCADE,
  serial   TEXT NOT NULL,
  earlier  TEXT NOT NULL,
  until    INTEGER NOT NULL,
  renewed  INTEGER NOT NULL,
  origin   TEXT NOT NULL,
  protocol INTEGER NOT NULL,
  created  INTEGER NOT NULL,
  revoked  INTEGER NOT NULL
);

CREATE TABLE handouts (
  job       TEXT PRIMARY KEY,
  worker_id INTEGER NOT NULL REFERENCES enrolled(id) ON DELETE CASCADE,
  run_id    INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  at        INTEGER NOT NULL,
  targets   TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX handouts_worker ON handouts (worker_id);
CREATE INDEX handouts_run ON handouts (run_id);

-- +goose Down
DROP TABLE handouts;
DROP TABLE enrolled;
DROP TABLE joins;

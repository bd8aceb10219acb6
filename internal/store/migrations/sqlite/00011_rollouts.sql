-- +goose Up
-- A plan for many hosts: which were chosen, and what kind of plan was wanted.
CREATE TABLE rollouts (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  name     TEXT NOT NULL,
  query    TEXT NOT NULL,
  setting  TEXT NOT NULL,
  strategy TEXT NOT NULL,
  goal     TEXT NOT NULL,
  accept   INTEGER NOT NULL,
  by_whom  TEXT NOT NULL,
  created  INTEGER NOT NULL,
  planned  INTEGER NOT NULL,
  ended    INTEGER NOT NULL
);

-- Hosts of one platform and role that get exactly the same changes, and the plan of these changes.
CREATE TABLE rollout_groups (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  rollout_id INTEGER NOT NULL REFERENCES rollouts(id) ON DELETE CASCADE,
  hash       BLOB NOT NULL,
  system     TEXT NOT NULL,
  product    TEXT NOT NULL,
  role       TEXT NOT NULL,
  body       BLOB NOT NULL,
  UNIQUE (rollout_id, hash)
);

-- The findings that a host's changes close: hosts with the same share a set.
CREATE TABLE rollout_sets (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  rollout_id INTEGER NOT NULL REFERENCES rollouts(id) ON DELETE CASCADE,
  findings   TEXT NOT NULL,
  UNIQUE (rollout_id, findings)
);
CREATE TABLE rollout_closes (
  set_id  INTEGER NOT NULL REFERENCES rollout_sets(id) ON DELETE CASCADE,
  finding TEXT NOT NULL,
  PRIMARY KEY (set_id, finding)
) WITHOUT ROWID;

-- Each host, where it stands, and since when. group_id and set_id are 0 where it gets no changes.
CREATE TABLE rollout_hosts (
  rollout_id INTEGER NOT NULL REFERENCES rollouts(id) ON DELETE CASCADE,
  host_id    INTEGER NOT NULL REFERENCES hosts(id) ON DELETE CASCADE,
  site_id    INTEGER NOT NULL,
  state      INTEGER NOT NULL,
  since      INTEGER NOT NULL,
  verdict    INTEGER NOT NULL,
  group_id   INTEGER NOT NULL,
  set_id     INTEGER NOT NULL,
  why        TEXT NOT NULL,
  PRIMARY KEY (rollout_id, host_id)
) WITHOUT ROWID;
CREATE INDEX rollout_hosts_host ON rollout_hosts (host_id);
CREATE INDEX rollout_hosts_state ON rollout_hosts (rollout_id, state, group_id, site_id, host_id);

-- What the changes would stop, and on which hosts.
CREATE TABLE rollout_stops (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  rollout_id INTEGER NOT NULL REFERENCES rollouts(id) ON DELETE CASCADE,
  hash       BLOB NOT NULL,
  certainty  TEXT NOT NULL,
  who        TEXT NOT NULL,
  what       TEXT NOT NULL,
  because    TEXT NOT NULL,
  UNIQUE (rollout_id, hash)
);
CREATE TABLE rollout_stopped (
  stop_id INTEGER NOT NULL REFERENCES rollout_stops(id) ON DELETE CASCADE,
  host_id INTEGER NOT NULL REFERENCES hosts(id) ON DELETE CASCADE,
  PRIMARY KEY (stop_id, host_id)
) WITHOUT ROWID;
CREATE INDEX rollout_stopped_host ON rollout_stopped (host_id);

-- +goose Down
DROP TABLE rollout_stopped;
DROP TABLE rollout_stops;
DROP TABLE rollout_hosts;
DROP TABLE rollout_closes;
DROP TABLE rollout_sets;
DROP TABLE rollout_groups;
DROP TABLE rollouts;

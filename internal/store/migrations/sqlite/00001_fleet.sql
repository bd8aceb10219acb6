-- +goose Up

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE leases (
  name   TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE sites (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL UNIQUE,
  rate        REAL NOT NULL,
  concurrency INTEGER NOT NULL,
  open_hours  TEXT NOT NULL,
  zone        TEXT NOT NULL,
  created     INTEGER NOT NULL
);

CREATE TABLE credentials (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  name    TEXT NOT NULL UNIQUE,
  kind    TEXT NOT NULL,
  account TEXT NOT NULL,
  sealed  BLOB NOT NULL,
  created INTEGER NOT NULL,
  used    INTEGER NOT NULL
);

-- What hosts that look alike share: a snapshot each for drift and history, a posture each for counting findings, and
-- the set of settings that a finding names.
CREATE TABLE snapshots (
  id   INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  body BLOB NOT NULL
);

CREATE TABLE setting_sets (
  id       INTEGER PRIMARY KEY,
  settings TEXT NOT NULL UNIQUE
);

CREATE TABLE set_settings (
  setting TEXT NOT NULL,
  set_id  INTEGER NOT NULL REFERENCES setting_sets(id) ON DELETE CASCADE,
  PRIMARY KEY (setting, set_id)
) WITHOUT ROWID;

CREATE TABLE postures (
  id   INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE
);

CREATE TABLE posture_findings (
  posture_id INTEGER NOT NULL REFERENCES postures(id) ON DELETE CASCADE,
  finding    TEXT NOT NULL,
  set_id     INTEGER NOT NULL,
  severity   INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  excepted   INTEGER NOT NULL,
  PRIMARY KEY (posture_id, finding, set_id, severity)
) WITHOUT ROWID;
CREATE INDEX posture_findings_finding ON posture_findings (finding, posture_id);
CREATE INDEX posture_findings_set ON posture_findings (set_id, posture_id);

CREATE TABLE hosts (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  site_id      INTEGER NOT NULL REFERENCES sites(id),
  verdict      INTEGER NOT NULL,
  severity     INTEGER NOT NULL,
  findings     INTEGER NOT NULL,
  excepted     INTEGER NOT NULL,
  criticality  INTEGER NOT NULL,
  smb1         INTEGER NOT NULL,
  posture_id   INTEGER NOT NULL,
  cells        TEXT NOT NULL,
  first_seen   INTEGER NOT NULL,
  last_seen    INTEGER NOT NULL,
  last_changed INTEGER NOT NULL,
  last_audit   INTEGER NOT NULL,
  owner        TEXT NOT NULL,
  sort_name    TEXT NOT NULL,
  search       TEXT NOT NULL,
  address      TEXT NOT NULL,
  name         TEXT NOT NULL,
  identity     TEXT NOT NULL,
  same_as      INTEGER NOT NULL,
  tags         TEXT NOT NULL,
  system       TEXT NOT NULL,
  os           TEXT NOT NULL,
  signing      TEXT NOT NULL,
  UNIQUE (site_id, address)
);
CREATE INDEX hosts_site ON hosts (site_id, id);
CREATE INDEX hosts_verdict ON hosts (verdict, id);
CREATE INDEX hosts_severity ON hosts (severity, id);
CREATE INDEX hosts_findings ON hosts (findings, id);
CREATE INDEX hosts_criticality ON hosts (criticality, id);
CREATE INDEX hosts_cells ON hosts (cells, id);
CREATE INDEX hosts_last_seen ON hosts (last_seen, id);
CREATE INDEX hosts_last_changed ON hosts (last_changed, id);
CREATE INDEX hosts_owner ON hosts (owner, id);
CREATE INDEX hosts_name ON hosts (sort_name, id);
CREATE INDEX hosts_identity ON hosts (identity, id);
CREATE INDEX hosts_posture ON hosts (posture_id, id);

CREATE TABLE addresses (
  site_id INTEGER NOT NULL REFERENCES sites(id),
  address TEXT NOT NULL,
  host_id INTEGER NOT NULL REFERENCES hosts(id) ON DELETE CASCADE,
  PRIMARY KEY (site_id, address)
) WITHOUT ROWID;
CREATE INDEX addresses_host ON addresses (host_id);

CREATE TABLE host_tags (
  tag     TEXT NOT NULL,
  host_id INTEGER NOT NULL REFERENCES hosts(id) ON DELETE CASCADE,
  PRIMARY KEY (tag, host_id)
) WITHOUT ROWID;
CREATE INDEX host_tags_host ON host_tags (host_id);

CREATE TABLE host_names (
  host_id    INTEGER NOT NULL REFERENCES hosts(id) ON DELETE CASCADE,
  kind       TEXT NOT NULL,
  name       TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen  INTEGER NOT NULL,
  PRIMARY KEY (host_id, kind, name)
) WITHOUT ROWID;

CREATE TABLE targets (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  site_id      INTEGER NOT NULL REFERENCES sites(id),
  spec         TEXT NOT NULL,
  kind         TEXT NOT NULL,
  enabled      INTEGER NOT NULL,
  owner        TEXT NOT NULL,
  criticality  INTEGER NOT NULL,
  credential   INTEGER REFERENCES credentials(id),
  host_id      INTEGER REFERENCES hosts(id) ON DELETE SET NULL,
  found_by     INTEGER NOT NULL,
  created      INTEGER NOT NULL,
  tags         TEXT NOT NULL,
  audit_source TEXT NOT NULL,
  note         TEXT NOT NULL,
  UNIQUE (site_id, spec)
);
CREATE INDEX targets_spec ON targets (spec, id);
CREATE INDEX targets_owner ON targets (owner, id);
CREATE INDEX targets_host ON targets (host_id);
CREATE INDEX targets_credential ON targets (credential);

CREATE TABLE target_tags (
  tag       TEXT NOT NULL,
  target_id INTEGER NOT NULL REFERENCES targets(id) ON DELETE CASCADE,
  PRIMARY KEY (tag, target_id)
) WITHOUT ROWID;
CREATE INDEX target_tags_target ON target_tags (target_id);

CREATE TABLE schedules (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL UNIQUE,
  kind       INTEGER NOT NULL,
  cron       TEXT NOT NULL,
  zone       TEXT NOT NULL,
  open_hours TEXT NOT NULL,
  selector   TEXT NOT NULL,
  quick      INTEGER NOT NULL,
  enabled    INTEGER NOT NULL,
  next_at    INTEGER NOT NULL,
  last_at    INTEGER NOT NULL,
  created    INTEGER NOT NULL
);

CREATE TABLE runs (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  kind     INTEGER NOT NULL,
  state    TEXT NOT NULL,
  schedule INTEGER,
  due      INTEGER,
  selector TEXT NOT NULL,
  by_whom  TEXT NOT NULL,
  created  INTEGER NOT NULL,
  ended    INTEGER NOT NULL,
  total    INTEGER NOT NULL,
  reason   TEXT NOT NULL,
  quick    INTEGER NOT NULL,
  UNIQUE (schedule, due)
);
CREATE INDEX runs_open ON runs (id) WHERE ended = 0;

-- One row for each shard of the workers, so that they do not wait for one another. A run's counters are the sums.
CREATE TABLE run_counts (
  run_id  INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  shard   INTEGER NOT NULL,
  done    INTEGER NOT NULL,
  exposed INTEGER NOT NULL,
  limited INTEGER NOT NULL,
  closed  INTEGER NOT NULL,
  unknown INTEGER NOT NULL,
  failed  INTEGER NOT NULL,
  started INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, shard)
) WITHOUT ROWID;

CREATE TABLE units (
  run_id    INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  target_id INTEGER NOT NULL,
  state     INTEGER NOT NULL,
  attempt   INTEGER NOT NULL,
  started   INTEGER NOT NULL,
  ended     INTEGER NOT NULL,
  worker    TEXT NOT NULL,
  reason    TEXT NOT NULL,
  PRIMARY KEY (run_id, target_id)
) WITHOUT ROWID;
CREATE INDEX units_open ON units (run_id, target_id) WHERE state < 2;
CREATE INDEX units_running ON units (worker) WHERE state = 1;
CREATE INDEX units_failed ON units (run_id, target_id) WHERE state > 2;

CREATE TABLE results (
  id          INTEGER PRIMARY KEY,
  host_id     INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  run_id      INTEGER NOT NULL,
  target_id   INTEGER NOT NULL,
  kind        INTEGER NOT NULL,
  verdict     INTEGER NOT NULL,
  partial     INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  requests    INTEGER NOT NULL,
  snapshot_id INTEGER NOT NULL,
  reason      TEXT NOT NULL
);
CREATE INDEX results_host ON results (host_id, at);

CREATE TABLE spans (
  host_id     INTEGER NOT NULL REFERENCES hosts(id) ON DELETE CASCADE,
  kind        INTEGER NOT NULL,
  since       INTEGER NOT NULL,
  until       INTEGER NOT NULL,
  last_at     INTEGER NOT NULL,
  results     INTEGER NOT NULL,
  snapshot_id INTEGER NOT NULL REFERENCES snapshots(id),
  findings    INTEGER NOT NULL,
  findings_at INTEGER NOT NULL,
  PRIMARY KEY (host_id, kind, since)
) WITHOUT ROWID;
CREATE INDEX spans_since ON spans (since);
CREATE INDEX spans_snapshot ON spans (snapshot_id);

CREATE TABLE documents (
  host_id INTEGER NOT NULL REFERENCES hosts(id) ON DELETE CASCADE,
  kind    TEXT NOT NULL,
  seq     INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  body    BLOB NOT NULL,
  PRIMARY KEY (host_id, kind, seq)
);

CREATE TABLE exceptions (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  finding  TEXT NOT NULL,
  host_id  INTEGER NOT NULL,
  tag      TEXT NOT NULL,
  reason   TEXT NOT NULL,
  owner    TEXT NOT NULL,
  until    INTEGER NOT NULL,
  created  INTEGER NOT NULL,
  by_whom  TEXT NOT NULL,
  withdrew INTEGER NOT NULL,
  withdrew_by TEXT NOT NULL,
  ended    INTEGER NOT NULL
);
CREATE INDEX exceptions_finding ON exceptions (finding);

CREATE TABLE findings (
  id         INTEGER PRIMARY KEY,
  host_id    INTEGER NOT NULL REFERENCES hosts(id) ON DELETE CASCADE,
  kind       INTEGER NOT NULL,
  severity   INTEGER NOT NULL,
  set_id     INTEGER NOT NULL,
  exception  INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen  INTEGER NOT NULL,
  ended      INTEGER NOT NULL,
  finding    TEXT NOT NULL,
  identity   TEXT NOT NULL,
  pipe       TEXT NOT NULL,
  evidence   TEXT NOT NULL
);
CREATE INDEX findings_host ON findings (host_id, ended);
CREATE INDEX findings_open ON findings (finding, host_id) WHERE ended = 0;
CREATE INDEX findings_severity ON findings (severity, id) WHERE ended = 0;
CREATE INDEX findings_first_seen ON findings (first_seen, id) WHERE ended = 0;
CREATE INDEX findings_exception ON findings (exception) WHERE ended = 0 AND exception <> 0;

CREATE TABLE events (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  at        INTEGER NOT NULL,
  host_id   INTEGER NOT NULL,
  site_id   INTEGER NOT NULL,
  run_id    INTEGER NOT NULL,
  severity  INTEGER NOT NULL,
  excepted  INTEGER NOT NULL,
  exception INTEGER NOT NULL,
  kind      TEXT NOT NULL,
  host      TEXT NOT NULL,
  subject   TEXT NOT NULL,
  was       TEXT NOT NULL,
  became    TEXT NOT NULL,
  text      TEXT NOT NULL
);
CREATE INDEX events_host ON events (host_id, id);
CREATE INDEX events_at ON events (at, id);
CREATE INDEX events_site ON events (site_id, id);
CREATE INDEX events_run ON events (run_id, id);
CREATE INDEX events_kind ON events (kind, id);

-- How the number of hosts with a verdict changed on a day. A point of the trend is the sum of all days up to it.
CREATE TABLE trend (
  day     INTEGER NOT NULL,
  site_id INTEGER NOT NULL,
  shard   INTEGER NOT NULL,
  exposed INTEGER NOT NULL,
  limited INTEGER NOT NULL,
  closed  INTEGER NOT NULL,
  unknown INTEGER NOT NULL,
  PRIMARY KEY (day, site_id, shard)
) WITHOUT ROWID;

CREATE TABLE workers (
  name     TEXT PRIMARY KEY,
  site     TEXT NOT NULL,
  version  TEXT NOT NULL,
  protocol INTEGER NOT NULL,
  started  INTEGER NOT NULL,
  seen     INTEGER NOT NULL,
  busy     INTEGER NOT NULL,
  done     INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE channels (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  name      TEXT NOT NULL UNIQUE,
  kind      TEXT NOT NULL,
  config    TEXT NOT NULL,
  sealed    BLOB NOT NULL,
  kinds     TEXT NOT NULL,
  least     INTEGER NOT NULL,
  digest    TEXT NOT NULL,
  enabled   INTEGER NOT NULL,
  created   INTEGER NOT NULL,
  last_ok   INTEGER NOT NULL,
  last_fail TEXT NOT NULL
);

CREATE TABLE deliveries (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  channel INTEGER NOT NULL REFERENCES channels(id) ON DELETE CASCADE,
  key     TEXT NOT NULL,
  events  TEXT NOT NULL,
  due     INTEGER NOT NULL,
  sent    INTEGER NOT NULL,
  tries   INTEGER NOT NULL,
  error   TEXT NOT NULL,
  UNIQUE (channel, key)
);
CREATE INDEX deliveries_due ON deliveries (due) WHERE sent = 0;

CREATE TABLE users (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL UNIQUE,
  role       TEXT NOT NULL,
  password   TEXT NOT NULL,
  disabled   INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  last_login INTEGER NOT NULL,
  last_visit INTEGER NOT NULL
);

CREATE TABLE tokens (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  name    TEXT NOT NULL,
  user_id INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  scope   TEXT NOT NULL,
  hash    BLOB NOT NULL UNIQUE,
  until   INTEGER NOT NULL,
  created INTEGER NOT NULL,
  used    INTEGER NOT NULL,
  UNIQUE (user_id, name)
);

CREATE TABLE sessions (
  token TEXT PRIMARY KEY,
  data  BLOB NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_until ON sessions (until);

CREATE TABLE failures (
  id  INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  at  INTEGER NOT NULL
);
CREATE INDEX failures_key ON failures (key, at);
CREATE INDEX failures_at ON failures (at);

CREATE TABLE acts (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  who     TEXT NOT NULL,
  origin  TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL,
  search  TEXT NOT NULL
);
CREATE INDEX acts_at ON acts (at);

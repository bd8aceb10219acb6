-- +goose Up
-- Hosts of one severity are sorted by their verdict and by their findings: the worst first.
DROP INDEX hosts_severity;
CREATE INDEX hosts_worst ON hosts (retired, severity, verdict, findings, id);

-- A list as somebody looks at it, kept under a name of theirs: the page's path and its query.
CREATE TABLE views (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  name    TEXT NOT NULL,
  path    TEXT NOT NULL,
  query   TEXT NOT NULL,
  created INTEGER NOT NULL,
  UNIQUE (user_id, name)
);

-- +goose Down
DROP TABLE views;
DROP INDEX hosts_worst;
CREATE INDEX hosts_severity ON hosts (retired, severity, id);

-- +goose Up
-- How many hosts of the fleet are alike in what pages count them by. Counting the rows of hosts, or of an index, takes
-- milliseconds for each page of a large fleet; here a few thousand rows are enough. Triggers keep the counts, so that
-- no statement can forget them. A result that changes nothing of this touches them not.
CREATE TABLE host_counts (
  site_id    INTEGER NOT NULL,
  owner      TEXT NOT NULL,
  verdict    INTEGER NOT NULL,
  severity   INTEGER NOT NULL,
  cells      TEXT NOT NULL,
  posture_id INTEGER NOT NULL,
  hosts      INTEGER NOT NULL,
  PRIMARY KEY (site_id, owner, verdict, severity, cells, posture_id)
) WITHOUT ROWID;
INSERT INTO host_counts SELECT site_id, owner, verdict, severity, cells, posture_id, count(*) FROM hosts
  WHERE retired = 0 GROUP BY site_id, owner, verdict, severity, cells, posture_id;

-- +goose StatementBegin
CREATE TRIGGER hosts_counted AFTER INSERT ON hosts WHEN NEW.retired = 0 BEGIN
  INSERT INTO host_counts VALUES (NEW.site_id, NEW.owner, NEW.verdict, NEW.severity, NEW.cells, NEW.posture_id, 1)
    ON CONFLICT (site_id, owner, verdict, severity, cells, posture_id) DO UPDATE SET hosts = hosts + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hosts_uncounted AFTER DELETE ON hosts WHEN OLD.retired = 0 BEGIN
  UPDATE host_counts SET hosts = hosts - 1 WHERE site_id = OLD.site_id AND owner = OLD.owner AND verdict = OLD.verdict
    AND severity = OLD.severity AND cells = OLD.cells AND posture_id = OLD.posture_id;
  DELETE FROM host_counts WHERE site_id = OLD.site_id AND owner = OLD.owner AND verdict = OLD.verdict
    AND severity = OLD.severity AND cells = OLD.cells AND posture_id = OLD.posture_id AND hosts = 0;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hosts_recounted AFTER UPDATE OF site_id, owner, verdict, severity, cells, posture_id, retired ON hosts
WHEN (OLD.site_id, OLD.owner, OLD.verdict, OLD.severity, OLD.cells, OLD.posture_id, OLD.retired)
  <> (NEW.site_id, NEW.owner, NEW.verdict, NEW.severity, NEW.cells, NEW.posture_id, NEW.retired) BEGIN
  UPDATE host_counts SET hosts = hosts - 1 WHERE OLD.retired = 0 AND site_id = OLD.site_id AND owner = OLD.owner
    AND verdict = OLD.verdict AND severity = OLD.severity AND cells = OLD.cells AND posture_id = OLD.posture_id;
  DELETE FROM host_counts WHERE site_id = OLD.site_id AND owner = OLD.owner AND verdict = OLD.verdict
    AND severity = OLD.severity AND cells = OLD.cells AND posture_id = OLD.posture_id AND hosts = 0;
  INSERT INTO host_counts SELECT NEW.site_id, NEW.owner, NEW.verdict, NEW.severity, NEW.cells, NEW.posture_id, 1
    WHERE NEW.retired = 0
    ON CONFLICT (site_id, owner, verdict, severity, cells, posture_id) DO UPDATE SET hosts = hosts + 1;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER hosts_recounted;
DROP TRIGGER hosts_uncounted;
DROP TRIGGER hosts_counted;
DROP TABLE host_counts;

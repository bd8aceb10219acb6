-- +goose Up
-- A host that has left the fleet: since when, 0 is that it is in it. Lists and counts are of the fleet; each of their indexes
-- begins with it.
ALTER TABLE hosts ADD COLUMN retired INTEGER NOT NULL DEFAULT 0;
DROP INDEX hosts_site;
DROP INDEX hosts_verdict;
DROP INDEX hosts_severity;
DROP INDEX hosts_findings;
DROP INDEX hosts_criticality;
DROP INDEX hosts_cells;
DROP INDEX hosts_last_seen;
DROP INDEX hosts_last_changed;
DROP INDEX hosts_owner;
DROP INDEX hosts_name;
DROP INDEX hosts_posture;
CREATE INDEX hosts_site ON hosts (retired, site_id, id);
CREATE INDEX hosts_verdict ON hosts (retired, verdict, id);
CREATE INDEX hosts_severity ON hosts (retired, severity, id);
CREATE INDEX hosts_findings ON hosts (retired, findings, id);
CREATE INDEX hosts_criticality ON hosts (retired, criticality, id);
CREATE INDEX hosts_cells ON hosts (retired, cells, id);
CREATE INDEX hosts_last_seen ON hosts (retired, last_seen, id);
CREATE INDEX hosts_last_changed ON hosts (retired, last_changed, id);
CREATE INDEX hosts_owner ON hosts (retired, owner, id);
CREATE INDEX hosts_name ON hosts (retired, sort_name, id);
CREATE INDEX hosts_posture ON hosts (retired, posture_id, id);

-- +goose Down
DROP INDEX hosts_site;
DROP INDEX hosts_verdict;
DROP INDEX hosts_severity;
DROP INDEX hosts_findings;
DROP INDEX hosts_criticality;
DROP INDEX hosts_cells;
DROP INDEX hosts_last_seen;
DROP INDEX hosts_last_changed;
DROP INDEX hosts_owner;
DROP INDEX hosts_name;
DROP INDEX hosts_posture;
ALTER TABLE hosts DROP COLUMN retired;
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
CREATE INDEX hosts_posture ON hosts (posture_id, id);

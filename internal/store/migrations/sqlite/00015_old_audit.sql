-- +goose Up
-- The hosts that changed since their audit, of which the first page counts and lists the oldest audits: without it every
-- such page goes over all hosts.
CREATE INDEX IF NOT EXISTS hosts_old_audit ON hosts (last_audit, id) WHERE last_audit > 0 AND last_changed > last_audit;

-- +goose Down
DROP INDEX hosts_old_audit;

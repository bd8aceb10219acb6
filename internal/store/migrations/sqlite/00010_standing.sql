-- +goose Up
-- The hosts of each site and owner by verdict are counted in this index alone, and so is which of them has not changed for longest.
CREATE INDEX hosts_standing ON hosts (retired, site_id, owner, verdict, last_changed);

-- +goose Down
DROP INDEX hosts_standing;

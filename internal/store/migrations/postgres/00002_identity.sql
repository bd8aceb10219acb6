-- +goose Up
-- Whether a site knows a host from elsewhere is asked once for every new host: without the site in the index, SQLite
-- walks all hosts of the site each time.
DROP INDEX hosts_identity;
CREATE INDEX hosts_identity ON hosts (site_id, identity, id);

-- +goose Down
DROP INDEX hosts_identity;
CREATE INDEX hosts_identity ON hosts (identity, id);

-- +goose Up
-- Documents are compressed with a dictionary from here on. A program that does not have it cannot read them, and
-- refuses a newer schema.
--
-- When a host was last seen changes with every result. Without an index on it, and with room on its page, PostgreSQL
-- writes the new row only; with one it also writes an entry of each of the table's fifteen indexes, and vacuums them.
-- Lists by that time sort the hosts instead.
DROP INDEX hosts_last_seen;
ALTER TABLE hosts SET (fillfactor = 70);

-- +goose Down
-- What was stored since stays, and such a program reports that it cannot be read.
ALTER TABLE hosts RESET (fillfactor);
CREATE INDEX hosts_last_seen ON hosts (retired, last_seen, id);

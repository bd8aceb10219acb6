-- +goose Up
-- Nothing: PostgreSQL counts the hosts themselves. See the migration of this number for SQLite, which keeps the counts.
SELECT 1;

-- +goose Down
SELECT 1;

-- +goose Up
-- These are zstd's bytes already: PostgreSQL would try to compress them again, in vain, at every insert.
ALTER TABLE snapshots ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;

-- +goose Down
ALTER TABLE snapshots ALTER COLUMN body SET STORAGE EXTENDED;
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTENDED;

-- +goose Up
-- Channels keep quiet at some hours, in a time zone of their own.
ALTER TABLE channels ADD COLUMN quiet TEXT NOT NULL DEFAULT '';
ALTER TABLE channels ADD COLUMN zone TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE channels DROP COLUMN zone;
ALTER TABLE channels DROP COLUMN quiet;

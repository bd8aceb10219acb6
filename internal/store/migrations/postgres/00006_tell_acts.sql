-- +goose Up
-- Channels are told of acts, the lines of the audit log, as they are of events.
ALTER TABLE channels ADD COLUMN acts TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN acts TEXT COLLATE "C" NOT NULL DEFAULT '[]';

-- +goose Down
ALTER TABLE deliveries DROP COLUMN acts;
ALTER TABLE channels DROP COLUMN acts;

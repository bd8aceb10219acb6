-- +goose Up
-- Documents are compressed with a dictionary from here on. Nothing in the schema changes, but a program that does not
-- have the dictionary cannot read them, and refuses a newer schema.
SELECT 1;

-- +goose Down
-- What was stored since stays, and such a program reports that it cannot be read.
SELECT 1;

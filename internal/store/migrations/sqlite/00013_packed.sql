-- +goose Up
-- Only PostgreSQL compresses by itself.

-- +goose Down

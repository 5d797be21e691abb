-- Which keys sealed something, so that a missing one is noticed at start; and what is shared.

CREATE TABLE seal_keys (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

ALTER TABLE sessions ADD COLUMN share TEXT;
CREATE UNIQUE INDEX sessions_by_share ON sessions (share) WHERE share IS NOT NULL;

-- Notices, and the channels that have still to be told.

CREATE TABLE notices (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- When it was posted: what its rate is counted by.
    posted INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX notices_by_key ON notices (key, posted);
CREATE INDEX notices_by_age ON notices (posted);

CREATE TABLE parcels (
    notice TEXT NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL,
    PRIMARY KEY (notice, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX parcels_due ON parcels (next);

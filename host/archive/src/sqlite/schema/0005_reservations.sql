-- What is taken of budgets, and what of it is only set aside.

CREATE TABLE counters (
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    time_window TEXT NOT NULL,
    -- The part of time in which it was taken, and from when on it no longer counts.
    start INTEGER NOT NULL,
    until INTEGER NOT NULL,
    taken INTEGER NOT NULL CHECK (taken >= 0),
    PRIMARY KEY (name, key, time_window, start)
) STRICT, WITHOUT ROWID;

CREATE INDEX counters_by_end ON counters (until);

CREATE TABLE reservations (
    id TEXT PRIMARY KEY,
    lapses INTEGER NOT NULL,
    -- Whether it was given back because nobody settled it.
    lapsed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_by_lapse ON reservations (lapsed, lapses);

CREATE TABLE claims (
    reservation TEXT NOT NULL REFERENCES reservations (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    time_window TEXT NOT NULL,
    start INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (reservation, place)
) STRICT, WITHOUT ROWID;

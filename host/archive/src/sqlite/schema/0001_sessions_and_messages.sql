-- Sessions, their messages, and which client message ids were used.

CREATE TABLE sessions (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    name TEXT,
    model TEXT,
    mode TEXT NOT NULL,
    fence INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    head INTEGER NOT NULL,
    in_use INTEGER NOT NULL,
    created INTEGER NOT NULL,
    last_activity INTEGER NOT NULL,
    ended INTEGER,
    deleted INTEGER,
    message_count INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    tokens_estimated INTEGER NOT NULL
) STRICT;

-- The only index that moves with every message.
CREATE INDEX sessions_by_owner ON sessions (owner, last_activity, id) WHERE deleted IS NULL;

CREATE TABLE messages (
    key INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (key),
    seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    sender TEXT NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL,
    model TEXT,
    in_reply_to TEXT,
    ending TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    tokens_estimated INTEGER,
    client_message_id TEXT,
    upstream_request_id TEXT,
    first_piece INTEGER,
    ended INTEGER,
    metadata TEXT
) STRICT;

CREATE UNIQUE INDEX messages_by_place ON messages (session, seq);
CREATE INDEX messages_running ON messages (session) WHERE sender = 'ai' AND ending IS NULL;

CREATE TABLE client_messages (
    user TEXT NOT NULL,
    client_message_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    at INTEGER NOT NULL,
    message TEXT NOT NULL,
    session TEXT NOT NULL,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (user, client_message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX client_messages_by_age ON client_messages (at);

-- One row, written to find out whether writing works.
CREATE TABLE pulse (beats INTEGER NOT NULL) STRICT;
INSERT INTO pulse VALUES (0);

-- What every answer cost, whoever asked and however it ended. Outlives the session.

CREATE TABLE usage (
    answer TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    user TEXT NOT NULL,
    -- Of a message, the session; of a call, its trace.
    session TEXT,
    trace TEXT,
    model TEXT,
    started INTEGER NOT NULL,
    -- Unknown when the process was gone by then.
    ended INTEGER,
    ending TEXT NOT NULL,
    -- Unknown likewise.
    input_tokens INTEGER,
    output_tokens INTEGER,
    estimated INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_by_user ON usage (user, started);

INSERT INTO usage
    SELECT m.id, 'message', s.owner, s.id, NULL, m.model, m.at, m.ended, m.ending,
           m.input_tokens, m.output_tokens, m.tokens_estimated
    FROM messages m JOIN sessions s ON s.key = m.session
    WHERE m.sender = 'ai' AND m.ending IS NOT NULL;

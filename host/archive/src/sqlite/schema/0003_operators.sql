-- What operators look through, and the record of what they do.

-- Whether an operator ever answered in it.
ALTER TABLE sessions ADD COLUMN assisted INTEGER NOT NULL DEFAULT 0;
-- Whole answers, how long all of them took, and the longest, in milliseconds.
ALTER TABLE sessions ADD COLUMN answers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN answered_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN slowest_ms INTEGER NOT NULL DEFAULT 0;

UPDATE sessions SET
    assisted = mode = 'operator',
    (answers, answered_ms, slowest_ms) = (
        SELECT count(*), coalesce(sum(max(0, ended - at)), 0), coalesce(max(max(0, ended - at)), 0)
        FROM messages
        WHERE session = sessions.key AND ended IS NOT NULL
          AND ending IN ('stop', 'length', 'tool_calls', 'content_filter', 'other')
    );

-- Orders of the review. The first four move only when a session begins or ends.
CREATE INDEX review_by_start ON sessions (created, id) WHERE deleted IS NULL;
CREATE INDEX review_of_user ON sessions (owner, created, id) WHERE deleted IS NULL;
CREATE INDEX review_by_owner ON sessions (owner, id) WHERE deleted IS NULL;
CREATE INDEX review_by_end ON sessions (ifnull(ended, 0), id) WHERE deleted IS NULL;
CREATE INDEX review_by_duration ON sessions (ended - created, id) WHERE deleted IS NULL AND ended IS NOT NULL;
CREATE INDEX review_by_activity ON sessions (last_activity, id) WHERE deleted IS NULL;
CREATE INDEX review_by_messages ON sessions (message_count, id) WHERE deleted IS NULL;
CREATE INDEX review_by_tokens ON sessions (input_tokens + output_tokens, id) WHERE deleted IS NULL;
CREATE INDEX review_assisted ON sessions (created, id) WHERE deleted IS NULL AND assisted = 1;

-- Holds all that response times need, so that no text is read for them.
CREATE INDEX messages_whole ON messages (session, seq, at, ended, ending)
    WHERE ended IS NOT NULL AND ending IN ('stop', 'length', 'tool_calls', 'content_filter', 'other');

CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    operator TEXT NOT NULL,
    action TEXT NOT NULL,
    user TEXT,
    session TEXT,
    reason TEXT,
    status INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_by_operator ON audit (operator, id);
CREATE INDEX audit_by_user ON audit (user, id) WHERE user IS NOT NULL;
CREATE INDEX audit_by_session ON audit (session, id) WHERE session IS NOT NULL;

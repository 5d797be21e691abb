-- Pages of the review by any filter: what filters ask of a row stands in the index that finds it.

-- Nothing is said before a session begins, and pages rely on it.
UPDATE sessions SET last_activity = created WHERE last_activity < created;

DROP INDEX review_by_start;
DROP INDEX review_of_user;
DROP INDEX review_by_owner;
DROP INDEX review_by_end;
DROP INDEX review_by_activity;
DROP INDEX review_by_messages;
DROP INDEX review_by_tokens;
DROP INDEX review_assisted;

-- Orders.
CREATE INDEX review_by_owner ON sessions (owner, id, created, ended, assisted) WHERE deleted IS NULL;
CREATE INDEX review_by_end ON sessions (ifnull(ended, 0), id, created, ended, assisted) WHERE deleted IS NULL;
CREATE INDEX review_by_activity ON sessions (last_activity, id, created, ended, assisted) WHERE deleted IS NULL;
CREATE INDEX review_by_messages ON sessions (message_count, id, created, ended, assisted) WHERE deleted IS NULL;
CREATE INDEX review_by_tokens ON sessions (input_tokens + output_tokens, id, created, ended, assisted) WHERE deleted IS NULL;
-- What filters keep, which is counted. The database takes an index for all that is needed only with the columns that its own
-- condition is about.
CREATE INDEX review_by_start ON sessions (created, id, ended, assisted, deleted) WHERE deleted IS NULL;
CREATE INDEX review_of_user ON sessions (owner, created, id, ended, assisted, deleted) WHERE deleted IS NULL;
CREATE INDEX review_assisted ON sessions (created, id, ended, assisted, deleted) WHERE deleted IS NULL AND assisted = 1;
CREATE INDEX review_ended ON sessions (ended, id, created, assisted, deleted) WHERE deleted IS NULL AND ended IS NOT NULL;
CREATE INDEX review_going_on ON sessions (created, id, ended, assisted, deleted) WHERE deleted IS NULL AND ended IS NULL;

//! The table of sessions as operators look through it. Each order has an index of its own; see `schema/0003_operators.sql`.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use sluice_chat::id::{Instant, SessionId};
use sluice_chat::response_times::{RESPONSE_TIMES, ResponseTimes};

use super::column::{Unsigned, Word};
use super::session::stored;
use crate::review::{
    COUNTED, MAX_OFFSET, Place, ReviewCursor, ReviewPage, ReviewRequest, Reviewed, SessionFilter,
    SessionSort,
};
use crate::tally::{Counted, Tally, Totals};

/// How long a session's newest whole answers took, newest first. The words are those of `Ending::is_whole`.
const RESPONSES: &str = "SELECT max(0, ended - at) FROM messages INDEXED BY messages_whole
     WHERE session = (SELECT key FROM sessions WHERE id = ?1) AND ended IS NOT NULL
       AND ending IN ('stop', 'length', 'tool_calls', 'content_filter', 'other')
     ORDER BY seq DESC LIMIT ?2";

/// A statement as it grows, and what stands in its places.
#[derive(Default)]
struct Query {
    text: String,
    values: Vec<Value>,
}

impl Query {
    fn say(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn value(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.text.push('?');
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.value(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// What the filter asks of a row that is not deleted.
    fn filter(&mut self, filter: &SessionFilter) -> &mut Self {
        let SessionFilter { owner, ended, assisted, from, to } = filter;
        self.say(" WHERE deleted IS NULL");
        if let Some(owner) = owner {
            self.say(" AND owner = ").value(owner.as_str().to_owned());
        }
        if let Some(ended) = ended {
            self.say(if *ended { " AND ended IS NOT NULL" } else { " AND ended IS NULL" });
        }
        if let Some(assisted) = assisted {
            self.say(if *assisted { " AND assisted = 1" } else { " AND assisted = 0" });
        }
        if let Some(from) = from {
            self.say(" AND created >= ").number(from.0);
        }
        if let Some(to) = to {
            self.say(" AND created <= ").number(to.0);
        }
        self
    }

    /// Some rows in order of `place`, after the cursor.
    fn ordered(&mut self, request: &ReviewRequest, place: &str, only: &str) -> &mut Self {
        let (way, beyond) = if request.descending { ("DESC", "<") } else { ("ASC", ">") };
        self.say("SELECT *, ").say(place).say(" AS place FROM sessions");
        self.filter(&request.filter).say(only);
        if let Some(after) = &request.after {
            self.say(" AND (").say(place).say(", id) ").say(beyond).say(" (");
            match &after.place {
                Place::Number(number) => self.value(*number),
                Place::Text(text) => self.value(text.clone()),
            };
            self.say(", ").value(after.id.as_str().to_owned()).say(")");
        }
        self.say(&format!(" ORDER BY {place} {way}, id {way} LIMIT "));
        self.number((request.read() + request.offset.min(MAX_OFFSET)) as u64)
    }

    /// Some sessions that go on, in order of how long they do. By their beginnings, since those have an index: the older one
    /// lasts longer.
    fn going_on(&mut self, request: &ReviewRequest) -> &mut Self {
        let (moment, descending) = (request.moment().0, request.descending);
        let (way, back) = if descending { ("DESC", "ASC") } else { ("ASC", "DESC") };
        self.say("SELECT *, ").number(moment).say(" - created AS place FROM sessions");
        self.filter(&request.filter).say(" AND ended IS NULL AND created <= ").number(moment);
        if let Some(ReviewCursor { place: Place::Number(place), id, .. }) = &request.after {
            let begun = i64::try_from(moment).unwrap_or(i64::MAX).saturating_sub(*place);
            let (from, beyond, tie) = if descending { (">=", ">", "<") } else { ("<=", "<", ">") };
            self.say(&format!(" AND created {from} ")).value(begun);
            self.say(&format!(" AND (created {beyond} ")).value(begun);
            self.say(&format!(" OR id {tie} ")).value(id.as_str().to_owned()).say(")");
        }
        self.say(&format!(" ORDER BY created {back}, id {way} LIMIT "));
        self.number((request.read() + request.offset.min(MAX_OFFSET)) as u64)
    }

    /// A whole page.
    fn page(request: &ReviewRequest) -> Self {
        let mut query = Self::default();
        query.say("SELECT * FROM (");
        match request.sort {
            SessionSort::Start => query.ordered(request, "created", ""),
            SessionSort::End => query.ordered(request, "ifnull(ended, 0)", ""),
            SessionSort::Messages => query.ordered(request, "message_count", ""),
            SessionSort::Tokens => query.ordered(request, "input_tokens + output_tokens", ""),
            SessionSort::Owner => query.ordered(request, "owner", ""),
            SessionSort::Activity => query.ordered(request, "last_activity", ""),
            SessionSort::Duration => query
                .say("SELECT * FROM (")
                .ordered(request, "ended - created", " AND ended IS NOT NULL")
                .say(") UNION ALL SELECT * FROM (")
                .going_on(request)
                .say(")"),
        };
        let way = if request.descending { "DESC" } else { "ASC" };
        query.say(&format!(") ORDER BY place {way}, id {way} LIMIT "));
        query.number(request.read() as u64);
        query.say(" OFFSET ").number(request.offset.min(MAX_OFFSET) as u64);
        query
    }
}

/// Reads a page.
pub(crate) fn page(
    connection: &Connection,
    request: &ReviewRequest,
) -> rusqlite::Result<ReviewPage> {
    let query = Query::page(request);
    // Not kept prepared: there are many forms of it, and few operators.
    let mut statement = connection.prepare(&query.text)?;
    let rows = statement.query_map(params_from_iter(query.values), stored)?;
    let mut read = Vec::new();
    for session in rows {
        let session = session?;
        let responses = responses(connection, &session.id)?;
        read.push(Reviewed { session, responses });
    }
    Ok(request.page(read, count(connection, &request.filter)?))
}

/// Counts, up to one more than is counted.
fn count(connection: &Connection, filter: &SessionFilter) -> rusqlite::Result<u64> {
    let mut query = Query::default();
    query.say("SELECT count(*) FROM (SELECT 1 FROM sessions").filter(filter);
    query.say(" LIMIT ").number(COUNTED + 1).say(")");
    let mut statement = connection.prepare(&query.text)?;
    let counted: Unsigned = statement.query_row(params_from_iter(query.values), |r| r.get(0))?;
    Ok(counted.0)
}

/// How long a session's newest whole answers took.
pub(crate) fn responses(
    connection: &Connection,
    session: &SessionId,
) -> rusqlite::Result<ResponseTimes> {
    let newest = i64::try_from(RESPONSE_TIMES).unwrap_or(i64::MAX);
    let mut times: Vec<u64> = connection
        .prepare_cached(RESPONSES)?
        .query_map((Word(session), newest), |row| Ok(row.get::<_, Unsigned>(0)?.0))?
        .collect::<Result<_, _>>()?;
    times.reverse();
    let mut responses = ResponseTimes::default();
    responses.extend(times);
    Ok(responses)
}

/// Adds up what began in a time.
pub(crate) fn totals(
    connection: &Connection,
    from: Instant,
    to: Instant,
) -> rusqlite::Result<Totals> {
    let mut tally = Tally::new(from, to);
    let mut statement = connection.prepare_cached(
        "SELECT created, last_activity, ended, input_tokens + output_tokens AS tokens, answers,
                answered_ms, slowest_ms, assisted
         FROM sessions WHERE deleted IS NULL AND created BETWEEN ?1 AND ?2 ORDER BY created, id",
    )?;
    let mut rows = statement.query((Unsigned(from.0), Unsigned(to.0)))?;
    while let Some(row) = rows.next()? {
        let number = |column: &str| row.get::<_, Unsigned>(column).map(|number| number.0);
        tally.add(Counted {
            created: Instant(number("created")?),
            last_activity: Instant(number("last_activity")?),
            ended: row.get::<_, Option<Unsigned>>("ended")?.map(|at| Instant(at.0)),
            tokens: number("tokens")?,
            answers: number("answers")?,
            answered_ms: number("answered_ms")?,
            slowest_ms: number("slowest_ms")?,
            assisted: row.get("assisted")?,
        });
    }
    Ok(tally.totals())
}

#[cfg(test)]
mod tests {
    use sluice_chat::answer::Ending;

    use super::*;
    use crate::sqlite::schema;

    /// How the database would find the answer.
    fn plan(connection: &Connection, query: &Query) -> Vec<String> {
        let explained = format!("EXPLAIN QUERY PLAN {}", query.text);
        let mut statement = connection.prepare(&explained).expect("a statement");
        let values = params_from_iter(query.values.iter());
        let rows = statement.query_map(values, |row| row.get("detail")).expect("asked");
        rows.collect::<Result<_, _>>().expect("explained")
    }

    fn request(sort: SessionSort, after: bool) -> ReviewRequest {
        let place = match sort {
            SessionSort::Owner => Place::Text("ada".to_owned()),
            SessionSort::Start
            | SessionSort::End
            | SessionSort::Messages
            | SessionSort::Tokens
            | SessionSort::Duration
            | SessionSort::Activity => Place::Number(7),
        };
        let id = SessionId::parse("s").expect("an id");
        let moment = Instant(9_000);
        let after = after.then_some(ReviewCursor { sort, descending: true, moment, place, id });
        ReviewRequest {
            filter: SessionFilter::default(),
            sort,
            descending: true,
            limit: 10,
            offset: 0,
            after,
            now: moment,
        }
    }

    #[test]
    fn every_order_is_carried_by_an_index() {
        let mut connection = Connection::open_in_memory().expect("opened");
        schema::migrate(&mut connection).expect("migrated");
        for (sort, indexes) in [
            (SessionSort::Start, ["review_by_start"].as_slice()),
            (SessionSort::End, &["review_by_end"]),
            (SessionSort::Messages, &["review_by_messages"]),
            (SessionSort::Tokens, &["review_by_tokens"]),
            (SessionSort::Owner, &["review_by_owner"]),
            (SessionSort::Activity, &["review_by_activity"]),
            (SessionSort::Duration, &["review_by_duration", "review_by_start"]),
        ] {
            for after in [false, true] {
                let plan = plan(&connection, &Query::page(&request(sort, after)));
                for index in indexes {
                    let used = plan.iter().any(|line| line.contains(&format!("INDEX {index}")));
                    assert!(used, "{sort:?} does not use {index}: {plan:#?}");
                }
                let scans =
                    |line: &&String| line.starts_with("SCAN sessions") && !line.contains("INDEX");
                assert_eq!(plan.iter().find(scans), None, "{sort:?}: {plan:#?}");
            }
        }
    }

    #[test]
    fn the_words_of_whole_answers_are_those_of_the_domain() {
        let whole = Ending::ALL.into_iter().filter(|ending| ending.is_whole());
        let words: Vec<_> = whole.map(|ending| format!("'{}'", ending.as_str())).collect();
        assert!(RESPONSES.contains(&format!("ending IN ({})", words.join(", "))), "{words:?}");
    }

    #[test]
    fn response_times_are_read_without_reading_a_text() {
        let mut connection = Connection::open_in_memory().expect("opened");
        schema::migrate(&mut connection).expect("migrated");
        let text = RESPONSES.to_owned();
        let query = Query { text, values: vec!["s".to_owned().into(), 100.into()] };
        let plan = plan(&connection, &query);
        assert!(
            plan.iter().any(|line| line.contains("COVERING INDEX messages_whole")),
            "{plan:#?}"
        );
    }
}

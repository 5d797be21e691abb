//! The table of sessions as operators look through it. Each order has an index of its own, and so has what filters ask for; see
//! `schema/0008_review.sql`. Which of them a page is read by is decided here: the database does not know how many rows a filter
//! keeps, and the page has counted them already.

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

/// Up to so many rows are all found by the filter and then sorted. Of more, enough are soon met in the order of the page.
const FEW: u64 = 2_000;
/// The same for a user's: whose a row is stands in no index of the orders, so to meet them takes longer.
const FEW_OF_USER: u64 = 5_000;

/// The index that finds what a filter keeps, and tells by itself whether it is kept.
fn finding(filter: &SessionFilter) -> &'static str {
    let is_bounded = filter.from.is_some() || filter.to.is_some();
    if filter.owner.is_some() {
        "review_of_user"
    } else if filter.assisted == Some(true) {
        "review_assisted"
    } else {
        match filter.ended {
            Some(false) => "review_going_on",
            Some(true) if !is_bounded => "review_ended",
            Some(true) | None => "review_by_start",
        }
    }
}

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
    fn ordered(
        &mut self,
        request: &ReviewRequest,
        index: &str,
        place: &str,
        only: &str,
    ) -> &mut Self {
        let (way, beyond) = if request.descending { ("DESC", "<") } else { ("ASC", ">") };
        self.say(&format!("SELECT *, {place} AS place FROM sessions INDEXED BY {index}"));
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
    fn going_on(&mut self, request: &ReviewRequest, index: &str) -> &mut Self {
        let (moment, descending) = (request.moment().0, request.descending);
        let (way, back) = if descending { ("DESC", "ASC") } else { ("ASC", "DESC") };
        self.say("SELECT *, ").number(moment).say(" - created AS place");
        self.say(&format!(" FROM sessions INDEXED BY {index}"));
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

    /// How many the filter keeps, up to one more than is counted.
    fn counting(filter: &SessionFilter) -> Self {
        let mut query = Self::default();
        query.say("SELECT count(*) FROM (SELECT 1 FROM sessions INDEXED BY ").say(finding(filter));
        query.filter(filter).say(" LIMIT ").number(COUNTED + 1).say(")");
        query
    }

    /// Sessions that were ended and sessions that go on, as far as the filter lets them.
    fn by_duration(&mut self, request: &ReviewRequest, found_by: Option<&str>) -> &mut Self {
        let SessionFilter { owner, ended, .. } = &request.filter;
        let (ended, going_on) = (*ended != Some(false), *ended != Some(true));
        if ended {
            let index = found_by.unwrap_or("review_by_duration");
            self.say("SELECT * FROM (");
            self.ordered(request, index, "ended - created", " AND ended IS NOT NULL").say(")");
        }
        if ended && going_on {
            self.say(" UNION ALL ");
        }
        if going_on {
            let of_user = owner.is_some().then_some("review_of_user");
            let index = found_by.or(of_user).unwrap_or("review_going_on");
            self.say("SELECT * FROM (").going_on(request, index).say(")");
        }
        self
    }

    /// A whole page of those that the filter keeps, which are so many.
    fn page(request: &ReviewRequest, kept: u64) -> Self {
        let SessionFilter { owner, ended, from, .. } = &request.filter;
        let few = if owner.is_some() { FEW_OF_USER } else { FEW };
        let found_by = (kept <= few).then(|| finding(&request.filter));
        let by = |carrying: &'static str| found_by.unwrap_or(carrying);
        let of_user =
            |own: &'static str, all: &'static str| if owner.is_some() { own } else { all };
        let mut query = Self::default();
        query.say("SELECT * FROM (");
        match request.sort {
            SessionSort::Start => query.ordered(
                request,
                by(of_user("review_of_user", "review_by_start")),
                "created",
                "",
            ),
            SessionSort::End => match ended {
                Some(true) => query.ordered(request, by("review_ended"), "ended", ""),
                // The database cannot know that one follows from the other.
                Some(false) => {
                    let open = " AND ifnull(ended, 0) <= 0";
                    query.ordered(request, by("review_by_end"), "ifnull(ended, 0)", open)
                }
                None => query.ordered(request, by("review_by_end"), "ifnull(ended, 0)", ""),
            },
            SessionSort::Messages => {
                query.ordered(request, by("review_by_messages"), "message_count", "")
            }
            SessionSort::Tokens => {
                query.ordered(request, by("review_by_tokens"), "input_tokens + output_tokens", "")
            }
            SessionSort::Owner => query.ordered(request, by("review_by_owner"), "owner", ""),
            SessionSort::Activity => {
                let index = by(of_user("sessions_by_owner", "review_by_activity"));
                // Nothing is said before a session begins.
                let since = from.map(|from| format!(" AND last_activity >= {}", from.0));
                query.ordered(request, index, "last_activity", &since.unwrap_or_default())
            }
            SessionSort::Duration => query.by_duration(request, found_by),
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
    let kept = count(connection, &request.filter)?;
    let query = Query::page(request, kept);
    // Not kept prepared: there are many forms of it, and few operators.
    let mut statement = connection.prepare(&query.text)?;
    let rows = statement.query_map(params_from_iter(query.values), stored)?;
    let mut read = Vec::new();
    for session in rows {
        let session = session?;
        let responses = responses(connection, &session.id)?;
        read.push(Reviewed { session, responses });
    }
    Ok(request.page(read, kept))
}

/// Counts, up to one more than is counted.
fn count(connection: &Connection, filter: &SessionFilter) -> rusqlite::Result<u64> {
    let query = Query::counting(filter);
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
    use sluice_chat::id::UserId;

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

    fn request(filter: &SessionFilter, sort: SessionSort, after: bool) -> ReviewRequest {
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
            filter: filter.clone(),
            sort,
            descending: true,
            limit: 10,
            offset: 0,
            after,
            now: moment,
        }
    }

    fn filters() -> Vec<SessionFilter> {
        let mut filters = Vec::new();
        for owner in [None, UserId::parse("ada")] {
            for ended in [None, Some(true), Some(false)] {
                for assisted in [None, Some(true), Some(false)] {
                    for (from, to) in [(None, None), (Some(Instant(5)), Some(Instant(90)))] {
                        let owner = owner.clone();
                        filters.push(SessionFilter { owner, ended, assisted, from, to });
                    }
                }
            }
        }
        filters
    }

    /// Of rows that are many, no more than a page is sorted: they are met in order.
    #[test]
    fn many_rows_are_met_in_the_order_of_the_page_whatever_the_filter() {
        let mut connection = Connection::open_in_memory().expect("opened");
        schema::migrate(&mut connection).expect("migrated");
        for filter in filters() {
            for sort in SessionSort::ALL {
                for after in [false, true] {
                    let query = Query::page(&request(&filter, sort, after), FEW_OF_USER + 1);
                    let plan = plan(&connection, &query);
                    let sorted = plan.windows(2).find(|lines| {
                        lines[0].contains(" sessions USING INDEX")
                            && lines[1].contains("USE TEMP B-TREE FOR ORDER BY")
                    });
                    assert_eq!(sorted, None, "{sort:?}, {filter:?}: {plan:#?}");
                    let bare = |line: &&String| {
                        line.starts_with("SCAN sessions") && !line.contains("INDEX")
                    };
                    assert_eq!(plan.iter().find(bare), None, "{sort:?}, {filter:?}: {plan:#?}");
                }
            }
        }
    }

    #[test]
    fn rows_are_counted_by_an_index_alone_whatever_the_filter() {
        let mut connection = Connection::open_in_memory().expect("opened");
        schema::migrate(&mut connection).expect("migrated");
        for filter in filters() {
            assert_eq!(count(&connection, &filter).expect("counted"), 0);
            let query = Query::counting(&filter);
            let plan = plan(&connection, &query);
            let covered = plan.iter().any(|line| line.contains("COVERING INDEX"));
            assert!(covered, "{filter:?}: {plan:#?}");
            for sort in SessionSort::ALL {
                let few = request(&filter, sort, true);
                assert_eq!(page(&connection, &few).expect("read").total, 0, "{sort:?}, {filter:?}");
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

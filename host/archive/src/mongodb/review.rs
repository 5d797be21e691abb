//! The collection of sessions as operators look through it. Each order has an index of its own, and so has what filters ask for;
//! see [`super::collection`]. As with SQLite, the index is chosen here, by how many the filter keeps.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::Hint;
use sluice_chat::id::{Instant, SessionId};
use sluice_chat::response_times::{RESPONSE_TIMES, ResponseTimes};

use super::collection::{MESSAGES, SESSIONS};
use super::field::{Fields, number};
use super::session::stored;
use super::unit::Stop;
use crate::error::StoreError;
use crate::review::{
    COUNTED, MAX_OFFSET, Place, ReviewPage, ReviewRequest, Reviewed, SessionFilter, SessionSort,
};
use crate::session::StoredSession;
use crate::tally::{Counted, Tally, Totals};
use crate::word::Worded;

/// What the filter asks of a session that is not deleted.
fn wanted(filter: &SessionFilter) -> Result<Vec<Document>, StoreError> {
    let SessionFilter { owner, ended, assisted, from, to } = filter;
    let mut wanted = vec![doc! { "live": true }];
    wanted.extend(owner.as_ref().map(|owner| doc! { "owner": owner.word() }));
    // What an index can tell. Nothing ended in the first moment of 1970.
    wanted.extend(ended.map(|ended| {
        let how = if ended {
            doc! { "$gt": 0_i64 }
        } else {
            doc! { "$eq": 0_i64 }
        };
        doc! { "ended_or_zero": how }
    }));
    wanted.extend(assisted.map(|assisted| doc! { "assisted": assisted }));
    if let Some(from) = from {
        wanted.push(doc! { "created": { "$gte": number(from.0)? } });
    }
    if let Some(to) = to {
        wanted.push(doc! { "created": { "$lte": number(to.0)? } });
    }
    Ok(wanted)
}

/// Up to so many are all found by the filter and then sorted. Of more, enough are soon met in the order of the page.
const FEW: u64 = 2_000;

/// The index that finds what a filter keeps.
fn finding(filter: &SessionFilter) -> &'static str {
    let is_bounded = filter.from.is_some() || filter.to.is_some();
    if filter.owner.is_some() {
        "page_of_user"
    } else if filter.assisted == Some(true) {
        "page_assisted"
    } else {
        match filter.ended {
            Some(false) => "page_going_on",
            Some(true) if !is_bounded => "page_by_end",
            Some(true) | None => "page_by_start",
        }
    }
}

/// The index that has them in this order.
fn carrying(sort: SessionSort, filter: &SessionFilter) -> &'static str {
    let of_user = filter.owner.is_some();
    match sort {
        SessionSort::Start if of_user => "page_of_user",
        SessionSort::Activity if of_user => "sessions_by_owner",
        SessionSort::Start => "page_by_start",
        SessionSort::End => "page_by_end",
        SessionSort::Messages => "page_by_messages",
        SessionSort::Tokens => "page_by_tokens",
        SessionSort::Owner => "page_by_owner",
        SessionSort::Duration => "page_by_duration",
        SessionSort::Activity => "page_by_activity",
    }
}

/// An index by its name.
fn by_name(index: &str) -> Hint {
    Hint::Name(index.to_owned())
}

/// The field that holds what sessions are sorted by.
fn field(sort: SessionSort) -> &'static str {
    match sort {
        SessionSort::Start => "created",
        SessionSort::End => "ended_or_zero",
        SessionSort::Messages => "message_count",
        SessionSort::Tokens => "tokens",
        SessionSort::Owner => "owner",
        SessionSort::Duration => "lasted",
        SessionSort::Activity => "last_activity",
    }
}

/// What sessions are sorted by, and the index that they are read by.
#[derive(Clone, Copy)]
struct Way {
    field: &'static str,
    index: &'static str,
    descending: bool,
}

/// Some sessions in order of a field, after the cursor.
///
/// Only if something is asked of the first field of an index does MongoDB look at the others in it, too, rather than in the
/// sessions. So something always is.
async fn ordered(
    database: &Database,
    request: &ReviewRequest,
    mut filter: Vec<Document>,
    Way { field, index, descending }: Way,
    after: Option<(Bson, &SessionId)>,
) -> Result<Vec<StoredSession>, Stop<StoreError>> {
    // The ids always in the order of the request, whatever way the field runs.
    let way = |descending: bool| if descending { -1 } else { 1 };
    let beyond = |descending: bool| if descending { "$lt" } else { "$gt" };
    let up_to = if descending { "$lte" } else { "$gte" };
    filter.push(match after {
        Some((place, id)) => doc! { "$and": [
            { field: { up_to: &place } },
            { "$or": [
                { field: { beyond(descending): &place } },
                { "_id": { beyond(request.descending): id.word() } },
            ] },
        ] },
        None if field == "owner" => doc! { field: { "$gte": "" } },
        None => doc! { field: { "$gte": i64::MIN } },
    });
    let mut order = doc! {};
    order.insert(field, way(descending));
    order.insert("_id", way(request.descending));
    let most = request.read() + request.offset.min(MAX_OFFSET);
    let found: Vec<Document> = database
        .collection::<Document>(SESSIONS)
        .find(doc! { "$and": filter })
        .sort(order)
        .hint(by_name(index))
        .limit(i64::try_from(most).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    Ok(found.iter().map(stored).collect::<Result<_, _>>()?)
}

/// Those that were ended and those that go on, in order of how long they lasted so far.
async fn by_duration(
    database: &Database,
    request: &ReviewRequest,
    found_by: Option<&'static str>,
) -> Result<Vec<StoredSession>, Stop<StoreError>> {
    let moment = number(request.moment().0)?;
    let cursor = request.after.as_ref().and_then(|after| match &after.place {
        Place::Number(place) => Some((*place, &after.id)),
        Place::Text(_) => None,
    });
    let (descending, of_user) = (request.descending, request.filter.owner.is_some());
    let mut found = Vec::new();
    if request.filter.ended != Some(false) {
        // Those that go on have no such field, and so are not in this order.
        let ended = wanted(&request.filter)?;
        let after = cursor.map(|(place, id)| (Bson::Int64(place), id));
        let index = found_by.unwrap_or("page_by_duration");
        let way = Way { field: "lasted", index, descending };
        found.extend(ordered(database, request, ended, way, after).await?);
    }
    if request.filter.ended != Some(true) {
        // By their beginnings, since those have an index: the older one lasts longer.
        let mut going_on = wanted(&request.filter)?;
        going_on.push(doc! { "ended_or_zero": 0_i64, "created": { "$lte": moment } });
        let after = cursor.map(|(place, id)| (Bson::Int64(moment.saturating_sub(place)), id));
        let index =
            found_by.unwrap_or(if of_user { "page_of_user_going_on" } else { "page_going_on" });
        let way = Way { field: "created", index, descending: !descending };
        found.extend(ordered(database, request, going_on, way, after).await?);
    }
    let lasted = |session: &StoredSession| {
        let until = session.ended.unwrap_or_else(|| request.moment());
        i128::from(until.0) - i128::from(session.created.0)
    };
    found.sort_by(|a, b| {
        let order = (lasted(a), &a.id).cmp(&(lasted(b), &b.id));
        if descending { order.reverse() } else { order }
    });
    Ok(found)
}

/// Reads a page.
pub(crate) async fn page(
    database: &Database,
    request: &ReviewRequest,
) -> Result<ReviewPage, Stop<StoreError>> {
    let mut counted = wanted(&request.filter)?;
    // See `ordered`: of the other indexes the first field is asked something by the filter.
    counted.push(doc! { "created": { "$gte": i64::MIN } });
    let total = database
        .collection::<Document>(SESSIONS)
        .count_documents(doc! { "$and": counted })
        .hint(by_name(finding(&request.filter)))
        .limit(COUNTED + 1)
        .await?;
    let found_by = (total <= FEW).then(|| finding(&request.filter));
    let found = if request.sort == SessionSort::Duration {
        by_duration(database, request, found_by).await?
    } else {
        let after = request.after.as_ref().map(|after| {
            let place = match &after.place {
                Place::Number(number) => Bson::Int64(*number),
                Place::Text(text) => Bson::String(text.clone()),
            };
            (place, &after.id)
        });
        let mut filter = wanted(&request.filter)?;
        if let (SessionSort::Activity, Some(from)) = (request.sort, request.filter.from) {
            // Nothing is said before a session begins.
            filter.push(doc! { "last_activity": { "$gte": number(from.0)? } });
        }
        let index = found_by.unwrap_or_else(|| carrying(request.sort, &request.filter));
        let (field, descending) = (field(request.sort), request.descending);
        ordered(database, request, filter, Way { field, index, descending }, after).await?
    };
    let on_page = found.into_iter().skip(request.offset.min(MAX_OFFSET)).take(request.read());
    let on_page: Vec<StoredSession> = on_page.collect();
    let ids: Vec<SessionId> = on_page.iter().map(|session| session.id.clone()).collect();
    let mut responses = responses(database, &ids).await?;
    let reviewed = |session: StoredSession| {
        let responses = responses.remove(&session.id).unwrap_or_default();
        Reviewed { session, responses }
    };
    let read: Vec<Reviewed> = on_page.into_iter().map(reviewed).collect();
    Ok(request.page(read, total))
}

/// How long the newest whole answers of each of these sessions took. Of a session with many answers the index is read from its
/// end and no further than needed.
pub(crate) async fn responses(
    database: &Database,
    sessions: &[SessionId],
) -> Result<HashMap<SessionId, ResponseTimes>, Stop<StoreError>> {
    if sessions.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<_> = sessions.iter().map(Worded::word).collect();
    let newest = i64::try_from(RESPONSE_TIMES).unwrap_or(i64::MAX);
    let answers = doc! { "$lookup": {
        "from": MESSAGES,
        "localField": "_id",
        "foreignField": "session",
        "pipeline": [
            { "$match": { "took": { "$exists": true } } },
            { "$sort": { "seq": -1 } },
            { "$limit": newest },
            { "$project": { "_id": 0, "took": 1 } },
        ],
        "as": "answers",
    } };
    let of_these = doc! { "$match": { "_id": { "$in": ids } } };
    let only_ids = doc! { "$project": { "_id": 1 } };
    let mut found =
        database.collection::<Document>(SESSIONS).aggregate([of_these, only_ids, answers]).await?;
    let mut all = HashMap::with_capacity(sessions.len());
    while let Some(session) = found.try_next().await? {
        let session = Fields(&session);
        let answers = session.documents("answers")?;
        let times: Result<Vec<u64>, StoreError> =
            answers.into_iter().rev().map(|answer| Fields(answer).the_number("took")).collect();
        let mut responses = ResponseTimes::default();
        responses.extend(times?);
        all.insert(session.the_word("_id")?, responses);
    }
    Ok(all)
}

/// Adds up what began in a time.
pub(crate) async fn totals(
    database: &Database,
    from: Instant,
    to: Instant,
) -> Result<Totals, Stop<StoreError>> {
    let mut tally = Tally::new(from, to);
    let began = doc! { "$gte": number(from.0)?, "$lte": number(to.0)? };
    let mut found = database
        .collection::<Document>(SESSIONS)
        .find(doc! { "live": true, "created": began })
        .sort(doc! { "created": 1, "_id": 1 })
        .projection(doc! {
            "created": 1, "last_activity": 1, "ended": 1, "tokens": 1, "answers": 1,
            "answered_ms": 1, "slowest_ms": 1, "assisted": 1,
        })
        .await?;
    while let Some(session) = found.try_next().await? {
        let fields = Fields(&session);
        tally.add(Counted {
            created: Instant(fields.the_number("created")?),
            last_activity: Instant(fields.the_number("last_activity")?),
            ended: fields.instant("ended")?,
            tokens: fields.the_number("tokens")?,
            answers: fields.the_number("answers")?,
            answered_ms: fields.the_number("answered_ms")?,
            slowest_ms: fields.the_number("slowest_ms")?,
            assisted: fields.flag("assisted")?,
        });
    }
    Ok(tally.totals())
}

//! What answers cost is kept for every one of them, whatever becomes of it and of its session.

use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use rusqlite::{Connection, OpenFlags};
use sluice_archive::{Answer, CallUsage, ChangeError, DatabaseSettings, Outcome};
use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::bill::{Bill, Counted};
use sluice_chat::id::{Fence, Instant, ModelId};

use crate::support::{FREE, Kept, Place, answer, ended, message, message_id, session, user};

/// Answer, kind, ending, tokens of prompt and answer, whether they are a guess, and the parts of them with what they came to: of
/// every line, in the order of the answers.
pub(crate) type Line = (String, String, String, Option<u64>, Option<u64>, Option<bool>, Parts);
/// Read from a cache, written to one, of reasoning; and the cost.
pub(crate) type Parts = [Option<u64>; 4];

const NO_PARTS: Parts = [Some(0), Some(0), Some(0), None];
const UNKNOWN: Parts = [None; 4];

/// Of each kind some, at a price.
fn bill() -> Bill {
    let tokens = Tokens { input: 3, output: 2, estimated: true };
    let counted = Counted { tokens, cached_input: 1, cache_write: 2, reasoning: 2 };
    Bill { counted, cost_micros: Some(42) }
}

pub(crate) async fn lines(place: &Place) -> Vec<Line> {
    match &place.kept {
        Kept::Folder(_) => rows(place),
        Kept::Database(settings) => documents(settings).await,
    }
}

fn rows(place: &Place) -> Vec<Line> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(place.path(), flags).expect("opened");
    let mut statement = connection
        .prepare(
            "SELECT answer, kind, ending, input_tokens, output_tokens, estimated,
                    cached_input_tokens, cache_write_tokens, reasoning_tokens, cost_micros
             FROM usage ORDER BY answer",
        )
        .expect("prepared");
    let number = |column: Option<i64>| column.map(i64::cast_unsigned);
    let rows = statement.query_map([], |row| {
        let (input, output) = (number(row.get(3)?), number(row.get(4)?));
        let parts = [row.get(6)?, row.get(7)?, row.get(8)?, row.get(9)?].map(number);
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, input, output, row.get(5)?, parts))
    });
    rows.expect("asked").collect::<Result<_, _>>().expect("read")
}

async fn documents(settings: &DatabaseSettings) -> Vec<Line> {
    let client = mongodb::Client::with_uri_str(&settings.uri).await.expect("an address");
    let lines = client.database(&settings.database).collection::<Document>("sluice_usage");
    let found = lines.find(doc! {}).sort(doc! { "_id": 1 }).await.expect("asked");
    let found: Vec<_> = found.try_collect().await.expect("read");
    let line = |line: &Document| {
        let text = |name| line.get_str(name).expect("a text").to_owned();
        let number = |name| line.get_i64(name).ok().map(i64::cast_unsigned);
        let (input, output) = (number("input_tokens"), number("output_tokens"));
        let estimated = line.get_bool("estimated").ok();
        let parts =
            ["cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "cost_micros"];
        (text("_id"), text("kind"), text("ending"), input, output, estimated, parts.map(number))
    };
    found.iter().map(line).collect()
}

fn line(answer: &str, ending: &str, input: u64, output: u64) -> Line {
    let (input, output) = (Some(input), Some(output));
    let [answer, kind, ending] = [answer, "message", ending].map(str::to_owned);
    (answer, kind, ending, input, output, Some(false), NO_PARTS)
}

fn unknown(answer: &str) -> Line {
    let [answer, kind, ending] = [answer, "message", "interrupted"].map(str::to_owned);
    (answer, kind, ending, None, None, None, UNKNOWN)
}

#[tokio::test]
async fn each_answer_has_one_line_that_stays() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    place.archive.finish(answer(2, "yes"), ended(Ending::Stop, 5, 7)).await.expect("stored");
    place.archive.finish(answer(2, "no"), ended(Ending::Error, 1, 1)).await.expect("no change");
    place.archive.finish(answer(3, ""), ended(Ending::Cancelled, 4, 0)).await.expect("stored");

    place.archive.delete_session(&session("s"), FREE, Instant(9_000)).await.expect("deleted");
    let late = place.archive.finish(answer(4, "late"), ended(Ending::Error, 3, 1)).await;
    let place = place.reopen().await;

    assert!(matches!(late, Err(ChangeError::Gone)), "{late:?}");
    let told = [line("a2", "stop", 5, 7), line("a3", "cancelled", 4, 0), line("a4", "error", 3, 1)];
    assert_eq!(lines(&place).await, told);
}

#[tokio::test]
async fn an_answer_that_may_not_be_stored_did_cost_something() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");

    let stale = Answer { fence: Fence(1), ..answer(2, "late") };
    let refused = place.archive.finish(stale, ended(Ending::Takeover, 5, 7)).await;

    assert!(matches!(refused, Err(ChangeError::Fenced)), "{refused:?}");
    assert_eq!(place.settled(&session("s")).await.len(), 1);
    assert_eq!(lines(&place).await, [line("a2", "takeover", 5, 7)]);
}

#[tokio::test]
async fn an_answer_that_ended_with_its_process_has_a_line_too() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    place.archive.begin(answer(2, "")).await.expect("begun");

    place.archive.take_session(&session("s"), Instant(5_000)).await.expect("taken");
    place.archive.begin(answer(3, "")).await.expect("begun");
    let place = place.reopen().await;

    assert_eq!(lines(&place).await, [unknown("a2"), unknown("a3")]);
}

#[tokio::test]
async fn calls_have_lines_without_a_session() {
    let place = Place::new().await;
    let call = CallUsage {
        answer: message_id("c1"),
        trace: "00ff".to_owned(),
        user: user("ada"),
        model: ModelId::parse("fake").expect("an id"),
        started: Instant(1_000),
        ended: Instant(2_000),
        ending: Ending::Cancelled,
        bill: bill(),
    };

    let other = CallUsage { answer: message_id("c2"), ending: Ending::Stop, ..call.clone() };

    place.archive.record(vec![call.clone()]).await.expect("stored");
    place.archive.record(vec![call, other]).await.expect("one of them is new");

    let parts = [Some(1), Some(2), Some(2), Some(42)];
    let line = |answer: &str, ending: &str| {
        let [answer, kind, ending] = [answer, "call", ending].map(str::to_owned);
        (answer, kind, ending, Some(3), Some(2), Some(true), parts)
    };
    assert_eq!(lines(&place).await, [line("c1", "cancelled"), line("c2", "stop")]);
}

#[tokio::test]
async fn an_answer_keeps_what_its_tokens_came_to() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let outcome = Outcome { bill: Some(bill()), ..ended(Ending::Stop, 0, 0) };

    place.archive.finish(answer(2, "yes"), outcome).await.expect("stored");
    let place = place.reopen().await;

    let parts = [Some(1), Some(2), Some(2), Some(42)];
    let lines = lines(&place).await;
    assert_eq!(lines.iter().map(|line| line.6).collect::<Vec<_>>(), [parts]);
}

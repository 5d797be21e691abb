//! The table of what answers cost. Lines are added, once for each answer; none is ever changed or removed.

use rusqlite::{Connection, named_params};
use sluice_chat::answer::Tokens;
use sluice_chat::bill::{Bill, Counted};
use sluice_chat::id::{Instant, SessionId};

use super::column::{Unsigned, Word};
use crate::message::{Answer, Outcome};
use crate::usage::{CallUsage, Kind};

/// Adds the lines of calls.
pub(crate) fn record(connection: &Connection, calls: &[CallUsage]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO usage
             (answer, kind, user, trace, model, started, ended, ending,
              input_tokens, output_tokens, estimated,
              cached_input_tokens, cache_write_tokens, reasoning_tokens, cost_micros)
         VALUES (:answer, :kind, :user, :trace, :model, :started, :ended, :ending,
              :input, :output, :estimated,
              :cached, :written, :reasoning, :cost)
         ON CONFLICT DO NOTHING",
    )?;
    for call in calls {
        let Bill { counted, cost_micros } = call.bill;
        let Counted { tokens, cached_input, cache_write, reasoning } = counted;
        let Tokens { input, output, estimated } = tokens;
        insert.execute(named_params! {
            ":answer": Word(&call.answer),
            ":kind": Kind::Call.word(),
            ":user": Word(&call.user),
            ":trace": call.trace,
            ":model": Word(&call.model),
            ":started": Unsigned(call.started.0),
            ":ended": Unsigned(call.ended.0),
            ":ending": Word(&call.ending),
            ":input": Unsigned(input),
            ":output": Unsigned(output),
            ":estimated": estimated,
            ":cached": Unsigned(cached_input),
            ":written": Unsigned(cache_write),
            ":reasoning": Unsigned(reasoning),
            ":cost": cost_micros.map(Unsigned),
        })?;
    }
    Ok(())
}

/// Adds the line of a session's answer that ended, unless it has one. The session may be deleted: its row, and so its owner, stays.
pub(crate) fn record_answer(
    connection: &Connection,
    answer: &Answer,
    outcome: &Outcome,
) -> rusqlite::Result<()> {
    let counted = outcome.bill.map(|bill| bill.counted);
    connection
        .prepare_cached(
            "INSERT INTO usage
                 (answer, kind, user, session, model, started, ended, ending,
                  input_tokens, output_tokens, estimated,
                  cached_input_tokens, cache_write_tokens, reasoning_tokens, cost_micros)
             SELECT :answer, :kind, owner, id, :model, :started, :ended, :ending,
                  :input, :output, :estimated,
                  :cached, :written, :reasoning, :cost
             FROM sessions WHERE id = :session
             ON CONFLICT DO NOTHING",
        )?
        .execute(named_params! {
            ":answer": Word(&answer.id),
            ":kind": Kind::Message.word(),
            ":session": Word(&answer.session),
            ":model": answer.model.as_ref().map(Word),
            ":started": Unsigned(answer.started.0),
            ":ended": Unsigned(outcome.at.0),
            ":ending": Word(&outcome.ending),
            ":input": counted.map(|counted| Unsigned(counted.tokens.input)),
            ":output": counted.map(|counted| Unsigned(counted.tokens.output)),
            ":estimated": counted.map(|counted| counted.tokens.estimated),
            ":cached": counted.map(|counted| Unsigned(counted.cached_input)),
            ":written": counted.map(|counted| Unsigned(counted.cache_write)),
            ":reasoning": counted.map(|counted| Unsigned(counted.reasoning)),
            ":cost": outcome.bill.and_then(|bill| bill.cost_micros).map(Unsigned),
        })?;
    Ok(())
}

/// Adds a line for each answer that runs. What they cost so far nobody knows.
const INTERRUPTED: &str =
    "INSERT INTO usage (answer, kind, user, session, model, started, ended, ending)
     SELECT m.id, :kind, s.owner, s.id, m.model, m.at, :now, 'interrupted'
     FROM messages m JOIN sessions s ON s.key = m.session
     WHERE m.sender = 'ai' AND m.ending IS NULL";

/// Adds the lines of a session's answers that are about to be marked as interrupted.
pub(crate) fn record_interrupted(
    connection: &Connection,
    session: &SessionId,
    now: Instant,
) -> rusqlite::Result<()> {
    let of_it = "AND m.session = (SELECT key FROM sessions WHERE id = :session)";
    connection.prepare_cached(&format!("{INTERRUPTED} {of_it} ON CONFLICT DO NOTHING"))?.execute(
        named_params! {
            ":kind": Kind::Message.word(),
            ":session": Word(session),
            ":now": Unsigned(now.0),
        },
    )?;
    Ok(())
}

/// As [`record_interrupted`], of all sessions. When each ended, nobody knows either.
pub(crate) fn record_all_interrupted(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        &format!("{INTERRUPTED} ON CONFLICT DO NOTHING"),
        named_params! { ":kind": Kind::Message.word(), ":now": None::<i64> },
    )?;
    Ok(())
}

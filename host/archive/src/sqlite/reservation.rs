//! The tables of budgets. Whatever writes runs on the writer's thread, one after another.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, named_params};
use sluice_chat::id::{Instant, ReservationId};

use super::Sqlite;
use super::column::{Unsigned, Word};
use crate::error::StoreError;
use crate::reservation::{Claim, Counter, Fate, LAPSED_KEPT_MS, ReserveError, Wanted};

/// Reservations given back at once, and rows forgotten at once.
const AT_ONCE: u64 = 256;

impl Sqlite {
    pub(crate) async fn reserve_claims(&self, wanted: Wanted) -> Result<(), ReserveError> {
        // What was refused wrote nothing, and what lapsed stays given back.
        self.write(move |connection| match reserve(connection, &wanted) {
            Err(ReserveError::Refused(place)) => Ok::<_, ReserveError>(Err(place)),
            Err(error @ ReserveError::Store(_)) => Err(error),
            Ok(()) => Ok(Ok(())),
        })
        .await?
        .map_err(ReserveError::Refused)
    }

    pub(crate) async fn end_reservation(
        &self,
        id: &ReservationId,
        fate: Fate,
    ) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |connection| Ok(end(connection, &id, &fate)?)).await
    }

    pub(crate) async fn standing(
        &self,
        counter: &Counter,
        now: Instant,
    ) -> Result<u64, StoreError> {
        let counter = counter.clone();
        self.readers
            .read(move |connection| standing_without_lapsed(connection, &counter, now))
            .await
    }

    pub(crate) async fn sweep_reservations(&self, now: Instant) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let more = give_back(connection, now)? == AT_ONCE;
            Ok(forget(connection, now)? || more)
        })
        .await
    }
}

/// Looks at all claims first, so that a refusal has nothing to undo.
fn reserve(connection: &Connection, wanted: &Wanted) -> Result<(), ReserveError> {
    let now = wanted.now;
    loop {
        let returned = give_back(connection, now)?;
        match refused(connection, &wanted.claims, now)? {
            None => break,
            // There is more to give back.
            Some(_) if returned == AT_ONCE => {}
            Some(place) => return Err(ReserveError::Refused(place)),
        }
    }
    connection
        .prepare_cached("INSERT INTO reservations (id, lapses) VALUES (?1, ?2)")?
        .execute((Word(&wanted.id), Unsigned(wanted.lapses.0)))?;
    for (place, claim) in (0_u64..).zip(&wanted.claims) {
        take(connection, wanted, place, claim)?;
    }
    Ok(())
}

/// The place of the first claim for which there is not enough.
fn refused(
    connection: &Connection,
    claims: &[Claim],
    now: Instant,
) -> rusqlite::Result<Option<usize>> {
    let mut standings = HashMap::new();
    for (place, claim) in claims.iter().enumerate() {
        let taken = match standings.get(&claim.counter) {
            Some(taken) => *taken,
            None => standing(connection, &claim.counter, now)?,
        };
        if !claim.fits(taken) {
            return Ok(Some(place));
        }
        standings.insert(&claim.counter, taken + claim.wanted());
    }
    Ok(None)
}

/// Sets a claim aside.
fn take(
    connection: &Connection,
    wanted: &Wanted,
    place: u64,
    claim: &Claim,
) -> rusqlite::Result<()> {
    let Counter { name, key, window } = &claim.counter;
    let part = window.part(wanted.now);
    connection
        .prepare_cached(
            "INSERT INTO counters (name, key, time_window, start, until, taken)
             VALUES (:name, :key, :window, :start, :until, :amount)
             ON CONFLICT DO UPDATE SET taken = taken + excluded.taken",
        )?
        .execute(named_params! {
            ":name": name,
            ":key": key,
            ":window": window.word(),
            ":start": Unsigned(part.start),
            ":until": Unsigned(part.until),
            ":amount": Unsigned(claim.wanted()),
        })?;
    connection
        .prepare_cached(
            "INSERT INTO claims (reservation, place, name, key, time_window, start, amount)
             VALUES (:reservation, :place, :name, :key, :window, :start, :amount)",
        )?
        .execute(named_params! {
            ":reservation": Word(&wanted.id),
            ":place": Unsigned(place),
            ":name": name,
            ":key": key,
            ":window": window.word(),
            ":start": Unsigned(part.start),
            ":amount": Unsigned(claim.wanted()),
        })?;
    Ok(())
}

fn standing(connection: &Connection, counter: &Counter, now: Instant) -> rusqlite::Result<u64> {
    let Counter { name, key, window } = counter;
    connection
        .prepare_cached(
            "SELECT ifnull(sum(taken), 0) FROM counters
             WHERE name = ?1 AND key = ?2 AND time_window = ?3 AND start >= ?5 AND until > ?4",
        )?
        .query_row(
            (name, key, window.word(), Unsigned(now.0), Unsigned(window.earliest(now))),
            |row| Ok(row.get::<_, Unsigned>(0)?.0),
        )
}

/// As [`standing`], for readers, who cannot give back what lapsed.
fn standing_without_lapsed(
    connection: &Connection,
    counter: &Counter,
    now: Instant,
) -> rusqlite::Result<u64> {
    let Counter { name, key, window } = counter;
    let lapsed = connection
        .prepare_cached(
            "SELECT ifnull(sum(c.amount), 0)
             FROM reservations r
             JOIN claims c ON c.reservation = r.id
             JOIN counters USING (name, key, time_window, start)
             WHERE r.lapsed = 0 AND r.lapses <= ?4 AND counters.until > ?4
               AND c.name = ?1 AND c.key = ?2 AND c.time_window = ?3",
        )?
        .query_row((name, key, window.word(), Unsigned(now.0)), |row| {
            Ok(row.get::<_, Unsigned>(0)?.0)
        })?;
    Ok(standing(connection, counter, now)?.saturating_sub(lapsed))
}

/// Makes what was taken what was needed. Of one that lapsed there is nothing left to correct.
fn end(connection: &Connection, id: &ReservationId, fate: &Fate) -> rusqlite::Result<()> {
    let lapsed: Option<bool> = connection
        .prepare_cached("SELECT lapsed FROM reservations WHERE id = ?1")?
        .query_row([Word(id)], |row| row.get(0))
        .optional()?;
    let Some(lapsed) = lapsed else { return Ok(()) };
    correct(connection, id, lapsed, |name| fate.needed(name))?;
    connection.prepare_cached("DELETE FROM reservations WHERE id = ?1")?.execute([Word(id)])?;
    Ok(())
}

/// Puts what was needed in the place of what was taken, in the part where it was taken. A part that no
/// longer counts may be gone.
fn correct(
    connection: &Connection,
    id: &ReservationId,
    lapsed: bool,
    needed: impl Fn(&str) -> u64,
) -> rusqlite::Result<()> {
    let mut claims = connection.prepare_cached(
        "SELECT name, key, time_window, start, amount FROM claims WHERE reservation = ?1",
    )?;
    let mut claims = claims.query([Word(id)])?;
    while let Some(claim) = claims.next()? {
        let name: String = claim.get("name")?;
        let taken = if lapsed { 0 } else { claim.get::<_, Unsigned>("amount")?.0 };
        connection
            .prepare_cached(
                "UPDATE counters SET taken = taken - :taken + :needed
                 WHERE name = :name AND key = :key AND time_window = :window AND start = :start",
            )?
            .execute(named_params! {
                ":taken": Unsigned(taken),
                ":needed": Unsigned(needed(&name)),
                ":name": name,
                ":key": claim.get::<_, String>("key")?,
                ":window": claim.get::<_, String>("time_window")?,
                ":start": Unsigned(claim.get::<_, Unsigned>("start")?.0),
            })?;
    }
    Ok(())
}

/// Gives back what nobody settled in time. Says how many.
fn give_back(connection: &Connection, now: Instant) -> rusqlite::Result<u64> {
    let overdue = connection
        .prepare_cached(
            "SELECT id FROM reservations WHERE lapsed = 0 AND lapses <= ?1
             ORDER BY lapses LIMIT ?2",
        )?
        .query_map((Unsigned(now.0), Unsigned(AT_ONCE)), |row| {
            Ok(row.get::<_, Word<ReservationId>>("id")?.0)
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for id in &overdue {
        correct(connection, id, false, |_| 0)?;
        connection
            .prepare_cached("UPDATE reservations SET lapsed = 1 WHERE id = ?1")?
            .execute([Word(id)])?;
    }
    Ok(overdue.len() as u64)
}

/// Gives back everything that is set aside: whoever would have settled it is gone.
pub(crate) fn give_all_back(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "BEGIN IMMEDIATE;
         UPDATE counters SET taken = taken - (
             SELECT sum(c.amount) FROM claims c JOIN reservations r ON r.id = c.reservation
             WHERE r.lapsed = 0 AND c.name = counters.name AND c.key = counters.key
               AND c.time_window = counters.time_window AND c.start = counters.start
         )
         WHERE EXISTS (
             SELECT 1 FROM claims c JOIN reservations r ON r.id = c.reservation
             WHERE r.lapsed = 0 AND c.name = counters.name AND c.key = counters.key
               AND c.time_window = counters.time_window AND c.start = counters.start
         );
         UPDATE reservations SET lapsed = 1 WHERE lapsed = 0;
         COMMIT;",
    )
}

/// Forgets some of what no longer counts. Says whether there may be more.
fn forget(connection: &Connection, now: Instant) -> rusqlite::Result<bool> {
    let counters = connection
        .prepare_cached(
            "DELETE FROM counters WHERE (name, key, time_window, start) IN (
                 SELECT name, key, time_window, start FROM counters WHERE until <= ?1 LIMIT ?2
             )",
        )?
        .execute((Unsigned(now.0), Unsigned(AT_ONCE)))?;
    let before = now.0.saturating_sub(LAPSED_KEPT_MS);
    let reservations = connection
        .prepare_cached(
            "DELETE FROM reservations WHERE id IN (
                 SELECT id FROM reservations WHERE lapsed = 1 AND lapses <= ?1 LIMIT ?2
             )",
        )?
        .execute((Unsigned(before), Unsigned(AT_ONCE)))?;
    Ok(counters.max(reservations) as u64 == AT_ONCE)
}

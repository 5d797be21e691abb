//! The collections of budgets: a document a counter, which holds the amounts of the parts of its
//! window, and a document a reservation.
//!
//! A counter changes by being read, decided about, and replaced if it is still at the version that was
//! read: exact for any number of writers, with a transaction over several counters and without. Who
//! writes to a counter stands in line before, so that nobody has to try again. Where there is no
//! transaction a crash in the midst of it leaves something counted that nobody has, never the reverse.

use std::ops::ControlFlow;

use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use sluice_chat::id::{Instant, ReservationId};
use tokio::sync::MutexGuard;
use tokio::time::timeout;

use super::MongoDb;
use super::collection::{COUNTERS, RESERVATIONS};
use super::field::{Fields, number};
use super::retry::Tries;
use super::shared::{Shared, TookTooLong, stand_in_all, unavailable};
use super::unit::{DEADLINE, Stop, Unit};
use crate::error::StoreError;
use crate::reservation::{Claim, Counter, Fate, LAPSED_KEPT_MS, Part, ReserveError, Wanted};
use crate::word::Worded as _;

/// Reservations given back at once.
const AT_ONCE: i64 = 256;

/// Somebody else changed a counter between reading and writing.
#[derive(Debug, thiserror::Error)]
#[error("a counter was changed meanwhile")]
struct Overtaken;

impl MongoDb {
    pub(crate) async fn reserve_claims(&self, wanted: Wanted) -> Result<(), ReserveError> {
        loop {
            let returned = self.give_back(wanted.now).await?;
            match self.reserve_now(&wanted).await {
                // There is more to give back.
                Err(ReserveError::Refused(_)) if returned == AT_ONCE => {}
                reserved => return reserved,
            }
        }
    }

    async fn reserve_now(&self, wanted: &Wanted) -> Result<(), ReserveError> {
        let counters = wanted.claims.iter().map(|claim| name_of(&claim.counter));
        let _lines = self.counter_lines(counters.collect()).await?;
        // In line nobody else changes them, so a refusal needs no transaction.
        self.look(wanted).await?;
        atomically!(self, unit => reserve(unit, wanted))
    }

    async fn look(&self, wanted: &Wanted) -> Result<(), ReserveError> {
        reading!(self, async {
            let counters = self.shared.database.collection::<Document>(COUNTERS);
            let mut read = Vec::new();
            for claim in &wanted.claims {
                let id = name_of(&claim.counter);
                if read.iter().any(|state: &State| state.id == id) {
                    continue;
                }
                let found = counters.find_one(doc! { "_id": id.clone() }).await?;
                read.push(State::of(id, found.as_ref(), wanted.now)?);
            }
            apply(&mut read, &wanted.claims, wanted.now)
                .map_err(|place| Stop::Told(ReserveError::Refused(place)))
        })
    }

    /// Makes what was taken what was needed.
    pub(crate) async fn end_reservation(
        &self,
        id: &ReservationId,
        fate: Fate,
    ) -> Result<(), StoreError> {
        let Some(found) = self.reservation(id).await? else { return Ok(()) };
        let held = held(&found)?;
        let _lines = self.counter_lines(names(&held)).await?;
        // It may have lapsed while this stood in line.
        let Some(found) = self.reservation(id).await? else { return Ok(()) };
        let lapsed = found.contains_key("lapsed");
        atomically!(self, unit => async {
            let was_there = unit.delete(RESERVATIONS, doc! { "_id": id.word() }).await?;
            if was_there || unit.may_be_done {
                let token = format!("{id} ended");
                correct(unit, &held, &token, lapsed, |name| fate.needed(name)).await?;
            }
            Ok::<_, Stop<StoreError>>(())
        })
    }

    pub(crate) async fn standing(
        &self,
        counter: &Counter,
        now: Instant,
    ) -> Result<u64, StoreError> {
        let id = name_of(counter);
        let (state, lapsed) = reading!(self, async {
            let counters = self.shared.database.collection::<Document>(COUNTERS);
            let found = counters.find_one(doc! { "_id": id.clone() }).await?;
            let state = State::of(id.clone(), found.as_ref(), now)?;
            let lapsed = overdue(&self.shared.database, now, Some(&id)).await?;
            Ok::<_, Stop<StoreError>>((state, lapsed))
        })?;
        let mut taken = state.standing();
        for reservation in &lapsed {
            for held in held(reservation)? {
                if held.counter == id && state.parts.iter().any(|part| part.start == held.start) {
                    taken = taken.saturating_sub(held.amount);
                }
            }
        }
        Ok(taken)
    }

    pub(crate) async fn sweep_reservations(&self, now: Instant) -> Result<bool, StoreError> {
        let returned = self.give_back(now).await?;
        let over = doc! { "until": { "$lte": number(now.0)? } };
        let counters = reading!(self, async {
            let counters = self.shared.database.collection::<Document>(COUNTERS);
            let found = counters.find(over.clone()).projection(doc! { "_id": 1 }).limit(AT_ONCE);
            Ok::<_, Stop<StoreError>>(found.await?.try_collect::<Vec<_>>().await?)
        })?;
        let counters = counters.iter().map(|found| Fields(found).the_document("_id").cloned());
        let counters = counters.collect::<Result<Vec<_>, _>>()?;
        let more = returned == AT_ONCE || counters.len() as u64 == AT_ONCE.unsigned_abs();
        // Who takes of one of them now takes before it is gone, or finds none.
        let _lines = self.counter_lines(counters.clone()).await?;
        let over = doc! { "_id": { "$in": counters }, "until": { "$lte": number(now.0)? } };
        let before = now.0.saturating_sub(LAPSED_KEPT_MS);
        let old = doc! { "lapsed": { "$lte": number(before)? } };
        atomically!(self, unit => async {
            unit.delete_all(COUNTERS, over.clone()).await?;
            unit.delete_all(RESERVATIONS, old.clone()).await?;
            Ok::<_, Stop<StoreError>>(())
        })?;
        Ok(more)
    }

    /// Gives back what nobody settled in time. Says how many.
    async fn give_back(&self, now: Instant) -> Result<i64, StoreError> {
        let overdue = reading!(self, overdue(&self.shared.database, now, None))?;
        let mut returned = 0;
        for reservation in overdue {
            let id: ReservationId = Fields(&reservation).the_word("_id")?;
            let lapses = Fields(&reservation).the_number("lapses")?;
            let held = held(&reservation)?;
            let _lines = self.counter_lines(names(&held)).await?;
            atomically!(self, unit => lapse(unit, &id, lapses, &held))?;
            returned += 1;
        }
        Ok(returned)
    }

    async fn reservation(&self, id: &ReservationId) -> Result<Option<Document>, StoreError> {
        reading!(self, async {
            let reservations = self.shared.database.collection::<Document>(RESERVATIONS);
            Ok::<_, Stop<StoreError>>(reservations.find_one(doc! { "_id": id.word() }).await?)
        })
    }

    /// One write to a counter at a time.
    async fn counter_lines(
        &self,
        counters: Vec<Document>,
    ) -> Result<Vec<MutexGuard<'_, ()>>, StoreError> {
        let keys = counters.iter().map(Document::to_string);
        stand_in_all(&self.shared.counters, keys).await
    }
}

/// A counter's place in its collection.
fn name_of(counter: &Counter) -> Document {
    let Counter { name, key, window } = counter;
    doc! { "name": name, "key": key, "window": window.word() }
}

/// What a counter holds in one part of its window.
#[derive(Debug, Clone)]
struct Taken {
    start: u64,
    until: u64,
    amount: u64,
}

/// A counter as it was read, and as it is to be.
struct State {
    id: Document,
    /// None: it is not there yet.
    version: Option<u64>,
    /// The change that was last made, so that a repeated one is known for what it is.
    last: Option<String>,
    parts: Vec<Taken>,
}

impl State {
    /// What was found, without the parts that no longer count.
    fn of(id: Document, found: Option<&Document>, now: Instant) -> Result<Self, StoreError> {
        let Some(found) = found else {
            return Ok(Self { id, version: None, last: None, parts: Vec::new() });
        };
        let mut parts = parts(found)?;
        parts.retain(|part| part.until > now.0);
        let fields = Fields(found);
        let version = Some(fields.the_number("version")?);
        Ok(Self { id, version, last: fields.text("last")?, parts })
    }

    async fn read(unit: &mut Unit, id: Document, now: Instant) -> Result<Self, Stop<StoreError>> {
        let found = unit.find(COUNTERS, doc! { "_id": id.clone() }).await?;
        Ok(Self::of(id, found.as_ref(), now)?)
    }

    fn standing(&self) -> u64 {
        self.parts.iter().map(|part| part.amount).fold(0, u64::saturating_add)
    }

    fn add(&mut self, part: Part, amount: u64) {
        match self.parts.iter_mut().find(|one| one.start == part.start) {
            Some(one) => one.amount = one.amount.saturating_add(amount),
            None => self.parts.push(Taken { start: part.start, until: part.until, amount }),
        }
    }

    /// Writes it, if it is still what was read.
    async fn write<E>(self, unit: &mut Unit, token: &str) -> Result<(), Stop<E>>
    where
        Stop<E>: From<StoreError>,
    {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            parts.push(Bson::from(doc! {
                "start": number(part.start)?,
                "until": number(part.until)?,
                "amount": number(part.amount)?,
            }));
        }
        let until = self.parts.iter().map(|part| part.until).max().unwrap_or(0);
        let next = number(self.version.unwrap_or(0) + 1)?;
        let mut document = doc! {
            "version": next, "last": token, "until": number(until)?, "parts": parts,
        };
        let Some(version) = self.version else {
            document.insert("_id", self.id);
            return Ok(unit.insert(COUNTERS, document).await?);
        };
        let same = doc! { "_id": self.id, "version": number(version)? };
        let written = unit.update(COUNTERS, same, doc! { "$set": document }).await?;
        if written.matched_count == 0 {
            return Err(unavailable(Overtaken).into());
        }
        Ok(())
    }
}

/// Takes all of it from the counters, or says which claim there is not enough for.
fn apply(states: &mut [State], claims: &[Claim], now: Instant) -> Result<(), usize> {
    for (place, claim) in claims.iter().enumerate() {
        let id = name_of(&claim.counter);
        let Some(state) = states.iter_mut().find(|state| state.id == id) else { continue };
        if !claim.fits(state.standing()) {
            return Err(place);
        }
        state.add(claim.counter.window.part(now), claim.wanted());
    }
    Ok(())
}

/// Takes of all counters and notes what was taken; or writes nothing.
async fn reserve(unit: &mut Unit, wanted: &Wanted) -> Result<(), Stop<ReserveError>> {
    let told = |stop| match stop {
        Stop::Told(error) | Stop::Store(error) => Stop::Store(error),
        Stop::Failed(error) => Stop::Failed(error),
        Stop::Unsure(error) => Stop::Unsure(error),
    };
    let mut states: Vec<State> = Vec::new();
    let mut claims = Vec::new();
    for claim in &wanted.claims {
        let id = name_of(&claim.counter);
        let part = claim.counter.window.part(wanted.now);
        claims.push(Bson::from(doc! {
            "counter": id.clone(),
            "start": number(part.start)?,
            "amount": number(claim.wanted())?,
        }));
        if states.iter().all(|state| state.id != id) {
            states.push(State::read(unit, id, wanted.now).await.map_err(told)?);
        }
    }
    // What an earlier try did stays done.
    let token = wanted.id.word();
    let mut left: Vec<State> =
        states.into_iter().filter(|state| state.last.as_deref() != Some(token)).collect();
    apply(&mut left, &wanted.claims, wanted.now)
        .map_err(|place| Stop::Told(ReserveError::Refused(place)))?;
    for state in left {
        state.write(unit, token).await?;
    }
    let reservation = doc! { "open": true, "lapses": number(wanted.lapses.0)?, "claims": claims };
    let id = doc! { "_id": wanted.id.word() };
    unit.upsert(RESERVATIONS, id, doc! { "$setOnInsert": reservation }).await?;
    Ok(())
}

/// A claim that was granted.
struct Held {
    counter: Document,
    start: u64,
    amount: u64,
}

/// What a reservation holds.
fn held(reservation: &Document) -> Result<Vec<Held>, StoreError> {
    let mut held = Vec::new();
    for claim in Fields(reservation).documents("claims")? {
        let fields = Fields(claim);
        held.push(Held {
            counter: fields.the_document("counter")?.clone(),
            start: fields.the_number("start")?,
            amount: fields.the_number("amount")?,
        });
    }
    Ok(held)
}

fn parts(counter: &Document) -> Result<Vec<Taken>, StoreError> {
    let mut parts = Vec::new();
    for part in Fields(counter).documents("parts")? {
        let fields = Fields(part);
        parts.push(Taken {
            start: fields.the_number("start")?,
            until: fields.the_number("until")?,
            amount: fields.the_number("amount")?,
        });
    }
    Ok(parts)
}

fn names(held: &[Held]) -> Vec<Document> {
    held.iter().map(|one| one.counter.clone()).collect()
}

/// Puts what was needed in the place of what was taken, in the part where it was taken. A part that no
/// longer counts may be gone.
async fn correct(
    unit: &mut Unit,
    held: &[Held],
    token: &str,
    lapsed: bool,
    needed: impl Fn(&str) -> u64,
) -> Result<(), Stop<StoreError>> {
    let mut states: Vec<State> = Vec::new();
    for one in held {
        let at = states.iter().position(|state| state.id == one.counter);
        let at = if let Some(at) = at {
            at
        } else {
            // All parts, for nobody said what time it is.
            states.push(State::read(unit, one.counter.clone(), Instant(0)).await?);
            states.len() - 1
        };
        let taken = if lapsed { 0 } else { one.amount };
        let needed = needed(&Fields(&one.counter).the_text("name")?);
        let state = &mut states[at];
        if let Some(part) = state.parts.iter_mut().find(|part| part.start == one.start) {
            part.amount = part.amount.saturating_sub(taken).saturating_add(needed);
        }
    }
    for state in states {
        // What an earlier try did stays done; and what is gone needs nothing.
        if state.version.is_some() && state.last.as_deref() != Some(token) {
            state.write(unit, token).await?;
        }
    }
    Ok(())
}

/// Gives a reservation back that nobody settled in time, unless somebody did meanwhile.
async fn lapse(
    unit: &mut Unit,
    id: &ReservationId,
    lapses: u64,
    held: &[Held],
) -> Result<(), Stop<StoreError>> {
    let open = doc! { "_id": id.word(), "open": true };
    let lapsing = doc! { "$set": { "lapsed": number(lapses)? }, "$unset": { "open": "" } };
    let lapsed = unit.update(RESERVATIONS, open, lapsing).await?;
    if lapsed.matched_count > 0 || unit.may_be_done {
        correct(unit, held, &format!("{id} lapsed"), false, |_| 0).await?;
    }
    Ok(())
}

/// Some reservations whose time is over, of one counter or of all.
async fn overdue(
    database: &Database,
    now: Instant,
    of: Option<&Document>,
) -> Result<Vec<Document>, Stop<StoreError>> {
    let mut wanted = doc! { "open": true, "lapses": { "$lte": number(now.0)? } };
    if let Some(counter) = of {
        wanted.insert("claims.counter", counter.clone());
    }
    let reservations = database.collection::<Document>(RESERVATIONS);
    let found = reservations.find(wanted).sort(doc! { "lapses": 1 }).limit(AT_ONCE).await?;
    Ok(found.try_collect().await?)
}

/// Gives back everything that is set aside: whoever would have settled it is gone. Only while nobody
/// else writes.
pub(crate) async fn give_all_back(database: &Database) -> Result<(), Stop<StoreError>> {
    let reservations = database.collection::<Document>(RESERVATIONS);
    let found: Vec<Document> =
        reservations.find(doc! { "open": true }).await?.try_collect().await?;
    for reservation in found {
        let id: ReservationId = Fields(&reservation).the_word("_id")?;
        let lapses = Fields(&reservation).the_number("lapses")?;
        let mut unit = Unit::alone(database);
        lapse(&mut unit, &id, lapses, &held(&reservation)?).await?;
    }
    Ok(())
}

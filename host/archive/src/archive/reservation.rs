//! Budgets: what the archive promises about reservations.

use std::sync::Arc;

use sluice_chat::id::{Instant, ReservationId};

use super::{Archive, Engine};
use crate::error::StoreError;
use crate::reservation::{Claim, Counter, Fate, MAX_CLAIMS, ReserveError, Wanted};

/// A reservation had more claims than any may have.
#[derive(Debug, thiserror::Error)]
#[error("a reservation of {0} claims")]
struct TooManyClaims(usize);

impl Archive {
    /// Takes of all these counters, or of none: exact however many ask at the same time.
    ///
    /// Nothing that is settled within `lapse_after_ms` is ever counted twice or not at all. What is
    /// not is given back then, or when the archive is next opened.
    pub async fn reserve_claims(
        &self,
        claims: &[Claim],
        now: Instant,
        lapse_after_ms: u64,
    ) -> Result<ReservationId, ReserveError> {
        if claims.len() > MAX_CLAIMS {
            let source = Arc::new(TooManyClaims(claims.len()));
            return Err(StoreError::Rejected { source }.into());
        }
        let id = format!("{:032x}", rand::random::<u128>());
        let id = ReservationId::parse(&id).expect("hexadecimal digits are an id");
        let lapses = Instant(now.0.saturating_add(lapse_after_ms));
        let wanted = Wanted { id: id.clone(), claims: claims.to_vec(), now, lapses };
        ask!(self.reserve_claims(wanted))?;
        Ok(id)
    }

    /// Says what was needed, by the names of the counters, which then stand at exactly that, be it
    /// above their limit. A claim whose counter is not named is given back. Again does nothing.
    ///
    /// Of a reservation that lapsed less than [`LAPSED_KEPT_MS`](crate::LAPSED_KEPT_MS) ago what was
    /// needed is counted still.
    pub async fn settle_claims(
        &self,
        id: &ReservationId,
        needed: Vec<(String, u64)>,
    ) -> Result<(), StoreError> {
        ask!(self.end_reservation(id, Fate::Settled(needed)))
    }

    /// Gives back what was reserved. Again, or of a reservation that was settled, does nothing.
    pub async fn release_claims(&self, id: &ReservationId) -> Result<(), StoreError> {
        ask!(self.end_reservation(id, Fate::Released))
    }

    /// Reads where a counter stands: settled, and reserved by what has not lapsed.
    pub async fn standing(&self, counter: &Counter, now: Instant) -> Result<u64, StoreError> {
        ask!(self.standing(counter, now))
    }

    /// Gives back up to some hundreds of reservations that lapsed, and forgets some hundreds of what no
    /// longer counts. Says whether there may be more. Reserving does the first on its way; the second is
    /// housekeeping alone.
    pub async fn sweep_reservations(&self, now: Instant) -> Result<bool, StoreError> {
        ask!(self.sweep_reservations(now))
    }
}

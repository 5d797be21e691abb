//! When a channel that did not take a notice is tried again. Pure.

use sluice_archive::ParcelFate;
use sluice_chat::id::Instant;

/// Wait after the first try; it doubles with each.
const FIRST_MS: u64 = 1_000;
/// Longest wait, before chance adds to it.
const LONGEST_MS: u64 = 15 * 60 * 1000;
/// Chance adds up to this part of a wait, so that what failed together is not tried together.
const JITTER: f64 = 0.25;
/// For how long a notice is tried.
const GIVE_UP_MS: u64 = 24 * 60 * 60 * 1000;

/// What comes of a try that failed, the `failed` + 1st; `chance` is between 0 and 1.
pub(super) fn after(failed: u32, posted: Instant, now: Instant, chance: f64) -> ParcelFate {
    if now.0.saturating_sub(posted.0) >= GIVE_UP_MS {
        return ParcelFate::Done;
    }
    let wait = FIRST_MS.saturating_mul(1 << failed.min(32)).min(LONGEST_MS);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a part of some minutes"
    )]
    let more = (wait as f64 * JITTER * chance.clamp(0.0, 1.0)) as u64;
    ParcelFate::Again(Instant(now.0.saturating_add(wait + more)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Waits double up to the longest, chance only adds, and after a day it is over.
        #[test]
        fn waits_grow_and_end(failed in 0..100_u32, age in 0..2 * GIVE_UP_MS, chance in 0.0..1.0) {
            let now = Instant(GIVE_UP_MS * 3);
            let fate = after(failed, Instant(now.0 - age), now, chance);
            match fate {
                ParcelFate::Done => prop_assert!(age >= GIVE_UP_MS),
                ParcelFate::Again(next) => {
                    prop_assert!(age < GIVE_UP_MS);
                    let wait = next.0 - now.0;
                    let nominal = if failed < 10 { FIRST_MS << failed } else { LONGEST_MS };
                    prop_assert!(wait >= nominal.min(LONGEST_MS));
                    prop_assert!(wait <= LONGEST_MS + LONGEST_MS / 4);
                }
            }
        }
    }
}

//! Which of several upstreams of one model a conversation goes to: as many as their weights say, and always the same one.
//!
//! Pure, and without memory: each upstream draws a lot that depends on the conversation and on itself, and the best lot wins
//! (weighted rendezvous hashing). So a restart changes nothing, and an upstream that is taken out moves its own conversations only.

use sha2::{Digest as _, Sha256};

/// The lot that an upstream draws for a conversation: the higher the better. With a weight of nothing it is the worst there is.
pub(super) fn lot(conversation: &str, upstream: [&str; 2], weight: u32) -> f64 {
    let mut hash = Sha256::new();
    for part in std::iter::once(conversation).chain(upstream) {
        // With its length, so that no two lists of parts are the same bytes.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    // Above 0 and below 1.
    let drawn = (f64::from(u32::from_be_bytes([a, b, c, d])) + 0.5) / (f64::from(u32::MAX) + 1.0);
    f64::from(weight) / -drawn.ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Which of upstreams of these weights a conversation goes to.
    fn winner(conversation: &str, weights: &[u32]) -> usize {
        let lot = |place: usize| lot(conversation, ["plugin", &place.to_string()], weights[place]);
        (0..weights.len()).max_by(|a, b| lot(*a).total_cmp(&lot(*b))).unwrap()
    }

    #[test]
    fn conversations_are_spread_as_the_weights_say() {
        let weights = [1, 2, 5, 0];
        let mut got = [0_u32; 4];
        for number in 0..8_000 {
            got[winner(&format!("session-{number}"), &weights)] += 1;
        }
        for (got, weight) in got.into_iter().zip(weights) {
            let expected = weight * 1_000;
            // Five standard deviations of a draw of 8,000, at most.
            assert!(got.abs_diff(expected) < 225, "{got} instead of {expected}");
        }
    }

    proptest! {
        /// A conversation goes to the same upstream each time, and when another one is taken out it stays.
        #[test]
        fn a_conversation_stays(
            conversation in ".{0,40}",
            weights in prop::collection::vec(1..100_u32, 2..6),
            gone in 0..6_usize,
        ) {
            let before = winner(&conversation, &weights);
            prop_assert_eq!(winner(&conversation, &weights), before);
            let gone = gone % weights.len();
            if gone != before {
                let mut fewer = weights;
                fewer[gone] = 0;
                prop_assert_eq!(winner(&conversation, &fewer), before);
            }
        }
    }
}

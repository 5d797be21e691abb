//! What an answer cost: its tokens, and what they come to at a model's price.
//!
//! Whole numbers throughout. Money is in millionths of a currency that nobody here knows: the one that prices are written in.

use crate::answer::Tokens;

/// Tokens that a price is for.
const PER: u128 = 1_000_000;
/// The largest amount there is: beyond it a cost stays there. An archive keeps signed numbers.
pub const MOST_MICROS: u64 = i64::MAX as u64;

/// What a million tokens of each kind cost, in millionths of the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Of the prompt.
    pub input: u64,
    /// Of the prompt, read from a cache.
    pub cached_input: u64,
    /// Of the prompt, written to a cache.
    pub cache_write: u64,
    /// Of the answer.
    pub output: u64,
    /// Of the answer, thought and not said.
    pub reasoning: u64,
}

impl Price {
    /// What so many tokens come to, rounded up to a whole millionth, once for the whole answer.
    ///
    /// Each token is paid once: those of a cache are not paid as the prompt's too, nor those of reasoning as the answer's. A part
    /// larger than its whole counts as the whole.
    pub fn of(&self, counted: &Counted) -> u64 {
        let Counted { tokens, cached_input, cache_write, reasoning } = *counted;
        let cached = cached_input.min(tokens.input);
        let written = cache_write.min(tokens.input - cached);
        let thought = reasoning.min(tokens.output);
        let lines = [
            (tokens.input - cached - written, self.input),
            (cached, self.cached_input),
            (written, self.cache_write),
            (tokens.output - thought, self.output),
            (thought, self.reasoning),
        ];
        let sum = lines
            .into_iter()
            .map(|(count, price)| u128::from(count) * u128::from(price))
            .fold(0_u128, u128::saturating_add);
        u64::try_from(sum.div_ceil(PER)).unwrap_or(MOST_MICROS).min(MOST_MICROS)
    }
}

/// Tokens of an answer, with the parts of them that have a price of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// All of prompt and answer.
    pub tokens: Tokens,
    /// Of the prompt, read from a cache.
    pub cached_input: u64,
    /// Of the prompt, written to a cache.
    pub cache_write: u64,
    /// Of the answer, those of reasoning.
    pub reasoning: u64,
}

impl Counted {
    /// With what it comes to at a price, if there is one.
    pub fn at(self, price: Option<&Price>) -> Bill {
        Bill { counted: self, cost_micros: price.map(|price| price.of(&self)) }
    }
}

/// What an answer cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bill {
    /// In tokens.
    pub counted: Counted,
    /// In millionths of the currency; none where the model has no price.
    pub cost_micros: Option<u64>,
}

impl Bill {
    /// Tokens of prompt and answer.
    pub fn tokens(&self) -> Tokens {
        self.counted.tokens
    }
}

/// Of tokens alone: no parts are known, and no price.
impl From<Tokens> for Bill {
    fn from(tokens: Tokens) -> Self {
        Self { counted: Counted { tokens, ..Counted::default() }, cost_micros: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRICE: Price = Price {
        input: 2_500_000,
        cached_input: 250_000,
        cache_write: 3_000_000,
        output: 10_000_000,
        reasoning: 12_000_000,
    };

    fn counted(input: u64, output: u64) -> Counted {
        Counted { tokens: Tokens { input, output, estimated: false }, ..Counted::default() }
    }

    #[test]
    fn each_token_is_paid_once_at_its_own_price() {
        let parts = Counted { cached_input: 40, cache_write: 10, reasoning: 5, ..counted(100, 20) };

        // 50 × 2.5 + 40 × 0.25 + 10 × 3 + 15 × 10 + 5 × 12
        assert_eq!(PRICE.of(&parts), 375);
        assert_eq!(PRICE.of(&counted(0, 0)), 0);
        assert_eq!(PRICE.of(&counted(1, 0)), 3, "2.5 is rounded up");
        let odd = Counted { cached_input: 500, cache_write: 9, reasoning: 9, ..counted(4, 1) };
        assert_eq!(PRICE.of(&odd), 1 + 12, "parts are never more than the whole");
    }

    #[test]
    fn what_has_no_price_has_no_cost() {
        assert_eq!(counted(3, 4).at(None).cost_micros, None);
        assert_eq!(counted(3, 4).at(Some(&PRICE)).cost_micros, Some(48));
    }

    fn any_price() -> impl Strategy<Value = Price> {
        any::<[u64; 5]>().prop_map(|[input, cached_input, cache_write, output, reasoning]| Price {
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
        })
    }

    fn any_counted(most: u64) -> impl Strategy<Value = Counted> {
        [0..=most, 0..=most, 0..=most, 0..=most, 0..=most].prop_map(
            |[input, output, cached_input, cache_write, reasoning]| Counted {
                cached_input,
                cache_write,
                reasoning,
                ..counted(input, output)
            },
        )
    }

    /// A price as somebody would write it.
    fn sane_price() -> impl Strategy<Value = Price> {
        [
            0..1_000_000_000_u64,
            0..1_000_000_000,
            0..1_000_000_000,
            0..1_000_000_000,
            0..1_000_000_000,
        ]
        .prop_map(|[input, cached_input, cache_write, output, reasoning]| Price {
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
        })
    }

    proptest! {
        /// Whatever was counted at whatever price, there is a cost and an archive can keep it.
        #[test]
        fn no_cost_overflows(price in any_price(), counted in any_counted(u64::MAX)) {
            prop_assert!(price.of(&counted) <= MOST_MICROS);
        }

        /// More tokens of one kind never cost less.
        #[test]
        fn cost_grows_with_tokens(price in any_price(), few in any_counted(u64::MAX / 2), more in 0..u64::MAX / 2) {
            let Tokens { input, output, estimated } = few.tokens;
            for tokens in [
                Tokens { input: input + more, output, estimated },
                Tokens { input, output: output + more, estimated },
            ] {
                // What it has more of must be of that kind, not of a part that an earlier bound held back.
                let whole = Counted {
                    cached_input: few.cached_input.min(input),
                    cache_write: few.cache_write.min(input - few.cached_input.min(input)),
                    reasoning: few.reasoning.min(output),
                    ..few
                };
                let more = Counted { tokens, ..whole };
                prop_assert!(price.of(&more) >= price.of(&whole));
            }
        }

        /// A dearer price never costs less.
        #[test]
        fn cost_grows_with_prices(price in any_price(), counted in any_counted(u64::MAX), dearer in any::<[u64; 5]>()) {
            let [input, cached_input, cache_write, output, reasoning] = dearer;
            let dearer = Price {
                input: price.input.max(input),
                cached_input: price.cached_input.max(cached_input),
                cache_write: price.cache_write.max(cache_write),
                output: price.output.max(output),
                reasoning: price.reasoning.max(reasoning),
            };
            prop_assert!(dearer.of(&counted) >= price.of(&counted));
        }

        /// Two answers cost together what one of both would, and at most the millionth more that each was rounded up by.
        #[test]
        fn costs_add_up(price in sane_price(), one in any_counted(1_000_000), other in any_counted(1_000_000)) {
            let whole = |counted: Counted| {
                let Tokens { input, output, .. } = counted.tokens;
                let cached_input = counted.cached_input.min(input);
                let cache_write = counted.cache_write.min(input - cached_input);
                Counted { cached_input, cache_write, reasoning: counted.reasoning.min(output), ..counted }
            };
            let (one, other) = (whole(one), whole(other));
            let both = Counted {
                tokens: Tokens {
                    input: one.tokens.input + other.tokens.input,
                    output: one.tokens.output + other.tokens.output,
                    estimated: false,
                },
                cached_input: one.cached_input + other.cached_input,
                cache_write: one.cache_write + other.cache_write,
                reasoning: one.reasoning + other.reasoning,
            };
            let (apart, together) = (price.of(&one) + price.of(&other), price.of(&both));
            prop_assert!(apart == together || apart == together + 1, "{apart} {together}");
        }
    }
}

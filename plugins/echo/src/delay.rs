//! A pause that the host grants.

use serde::Deserialize;

/// The longest pause of the contract.
const MOST_MS: u32 = 60_000;

/// Milliseconds between two words, at most 60,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Delay(u32);

impl Delay {
    /// Milliseconds.
    pub fn ms(self) -> u32 {
        self.0
    }

    /// Whether there is no pause.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Default for Delay {
    /// About as fast as one reads.
    fn default() -> Self {
        Self(40)
    }
}

impl TryFrom<u32> for Delay {
    type Error = String;

    fn try_from(ms: u32) -> Result<Self, String> {
        if ms > MOST_MS {
            return Err(format!("`delay_ms` is {ms}, at most {MOST_MS} is possible"));
        }
        Ok(Self(ms))
    }
}

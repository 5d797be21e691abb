//! Vectors for texts: what is asked, and what comes back.
//!
//! Mirrors the interface `embedding` of the plugin contract (`sdk/wit`).

use crate::event::Usage;
use crate::request::Extra;

/// Most passages of one exchange; a plugin is asked again for what is more.
pub const MAX_PASSAGES: usize = 32;

/// Something to make a vector of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// Words.
    Text(String),
    /// Tokens of the model's own vocabulary, as the client counted them.
    Tokens(Vec<u32>),
}

/// What a provider is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EmbeddingRequest {
    /// Model as the upstream knows it.
    pub model: String,
    /// What vectors are wanted of.
    pub passages: Vec<Passage>,
    /// Numbers of a vector, where the model lets one choose.
    pub dimensions: Option<u32>,
    /// Pseudonymous end-user id.
    pub user: Option<String>,
    /// Whatever the client sent and this vocabulary has no word for.
    pub extras: Vec<Extra>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Embedded {
    /// Vectors, in the order of the passages.
    pub vectors: Vec<Vec<f32>>,
    /// What it cost; none until anybody told.
    pub usage: Option<Usage>,
}

impl Embedded {
    /// Adds what came back for the passages after these.
    pub fn add(&mut self, more: Self) {
        self.vectors.extend(more.vectors);
        let Some(usage) = more.usage else { return };
        let sum = self.usage.get_or_insert_default();
        let add = |sum: &mut Option<u64>, more: Option<u64>| {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or_default().saturating_add(more));
            }
        };
        add(&mut sum.input_tokens, usage.input_tokens);
        add(&mut sum.output_tokens, usage.output_tokens);
        add(&mut sum.cached_input_tokens, usage.cached_input_tokens);
        add(&mut sum.cache_write_tokens, usage.cache_write_tokens);
        add(&mut sum.reasoning_tokens, usage.reasoning_tokens);
        sum.other.extend(usage.other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_exchanges_cost_adds_up() {
        let told = |input_tokens| Embedded {
            vectors: vec![vec![0.5]],
            usage: Some(Usage { input_tokens, ..Usage::default() }),
        };
        let mut sum = Embedded::default();

        for part in [told(Some(3)), told(None), told(Some(4))] {
            sum.add(part);
        }

        assert_eq!(sum.vectors.len(), 3);
        assert_eq!(sum.usage, Some(Usage { input_tokens: Some(7), ..Usage::default() }));
    }
}

//! Looking for words in what was said.

use crate::seal::is_sealed;

/// Bytes of texts that one search looks at; what is beyond is not found.
const BYTES: usize = 8 * 1024 * 1024;

/// One search, for which texts are brought newest session first.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// In lower case.
    wanted: String,
    left: usize,
}

impl Search {
    /// Looks for `wanted`, in whatever case.
    pub(crate) fn new(wanted: &str) -> Self {
        Self { wanted: wanted.to_lowercase(), left: BYTES }
    }

    /// Whether a text as it is stored contains it. What is sealed contains nothing.
    pub(crate) fn finds(&mut self, stored: &str) -> bool {
        self.left = self.left.saturating_sub(stored.len());
        !is_sealed(stored) && stored.to_lowercase().contains(&self.wanted)
    }

    /// Whether enough was looked at.
    pub(crate) fn is_over(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ends_after_so_many_bytes() {
        let mut search = Search::new("ÄPFEL");
        assert!(search.finds("Zwei äpfel"));
        assert!(!search.is_over());
        assert!(!search.finds(&"x".repeat(BYTES)));
        assert!(search.is_over());
    }
}

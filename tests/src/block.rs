//! The fenced blocks of a document.

use std::fs;

use crate::root;

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Document and line.
    pub place: String,
    /// What stands behind the fence.
    pub kind: String,
    /// Its lines.
    pub text: String,
}

/// The text of a document of the repository.
pub fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every fenced block of a document, in order. A fence that is indented would be overlooked by whoever reads only these, and fails.
pub fn blocks(path: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (number, line) in (1..).zip(document(path).lines()) {
        let place = format!("{path}:{number}");
        match (line.strip_prefix("```"), is_open) {
            (Some(kind), false) => {
                blocks.push(Block { place, kind: kind.to_owned(), text: String::new() });
                is_open = true;
            }
            (Some(_), true) => is_open = false,
            (None, true) => {
                let block = blocks.last_mut().expect("an open block");
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {
                let begins =
                    ["```", "~~~"].iter().any(|fence| line.trim_start().starts_with(fence));
                assert!(!begins, "{place}: a fence begins its line with three backticks");
            }
        }
    }
    assert!(!is_open, "{path}: the last block is not closed");
    blocks
}

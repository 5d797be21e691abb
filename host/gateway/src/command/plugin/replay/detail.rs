//! What a plugin says of its failure, for operators. The sandbox cuts and cleans it; cases are written natively, where nobody does.
//! So it counts as what the case expects when it is what the sandbox leaves of that.

use std::fs;
use std::path::Path;

use sluice_testkit::{Ending, Failure};

/// From as many bytes on it may have been cut: the sandbox keeps 512 of them, at a character.
const CUT_FROM_BYTES: usize = 509;

/// The detail of the failure that a case expects, if it does.
pub(super) fn expected(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("expect.jsonl")).ok()?;
    let mut last: serde_json::Value = serde_json::from_str(text.lines().last()?).ok()?;
    match serde_json::from_value(last.get_mut("end")?.take()).ok()? {
        Ending::Fail(failure) => failure.detail,
        Ending::Done => None,
    }
}

/// The detail of the refusal of its settings that a case of a policy or a notifier expects, if it does.
pub(super) fn refusal(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("expect.jsonl")).ok()?;
    let only: serde_json::Value = serde_json::from_str(text.lines().next()?).ok()?;
    only["refused"]["detail"].as_str().map(str::to_owned)
}

/// The failure with the detail as the case has it, if that is what was left of it.
pub(super) fn restored(failure: Failure, expected: Option<&str>) -> Failure {
    match (&failure.detail, expected) {
        (Some(seen), Some(expected)) if is_left_of(seen, expected) => {
            Failure { detail: Some(expected.to_owned()), ..failure }
        }
        _ => failure,
    }
}

fn is_left_of(seen: &str, whole: &str) -> bool {
    let mut left = visible(whole);
    let same = visible(seen).all(|character| left.next() == Some(character));
    same && (seen.len() >= CUT_FROM_BYTES || left.next().is_none())
}

/// What cleaning leaves alone.
fn visible(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|character| character.is_alphanumeric() || character.is_ascii_punctuation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sandbox_cleans_or_cuts_is_still_what_was_expected() {
        assert!(is_left_of("502  Bad Gateway", "502\r\nBad\u{1b} Gateway\u{202e}"));
        assert!(is_left_of(&"é".repeat(255), &"é".repeat(300)));
    }

    #[test]
    fn anything_else_is_not() {
        assert!(!is_left_of("502 Bad", "502 Bad Gateway"));
        assert!(!is_left_of("502 Bad Gateway", "502 Bad"));
        assert!(!is_left_of("Bad Gateway", "Good Gateway"));
        assert!(!is_left_of(&"x".repeat(512), &"y".repeat(600)));
    }
}

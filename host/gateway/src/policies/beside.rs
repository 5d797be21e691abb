//! What an answer carries beside its words, as far as filters can look at it: each field whole.
//!
//! A filter sees each of them as a text that stands by itself, so nothing may reach it in halves. Clients put texts of one key
//! together as they put words together; here they are put together first.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_chat::request::Extra;

/// How likely each word was, word by word.
const LIKELIHOODS: &str = "logprobs";
/// What is said aloud, with its words beside it.
const AUDIO: &str = "audio";
/// What some vendors make of reasoning: a list of pieces of it.
const DETAILS: &str = "_details";

/// Texts by their keys, until the answer is over.
#[derive(Debug, Default)]
pub(super) struct Beside(BTreeMap<String, String>);

impl Beside {
    /// Takes what was said next. A text waits, since more of it may come; what is no text is whole, and given back as plain JSON,
    /// without escapes that would hide a word. Nobody gets what says in pieces of its own what the other channels say.
    pub(super) fn hear(&mut self, Extra { key, value }: Extra) -> Option<Extra> {
        if key == LIKELIHOODS || key == AUDIO || key.ends_with(DETAILS) {
            return None;
        }
        let value: Value = serde_json::from_str(&value).ok()?;
        let Some(more) = value.as_str() else {
            return Some(Extra { key, value: value.to_string() });
        };
        self.0.entry(key).or_default().push_str(more);
        None
    }

    /// The texts that waited.
    pub(super) fn end(self) -> impl Iterator<Item = Extra> {
        self.0.into_iter().map(|(key, text)| Extra { key, value: Value::String(text).to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(key: &str, value: &str) -> Extra {
        Extra { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn texts_wait_until_they_are_whole_and_lists_do_not() {
        let mut beside = Beside::default();
        assert_eq!(beside.hear(extra("refusal", r#""I \u0063""#)), None);
        let cited = extra("citations", r#"[ "\u0061" ]"#);
        assert_eq!(beside.hear(cited), Some(extra("citations", r#"["a"]"#)));
        assert_eq!(beside.hear(extra("notice", "\"n\"")), None);
        assert_eq!(beside.hear(extra("refusal", "\"an't\"")), None);

        let whole: Vec<Extra> = beside.end().collect();

        assert_eq!(whole, [extra("notice", "\"n\""), extra("refusal", "\"I can't\"")]);
    }

    #[test]
    fn what_repeats_the_words_in_pieces_is_left_out() {
        let mut beside = Beside::default();
        for key in ["logprobs", "audio", "reasoning_details"] {
            assert_eq!(beside.hear(extra(key, "[1]")), None);
            assert_eq!(beside.hear(extra(key, "\"1\"")), None);
        }
        assert_eq!(beside.hear(extra("broken", "[")), None);
        assert_eq!(beside.end().count(), 0);
    }
}

//! What a secret must be to sign tokens with it, and what a placeholder looks like.
//!
//! No answer here contains any part of the secret, not even which word was found in it.

use std::collections::BTreeSet;

/// Fewest characters of a signing secret.
pub(crate) const LEAST_CHARACTERS: usize = 32;
/// Fewest different characters. 32 random hexadecimal digits have fewer than eight once in some millions.
const LEAST_DIFFERENT: usize = 8;
/// A piece shorter than this, said again and again, is no secret however long it gets.
const LEAST_PIECE: usize = 16;

/// Words that people write who mean to choose a secret later. Compared in lower case, anywhere in the text.
pub(crate) const WEAK_WORDS: [&str; 11] = [
    "secret",
    "test",
    "test123",
    "password",
    "admin",
    "changeme",
    "default",
    "example",
    "demo",
    "12345",
    "placeholder",
];

/// Marks of a value that was meant to be replaced. Compared in upper case, anywhere in the text.
const PLACEHOLDERS: [&str; 5] = ["CHANGE_ME", "CHANGE-ME", "YOUR-", "REPLACE_WITH", "PLACEHOLDER"];

/// The command every complaint about a signing secret ends with.
pub(crate) const GENERATE: &str = "openssl rand -base64 48";

/// Whether the text is still what a template said.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let upper = text.to_uppercase();
    PLACEHOLDERS.iter().any(|mark| upper.contains(mark))
}

/// Why nobody should sign tokens with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Weakness {
    /// Fewer than [`LEAST_CHARACTERS`].
    #[error("has {0} characters, fewer than {LEAST_CHARACTERS}")]
    Short(usize),
    /// One of the weak words is in it.
    #[error("is weak: it contains one of the words {}", WEAK_WORDS.join(", "))]
    Word,
    /// The same few characters again and again.
    #[error("is weak: it repeats a short pattern of characters")]
    Pattern,
}

/// Holds a signing secret to all rules and names every one it breaks.
pub(crate) fn weaknesses(text: &str) -> Vec<Weakness> {
    let characters: Vec<char> = text.chars().collect();
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    if characters.len() < LEAST_CHARACTERS {
        found.push(Weakness::Short(characters.len()));
    }
    if WEAK_WORDS.iter().any(|word| lower.contains(word)) {
        found.push(Weakness::Word);
    }
    if characters.len() >= LEAST_CHARACTERS && repeats(&characters) {
        found.push(Weakness::Pattern);
    }
    found
}

/// Whether few different characters, or one short piece over and over (the last time perhaps cut off), make up the text.
fn repeats(characters: &[char]) -> bool {
    let different: BTreeSet<&char> = characters.iter().collect();
    let piece = |length: usize| {
        length * 2 <= characters.len()
            && characters.iter().zip(characters.iter().skip(length)).all(|(a, b)| a == b)
    };
    different.len() < LEAST_DIFFERENT || (1..LEAST_PIECE).any(piece)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_rule_is_held() {
        let cases = [
            ("9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0PyB", vec![]),
            ("9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0Py", vec![Weakness::Short(31)]),
            ("9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs-PassWord", vec![Weakness::Word]),
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", vec![Weakness::Pattern]),
            ("abcdefghijkabcdefghijkabcdefghijkabcd", vec![Weakness::Pattern]),
            ("abababababababababababababababababab", vec![Weakness::Pattern]),
            ("test", vec![Weakness::Short(4), Weakness::Word]),
        ];

        for (text, expected) in cases {
            assert_eq!(weaknesses(text), expected, "{text}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(weaknesses("ä9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0P"), [Weakness::Short(31)]);
    }

    #[test]
    fn marks_of_templates_are_seen_in_any_case() {
        for text in
            ["CHANGE_ME", "please-change-me", "sk-your-key", "Replace_With_Key", "<placeholder>"]
        {
            assert!(is_placeholder(text), "{text}");
        }
        assert!(!is_placeholder("9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0PyB"));
    }

    proptest! {
        /// A weak word is found wherever it stands and however it is written.
        #[test]
        fn weak_words_are_found_anywhere(
            before in "[!-~]{0,24}", word in prop::sample::select(WEAK_WORDS.as_slice()),
            loud in any::<bool>(), after in "[!-~]{0,24}",
        ) {
            let word = if loud { word.to_uppercase() } else { word.into() };
            let text = format!("{before}{word}{after}");
            prop_assert!(weaknesses(&text).contains(&Weakness::Word));
        }

        /// Any piece shorter than the bound, repeated, is refused.
        #[test]
        fn repeated_pieces_are_refused(piece in "[!-~]{1,15}") {
            let text = piece.repeat(40 / piece.len() + 1);
            prop_assert!(weaknesses(&text).contains(&Weakness::Pattern));
        }

        /// Random secrets of a good length pass.
        #[test]
        fn random_secrets_pass(digits in prop::collection::vec(prop::char::range('B', 'Z'), 48..100)) {
            let text: String = digits.into_iter().collect();
            prop_assume!(!WEAK_WORDS.iter().any(|word| text.to_lowercase().contains(word)));
            prop_assert_eq!(weaknesses(&text), []);
        }
    }
}

//! Words with the white space that follows them.

/// Cuts before each word. The pieces add up to the text; white space before the first word is a piece of its own.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word_end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (_, after) = rest.split_at(word_end);
        let space = after.find(|letter: char| !letter.is_whitespace()).unwrap_or(after.len());
        let (word, left) = rest.split_at(word_end + space);
        rest = left;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_keep_their_spaces() {
        let words: Vec<&str> = split("  two  words\nand 😀\u{a0}more ").collect();

        assert_eq!(words, ["  ", "two  ", "words\n", "and ", "😀\u{a0}", "more "]);
    }

    proptest! {
        /// Nothing is lost, and no piece is empty or holds more than one word.
        #[test]
        fn the_pieces_add_up(text in "[a-z😀 \n\t\u{a0}]{0,40}") {
            let pieces: Vec<&str> = split(&text).collect();

            prop_assert_eq!(pieces.concat(), text.as_str());
            for piece in pieces {
                prop_assert!(!piece.is_empty());
                prop_assert!(piece.split_whitespace().count() <= 1);
            }
        }
    }
}

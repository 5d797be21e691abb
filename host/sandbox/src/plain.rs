//! Text of a guest made fit for logs: one line, no control characters, bounded. Says nothing about its truth.

/// Cuts `text` to at most `max` bytes, at a character, without control and direction-changing characters. Line breaks and
/// tabs become spaces.
pub(crate) fn plain(text: &str, max: usize) -> String {
    let mut kept = String::new();
    for character in text.chars() {
        let character = match character {
            '\n' | '\r' | '\t' => ' ',
            hidden if hidden.is_control() || is_invisible(hidden) => continue,
            shown => shown,
        };
        if kept.len() + character.len_utf8() > max {
            break;
        }
        kept.push(character);
    }
    kept
}

/// Characters that change how their neighbours are shown, or end a line for some readers.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_line_breaks_cannot_forge_a_line() {
        let forged = "ok\u{1b}[2K\r\nERROR admin\u{202e}nimda\0";

        assert_eq!(plain(forged, 100), "ok[2K  ERROR adminnimda");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(plain("aéé", 4), "aé");
        assert_eq!(plain("aéé", 5), "aéé");
    }
}

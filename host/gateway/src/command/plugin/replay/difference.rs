//! Two texts side by side, as lines for a terminal: what both have is left out but for a little around it. Nothing a plugin says
//! moves the cursor.

/// Lines shown before what differs.
const CONTEXT: usize = 2;
/// Lines shown of what differs, of each side.
const MOST_LINES: usize = 12;
/// Characters shown of a line.
const MOST_CHARACTERS: usize = 160;
/// Characters shown of what both lines begin with.
const LEAD: usize = 40;

/// Shows from the first line that differs to the last: `-` what was expected, `+` what was seen.
pub(super) fn difference(expected: &str, seen: &str) -> String {
    let (expected, seen): (Vec<_>, Vec<_>) = (expected.lines().collect(), seen.lines().collect());
    let pairs = || expected.iter().zip(&seen);
    let before = pairs().take_while(|(one, other)| one == other).count();
    let shorter = expected.len().min(seen.len()) - before;
    let ends = expected.iter().rev().zip(seen.iter().rev()).take(shorter);
    let after = ends.take_while(|(one, other)| one == other).count();
    let expected_part = &expected[before..expected.len() - after];
    let seen_part = &seen[before..seen.len() - after];
    // Where a pair of lines begins to differ.
    let lead = |at: usize| match (expected_part.get(at), seen_part.get(at)) {
        (Some(one), Some(other)) => {
            one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
        }
        _ => 0,
    };

    let around = expected[before.saturating_sub(CONTEXT)..before].iter();
    let mut lines: Vec<String> = around.map(|line| format!("  {}", excerpt(line, 0))).collect();
    for (mark, part) in [('-', expected_part), ('+', seen_part)] {
        let shown = part.iter().take(MOST_LINES).enumerate();
        lines.extend(shown.map(|(at, line)| format!("{mark} {}", excerpt(line, lead(at)))));
        if let Some(more) = part.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
            lines.push(format!("{mark} … {more} more lines"));
        }
    }
    lines.join("\n")
}

/// The part of a line around the character at which it is of interest.
fn excerpt(line: &str, interesting: usize) -> String {
    let characters = line.chars().count();
    let from = if characters > MOST_CHARACTERS { interesting.saturating_sub(LEAD) } else { 0 };
    let mut shown = String::from(if from > 0 { "…" } else { "" });
    for character in line.chars().skip(from).take(MOST_CHARACTERS) {
        if character.is_control() || is_direction(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    if characters > from + MOST_CHARACTERS {
        shown.push('…');
    }
    shown
}

/// Characters that change how their neighbours are shown.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown_with_a_little_before_it() {
        let shown = difference("a\nb\nc\nd\ne\nf", "a\nb\nc\nx\ny\ne\nf");

        assert_eq!(shown, "  b\n  c\n- d\n+ x\n+ y");
    }

    #[test]
    fn a_line_too_few_or_too_many_is_one_line() {
        assert_eq!(difference("a\na", "a"), "  a\n- a");
        assert_eq!(difference("a", "a\na"), "  a\n+ a");
        assert_eq!(difference("", "a"), "+ a");
        assert_eq!(difference("a", "a"), "  a");
    }

    #[test]
    fn a_long_line_is_shown_where_it_differs() {
        let same = "s".repeat(500);
        let shown = difference(&format!("{same}old{same}"), &format!("{same}new{same}"));

        let (old, new) = shown.split_once('\n').expect("two lines");
        let excerpt = |word: &str| {
            format!("…{}{word}{}…", "s".repeat(LEAD), "s".repeat(MOST_CHARACTERS - LEAD - 3))
        };
        assert_eq!(old, format!("- {}", excerpt("old")));
        assert_eq!(new, format!("+ {}", excerpt("new")));
    }

    #[test]
    fn many_lines_are_counted() {
        let shown = difference(&"a\n".repeat(MOST_LINES + 3), "");

        assert!(shown.ends_with("- a\n- … 3 more lines"), "{shown}");
    }

    #[test]
    fn what_a_plugin_says_cannot_move_the_cursor() {
        let shown = difference("a", "\u{1b}[2K\u{202e}b");

        assert_eq!(shown, "- a\n+ \\u{1b}[2K\\u{202e}b");
    }
}

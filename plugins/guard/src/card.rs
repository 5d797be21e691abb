//! Numbers of payment cards: ISO/IEC 7812, by their length, their first digit and the check digit of its annex B (Luhn).

/// Fewest and most digits that a number has.
const LEAST: usize = 13;
const MOST: usize = 19;

/// What a number that begins somewhere turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    /// No card's, whatever follows.
    No,
    /// A card's, up to here.
    UpTo(usize),
    /// Not known before more is: it reaches the end of the text.
    Growing,
}

/// Looks at the digits from `at` on, in groups that one space or hyphen may part. A number ends where a group ends, and the longest
/// that is a card's counts. With `last` nothing follows.
pub(crate) fn look(text: &[u8], at: usize, last: bool) -> Card {
    let begins = at.checked_sub(1).is_none_or(|before| !text[before].is_ascii_digit());
    // 1 is airlines', 7 to 9 are fuel, health and national ones.
    if !begins || !matches!(text.get(at), Some(b'2'..=b'6')) {
        return Card::No;
    }
    let mut digits = Vec::with_capacity(MOST);
    let mut longest = Card::No;
    let mut next = at;
    while let Some(byte) = text.get(next) {
        if byte.is_ascii_digit() {
            if digits.len() == MOST {
                return longest;
            }
            digits.push(byte - b'0');
        } else {
            let was_digit = text[next - 1].is_ascii_digit();
            if was_digit && is_number(&digits) {
                longest = Card::UpTo(next);
            }
            if !was_digit || !matches!(byte, b' ' | b'-') {
                return longest;
            }
        }
        next += 1;
    }
    match last {
        false => Card::Growing,
        true if text[next - 1].is_ascii_digit() && is_number(&digits) => Card::UpTo(next),
        true => longest,
    }
}

fn is_number(digits: &[u8]) -> bool {
    digits.len() >= LEAST && checks(digits)
}

/// The check digit: every second digit from the right doubled, the digits of all summed up, is divisible by ten.
fn checks(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().map(|(index, &digit)| match (index % 2, digit) {
        (0, digit) => u32::from(digit),
        (_, digit @ 0..5) => u32::from(digit) * 2,
        (_, digit) => u32::from(digit) * 2 - 9,
    });
    sum.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str, at: usize) -> Card {
        look(text.as_bytes(), at, true)
    }

    #[test]
    fn numbers_of_all_lengths_are_found_however_they_are_grouped() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5500-0000-0000-0004",
            "378282246310005",
            "3782 822463 10005",
            "6011000990139424",
            "4222222222222",
            "6304000000000000000",
        ] {
            assert_eq!(whole(number, 0), Card::UpTo(number.len()), "{number}");
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for number in [
            "4111111111111112",
            "1234567890123",
            "1764100000000",
            "411111111111",
            "41111111111111111111",
            "4111  1111 1111 1111",
            "4111.1111.1111.1111",
        ] {
            assert_eq!(whole(number, 0), Card::No, "{number}");
        }
    }

    #[test]
    fn a_number_begins_and_ends_with_its_group() {
        let text = "20 4111 1111 1111 1111 12";
        assert_eq!(whole(text, 3), Card::UpTo(22));
        assert_eq!(whole(text, 4), Card::No);
    }

    #[test]
    fn what_reaches_the_end_may_grow() {
        assert_eq!(look(b"4111 1111 1111 1111", 0, false), Card::Growing);
        assert_eq!(look(b"4111 ", 0, false), Card::Growing);
        assert_eq!(look(b"4111 1111 1111 1111,", 0, false), Card::UpTo(19));
    }
}

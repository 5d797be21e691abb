//! Durations as people write them: `500ms`, `15m`, `1h30m`.
//!
//! Whole numbers and units only: no fractions, no bare numbers, no signs.

use std::time::Duration;

/// Milliseconds in each unit, longest unit first: also the only order in which they may be written.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads one or more numbers with a unit each, longer units first. `None` for anything else or an overflow.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut millis = 0_u64;
    let mut allowed = UNITS.as_slice();
    while !rest.is_empty() {
        let (number, after) = leading(rest, |byte| byte.is_ascii_digit());
        let (unit, after) = leading(after, |byte| byte.is_ascii_alphabetic());
        let place = allowed.iter().position(|(name, _)| *name == unit)?;
        let (_, factor) = allowed.get(place)?;
        millis = number.parse::<u64>().ok()?.checked_mul(*factor)?.checked_add(millis)?;
        allowed = allowed.get(place + 1..)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// Writes a duration the way [`parse`] reads it. Below a millisecond is cut off.
pub(crate) fn text(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let pieces = UNITS.iter().filter_map(|(unit, factor)| {
        let number = left / factor;
        left %= factor;
        (number > 0).then(|| format!("{number}{unit}"))
    });
    let written: String = pieces.collect();
    if written.is_empty() { "0s".into() } else { written }
}

/// Splits off the longest head whose bytes all fit. `fits` takes ASCII only, so the cut is on a character border.
fn leading(text: &str, fits: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !fits(byte)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_forms_are_read() {
        let read = ["500ms", "15m", "1h30m", "2m0s", "0s", "1d"]
            .map(|text| parse(text).unwrap().as_millis());

        assert_eq!(read, [500, 900_000, 5_400_000, 120_000, 0, 86_400_000]);
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        for text in [
            "",
            "15",
            "m",
            "1.5h",
            "-1s",
            "1s1m",
            "1m1m",
            "1 m",
            "1M",
            "1week",
            "99999999999999d",
            "1sé",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        /// What is written is read back as the same duration.
        #[test]
        fn text_and_parse_are_inverse(millis in 0..u64::MAX / 2) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&text(duration)), Some(duration));
        }

        /// No text makes the parser panic.
        #[test]
        fn any_text_is_answered(input in ".*") {
            let _answer = parse(&input);
        }
    }
}

//! Sizes in bytes: `1MiB`, `512KiB`, or a plain number of bytes.
//!
//! Binary units only; `MB` is refused because half of its users mean something else.

/// Bytes in each unit, largest first.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a whole number with at most one unit. `None` for anything else or an overflow.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1));
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Writes a size the way [`parse`] reads it, in the largest unit that needs no fraction.
pub(crate) fn text(bytes: u64) -> String {
    let exact = UNITS.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    let (unit, factor) = exact.copied().unwrap_or(("B", 1));
    format!("{}{unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_forms_are_read() {
        let read = ["1MiB", "512KiB", "2GiB", "10B", "1048576"].map(|text| parse(text).unwrap());

        assert_eq!(read, [1 << 20, 512 << 10, 2 << 30, 10, 1 << 20]);
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        for text in
            ["", "MiB", "1MB", "1mib", "1 MiB", "1.5MiB", "-1", "+1", "12abc", "99999999999GiB"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        /// What is written is read back as the same size.
        #[test]
        fn text_and_parse_are_inverse(bytes in any::<u64>()) {
            prop_assert_eq!(parse(&text(bytes)), Some(bytes));
        }
    }
}

//! Instants in words.

use jiff::Timestamp;

/// An instant of the contract, milliseconds since the Unix epoch, as RFC 3339 in UTC: `2026-11-26T08:00:00Z`. One beyond the year 9999
/// is its last.
pub fn rfc3339(at_ms: u64) -> String {
    let instant = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    instant.unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_its_milliseconds_where_it_has_any() {
        assert_eq!(rfc3339(1_764_111_600_000), "2025-11-25T23:00:00Z");
        assert_eq!(rfc3339(1_001), "1970-01-01T00:00:01.001Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-12-"));
    }
}

//! How long an upstream asks to be left alone.

use crate::{Head, http_date};

/// The pause that a response asks for, in milliseconds: `retry-after-ms`, else `retry-after` as seconds or as a date.
/// `None` when it asks for none or cannot be read; a date in the past is no pause.
pub fn retry_after_ms(head: &Head, now_ms: u64) -> Option<u32> {
    let precise = head.header("retry-after-ms").and_then(|value| milliseconds(value, 1.0));
    precise.or_else(|| {
        let value = head.header("retry-after")?;
        milliseconds(value, 1_000.0).or_else(|| {
            let pause = http_date::parse_ms(value)?.saturating_sub(now_ms);
            Some(u32::try_from(pause).unwrap_or(u32::MAX))
        })
    })
}

/// Vendors write fractions, whatever the standard says.
fn milliseconds(value: &str, unit: f64) -> Option<u32> {
    let plain =
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = plain.then(|| value.parse().ok()).flatten()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and a cast from a float saturates"
    )]
    Some((number * unit).ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Field;

    /// 6 November 1994, 08:49:37.
    const NOW_MS: u64 = 784_111_777_000;

    fn pause(headers: &[(&str, &str)]) -> Option<u32> {
        let field = |&(name, value): &(&str, &str)| Field {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        retry_after_ms(&Head { status: 429, headers: headers.iter().map(field).collect() }, NOW_MS)
    }

    #[test]
    fn seconds_and_their_fractions_are_read() {
        assert_eq!(pause(&[("retry-after", " 20 ")]), Some(20_000));
        assert_eq!(pause(&[("Retry-After", "0.5")]), Some(500));
        assert_eq!(pause(&[("retry-after", "99999999999999")]), Some(u32::MAX));
    }

    #[test]
    fn milliseconds_win_over_seconds() {
        assert_eq!(pause(&[("retry-after", "1"), ("retry-after-ms", "250")]), Some(250));
    }

    #[test]
    fn a_date_is_a_pause_from_now() {
        assert_eq!(pause(&[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")]), Some(10_000));
        assert_eq!(pause(&[("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT")]), Some(0));
    }

    #[test]
    fn what_cannot_be_read_is_no_pause() {
        for value in ["", "soon", "-1", "1e9", "1.2.3", "inf", "NaN"] {
            assert_eq!(pause(&[("retry-after", value)]), None, "{value}");
        }
    }
}

//! The three ways in which HTTP writes a date (RFC 9110, 5.6.7).

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Milliseconds since the Unix epoch; `None` for what is no date or lies before it.
pub(crate) fn parse_ms(date: &str) -> Option<u64> {
    let words: Vec<&str> = date.split([' ', ',', '-']).filter(|word| !word.is_empty()).collect();
    let ([_, day, month, year, time, "GMT"] // Sun, 06 Nov 1994 and Sunday, 06-Nov-94
    | [_, month, day, time, year]) // Sun Nov  6 08:49:37 1994
        = words[..]
    else {
        return None;
    };
    let seconds = days_since_epoch(year_of(year)?, month_of(month)?, number(day, 31)?)?
        .checked_mul(86_400)?
        .checked_add(seconds_of(time)?)?;
    seconds.checked_mul(1_000)
}

fn number(digits: &str, most: u64) -> Option<u64> {
    let plain = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse().ok()).flatten()?;
    (number <= most).then_some(number)
}

fn year_of(digits: &str) -> Option<u64> {
    let year = number(digits, 9_999)?;
    match digits.len() {
        // Two digits mean the nearest such year; nobody writes them about the far future.
        2 if year < 70 => Some(2_000 + year),
        2 => Some(1_900 + year),
        4 => Some(year),
        _ => None,
    }
}

/// From 1 for January.
fn month_of(name: &str) -> Option<u64> {
    let index = MONTHS.iter().position(|month| *month == name)?;
    u64::try_from(index + 1).ok()
}

fn seconds_of(time: &str) -> Option<u64> {
    let mut parts = time.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let seconds = number(hours, 23)? * 3_600 + number(minutes, 59)? * 60 + number(seconds, 60)?;
    parts.next().is_none().then_some(seconds)
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March, so that the odd day comes last.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    const DAYS_BEFORE_EPOCH: u64 = 719_468;
    let years = if month > 2 { year } else { year.checked_sub(1)? };
    let months = (month + 9) % 12;
    let leap_days = years / 4 + years / 400 - years / 100;
    let days = years * 365 + leap_days + (months * 153 + 2) / 5 + day.checked_sub(1)?;
    days.checked_sub(DAYS_BEFORE_EPOCH)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_three_ways_are_read() {
        for date in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_ms(date), Some(784_111_777_000), "{date}");
        }
    }

    #[test]
    fn leap_days_and_the_epoch_are_right() {
        assert_eq!(parse_ms("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse_ms("Tue, 29 Feb 2000 00:00:00 GMT"), Some(951_782_400_000));
        assert_eq!(parse_ms("Mon, 01 Mar 2100 00:00:00 GMT"), Some(4_107_542_400_000));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for date in [
            "",
            "tomorrow",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Now 1994 08:49:37 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sun, 06 Nov 199 08:49:37 GMT",
        ] {
            assert_eq!(parse_ms(date), None, "{date}");
        }
    }

    proptest! {
        /// No text is too odd to be refused.
        #[test]
        fn nothing_panics(date in ".{0,40}") {
            parse_ms(&date);
        }
    }
}

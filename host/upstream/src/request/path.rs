//! Which paths a plugin may ask for: nothing that any server could read as leading elsewhere.

/// Longest path in bytes, as written.
const MAX_BYTES: usize = 8 * 1024;

/// How many layers of percent encoding are looked through. No server takes off as many.
const LAYERS: usize = 4;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with a slash, so it might be an address.
    #[error("the path does not begin with a slash")]
    Relative,
    /// Two slashes in a row, which may begin a host.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// A segment that goes up or stays, encoded or not.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A control character, backslash, query or fragment, or a broken escape.
    #[error("the path has a character that does not belong into one")]
    Character,
    /// Too long.
    #[error("the path is longer than {MAX_BYTES} bytes")]
    TooLong,
}

/// Checks a path as the plugin wrote it.
pub(crate) fn check(path: &str) -> Result<(), PathError> {
    if path.len() > MAX_BYTES {
        return Err(PathError::TooLong);
    }
    // The base itself, as it is written.
    if path.is_empty() {
        return Ok(());
    }
    if !path.starts_with('/') {
        return Err(PathError::Relative);
    }
    if path.contains(['?', '#']) {
        return Err(PathError::Character);
    }
    let mut layer = path.as_bytes().to_vec();
    for _ in 0..LAYERS {
        check_layer(&layer)?;
        let below = decode(&layer).ok_or(PathError::Character)?;
        if below == layer {
            return Ok(());
        }
        layer = below;
    }
    Err(PathError::Character)
}

/// Checks a path with some layers of encoding taken off.
fn check_layer(path: &[u8]) -> Result<(), PathError> {
    if path.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\') {
        return Err(PathError::Character);
    }
    if path.windows(2).any(|pair| pair == b"//") {
        return Err(PathError::EmptySegment);
    }
    if path.split(|byte| *byte == b'/').any(|segment| segment == b"." || segment == b"..") {
        return Err(PathError::DotSegment);
    }
    Ok(())
}

/// Takes off one layer of percent encoding; none where an escape is broken.
fn decode(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (escape, after) = after.split_at_checked(2)?;
            let digits = std::str::from_utf8(escape).ok()?;
            // The number parser would take a sign.
            if !escape.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_as_vendors_have_them_are_taken() {
        for path in [
            "/",
            "/chat/completions",
            "/models/gemini-2.0:streamGenerateContent",
            "/v1/models/meta%2Fllama-3",
            "/a..b/.well-known/...",
            "/@evil",
            "/a b/ünïcode",
            "/trailing/",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for (path, error) in [
            ("chat", PathError::Relative),
            ("@evil.com/", PathError::Relative),
            ("https://evil.com/", PathError::Relative),
            (".evil.com/", PathError::Relative),
            (":80/", PathError::Relative),
            ("//evil.com/", PathError::EmptySegment),
            ("/a//b", PathError::EmptySegment),
            ("/%2fevil.com", PathError::EmptySegment),
            ("/\\evil.com", PathError::Character),
            ("/a\\b", PathError::Character),
            ("/%5Cevil", PathError::Character),
            ("/..", PathError::DotSegment),
            ("/a/../b", PathError::DotSegment),
            ("/./a", PathError::DotSegment),
            ("/a/.", PathError::DotSegment),
            ("/%2e%2e/a", PathError::DotSegment),
            ("/.%2E/a", PathError::DotSegment),
            ("/a/%2e", PathError::DotSegment),
            ("/a%2f..%2fb", PathError::DotSegment),
            ("/%252e%252e/a", PathError::DotSegment),
            ("/%25252e%25252e/a", PathError::DotSegment),
            ("/%2525252525252e", PathError::Character),
            ("/a?b=c", PathError::Character),
            ("/a#b", PathError::Character),
            ("/a\r\nHost: evil", PathError::Character),
            ("/a%0d%0aHost:%20evil", PathError::Character),
            ("/a%00", PathError::Character),
            ("/a\u{7f}", PathError::Character),
            ("/a%", PathError::Character),
            ("/a%2", PathError::Character),
            ("/a%zz", PathError::Character),
            ("/a%+1", PathError::Character),
        ] {
            assert_eq!(check(path), Err(error), "{path}");
        }
        assert_eq!(check(""), Ok(()), "the base itself");
        assert_eq!(check(&format!("/{}", "a".repeat(MAX_BYTES))), Err(PathError::TooLong));
    }

    /// Paths made of what paths and attacks on them are made of.
    fn any_path() -> impl Strategy<Value = String> {
        let parts =
            vec!["/", "a", "bc", ".", "..", "%2e", "%2F", "%41", "@", ":", "\\", "?", "#", "%"];
        prop::collection::vec(prop::sample::select(parts), 0..8)
            .prop_map(|parts| format!("/{}", parts.concat()))
    }

    proptest! {
        /// Whatever path is taken, the request stays on its host and below its base path.
        #[test]
        fn a_taken_path_stays_below_the_base(path in any_path()) {
            let base = crate::Destination::parse("https://example.com/base").expect("valid");
            prop_assume!(check(&path).is_ok());

            let url = base.join(&path);

            prop_assert_eq!(url.host_str(), Some("example.com"));
            prop_assert_eq!(url.path(), format!("/base{path}"));
            prop_assert_eq!(url.query(), None);
            prop_assert_eq!(url.fragment(), None);
        }
    }
}

//! Which headers a plugin may set.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sluice_chat::exchange::Field;

use super::RequestError;
use crate::credential::Credential;

/// Most headers of one request.
const MAX_HEADERS: usize = 64;
/// Most bytes of names and values together.
const MAX_BYTES: usize = 16 * 1024;

/// Names that say where a request goes, who sends it or how its bytes are cut. Those are ours.
const OURS: [&str; 21] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "set-cookie",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method-override",
];
/// Beginnings of further such names.
const OUR_PREFIXES: [&str; 3] = ["proxy-", "x-forwarded-", "x-real-"];

/// Whether only we may set this header.
pub(crate) fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    OURS.contains(&name) || OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Checks the headers of a request that will carry this credential.
pub(super) fn check(
    fields: &[Field],
    credential: Option<&Credential>,
) -> Result<HeaderMap, RequestError> {
    let bytes: usize = fields.iter().map(|field| field.name.len() + field.value.len()).sum();
    if fields.len() > MAX_HEADERS || bytes > MAX_BYTES {
        return Err(RequestError::TooManyHeaders);
    }
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (number, field) in fields.iter().enumerate() {
        let refused = RequestError::Header { number };
        let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(field.name.as_bytes()), HeaderValue::from_str(&field.value))
        else {
            return Err(refused);
        };
        let taken = credential.is_some_and(|credential| credential.adds(&name));
        // Twice is refused because servers disagree on which one counts.
        if !field.value.is_ascii()
            || is_ours(&name)
            || taken
            || headers.insert(name, value).is_some()
        {
            return Err(refused);
        }
    }
    Ok(headers)
}

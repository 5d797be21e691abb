//! Addresses: of providers, by the rule of [`Destination`], and of services that may be public without TLS.
//!
//! Judges the written name only. What a name resolves to is checked where the connection is made.

use sluice_upstream::{Destination, DestinationError};
use url::{Host, Url};

/// Reads the base address of a provider: https, or plain http to a private or loopback host.
pub(crate) fn parse(text: &str) -> Result<Url, DestinationError> {
    Destination::parse(text)?;
    Url::parse(text).map_err(|_| DestinationError::Unreadable)
}

/// Reads an address that may be plain http anywhere, like the one users reach us under.
pub(crate) fn parse_any(text: &str) -> Result<Url, DestinationError> {
    let url = Url::parse(text).map_err(|_| DestinationError::Unreadable)?;
    match url.scheme() {
        "http" => parse(&with_scheme(&url, "https"))?,
        _ => parse(text)?,
    };
    Ok(url)
}

/// Whether only this machine or this network can be meant: exactly where plain http would do.
pub(crate) fn is_private(url: &Url) -> bool {
    Destination::parse(&with_scheme(url, "http")).is_ok()
}

/// Whether a host can only be on this machine or in a network of the operator's.
pub(crate) fn is_private_host(host: &str) -> bool {
    Destination::parse(&at(host)).is_ok()
}

/// Whether a host is this machine.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let url = Url::parse(&at(host)).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// A host as part of an address.
fn at(host: &str) -> String {
    if host.contains(':') { format!("http://[{host}]") } else { format!("http://{host}") }
}

/// The same address under another scheme of the web, which it must have already.
fn with_scheme(url: &Url, scheme: &str) -> String {
    let mut url = url.clone();
    url.set_scheme(scheme).expect("one scheme of the web may be put for another");
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_reached_by_https_or_at_home() {
        let cases = [
            ("https://api.openai.com/v1", None),
            ("http://127.0.0.1:8081/v1", None),
            ("http://llama:8080", None),
            ("http://api.openai.com/v1", Some(DestinationError::PlainToPublic)),
            ("http://169.254.169.254/latest", Some(DestinationError::PlainToPublic)),
            ("ftp://files.internal", Some(DestinationError::Scheme)),
            ("https://me:pw@api.example.com", Some(DestinationError::Userinfo)),
            ("https://api.example.com/?key=1", Some(DestinationError::Tail)),
            ("api.example.com", Some(DestinationError::Unreadable)),
        ];

        for (written, refusal) in cases {
            assert_eq!(parse(written).err(), refusal, "{written}");
        }
    }

    #[test]
    fn our_own_address_may_be_plain_but_must_be_clean() {
        let cases = [
            ("http://chat.example.com", None),
            ("https://chat.example.com/sluice", None),
            ("http://me:pw@chat.example.com", Some(DestinationError::Userinfo)),
            ("http://chat.example.com/?a", Some(DestinationError::Tail)),
            ("ftp://chat.example.com", Some(DestinationError::Scheme)),
        ];

        for (written, refusal) in cases {
            assert_eq!(parse_any(written).err(), refusal, "{written}");
        }
    }

    #[test]
    fn private_hosts_are_told_from_public_ones_whatever_the_scheme() {
        for (written, private) in [
            ("https://localhost", true),
            ("http://10.0.0.1", true),
            ("https://api.openai.com", false),
        ] {
            assert_eq!(is_private(&Url::parse(written).unwrap()), private, "{written}");
        }
    }
}

//! Where requests may go: written by the operator, checked once.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::address;

/// Scheme, host, port and base path of an endpoint. Plain http only to loopback and private hosts.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination {
    base: Url,
}

/// Why an address is no destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Not an absolute address with a host.
    #[error("not an address with a scheme and a host")]
    Unreadable,
    /// Neither https nor http.
    #[error("only https and http are spoken")]
    Scheme,
    /// Plain http to a host that may be anywhere.
    #[error("plain http is for loopback and private hosts only")]
    PlainToPublic,
    /// A user name or password in the address; credentials are configured apart.
    #[error("a credential does not belong into an address")]
    Userinfo,
    /// A query or a fragment, to which no path could be added.
    #[error("an address to which paths are added has no query and no fragment")]
    Tail,
}

impl Destination {
    /// Reads an address as vendors write it: `https://api.example.com/v1`.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        let base = Url::parse(text).map_err(|_| DestinationError::Unreadable)?;
        let host = base.host().ok_or(DestinationError::Unreadable)?;
        match base.scheme() {
            "https" => {}
            "http" if is_private(&host) => {}
            "http" => return Err(DestinationError::PlainToPublic),
            _ => return Err(DestinationError::Scheme),
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(DestinationError::Userinfo);
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(DestinationError::Tail);
        }
        Ok(Self { base })
    }

    /// Its host, in lower case.
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// The address of a path below this one, or this one for no path. The path was checked: it begins with one slash and
    /// has nothing that would lead out of the base path.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if path.is_empty() {
            return url;
        }
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.base.fmt(f)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({})", self.base)
    }
}

/// Whether a host can only be on this machine or in a network of the operator's.
fn is_private(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => address::is_private_name(&name.to_ascii_lowercase()),
        Host::Ipv4(address) => address::is_private(IpAddr::V4(*address)),
        Host::Ipv6(address) => address::is_private(IpAddr::V6(*address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_goes_anywhere_and_http_to_private_hosts_only() {
        let taken = [
            "https://api.example.com/v1",
            "https://api.example.com:8443",
            "http://localhost:11434/v1",
            "http://ollama:11434",
            "http://127.0.0.1:1234",
            "http://127.8.9.1",
            "http://10.1.2.3",
            "http://172.31.0.1",
            "http://192.168.1.1",
            "http://[::1]:80",
            "http://[fd00::1]",
            "http://[::ffff:10.0.0.1]",
            "http://model.local",
            "http://model.internal.",
            "http://model.ns.svc",
            "http://model.ns.svc.cluster.local",
            "http://MODEL.LOCAL",
        ];
        for text in taken {
            assert!(Destination::parse(text).is_ok(), "{text}");
        }
        let public = [
            "http://api.example.com",
            "http://8.8.8.8",
            "http://172.32.0.1",
            "http://169.254.169.254",
            "http://0.0.0.0",
            "http://[2001:db8::1]",
            "http://[::ffff:8.8.8.8]",
            "http://evillocal.com",
            "http://x.local.evil.com",
            "http://0x08080808",
        ];
        for text in public {
            assert_eq!(Destination::parse(text), Err(DestinationError::PlainToPublic), "{text}");
        }
    }

    #[test]
    fn what_does_not_belong_into_an_address_is_refused() {
        for (text, error) in [
            ("", DestinationError::Unreadable),
            ("api.example.com", DestinationError::Unreadable),
            ("/v1", DestinationError::Unreadable),
            ("https://", DestinationError::Unreadable),
            ("file:///etc/passwd", DestinationError::Unreadable),
            ("ftp://example.com", DestinationError::Scheme),
            ("ws://localhost", DestinationError::Scheme),
            ("https://user@example.com", DestinationError::Userinfo),
            ("https://user:pw@example.com", DestinationError::Userinfo),
            ("https://example.com/?a=b", DestinationError::Tail),
            ("https://example.com/?", DestinationError::Tail),
            ("https://example.com/#x", DestinationError::Tail),
        ] {
            assert_eq!(Destination::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn paths_are_added_to_the_base_path() {
        for (base, path, whole) in [
            ("https://example.com", "/chat", "https://example.com/chat"),
            ("https://example.com/v1", "/chat", "https://example.com/v1/chat"),
            ("https://example.com/v1/", "/chat", "https://example.com/v1/chat"),
            ("https://example.com/v1", "/", "https://example.com/v1/"),
            ("https://example.com", "/@evil", "https://example.com/@evil"),
            ("https://example.com", "/a b", "https://example.com/a%20b"),
            ("https://example.com", "/a%20b", "https://example.com/a%20b"),
        ] {
            let destination = Destination::parse(base).expect("valid");
            assert_eq!(destination.join(path).as_str(), whole);
        }
    }
}

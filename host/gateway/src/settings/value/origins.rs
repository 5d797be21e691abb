//! Which web pages may talk to the gateway.
//!
//! Only the list; comparing it with a request is the routes' work.

use url::Url;

/// A set of browser origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origins {
    /// Nobody was named: pages of the gateway's own host only.
    Same,
    /// `*` was written: everybody.
    Any,
    /// These, compared exactly. Each is `scheme://host[:port]` as a browser sends it.
    List(Vec<String>),
}

/// Brings an origin into the form browsers send: lower case, no default port, no path.
/// `None` when the text names more or less than an origin.
pub(crate) fn normal(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    let host = url.host_str().filter(|host| bare && !host.is_empty() && !host.contains('*'))?;
    // Schemes of wrapped apps (`capacitor://localhost`) are opaque to `Url::origin`.
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}", url.scheme(), host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_brought_into_the_form_browsers_send() {
        let cases = [
            ("https://Chat.Example.com", "https://chat.example.com"),
            ("https://chat.example.com:443/", "https://chat.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ];

        for (written, sent) in cases {
            assert_eq!(normal(written).as_deref(), Some(sent));
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "null",
            "chat.example.com",
            "https://",
            "https://*.example.com",
            "https://a.example/chat",
            "https://a.example?x",
            "https://user@a.example",
            "mailto:a@example.com",
        ] {
            assert_eq!(normal(text), None, "{text:?}");
        }
    }
}

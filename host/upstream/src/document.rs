//! Documents that the configuration names, such as the keys of an identity provider: one bounded GET, nothing of a plugin's.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::timeout;
use url::Url;

use crate::destination::{Destination, DestinationError};
use crate::error::ExchangeError;
use crate::upstream::Upstream;

/// Where a document is: https, or plain http to loopback and private hosts. It may have a query.
#[derive(Clone, PartialEq, Eq)]
pub struct Document(Url);

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or one that broke or stalled.
    #[error("the document cannot be fetched")]
    Exchange(#[from] ExchangeError),
    /// Another status than 200. Redirects are not followed.
    #[error("the document's server answers {0}")]
    Status(u16),
    /// Longer than the caller takes.
    #[error("the document is longer than {0} bytes")]
    TooLong(usize),
}

impl Document {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        let url = Url::parse(text).map_err(|_| DestinationError::Unreadable)?;
        let mut bare = url.clone();
        bare.set_query(None);
        Destination::parse(bare.as_str())?;
        Ok(Self(url))
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({})", self.0)
    }
}

impl Upstream {
    /// Fetches a document of at most `most` bytes within `patience`.
    pub async fn fetch(
        &self,
        document: &Document,
        most: usize,
        patience: Duration,
    ) -> Result<Vec<u8>, FetchError> {
        let fetched = timeout(patience, self.read_document(document, most)).await;
        fetched.map_err(|_| ExchangeError::Stalled)?
    }

    async fn read_document(&self, document: &Document, most: usize) -> Result<Vec<u8>, FetchError> {
        let sent = self.free().get(document.0.clone()).send().await;
        let mut response = sent.map_err(ExchangeError::while_sending)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(ExchangeError::while_reading)? {
            if bytes.len() + piece.len() > most {
                return Err(FetchError::TooLong(most));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_fetched_by_https_or_at_home_and_may_have_a_query() {
        for (text, refusal) in [
            ("https://id.example.com/keys?p=policy", None),
            ("http://127.0.0.1:9/keys", None),
            ("http://keycloak:8080/realms/a/protocol/openid-connect/certs", None),
            ("http://id.example.com/keys", Some(DestinationError::PlainToPublic)),
            ("https://me:pw@id.example.com/keys", Some(DestinationError::Userinfo)),
            ("https://id.example.com/keys#a", Some(DestinationError::Tail)),
            ("file:///etc/keys", Some(DestinationError::Unreadable)),
            ("keys", Some(DestinationError::Unreadable)),
        ] {
            assert_eq!(Document::parse(text).err(), refusal, "{text}");
        }
    }
}

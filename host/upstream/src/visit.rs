//! Visits to a gateway, as one of its clients makes them: plain requests, and a request to speak another protocol from there on.
//!
//! Nothing of a plugin's, and HTTP/1.1 only, since sockets begin there.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use reqwest::{Client, Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::destination::Destination;
use crate::error::{ExchangeError, StartError};
use crate::upstream::builder;

/// Longest body that is read of an answer, in bytes; the rest is left.
const MOST: usize = 256 * 1024;

/// Somebody who calls at one address.
#[derive(Debug)]
pub struct Visitor {
    client: Client,
    at: Destination,
    token: Option<HeaderValue>,
    patience: Duration,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// HTTP status. Redirects are not followed.
    pub status: u16,
    /// Body, cut at 256 KiB.
    pub body: Vec<u8>,
}

/// Why no protocol was changed to.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// No answer at all.
    #[error("there is no answer")]
    Exchange(#[from] ExchangeError),
    /// An answer, but no change of protocol.
    #[error("the answer is {}", .0.status)]
    Refused(Visit),
}

impl Visitor {
    /// Sets the client up. `token` goes along with every request; `patience` is the longest wait for each answer.
    ///
    /// A token that cannot stand in a header is none: it is left out, and what needs one will be refused.
    pub fn new(
        at: Destination,
        token: Option<&str>,
        patience: Duration,
    ) -> Result<Self, StartError> {
        // As in `Upstream::new`: whoever comes first installs it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = builder(patience).http1_only().build().or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "no certificates of authorities, https will fail");
            builder(patience).http1_only().tls_certs_only([]).build()
        });
        let token = token.and_then(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Ok(Self { client: client.map_err(StartError::Client)?, at, token, patience })
    }

    /// Reads what is at a path below the address.
    pub async fn get(&self, path: &str) -> Result<Visit, ExchangeError> {
        self.ask(Method::GET, path).await
    }

    /// Deletes what is there.
    pub async fn delete(&self, path: &str) -> Result<Visit, ExchangeError> {
        self.ask(Method::DELETE, path).await
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Visit, ExchangeError> {
        let asking = async {
            let sent = self.client.request(method, self.at.join(path)).headers(self.headers());
            read(sent.send().await.map_err(ExchangeError::while_sending)?).await
        };
        timeout(self.patience, asking).await.map_err(|_| ExchangeError::NoFirstByte)?
    }

    /// Asks to speak `protocol` from here on, with further headers; hands out the line when that is granted.
    pub async fn upgrade(
        &self,
        path: &str,
        protocol: &'static str,
        headers: &[(&'static str, String)],
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, UpgradeError> {
        let mut all = self.headers();
        all.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        all.insert(UPGRADE, HeaderValue::from_static(protocol));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                all.insert(HeaderName::from_static(name), value);
            }
        }
        let asking = async {
            let sent = self.client.get(self.at.join(path)).headers(all).send().await;
            let response = sent.map_err(ExchangeError::while_sending)?;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Err(UpgradeError::Refused(read(response).await?));
            }
            Ok(response.upgrade().await.map_err(ExchangeError::while_reading)?)
        };
        timeout(self.patience, asking).await.map_err(|_| ExchangeError::NoFirstByte)?
    }

    fn headers(&self) -> HeaderMap {
        let token = self.token.iter().map(|token| (AUTHORIZATION, token.clone()));
        token.collect()
    }
}

async fn read(mut response: reqwest::Response) -> Result<Visit, ExchangeError> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(ExchangeError::while_reading)? {
        let room = MOST.saturating_sub(body.len());
        body.extend(piece.iter().take(room));
        if piece.len() >= room {
            break;
        }
    }
    Ok(Visit { status, body })
}

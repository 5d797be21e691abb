//! The client behind all exchanges: connections, TLS, the way from a description to a response.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderValue};
use reqwest::{Client, ClientBuilder, redirect, retry};
use sluice_chat::exchange;
use tokio::time::timeout;

use crate::address::{Granted, Names};
use crate::blob::Blobs;
use crate::endpoint::Endpoints;
use crate::error::{ExchangeError, StartError};
use crate::request::Request;
use crate::request::body::Body;
use crate::response::Response;

/// Connections kept open per host while nobody uses them.
const IDLE_CONNECTIONS: usize = 32;

/// How long an exchange may be silent. How long it may take as a whole is the caller's to limit,
/// by dropping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the call until the response's head, connecting and sending included. A description may
    /// ask for less.
    pub first_byte: Duration,
    /// Between reads of the body.
    pub idle: Duration,
}

/// Performs exchanges. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// For what plugins describe.
    client: Client,
    /// For what the operator names, wherever that is.
    free: Client,
    open: Arc<AtomicUsize>,
}

/// An exchange that is open, until this is dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<AtomicUsize>);

impl Open {
    fn one_more(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Upstream {
    /// Sets the clients up. `connect` is the longest wait for a connection, TLS included; the first-byte timeout may end it
    /// sooner. Exchanges go into private networks by names that only exist there, and by those of `granted`. Without certificates of authorities on this machine plain http works and
    /// https fails with [`ExchangeError::Tls`].
    pub fn new(connect: Duration, granted: Granted) -> Result<Self, StartError> {
        Self::with_names(connect, Names::of_the_machine(granted))
    }

    fn with_names(connect: Duration, names: Names) -> Result<Self, StartError> {
        // The one thing of ours that is global: the first to install a provider wins, and nobody
        // else in the process installs another.
        drop(rustls::crypto::ring::default_provider().install_default());
        let certified = builder(connect).build().is_ok();
        if !certified {
            tracing::warn!("no certificates of authorities, https endpoints will fail");
        }
        let client = |names: Option<Arc<Names>>| {
            let mut client = builder(connect);
            if !certified {
                client = client.tls_certs_only([]);
            }
            if let Some(names) = names {
                client = client.dns_resolver(names);
            }
            client.build().map_err(StartError::Client)
        };
        let (client, free) = (client(Some(Arc::new(names)))?, client(None)?);
        Ok(Self { client, free, open: Arc::default() })
    }

    /// How many exchanges are open: from the call until their response is over or dropped.
    pub fn open_exchanges(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The client for what is no exchange.
    pub(crate) fn free(&self) -> &Client {
        &self.free
    }

    /// Checks a description, sends it and waits for the response's head.
    ///
    /// Dropping the future, or later the response, ends the exchange: an HTTP/1 connection is
    /// closed, an HTTP/2 stream reset.
    pub async fn exchange(
        &self,
        endpoints: &Endpoints,
        request: exchange::Request,
        blobs: &Blobs,
        timeouts: &Timeouts,
    ) -> Result<Response, ExchangeError> {
        let Request {
            method,
            url,
            mut headers,
            credential,
            body,
            framing,
            timeout: asked,
            granted,
        } = Request::check(endpoints, request, blobs)?;
        let open = Open::one_more(&self.open);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(credential) = credential {
            let signed = credential.signs();
            let text =
                body.as_ref().filter(|_| signed).map_or_else(|| Some(Vec::new()), Body::text);
            credential.add(&mut headers, text.as_deref(), seconds_now());
        }
        let mut sent = self.client.request(method, url);
        if let Some(body) = body {
            // Told beforehand: some upstreams do not take a body of unknown length.
            headers.insert(CONTENT_LENGTH, body.length().into());
            sent = sent.body(body.into_sent());
        }
        let patience = asked.map_or(timeouts.first_byte, |asked| asked.min(timeouts.first_byte));
        let response = timeout(patience, sent.headers(headers).send())
            .await
            .map_err(|_| ExchangeError::NoFirstByte)?
            .map_err(ExchangeError::while_sending)?;
        Response::begin(response, framing, timeouts.idle, open, granted)
    }
}

/// Of the Unix epoch: what a signature is dated by.
fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub(crate) fn builder(connect: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(connect)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::IpAddr;

    use sluice_chat::exchange::{Auth, Body, Framing, Method, TransportFailure};
    use tokio::net::TcpListener;

    use super::*;
    use crate::address::LookUp;
    use crate::{Destination, Endpoint};

    /// Whoever owns a name points it at this machine: nobody comes, unless the operator lets them.
    #[tokio::test]
    async fn a_name_that_is_pointed_at_a_neighbour_leads_nowhere() {
        for granted in [false, true] {
            let neighbour = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = neighbour.local_addr().unwrap().port();
            let look_up: LookUp =
                Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) }));
            let grants = if granted { ["evil.example".to_owned()].into() } else { Granted::new() };
            let patience = Duration::from_secs(10);
            let upstream = Upstream::with_names(patience, Names::new(grants, look_up)).unwrap();
            let destination = Destination::parse(&format!("https://evil.example:{port}")).unwrap();
            let endpoint = Endpoint {
                destination,
                credentials: BTreeMap::new(),
                response_headers: BTreeSet::new(),
            };
            let endpoints = Endpoints([("api".to_owned(), endpoint)].into());
            let request = exchange::Request {
                endpoint: "api".to_owned(),
                method: Method::Get,
                path: "/".to_owned(),
                query: Vec::new(),
                headers: Vec::new(),
                auth: Auth::None,
                body: Body::Empty,
                framing: Framing::Whole,
                timeout_ms: None,
                idempotent: false,
            };
            let timeouts = Timeouts { first_byte: patience, idle: patience };
            let blobs = Blobs::default();
            let exchange = upstream.exchange(&endpoints, request, &blobs, &timeouts);

            let called = tokio::select! {
                biased;
                called = neighbour.accept() => { called.unwrap(); true }
                ended = exchange => {
                    let error = ended.expect_err("nobody speaks TLS there");
                    assert_eq!(error.failure(), TransportFailure::Blocked);
                    false
                }
            };

            assert_eq!(called, granted);
        }
    }
}

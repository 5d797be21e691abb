//! Sockets, frames, requests and refusals.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sluice_wire::error::ErrorCode;

use super::SECONDS;
use super::label::{Code, Limited, Limiter, Request};

/// Buckets for how long connections stay, in seconds.
const STAYS: [f64; 10] = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];

type Requests = Family<Request, Histogram, fn() -> Histogram>;

/// Counts what comes and goes.
#[derive(Debug)]
pub(crate) struct Traffic {
    stays: Histogram,
    received: Counter,
    sent: Counter,
    errors: Counter,
    refusals: Family<Code, Counter>,
    blocked: Family<Limited, Counter>,
    requests: Requests,
}

/// The code with which a response refuses; travels beside it to where responses are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told(pub(crate) &'static str);

impl Traffic {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests: fn() -> Histogram = || Histogram::new(SECONDS);
        let traffic = Self {
            stays: Histogram::new(STAYS),
            received: Counter::default(),
            sent: Counter::default(),
            errors: Counter::default(),
            refusals: Family::default(),
            blocked: Family::default(),
            requests: Requests::new_with_constructor(requests),
        };
        for limiter in Limiter::ALL {
            drop(traffic.blocked.get_or_create(&Limited { limiter }));
        }
        for code in ErrorCode::ALL.map(ErrorCode::as_str) {
            drop(traffic.refusals.get_or_create(&Code { code }));
        }
        registry.register(
            "chatbox_websocket_connection_duration_seconds",
            "How long connections stayed.",
            traffic.stays.clone(),
        );
        registry.register(
            "chatbox_messages_received",
            "Frames that clients sent.",
            traffic.received.clone(),
        );
        registry.register(
            "chatbox_messages_sent",
            "Frames that clients were sent.",
            traffic.sent.clone(),
        );
        registry.register(
            "chatbox_message_errors",
            "Error frames, each for one frame that was refused or failed.",
            traffic.errors.clone(),
        );
        registry.register(
            "sluice_refusals",
            "Frames and requests that were refused or failed, by code.",
            traffic.refusals.clone(),
        );
        registry.register(
            "chatbox_ratelimit_blocked",
            "Attempts beyond a limit.",
            traffic.blocked.clone(),
        );
        registry.register(
            "chatbox_http_request_duration_seconds",
            "Time until a response began.",
            traffic.requests.clone(),
        );
        traffic
    }

    /// A connection closed after so long.
    pub(crate) fn stayed(&self, time: Duration) {
        self.stays.observe(time.as_secs_f64());
    }

    /// A client sent a frame.
    pub(crate) fn received(&self) {
        self.received.inc();
    }

    /// A frame was written to a client.
    pub(crate) fn sent(&self) {
        self.sent.inc();
    }

    /// An error frame was made.
    pub(crate) fn refused_frame(&self, code: &'static str) {
        self.errors.inc();
        self.refused(code);
    }

    /// A request was refused, or a frame.
    pub(crate) fn refused(&self, code: &'static str) {
        self.refusals.get_or_create(&Code { code }).inc();
    }

    /// Somebody was held back.
    pub(crate) fn blocked(&self, limiter: Limiter) {
        self.blocked.get_or_create(&Limited { limiter }).inc();
    }

    /// A request was answered, by whom and after how long.
    pub(crate) fn answered(&self, endpoint: Option<&str>, method: &str, time: Duration) {
        const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        let known = METHODS.into_iter().find(|known| *known == method);
        let request = Request {
            endpoint: endpoint.unwrap_or("other").to_owned(),
            method: known.unwrap_or("other"),
        };
        self.requests.get_or_create(&request).observe(time.as_secs_f64());
    }
}

//! `GET /ws`: from an HTTP request to a connection. Everything is checked before the upgrade.

use std::net::IpAddr;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use sluice_chat::id::{Epoch, Position, Seq, SessionId};
use sluice_chat::policy::Subject;
use tracing::Instrument as _;

use super::remote::Remote;
use super::{Refusal, Shared, bearer};
use crate::accept::Line;
use crate::admission::TurnedAway;
use crate::connection::{self, Arrival};
use crate::metrics::Limiter;
use crate::policies;
use crate::settings::Origins;

/// What both sides agree to speak.
const PROTOCOL: &str = "sluice.v1";
/// How a token comes as a subprotocol, where headers cannot be set: in browsers.
const BEARER_PREFIX: &str = "bearer.";
/// What an idle socket holds: room for what people type at a time. A longer frame gets as much as it needs, while it comes in.
const READ_BUFFER: usize = 1024;
/// Bytes that may wait for a socket that does not take them, beyond one frame.
const WRITE_BUFFER: usize = 4 * 1024;

/// The one route of this resource.
pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/ws", get(open))
}

#[derive(Debug, Deserialize)]
struct Asked {
    token: Option<String>,
    session_id: Option<String>,
    epoch: Option<u64>,
    seq: Option<u64>,
}

async fn open(
    State(gateway): State<Shared>,
    Remote(address): Remote,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
    Extension(line): Extension<Line>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let prepared = match asked {
        Ok(Query(asked)) => prepare(&gateway, &asked, &headers, address).await,
        Err(rejection) => Err(rejection.into()),
    };
    match prepared {
        Err(refusal) => {
            tracing::debug!(%address, ?refusal, "refused a socket");
            refusal.into_response()
        }
        Ok(arrival) => {
            let Ok(upgrade) = upgrade else {
                return Refusal::BadRequest("a WebSocket upgrade is expected").into_response();
            };
            if let Err(error) = line.narrow() {
                tracing::debug!(%address, error = &error as &dyn std::error::Error, "could not bound a socket's buffers");
            }
            let limit = gateway.rules.load().limits.max_message_size;
            // Counted from here on, so that shutdown waits for sockets in the middle of their upgrade too.
            let tracked = gateway.tasks.token();
            upgrade
                .read_buffer_size(READ_BUFFER)
                .write_buffer_size(WRITE_BUFFER)
                .max_message_size(limit)
                .max_frame_size(limit)
                .protocols([PROTOCOL])
                .on_upgrade(move |socket| async move {
                    let span = connection::span(&arrival);
                    let serving = connection::run(gateway, socket, line, arrival);
                    Box::pin(serving.instrument(span)).await;
                    drop(tracked);
                })
        }
    }
}

/// Who comes, from where, and whether there is room.
async fn prepare(
    gateway: &Shared,
    asked: &Asked,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Arrival, Refusal> {
    if gateway.drain.is_cancelled() {
        return Err(Refusal::Unavailable);
    }
    let in_header = bearer(headers).or_else(|| token_protocol(headers));
    let in_query = asked.token.as_deref().filter(|_| gateway.auth.allow_query_token);
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if !may_open(&gateway.rules.load().origins, origin, headers, in_header.is_some()) {
        return Err(Refusal::ForeignOrigin);
    }
    let token = in_header.or(in_query).ok_or(Refusal::Unauthorized)?;
    let identity = gateway.identify(token).await?;
    let subject = policies::subject(&identity.caller(address));
    let session = asked.session_id.clone();
    gateway.means.policies.connect(Subject { session, ..subject }).await?;
    let permit = gateway.enter(&identity.user, address).map_err(|away| match away {
        TurnedAway::Full => Refusal::Unavailable,
        TurnedAway::UserFull => {
            gateway.means.metrics.traffic.blocked(Limiter::Connection);
            Refusal::TooManyConnections
        }
        TurnedAway::AddressFull => {
            gateway.means.metrics.traffic.blocked(Limiter::Connection);
            let hint = "is it a proxy? then name it in server.trusted_proxies";
            tracing::warn!(%address, hint, "an address has as many connections as allowed");
            Refusal::TooManyConnections
        }
    })?;
    // Once more: whoever revokes meanwhile does not see this connection yet.
    if gateway.is_revoked(&identity) {
        return Err(Refusal::InvalidToken);
    }
    let position = asked.epoch.zip(asked.seq);
    Ok(Arrival {
        identity,
        address,
        permit,
        session: asked.session_id.as_deref().and_then(SessionId::parse),
        position: position.map(|(epoch, seq)| Position { epoch: Epoch(epoch), seq: Seq(seq) }),
    })
}

/// The token among the subprotocols a client offers, next to ours.
fn token_protocol(headers: &HeaderMap) -> Option<&str> {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut protocols =
        offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    protocols.find_map(|protocol| protocol.trim().strip_prefix(BEARER_PREFIX))
}

/// Whether a page of that origin may open a socket. Browsers always send one; without it the token must come in a header, which
/// no page can set on its own.
fn may_open(allowed: &Origins, origin: Option<&str>, headers: &HeaderMap, in_header: bool) -> bool {
    if headers.get_all(ORIGIN).iter().count() > 1 {
        return false;
    }
    let Some(origin) = origin else { return in_header };
    match allowed {
        Origins::Any => true,
        Origins::List(list) => list.iter().any(|allowed| allowed == origin),
        Origins::Same => {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            let same = |scheme| origin.strip_prefix(scheme).is_some_and(|rest| rest == host);
            !host.is_empty() && (same("http://") || same("https://"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, PoisonError};
    use std::thread;

    use arc_swap::ArcSwap;
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn opens(allowed: &Origins, origin: Option<&str>) -> bool {
        may_open(allowed, origin, &headers(&[("host", "chat.example:8080")]), false)
    }

    #[test]
    fn without_a_list_only_the_same_host_may_open_a_socket() {
        let same = Origins::Same;
        assert!(opens(&same, Some("http://chat.example:8080")));
        assert!(opens(&same, Some("https://chat.example:8080")));
        for origin in [
            "http://chat.example",
            "http://evil.example",
            "http://chat.example:8080.evil.example",
            "http://evil-chat.example:8080",
            "null",
            "",
            "file://chat.example:8080",
        ] {
            assert!(!opens(&same, Some(origin)), "{origin}");
        }
    }

    #[test]
    fn a_list_is_matched_letter_by_letter() {
        let list = Origins::List(vec!["https://app.example".to_owned()]);
        assert!(opens(&list, Some("https://app.example")));
        for origin in [
            "https://APP.example",
            "https://app.example:443",
            "http://app.example",
            "https://app.example.evil",
        ] {
            assert!(!opens(&list, Some(origin)), "{origin}");
        }
        assert!(opens(&Origins::Any, Some("https://anything.example")));
    }

    #[test]
    fn no_origin_is_fine_only_with_a_token_that_no_page_can_send() {
        let none = headers(&[("host", "chat.example")]);
        assert!(may_open(&Origins::Same, None, &none, true));
        assert!(!may_open(&Origins::Same, None, &none, false));
    }

    #[test]
    fn two_origins_are_one_too_many() {
        let mut two = headers(&[("host", "a"), ("origin", "http://a")]);
        two.append("origin", HeaderValue::from_static("http://b"));
        assert!(!may_open(&Origins::Same, Some("http://a"), &two, true));
    }

    #[test]
    fn the_token_is_found_among_the_subprotocols() {
        let offered = headers(&[("sec-websocket-protocol", "sluice.v1, bearer.abc.def")]);
        assert_eq!(token_protocol(&offered), Some("abc.def"));
        assert_eq!(token_protocol(&headers(&[("sec-websocket-protocol", "sluice.v1")])), None);
    }

    /// Lists that replaced each other, and how far that has come.
    struct Replaced {
        lists: Vec<Origins>,
        rules: ArcSwap<Origins>,
        turn: Mutex<usize>,
        begun: AtomicUsize,
        done: AtomicUsize,
    }

    impl Replaced {
        fn new(lists: Vec<Origins>) -> Self {
            let rules = ArcSwap::from_pointee(lists[0].clone());
            let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
            Self { lists, rules, turn: Mutex::new(0), begun, done }
        }

        /// Puts the next list in force, whole.
        fn replace(&self) {
            let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(next) = self.lists.get(*turn + 1) else { return };
            *turn += 1;
            self.begun.store(*turn, Ordering::SeqCst);
            self.rules.store(next.clone().into());
            self.done.store(*turn, Ordering::SeqCst);
        }

        /// Whether a verdict is that of one complete list which was in force while it was made.
        fn explains(&self, origin: &str) -> bool {
            let first = self.done.load(Ordering::SeqCst);
            let verdict = opens(&self.rules.load(), Some(origin));
            let last = self.begun.load(Ordering::SeqCst);
            self.lists[first..=last].iter().any(|list| opens(list, Some(origin)) == verdict)
        }
    }

    proptest! {
        /// However many read while however many replace, each verdict agrees with one complete list that was in force meanwhile,
        /// and afterwards the last list decides.
        #[test]
        fn origin_validation_thread_safety(
            readers in 1..=50_usize, writers in 1..=10_usize,
            sets in prop::collection::vec(prop::collection::btree_set(0..6_u8, 1..6), 11..=101),
        ) {
            let named = |n: &u8| format!("https://page-{n}.example");
            let list = |set: &std::collections::BTreeSet<u8>| Origins::List(set.iter().map(named).collect());
            let replaced = Replaced::new(sets.iter().map(list).collect());
            let torn = AtomicUsize::new(0);
            thread::scope(|scope| {
                let readers = (0..readers).map(|reader| {
                    let (replaced, torn) = (&replaced, &torn);
                    scope.spawn(move || for check in 0..100 {
                        let origin = format!("https://page-{}.example", (reader + check) % 7);
                        torn.fetch_add(usize::from(!replaced.explains(&origin)), Ordering::Relaxed);
                    })
                });
                let writers = (0..writers)
                    .map(|_| scope.spawn(|| (0..10).for_each(|_| replaced.replace())));
                // A thread that ends while it is let go of can bring down the process, by a fault of the C library's.
                let threads: Vec<_> = readers.chain(writers).collect();
                for thread in threads {
                    thread.join().unwrap();
                }
            });
            prop_assert_eq!(torn.into_inner(), 0);
            let last = &replaced.lists[replaced.done.load(Ordering::SeqCst)];
            for n in 0..7_u8 {
                let origin = named(&n);
                prop_assert_eq!(opens(&replaced.rules.load(), Some(&origin)), opens(last, Some(&origin)));
            }
        }
    }
}

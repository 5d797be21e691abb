//! Limits per address: on routes that want no token, and on tokens that are refused.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Refusal, Shared};
use crate::address::{self, Block};

/// The client's address, as far as trusted proxies tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote(pub(super) IpAddr);

impl FromRequestParts<Shared> for Remote {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Shared,
    ) -> Result<Self, Self::Rejection> {
        let peer =
            parts.extensions.get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
        // The accept loop tells each peer; without it all would count as one.
        let peer = peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let rules = gateway.rules.load();
        Ok(Self(address::client(peer, &parts.headers, &rules.trusted_proxies)))
    }
}

/// Counts a request to a route that wants no token.
pub(super) async fn limit_public(
    State(gateway): State<Shared>,
    Remote(address): Remote,
    request: Request,
    next: Next,
) -> Response {
    match gateway.charge_public(Block::of(address)) {
        Ok(()) => next.run(request).await,
        Err(over) => Refusal::from(over).into_response(),
    }
}

/// Marks a refusal that was counted, since `/v1` has a layer of its own below the common one.
#[derive(Debug, Clone, Copy)]
struct Counted;

/// Counts a refused token, or none where one is needed. Beyond the limit the address is told to wait, in `refused`'s words; a
/// good token of a neighbour behind the same address is not concerned.
pub(super) fn limit_failures<R: IntoResponse>(
    gateway: &Shared,
    address: IpAddr,
    mut response: Response,
    refused: impl FnOnce(crate::rate::OverLimit) -> R,
) -> Response {
    let counted = response.extensions_mut().insert(Counted).is_some();
    if counted || response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    match gateway.charge_failure(Block::of(address)) {
        Ok(()) => response,
        Err(over) => refused(over).into_response(),
    }
}

/// [`limit_failures`] as a layer, in the words of our own routes.
pub(super) async fn slow_down(
    State(gateway): State<Shared>,
    Remote(address): Remote,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    limit_failures(&gateway, address, response, Refusal::from)
}

//! `/v1`: the gateway as OpenAI's clients know one. Stateless: no session, no prompt of ours, nothing stored but what it cost.
//!
//! From HTTP to a call and back; what a call is, is `call`'s, and how OpenAI writes it `sluice_wire::openai`'s.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use sluice_chat::event::ChatEvent;
use sluice_chat::id::{ModelId, UserId};
use sluice_chat::policy::Subject;
use sluice_chat::request::{ChatRequest, Content, Role};
use sluice_upstream::{Blobs, MAX_TEXT_BYTES};
use sluice_wire::openai::{
    BadRequest, ChatCall, Chunks, Failure, Head, ModelEntry, ModelList, UsageBody, Whole,
};
use tokio::sync::mpsc;

use super::remote::{Remote, limit_failures};
use super::{Shared, bearer, whole_seconds};
use crate::ask::{Question, Tab};
use crate::body::{BodyRefused, Room};
use crate::call::{self, Done, Order, Piece, UnderWay, Undone};
use crate::catalog::Route;
use crate::gateway::Gateway;
use crate::identity::{Identity, TokenRefused};
use crate::metrics::Told;
use crate::policies::{self, Denied, Judged, Proposal};
use crate::{clock, fresh};

mod embeddings;
mod stream;

/// Where the routes are, below the root and below the prefix.
pub(super) const PATH: &str = "/v1";
/// When a client that finds no room may try again.
const ROOM_RETRY: Duration = Duration::from_secs(5);
/// Bodies above this are read on a thread that may take its time.
const LONG_BODY: usize = 64 * 1024;

/// The routes of this resource; what is not among them is told in OpenAI's shape too.
pub(super) fn routes(gateway: &Shared) -> Router<Shared> {
    Router::new()
        .route("/models", get(models))
        .route("/models/{*id}", get(model))
        .route("/chat/completions", post(complete))
        .route("/embeddings", post(embed))
        .fallback(|| async { Refused::from(Failure::NotFound) })
        .method_not_allowed_fallback(|| async { Refused::from(Failure::MethodNotAllowed) })
        .layer(middleware::from_fn_with_state(Arc::clone(gateway), slow_down))
}

/// Counts refused tokens, in OpenAI's words where there are too many.
async fn slow_down(
    State(gateway): State<Shared>,
    Remote(address): Remote,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    limit_failures(&gateway, address, response, |over| Refused {
        failure: Failure::TooManyRequests,
        retry_after: Some(over.retry_after),
    })
}

/// A call that has no answer, or none that has begun.
#[derive(Debug)]
struct Refused {
    failure: Failure,
    retry_after: Option<Duration>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, retry_after: None }
    }
}

impl From<BadRequest> for Refused {
    fn from(bad: BadRequest) -> Self {
        Failure::BadRequest(bad).into()
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        Self { failure: Failure::Denied(denied.text), retry_after: denied.retry_after }
    }
}

impl From<TokenRefused> for Refused {
    fn from(refused: TokenRefused) -> Self {
        match refused {
            TokenRefused::Expired => Failure::ExpiredToken.into(),
            TokenRefused::Invalid => Failure::InvalidToken.into(),
            TokenRefused::Unknowable => {
                Self { failure: Failure::Unavailable, retry_after: Some(ROOM_RETRY) }
            }
        }
    }
}

impl From<BodyRefused> for Refused {
    fn from(refused: BodyRefused) -> Self {
        match refused {
            BodyRefused::TooLarge => Failure::BodyTooLarge.into(),
            BodyRefused::Missing => Failure::BodyMissing.into(),
            BodyRefused::NoRoom => {
                Self { failure: Failure::Unavailable, retry_after: Some(ROOM_RETRY) }
            }
        }
    }
}

impl From<Undone> for Refused {
    fn from(undone: Undone) -> Self {
        Self { failure: Failure::Provider(undone.kind), retry_after: undone.retry_after }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { failure, retry_after } = self;
        let status = StatusCode::from_u16(failure.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(failure.body())).into_response();
        response.extensions_mut().insert(Told(failure.code()));
        let headers = response.headers_mut();
        if let Some(wait) = retry_after.filter(|_| failure.may_pass()) {
            headers.insert("retry-after", HeaderValue::from(whole_seconds(wait)));
        }
        if !failure.may_pass() {
            // OpenAI's clients try again after any 5xx unless they are told not to.
            let name = HeaderName::from_static("x-should-retry");
            headers.insert(name, HeaderValue::from_static("false"));
        }
        response
    }
}

async fn caller(gateway: &Gateway, headers: &HeaderMap) -> Result<Identity, Refused> {
    let token = bearer(headers).ok_or(Failure::NoToken)?;
    Ok(gateway.identify(token).await?)
}

async fn models(
    State(gateway): State<Shared>,
    headers: HeaderMap,
) -> Result<Json<ModelList>, Refused> {
    let Identity { roles, .. } = caller(&gateway, &headers).await?;
    let offers = gateway.means.catalog.load().offers(&roles);
    Ok(Json(offers.into_iter().map(|offer| ModelEntry::new(offer.id)).collect()))
}

async fn model(
    State(gateway): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<ModelEntry>, Refused> {
    let Identity { roles, .. } = caller(&gateway, &headers).await?;
    Ok(Json(ModelEntry::new(route(&gateway, &id, &roles)?.id.to_string())))
}

fn route(gateway: &Gateway, id: &str, roles: &[String]) -> Result<Arc<Route>, Refused> {
    let id = ModelId::parse(id).ok_or(Failure::NoSuchModel)?;
    let catalog = gateway.means.catalog.load();
    Ok(catalog.find(Some(&id), roles).map(Arc::clone).ok_or(Failure::NoSuchModel)?)
}

async fn complete(
    State(gateway): State<Shared>,
    Remote(address): Remote,
    request: Request,
) -> Response {
    let trace = fresh::trace();
    let answered = answer(&gateway, address, request, trace.clone()).await;
    named(&trace, answered)
}

async fn embed(
    State(gateway): State<Shared>,
    Remote(address): Remote,
    request: Request,
) -> Response {
    let trace = fresh::trace();
    let embedded = embeddings::embed(&gateway, address, request, trace.clone()).await;
    named(&trace, embedded)
}

/// What comes of a call, under the name that the log has for it.
fn named(trace: &str, answered: Result<Response, Refused>) -> Response {
    let mut response = answered.unwrap_or_else(|refused| {
        let failure = &refused.failure;
        tracing::debug!(trace, ?failure, "refused a call");
        refused.into_response()
    });
    let named = HeaderValue::from_str(trace).ok();
    response.headers_mut().extend(named.map(|id| (HeaderName::from_static("x-request-id"), id)));
    response
}

/// A call that may be read.
struct Admitted {
    identity: Identity,
    bytes: Vec<u8>,
    room: Room,
}

/// Looks at who calls, counts it, and takes the body in.
async fn admit(gateway: &Gateway, request: Request) -> Result<Admitted, Refused> {
    if gateway.drain.is_cancelled() {
        return Err(Refused { failure: Failure::Unavailable, retry_after: Some(ROOM_RETRY) });
    }
    let (head, body) = request.into_parts();
    let identity = caller(gateway, &head.headers).await?;
    // Before the body: reading that is what costs.
    gateway.charge_message(&identity.user).map_err(|over| Refused {
        failure: Failure::TooManyRequests,
        retry_after: Some(over.retry_after),
    })?;
    let (bytes, room) = {
        let most = gateway.rules.load().limits.max_body;
        gateway.bodies.read(&head.headers, body, most).await?
    };
    Ok(Admitted { identity, bytes, room })
}

async fn answer(
    gateway: &Shared,
    address: IpAddr,
    request: Request,
    trace: String,
) -> Result<Response, Refused> {
    let Admitted { identity, bytes, room } = admit(gateway, request).await?;
    let (user, roles) = (identity.user.clone(), &identity.roles);
    let call = read(bytes).await?;
    if call.text_bytes as u64 > MAX_TEXT_BYTES {
        return Err(Failure::TextTooLarge.into());
    }
    let ChatCall { model, request, blobs, stream, include_usage, text_bytes: _ } = call;
    let model = route(gateway, &model, roles)?.id.clone();
    let caller = identity.caller(address);
    let subject = Subject { model: Some(model.to_string()), ..policies::subject(&caller) };
    let policies = &gateway.means.policies;
    policies.connect(subject.clone()).await?;
    let may_use = |model: &ModelId| route(gateway, model.as_str(), roles).is_ok();
    let may_turn = gateway.means.catalog.load().turns();
    let proposal = Proposal { subject, model, request, may_turn };
    let judged = policies.judge(proposal, may_use).await?;
    let Judged { model, mut request, ticket, rehearing, .. } = judged;
    let route = route(gateway, model.as_str(), roles)?;
    let conversation = conversation(&user, &request);
    let (route, others) = gateway.means.catalog.load().ways(&route, roles, &conversation);
    request.model.clone_from(&route.upstream_model);
    request.max_output_tokens =
        request.max_output_tokens.into_iter().chain(route.max_output_tokens).min();
    let mut kept = Blobs::default();
    for blob in blobs {
        kept.insert(blob.id, blob.bytes);
    }
    let answer = fresh::message();
    let head = Head {
        id: format!("chatcmpl-{answer}"),
        created: clock::now().0 / 1_000,
        model: route.id.to_string(),
    };
    let tab = Tab::of(&request);
    let question = Question { route, others, rehearing, request, blobs: kept, tab };
    let call = call::begin(gateway, Order { trace, answer, user, caller, question, ticket, room });
    if stream {
        in_pieces(Chunks::new(head, include_usage), call.apart()).await
    } else {
        in_one(&head, call).await
    }
}

/// What a conversation is told from others by, which has no id here: whose it is, and how the user began it.
fn conversation(user: &UserId, request: &ChatRequest) -> String {
    let began = request.messages.iter().find(|message| message.role == Role::User);
    let texts = began.iter().flat_map(|message| &message.parts).filter_map(|part| {
        if let Content::Text(text) = &part.content { Some(text.as_str()) } else { None }
    });
    std::iter::once(user.as_str()).chain(texts).collect::<Vec<_>>().join("\n")
}

async fn read(body: Vec<u8>) -> Result<ChatCall, Refused> {
    if body.len() <= LONG_BODY {
        return Ok(ChatCall::parse(&body)?);
    }
    let read = tokio::task::spawn_blocking(move || ChatCall::parse(&body)).await;
    Ok(read.map_err(|_| Failure::Internal)??)
}

async fn in_one(head: &Head, mut call: UnderWay) -> Result<Response, Refused> {
    let mut whole = Whole::default();
    while let Some(piece) = call.next().await {
        match piece {
            Piece::Said(events) => whole.hear(events),
            Piece::Ended(ended) => {
                let Done { reason, bill, usage } = ended?;
                let usage = UsageBody::new(bill, usage.as_ref());
                return Ok(Json(whole.end(head, &reason, usage)).into_response());
            }
        }
    }
    Err(Failure::Internal.into())
}

/// Waits for something to show, since a failure until then has a status of its own.
async fn in_pieces(chunks: Chunks, mut pieces: mpsc::Receiver<Piece>) -> Result<Response, Refused> {
    // Notices; a provider says few before it speaks, and the bound of its answer holds for them too.
    let mut before = Vec::new();
    let first = loop {
        match pieces.recv().await.ok_or(Failure::Internal)? {
            Piece::Said(events) => {
                let shows = events.iter().any(ChatEvent::is_shown);
                before.extend(events);
                if shows {
                    break Piece::Said(before);
                }
            }
            Piece::Ended(ended) => break Piece::Ended(Ok(ended?)),
        }
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        // Proxies that gather a response before they pass it on are asked not to.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(stream::events(chunks, first, pieces))).into_response())
}

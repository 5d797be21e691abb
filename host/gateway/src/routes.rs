//! Every route of the gateway, one file a resource. What all responses share is here: security headers and the host check.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Serialize;
use sluice_chat::id::UserId;
use sluice_wire::error::ErrorCode;

use crate::gateway::Gateway;
use crate::identity::{Identity, TokenRefused};
use crate::metrics::Told;
use crate::policies::Denied;
use crate::rate::OverLimit;

mod admin;
mod chat;
mod cors;
mod health;
mod metrics;
mod openai;
mod openapi;
mod page;
mod remote;
mod sessions;

/// What a handler sees of the process.
type Shared = Arc<Gateway>;

/// All routes under the configured prefix.
pub(crate) fn all(gateway: &Shared, hosts: HostCheck) -> Router {
    let limit_public = middleware::from_fn_with_state(Arc::clone(gateway), remote::limit_public);
    let document = openapi::Document::of(&gateway.prefix);
    let document = get(async move || document);
    let public = health::routes().merge(metrics::routes()).merge(sessions::public());
    let public = public.route(openapi::PATH, document.clone()).layer(limit_public.clone());
    let routes = Router::new()
        .merge(chat::routes())
        .merge(sessions::routes())
        .merge(public)
        .merge(admin::routes(gateway))
        .merge(page::parts())
        // Calls of models take as long as models do; their routes bound themselves.
        .layer(middleware::from_fn(answer_in_time))
        .nest(openai::PATH, openai::routes(gateway))
        .fallback(|| async { Refusal::NotFound })
        .method_not_allowed_fallback(|| async { Refusal::MethodNotAllowed });
    let home = format!("{}/", gateway.prefix);
    let routes = match gateway.prefix.as_str() {
        "" => routes,
        prefix => {
            let to_home = Redirect::permanent(&home);
            let beside = Router::new().route(prefix, get(async move || to_home));
            let beside = beside.nest(prefix, routes).fallback(|| async { Refusal::NotFound });
            // A gateway that is all below `/v1` has that path for itself.
            if prefix == openai::PATH {
                beside
            } else {
                beside.nest(openai::PATH, openai::routes(gateway))
            }
        }
    };
    let routes = routes.route(&home, get(page::page));
    // Where Prometheus looks unless told otherwise, also when all else is below a prefix.
    let routes = match gateway.prefix.as_str() {
        metrics::PATH => routes,
        _ => routes.route(metrics::PATH, get(metrics::read).layer(limit_public.clone())),
    };
    // The same for whoever looks for the document; without a prefix it is there already.
    let routes = match gateway.prefix.as_str() {
        "" | openapi::PATH => routes,
        _ => routes.route(openapi::PATH, document.layer(limit_public)),
    };
    routes
        .layer(middleware::from_fn_with_state(Arc::clone(gateway), remote::slow_down))
        .layer(middleware::from_fn_with_state(Arc::clone(gateway), metrics::count))
        .layer(middleware::from_fn_with_state(Arc::clone(gateway), cors::grant))
        .layer(middleware::from_fn_with_state(Arc::new(hosts), check_host))
        .layer(middleware::map_response(secured))
        .with_state(Arc::clone(gateway))
}

/// Which `Host` headers are taken. On a loopback address only loopback names are: a page elsewhere must not reach the gateway
/// through a name of its own that it points there (DNS rebinding). Elsewhere it is the names of ours, if there are any, and
/// whatever is an address.
#[derive(Debug)]
pub(crate) struct HostCheck {
    /// Whether the gateway is bound to loopback.
    pub(crate) loopback: bool,
    /// Names of ours, from `server.public_url`.
    pub(crate) names: Vec<String>,
}

impl HostCheck {
    fn accepts(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Ok(authority) = host.to_str().unwrap_or_default().parse::<axum::http::uri::Authority>()
        else {
            return false;
        };
        if !self.loopback && self.names.is_empty() {
            return true;
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let loopback = name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        // An address is no name that somebody could point elsewhere: probes and Prometheus come by it.
        let numeric = !self.loopback && name.parse::<std::net::IpAddr>().is_ok();
        loopback || numeric || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

async fn check_host(State(hosts): State<Arc<HostCheck>>, request: Request, next: Next) -> Response {
    if hosts.accepts(request.headers()) {
        next.run(request).await
    } else {
        Refusal::WrongHost.into_response()
    }
}

/// How long a request may take until its response begins, its own body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

async fn answer_in_time(request: Request, next: Next) -> Response {
    let is_whole = request.body().is_end_stream();
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        // Whoever sent all there is waited for us, and may come again.
        Err(_) if is_whole => Refusal::Unavailable.into_response(),
        Err(_) => Refusal::TookTooLong.into_response(),
    }
}

/// The headers that every response carries.
async fn secured(mut response: Response) -> Response {
    const HEADERS: [(&str, &str); 5] = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("x-xss-protection", "1; mode=block"),
        ("cache-control", "no-store"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(HeaderName::from_static(name))
            .or_insert_with(|| HeaderValue::from_static(value));
    }
    response
}

/// Why a request is refused, and with which status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No token.
    Unauthorized,
    /// A token that is not taken.
    InvalidToken,
    /// A token that was valid once.
    ExpiredToken,
    /// A page of another origin.
    ForeignOrigin,
    /// An address that may not see this.
    ForeignAddress,
    /// A `Host` that is not ours.
    WrongHost,
    /// Not there, or not yours: nobody learns which.
    NotFound,
    /// Not with this method.
    MethodNotAllowed,
    /// Something is wrong with the request.
    BadRequest(&'static str),
    /// The request did not come in time.
    TookTooLong,
    /// A token without the role that the route wants.
    NoOperator,
    /// A policy said no.
    Denied(Denied),
    /// As many connections as allowed are open.
    TooManyConnections,
    /// More requests than allowed; there is room again after that time.
    TooManyRequests(Duration),
    /// Full, going down, or not able to read the archive now.
    Unavailable,
    /// What is stored cannot be read, now or later.
    Failed,
}

#[derive(Debug, Serialize)]
struct RefusalBody {
    error: &'static str,
    code: &'static str,
    /// A policy's own text.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let overcrowded = matches!(self, Self::TooManyConnections | Self::Unavailable);
        let (status, code, error) = match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "a token is needed"),
            Self::InvalidToken => {
                (StatusCode::UNAUTHORIZED, "INVALID_TOKEN", "the token is not valid")
            }
            Self::ExpiredToken => {
                (StatusCode::UNAUTHORIZED, "EXPIRED_TOKEN", "the token has expired")
            }
            Self::ForeignOrigin => {
                (StatusCode::FORBIDDEN, "FORBIDDEN", "this origin is not allowed")
            }
            Self::ForeignAddress => (StatusCode::FORBIDDEN, "FORBIDDEN", "not from this address"),
            Self::WrongHost => {
                (StatusCode::MISDIRECTED_REQUEST, "BAD_REQUEST", "this host is not served here")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "BAD_REQUEST", "not with this method")
            }
            Self::BadRequest(what) => (StatusCode::BAD_REQUEST, "BAD_REQUEST", what),
            Self::TookTooLong => {
                (StatusCode::REQUEST_TIMEOUT, "BAD_REQUEST", "the request took too long")
            }
            Self::NoOperator => (StatusCode::FORBIDDEN, "FORBIDDEN", "this is for operators only"),
            Self::Denied(denied) => return not_allowed(denied),
            Self::TooManyRequests(wait) => return too_many_requests(wait),
            Self::TooManyConnections => (
                StatusCode::TOO_MANY_REQUESTS,
                "CONNECTION_LIMIT_EXCEEDED",
                "too many connections; close one first",
            ),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "try again later")
            }
            Self::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "SERVICE_ERROR",
                "what is stored cannot be read; the operator's log says why",
            ),
        };
        let body = RefusalBody { error, code, detail: None };
        let mut response = (status, axum::Json(body)).into_response();
        response.extensions_mut().insert(Told(code));
        if overcrowded {
            response.headers_mut().insert("retry-after", HeaderValue::from_static("5"));
        }
        response
    }
}

/// Says why, in the policy's own words, and when it may go through.
fn not_allowed(denied: Denied) -> Response {
    const CODE: ErrorCode = ErrorCode::PolicyDenied;
    let Denied { text, retry_after, .. } = denied;
    let detail = Some(text).filter(|text| !text.is_empty());
    let body = RefusalBody { error: "a policy does not allow this", code: CODE.as_str(), detail };
    let mut response = (StatusCode::FORBIDDEN, axum::Json(body)).into_response();
    response.extensions_mut().insert(Told(CODE.as_str()));
    if let Some(wait) = retry_after {
        response.headers_mut().insert("retry-after", HeaderValue::from(whole_seconds(wait)));
    }
    response
}

#[derive(Debug, Serialize)]
struct RateLimited {
    error: &'static str,
    code: &'static str,
    message: &'static str,
    retry_after_ms: u64,
}

/// Says when there is room again: in whole seconds in the header, in milliseconds in the body, both rounded up.
fn too_many_requests(wait: Duration) -> Response {
    let retry_after_ms = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    let body = RateLimited {
        error: "rate_limit_exceeded",
        code: "TOO_MANY_REQUESTS",
        message: "too many requests; try again later",
        retry_after_ms,
    };
    let retry_after = [("retry-after", HeaderValue::from(whole_seconds(wait)))];
    (StatusCode::TOO_MANY_REQUESTS, retry_after, axum::Json(body)).into_response()
}

/// Rounded up, and never now.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl From<OverLimit> for Refusal {
    fn from(over: OverLimit) -> Self {
        Self::TooManyRequests(over.retry_after)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<QueryRejection> for Refusal {
    fn from(_: QueryRejection) -> Self {
        Self::BadRequest("the query is not as expected")
    }
}

impl From<TokenRefused> for Refusal {
    fn from(refused: TokenRefused) -> Self {
        match refused {
            TokenRefused::Expired => Self::ExpiredToken,
            TokenRefused::Invalid => Self::InvalidToken,
            TokenRefused::Unknowable => Self::Unavailable,
        }
    }
}

/// The token of the `Authorization` header. The scheme's case does not matter; one space does.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Who calls, by the header alone: a token in an address ends up in logs. Asked before a body is waited for.
struct Caller(UserId);

impl FromRequestParts<Shared> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, gateway: &Shared) -> Result<Self, Refusal> {
        let token = bearer(&parts.headers).ok_or(Refusal::Unauthorized)?;
        Ok(Self(gateway.identify(token).await?.user))
    }
}

/// An operator who calls and is within its own limit. Asked before a body is waited for.
///
/// Without a token or with a bad one it is 401, without one of `auth.admin_roles` 403, and beyond `limits.admin` 429; each
/// request counts, whatever becomes of it.
#[derive(Debug, Clone)]
struct Operator(Identity);

impl FromRequestParts<Shared> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, gateway: &Shared) -> Result<Self, Refusal> {
        // The record asked already, and a request counts once.
        if let Some(operator) = parts.extensions.get::<Self>() {
            return Ok(operator.clone());
        }
        let token = bearer(&parts.headers).ok_or(Refusal::Unauthorized)?;
        let identity = gateway.identify(token).await?;
        if !identity.roles.iter().any(|role| gateway.auth.admin_roles.contains(role)) {
            return Err(Refusal::NoOperator);
        }
        gateway.charge_operator(&identity.user)?;
        Ok(Self(identity))
    }
}

/// A text of ours with its type and what a page may load.
fn document(kind: &'static str, policy: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (HeaderName::from_static("content-security-policy"), HeaderValue::from_static(policy)),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use futures_util::stream;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_too_slowly_is_told_apart_from_whoever_waits_too_long() {
        let read = async |request: Request| drop(to_bytes(request.into_body(), 10).await);
        let routes = Router::new()
            .route("/slow", get(std::future::pending::<()>))
            .route("/read", axum::routing::patch(read))
            .layer(middleware::from_fn(answer_in_time));
        let endless = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());

        for (method, path, body, status) in [
            ("GET", "/slow", Body::empty(), StatusCode::SERVICE_UNAVAILABLE),
            ("PATCH", "/read", endless, StatusCode::REQUEST_TIMEOUT),
        ] {
            let request = axum::http::Request::builder().method(method).uri(path).body(body);
            let response = routes.clone().oneshot(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
        }
    }

    fn headers(host: &str) -> HeaderMap {
        HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())])
    }

    #[test]
    fn on_loopback_only_loopback_names_are_taken() {
        let check = HostCheck { loopback: true, names: Vec::new() };
        for host in ["localhost", "LocalHost:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"] {
            assert!(check.accepts(&headers(host)), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", ""] {
            assert!(!check.accepts(&headers(host)), "{host}");
        }
        assert!(!check.accepts(&HeaderMap::new()));
    }

    #[test]
    fn elsewhere_the_public_name_decides_where_there_is_one() {
        let open = HostCheck { loopback: false, names: Vec::new() };
        assert!(open.accepts(&headers("chat.example")));
        let named = HostCheck { loopback: false, names: vec!["chat.example".to_owned()] };
        assert!(named.accepts(&headers("Chat.Example:443")));
        assert!(named.accepts(&headers("10.1.2.3:8080")));
        assert!(named.accepts(&headers("[fd00::7]:8080")));
        assert!(!named.accepts(&headers("10.1.2.3.evil.example")));
        assert!(!named.accepts(&headers("other.example")));
    }
}

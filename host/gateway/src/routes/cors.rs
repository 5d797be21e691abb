//! Pages of other hosts: which of them may call the HTTP routes and read the answers.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::settings::Origins;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, OPTIONS");
/// What a page may send when it does not say what it wants to.
const HEADERS: HeaderValue =
    HeaderValue::from_static("Origin, Content-Type, Accept, Authorization");
/// What a page may read of an answer beside what every page may.
const EXPOSED: HeaderValue = HeaderValue::from_static("Content-Length, Retry-After, X-Request-Id");
/// How long a browser need not ask again.
const MAX_AGE: Duration = Duration::from_hours(12);
/// Longest list of headers that is granted as it was asked for.
const MOST_ASKED_BYTES: usize = 1_024;

/// Answers the question that browsers ask beforehand, and marks all other answers for those pages that may read them.
pub(super) async fn grant(State(gateway): State<Shared>, request: Request, next: Next) -> Response {
    let granted = granted(&gateway.rules.load().cors_origins, request.headers());
    let Some(granted) = granted else { return next.run(request).await };
    let asks = request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match &granted {
        Granted::To(_) | Granted::Any if asks => {
            let wanted = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS);
            let wanted = wanted.filter(|wanted| wanted.len() <= MOST_ASKED_BYTES).cloned();
            let mut response = StatusCode::NO_CONTENT.into_response();
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.unwrap_or(HEADERS));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE.as_secs()));
            response
        }
        Granted::To(_) | Granted::Any | Granted::Nobody => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    match granted {
        Granted::To(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        Granted::Any => {
            // Whoever lets in every page does not lend it its users' cookies too.
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        Granted::Nobody => {}
    }
    response
}

/// Whom an answer is for.
#[derive(Debug, PartialEq, Eq)]
enum Granted {
    /// A page of this origin.
    To(HeaderValue),
    /// Every page.
    Any,
    /// No page of another host, but the next one may be: caches have to know.
    Nobody,
}

/// Whom the answer to a request is for. `None` where nobody of other hosts ever is.
fn granted(allowed: &Origins, headers: &HeaderMap) -> Option<Granted> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin = origins.next().filter(|_| origins.next().is_none());
    match allowed {
        Origins::Same => None,
        Origins::Any => Some(if origin.is_some() { Granted::Any } else { Granted::Nobody }),
        Origins::List(list) => {
            let known =
                origin.filter(|origin| list.iter().any(|one| one.as_bytes() == origin.as_bytes()));
            Some(known.map_or(Granted::Nobody, |origin| Granted::To(origin.clone())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origins: &[&'static str]) -> HeaderMap {
        origins.iter().map(|origin| (ORIGIN, HeaderValue::from_static(origin))).collect()
    }

    #[test]
    fn only_listed_pages_read_answers() {
        let list = Origins::List(vec!["https://app.example".to_owned()]);
        let app = HeaderValue::from_static("https://app.example");

        assert_eq!(granted(&list, &from(&["https://app.example"])), Some(Granted::To(app)));
        for foreign in [
            &["https://app.example.evil"][..],
            &["http://app.example"],
            &["https://APP.example"],
            &["null"],
            &[],
            &["https://app.example", "https://evil.example"],
        ] {
            assert_eq!(granted(&list, &from(foreign)), Some(Granted::Nobody), "{foreign:?}");
        }
        assert_eq!(granted(&Origins::Any, &from(&["https://any.example"])), Some(Granted::Any));
        assert_eq!(granted(&Origins::Same, &from(&["https://app.example"])), None);
    }
}

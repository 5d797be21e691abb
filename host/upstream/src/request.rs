//! A description of a request, checked once and turned into what is sent. No I/O, and no secret:
//! the credential is added by whoever sends it.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sluice_chat::exchange::{self, Auth, Framing};
use url::Url;

use self::body::Body;
use crate::blob::Blobs;
use crate::credential::Credential;
use crate::endpoint::Endpoints;

pub(crate) mod body;
mod form;
pub(crate) mod header;
pub(crate) mod path;

pub use self::path::PathError;

/// Largest body in bytes, blobs in base64 included.
pub const MAX_BODY_BYTES: u64 = 32 * 1024 * 1024;

/// Largest text in bytes that a plugin may put into a body by itself.
pub const MAX_TEXT_BYTES: u64 = 2 * 1024 * 1024;

/// Longest path and query in bytes, as sent.
const MAX_TARGET_BYTES: usize = 8 * 1024;

/// Why a description is not performed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No endpoint of that name is configured.
    #[error("no endpoint of that name is configured")]
    UnknownEndpoint,
    /// The endpoint has no credential of that name.
    #[error("the endpoint has no credential of that name")]
    UnknownScheme,
    /// The path may not be asked for.
    #[error("the path is refused")]
    Path(#[from] PathError),
    /// Path and query are too long.
    #[error("path and query are longer than {MAX_TARGET_BYTES} bytes")]
    TargetTooLong,
    /// Plugins may not set this header, not to this value, or not twice.
    #[error("header {number} is refused")]
    Header {
        /// Which of the headers, from 0. Its text is the plugin's and stays out of logs.
        number: usize,
    },
    /// More or longer headers than may be sent.
    #[error("there are too many headers")]
    TooManyHeaders,
    /// The body names a blob that does not belong to the request.
    #[error("the body names an unknown blob")]
    UnknownBlob,
    /// The body is larger than may be sent.
    #[error("the body is too large")]
    BodyTooLarge,
    /// The body is a form with a part that cannot be one, or with too many.
    #[error("part {number} of the form is refused")]
    FormPart {
        /// Which of the parts, from 0.
        number: usize,
    },
}

impl RequestError {
    /// Whether less of the same would have been taken.
    pub(crate) fn is_size(&self) -> bool {
        match self {
            Self::TargetTooLong | Self::TooManyHeaders | Self::BodyTooLarge => true,
            Self::UnknownEndpoint
            | Self::UnknownScheme
            | Self::Path(_)
            | Self::Header { .. }
            | Self::FormPart { .. }
            | Self::UnknownBlob => false,
        }
    }
}

/// A request that may be sent.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) credential: Option<&'a Credential>,
    pub(crate) body: Option<Body>,
    pub(crate) framing: Framing,
    pub(crate) timeout: Option<Duration>,
    /// Headers of the response that the plugin sees beyond the usual ones.
    pub(crate) granted: &'a BTreeSet<String>,
}

impl<'a> Request<'a> {
    /// Checks a description.
    pub(crate) fn check(
        endpoints: &'a Endpoints,
        described: exchange::Request,
        blobs: &Blobs,
    ) -> Result<Self, RequestError> {
        // Sending again on its own account is nothing this crate does, whatever `idempotent` says.
        let exchange::Request {
            method,
            endpoint,
            path,
            query,
            headers,
            auth,
            body,
            framing,
            timeout_ms,
            idempotent: _,
        } = described;
        let endpoint = endpoints.0.get(&endpoint).ok_or(RequestError::UnknownEndpoint)?;
        let credential = match auth {
            Auth::None => None,
            Auth::Scheme(name) => {
                endpoint.credentials.get(&name).ok_or(RequestError::UnknownScheme)?.as_ref()
            }
        };
        path::check(&path)?;
        let mut url = endpoint.destination.join(&path);
        if !query.is_empty() {
            let pairs = query.iter().map(|field| (&field.name, &field.value));
            url.query_pairs_mut().extend_pairs(pairs);
        }
        if url.path().len() + url.query().map_or(0, str::len) > MAX_TARGET_BYTES {
            return Err(RequestError::TargetTooLong);
        }
        let mut headers = header::check(&headers, credential)?;
        let body = Body::check(body, blobs)?;
        match body.as_ref().map(Body::content_type) {
            // Only this crate knows where its parts begin.
            Some(Some(form)) => drop(headers.insert(CONTENT_TYPE, form)),
            Some(None) if !headers.contains_key(CONTENT_TYPE) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            Some(None) | None => {}
        }
        let method = spoken(method);
        let timeout = timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        let granted = &endpoint.response_headers;
        Ok(Self { method, url, headers, credential, body, framing, timeout, granted })
    }
}

fn spoken(method: exchange::Method) -> Method {
    match method {
        exchange::Method::Get => Method::GET,
        exchange::Method::Post => Method::POST,
        exchange::Method::Put => Method::PUT,
        exchange::Method::Patch => Method::PATCH,
        exchange::Method::Delete => Method::DELETE,
    }
}

#[cfg(test)]
mod tests;

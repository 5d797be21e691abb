//! Describing the request to send.

use serde::{Deserialize, Serialize};

use crate::{Auth, Body, Error, Field, Framing, Method, Piece, Request};

/// Endpoint that a request goes to unless it names another.
pub const DEFAULT_ENDPOINT: &str = "api";
/// Auth scheme that a request asks for unless it names another: the secret `api_key` as a bearer token.
pub const DEFAULT_SCHEME: &str = "bearer";
/// Auth scheme that sends nothing but a signature: of Standard Webhooks, with the secret `signing_key`. Used by [`Request::signed`].
pub const SIGNATURE: &str = "signature";
/// Header of a signed request that names what is sent.
const SIGNED_ID: &str = "webhook-id";

impl Request {
    /// A POST to a path of the endpoint [`DEFAULT_ENDPOINT`], authorised by [`DEFAULT_SCHEME`], framed by content type.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::Post, path)
    }

    /// A GET, otherwise like [`post`](Self::post), and safe to send again.
    pub fn get(path: impl Into<String>) -> Self {
        Self { idempotent: true, ..Self::new(Method::Get, path) }
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            auth: Auth::Scheme(DEFAULT_SCHEME.to_owned()),
            body: Body::Empty,
            framing: Framing::ByContentType,
            timeout_ms: None,
            idempotent: false,
        }
    }

    /// Another endpoint of the configuration.
    #[must_use]
    pub fn endpoint(mut self, name: impl Into<String>) -> Self {
        self.endpoint = name.into();
        self
    }

    /// One more parameter of the query, encoded by the host.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push(Field { name: name.into(), value: value.into() });
        self
    }

    /// More parameters of the query, such as those of a setting.
    #[must_use]
    pub fn queries<N: Into<String>, V: Into<String>>(
        self,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        fields.into_iter().fold(self, |request, (name, value)| request.query(name, value))
    }

    /// One more header. Host, Content-Length, Authorization, Cookie and hop-by-hop names are refused.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Field { name: name.into(), value: value.into() });
        self
    }

    /// One more header, if there is something to say in it.
    #[must_use]
    pub fn optional_header(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Another auth scheme of the configuration.
    #[must_use]
    pub fn auth(mut self, scheme: impl Into<String>) -> Self {
        self.auth = Auth::Scheme(scheme.into());
        self
    }

    /// Signed by the host as Standard Webhooks has it, with the secret `signing_key`, once the request is final. `id` is the same for
    /// the same thing at each try, so that its receiver knows it again. Without such a secret it is sent unsigned.
    #[must_use]
    pub fn signed(self, id: impl Into<String>) -> Self {
        self.header(SIGNED_ID, id).auth(SIGNATURE)
    }

    /// No credential.
    #[must_use]
    pub fn no_auth(mut self) -> Self {
        self.auth = Auth::None;
        self
    }

    /// How the host is to cut the response.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Time until the first byte of the response; clamped by the host.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// May be sent again if the connection broke before any response.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// A body in pieces, from [`JsonBody`](crate::JsonBody).
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// A value as the body. Comes last, since it may fail.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Error> {
        let text = serde_json::to_string(value).map_err(|error| {
            Error::invalid_request(format!("not to be written as JSON: {error}"))
        })?;
        Ok(self.body(Body::Json(vec![Piece::Text(text)])))
    }
}

/// How the gateway sends the key, for plugins whose settings say so; any of them is what [`Request::auth`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthScheme {
    /// As a bearer token.
    #[default]
    Bearer,
    /// In the header `api-key`.
    ApiKey,
    /// In the header `x-api-key`.
    XApiKey,
}

impl From<AuthScheme> for String {
    fn from(scheme: AuthScheme) -> Self {
        let name = match scheme {
            AuthScheme::Bearer => DEFAULT_SCHEME,
            AuthScheme::ApiKey => "api-key",
            AuthScheme::XApiKey => "x-api-key",
        };
        name.to_owned()
    }
}

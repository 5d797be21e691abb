//! Describing the request to send.

use serde::{Deserialize, Serialize};

use crate::{
    Auth, BlobRef, Body, Error, Field, FormPart, FormValue, Framing, Method, Piece, Request,
};

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

    /// One more header with all of these, parted by commas; none where there are none.
    #[must_use]
    pub fn header_list(self, name: &str, values: &[String]) -> Self {
        if values.is_empty() { self } else { self.header(name, values.join(",")) }
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

    /// A form as the body, `multipart/form-data`.
    #[must_use]
    pub fn form(self, parts: Vec<FormPart>) -> Self {
        self.body(Body::Form(parts))
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

impl FormPart {
    /// A field of a form.
    pub fn field(name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = FormValue::Text(value.into());
        Self { name: name.into(), file_name: None, media_type: None, value }
    }

    /// A file: the bytes of a blob, under its own name or one that its media type makes.
    pub fn file(name: impl Into<String>, blob: &BlobRef) -> Self {
        let media_type = (!blob.media_type.is_empty()).then(|| blob.media_type.clone());
        let file_name = blob.name.clone().unwrap_or_else(|| {
            let kind = blob.media_type.rsplit(['/', '+', '-']).next().unwrap_or_default();
            let ending = match kind {
                "jpeg" => "jpg",
                "mpeg" => "mp3",
                "plain" => "txt",
                "markdown" => "md",
                "" => "bin",
                other => other,
            };
            format!("file.{ending}")
        });
        let value = FormValue::Blob(blob.id.clone());
        Self { name: name.into(), file_name: Some(file_name), media_type, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_name_is_named_for_what_it_is() {
        for (media_type, name) in [
            ("image/jpeg", "file.jpg"),
            ("image/png", "file.png"),
            ("audio/x-wav", "file.wav"),
            ("text/plain", "file.txt"),
            ("", "file.bin"),
        ] {
            let blob = BlobRef {
                id: "b".to_owned(),
                media_type: media_type.to_owned(),
                size: 1,
                url: None,
                name: None,
            };
            assert_eq!(FormPart::file("file", &blob).file_name.as_deref(), Some(name));
        }
    }
}

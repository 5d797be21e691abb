//! Secrets that are added to requests, and how. Nothing here ever prints one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;

/// The header that names what is signed, as the request has it.
const SIGNED_ID: HeaderName = HeaderName::from_static("webhook-id");
/// When it was signed, in seconds since the Unix epoch.
const SIGNED_AT: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The signature.
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Least bytes of a key that signs.
const LEAST_KEY: usize = 24;

/// A secret and what becomes of it.
#[derive(Clone)]
pub struct Credential(How);

#[derive(Clone)]
enum How {
    /// It is sent in this header.
    Sent { header: HeaderName, value: HeaderValue },
    /// It signs and is never sent.
    Signs { key: Vec<u8> },
}

/// Why a secret cannot be a credential. Says nothing of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There is no secret.
    #[error("the secret is empty")]
    Empty,
    /// The secret has characters that no header can carry.
    #[error("the secret has characters that no header can carry")]
    Secret,
    /// No header of that name can carry a secret.
    #[error("no header of that name can carry a secret")]
    Header,
    /// The secret is too short to sign with, or not the base64 that its beginning says it is.
    #[error("the secret is no key of at least {LEAST_KEY} bytes")]
    Key,
}

impl Credential {
    /// `Authorization: Bearer SECRET`.
    pub fn bearer(secret: &str) -> Result<Self, CredentialError> {
        let value = sensitive("Bearer ", secret)?;
        Ok(Self(How::Sent { header: AUTHORIZATION, value }))
    }

    /// `NAME: SECRET`, as in `x-api-key`.
    pub fn header(name: &str, secret: &str) -> Result<Self, CredentialError> {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| CredentialError::Header)?;
        if header != AUTHORIZATION && crate::request::header::is_ours(&header) {
            return Err(CredentialError::Header);
        }
        Ok(Self(How::Sent { header, value: sensitive("", secret)? }))
    }

    /// Signs bodies as Standard Webhooks 1.0 has it, with HMAC-SHA256. The secret is written as there, `whsec_` and base64, or is any
    /// text of at least 24 bytes.
    pub fn signature(secret: &str) -> Result<Self, CredentialError> {
        if secret.is_empty() {
            return Err(CredentialError::Empty);
        }
        let encoded = secret.strip_prefix("whsec_").map(|encoded| STANDARD.decode(encoded));
        let key = match encoded {
            Some(key) => key.map_err(|_| CredentialError::Key)?,
            None => secret.as_bytes().to_vec(),
        };
        if key.len() < LEAST_KEY { Err(CredentialError::Key) } else { Ok(Self(How::Signs { key })) }
    }

    /// Headers that it adds: a description that has one of them is refused.
    pub(crate) fn adds(&self, header: &HeaderName) -> bool {
        match &self.0 {
            How::Sent { header: own, .. } => own == header,
            How::Signs { .. } => *header == SIGNED_AT || *header == SIGNATURE,
        }
    }

    /// Whether it has to see the body.
    pub(crate) fn signs(&self) -> bool {
        matches!(self.0, How::Signs { .. })
    }

    /// Adds it to a request that is otherwise final, at a time in seconds since the Unix epoch. `body` is none where it is not all
    /// text; nothing is signed then.
    pub(crate) fn add(&self, headers: &mut HeaderMap, body: Option<&[u8]>, now: u64) {
        match &self.0 {
            How::Sent { header, value } => {
                headers.insert(header.clone(), value.clone());
            }
            How::Signs { key } => {
                let Some(body) = body else { return };
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return };
                let id = headers.get(SIGNED_ID).map(HeaderValue::as_bytes).unwrap_or_default();
                let at = now.to_string();
                let parts: [&[u8]; 5] = [id, b".", at.as_bytes(), b".", body];
                for part in parts {
                    mac.update(part);
                }
                let signature = STANDARD.encode(mac.finalize().into_bytes());
                headers.insert(SIGNED_AT, HeaderValue::from(now));
                let signature = HeaderValue::from_str(&format!("v1,{signature}"));
                headers.extend(signature.ok().map(|signature| (SIGNATURE, signature)));
            }
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            How::Sent { header, .. } => write!(f, "Credential({header}: ***)"),
            How::Signs { .. } => f.write_str("Credential(signature: ***)"),
        }
    }
}

fn sensitive(prefix: &str, secret: &str) -> Result<HeaderValue, CredentialError> {
    if secret.is_empty() {
        return Err(CredentialError::Empty);
    }
    if !secret.is_ascii() {
        return Err(CredentialError::Secret);
    }
    let mut value =
        HeaderValue::from_str(&format!("{prefix}{secret}")).map_err(|_| CredentialError::Secret)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let credentials = [
            Credential::bearer("sk-canary").expect("valid"),
            Credential::header("x-api-key", "sk-canary").expect("valid"),
            Credential::signature("sk-canary-of-24-characters").expect("valid"),
        ];

        for credential in credentials {
            let mut headers = HeaderMap::new();
            credential.add(&mut headers, Some(b"{}"), 1);
            assert!(!format!("{credential:?} {headers:?}").contains("canary"));
        }
    }

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let credential =
            Credential::signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("valid");
        let mut headers = HeaderMap::new();
        headers.insert(SIGNED_ID, HeaderValue::from_static("msg_p5jXN8AQM9LWM0D4loKWxJek"));

        credential.add(&mut headers, Some(br#"{"test": 2432232314}"#), 1_614_265_330);

        assert_eq!(headers[SIGNED_AT], "1614265330");
        assert_eq!(headers[SIGNATURE], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_is_none_signs_nothing() {
        for secret in ["", "short", "whsec_short", "whsec_%%%"] {
            assert!(Credential::signature(secret).is_err(), "{secret}");
        }
    }

    #[test]
    fn what_no_header_can_carry_is_refused() {
        assert_eq!(Credential::bearer("").err(), Some(CredentialError::Empty));
        assert_eq!(Credential::bearer("a\r\nb: c").err(), Some(CredentialError::Secret));
        for name in ["host", "Content-Length", "connection", "a b", "", "proxy-authorization"] {
            assert_eq!(
                Credential::header(name, "s").err(),
                Some(CredentialError::Header),
                "{name}"
            );
        }
        assert!(Credential::header("Authorization", "Token abc").is_ok());
    }
}

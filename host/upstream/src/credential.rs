//! Secrets that are added to requests, and how. Nothing here ever prints one.

use std::fmt;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

/// A secret and the header it goes into.
#[derive(Clone)]
pub struct Credential {
    header: HeaderName,
    value: HeaderValue,
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
}

impl Credential {
    /// `Authorization: Bearer SECRET`.
    pub fn bearer(secret: &str) -> Result<Self, CredentialError> {
        Ok(Self { header: AUTHORIZATION, value: sensitive("Bearer ", secret)? })
    }

    /// `NAME: SECRET`, as in `x-api-key`.
    pub fn header(name: &str, secret: &str) -> Result<Self, CredentialError> {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| CredentialError::Header)?;
        if header != AUTHORIZATION && crate::request::header::is_ours(&header) {
            return Err(CredentialError::Header);
        }
        Ok(Self { header, value: sensitive("", secret)? })
    }

    /// Name of the header it goes into.
    pub(crate) fn header_name(&self) -> &HeaderName {
        &self.header
    }

    /// Adds it to a request that is otherwise final.
    pub(crate) fn sign(&self, headers: &mut HeaderMap) {
        headers.insert(self.header.clone(), self.value.clone());
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}: ***)", self.header)
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
        ];

        for credential in credentials {
            let mut headers = HeaderMap::new();
            credential.sign(&mut headers);
            assert!(!format!("{credential:?} {headers:?}").contains("canary"));
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

//! Who is speaking: tokens in, users out.
//!
//! A token's form and claims are `token`'s, public keys are `key_set`'s, and where those come from is `key_ring`'s.

mod key_ring;
mod key_set;
mod token;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::Serialize;
use sluice_chat::id::{Instant, UserId};
use sluice_chat::policy::{Caller, Principal};

use crate::settings::{Algorithm, Auth, Secret};

pub(crate) use self::key_ring::{KeyRing, KeySource};
pub(crate) use self::key_set::KeySet;
use self::token::{Expected, Token};

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The user.
    pub(crate) user: UserId,
    /// What people call the user; at most 200 characters of it, and none that steers a terminal.
    pub(crate) name: Option<String>,
    /// What the user is, in the words of whoever signs the tokens.
    pub(crate) roles: Vec<String>,
    /// Since when, if the token says so.
    pub(crate) issued: Option<Instant>,
    /// Until when, leeway included: a socket closes when an upgrade would be refused.
    pub(crate) expires: Instant,
}

impl Identity {
    /// What models and policies are told of whoever comes with it from that address.
    pub(crate) fn caller(&self, address: IpAddr) -> Arc<Caller> {
        let principal = Principal {
            id: self.user.to_string(),
            name: self.name.clone().unwrap_or_default(),
            roles: self.roles.clone(),
            attributes: Vec::new(),
        };
        Arc::new(Caller { principal, address: address.to_string() })
    }
}

/// Why a token is not taken. Clients learn no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenRefused {
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// Anything else that is wrong with it.
    #[error("the token is not valid")]
    Invalid,
    /// The keys that could tell are not to be had now.
    #[error("the token cannot be checked now")]
    Unknowable,
}

/// Checks tokens.
pub(crate) struct Verifier {
    algorithms: Vec<Algorithm>,
    secrets: Vec<DecodingKey>,
    ring: Option<KeyRing>,
    expected: Expected,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Takes what the secrets sign, and what the keys of `ring` do.
    pub(crate) fn new(auth: &Auth, ring: Option<KeyRing>) -> Self {
        let secret = |secret: &Secret| DecodingKey::from_secret(secret.expose().as_bytes());
        let leeway_ms = u64::try_from(auth.leeway.as_millis()).unwrap_or(u64::MAX);
        Self {
            algorithms: auth.algorithms.clone(),
            secrets: auth.secrets.iter().map(secret).collect(),
            ring,
            expected: Expected {
                issuer: auth.issuer.clone(),
                audience: auth.audience.clone(),
                leeway_ms,
            },
        }
    }

    /// Whether there is all that is needed to judge tokens.
    pub(crate) fn is_ready(&self) -> bool {
        self.ring.as_ref().is_none_or(KeyRing::is_filled)
    }

    /// Says whose token this is. Waits, a few seconds at most, when it names a key that has to be asked for first.
    pub(crate) async fn verify(&self, text: &str, now: Instant) -> Result<Identity, TokenRefused> {
        let token = Token::parse(text).ok_or(TokenRefused::Invalid)?;
        if !self.algorithms.contains(&token.algorithm()) {
            return Err(TokenRefused::Invalid);
        }
        let signed = match (token.algorithm(), &self.ring) {
            (Algorithm::Hs256, _) => self.secrets.iter().any(|secret| token.is_signed_by(secret)),
            (Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa, Some(ring)) => {
                let key = (token.algorithm(), token.key_id());
                ring.find(key, |key| token.is_signed_by(key)).await?
            }
            (Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa, None) => false,
        };
        let claims = token.claims().filter(|_| signed).ok_or(TokenRefused::Invalid)?;
        claims.judge(&self.expected, now)
    }
}

/// Makes tokens.
pub(crate) struct Seal(EncodingKey);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

#[derive(Serialize)]
struct Issued<'a> {
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    roles: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: u64,
    exp: u64,
}

impl Seal {
    /// Signs with the first secret. `None` when there is none.
    pub(crate) fn new(auth: &Auth) -> Option<Self> {
        auth.secrets
            .first()
            .map(|secret| Self(EncodingKey::from_secret(secret.expose().as_bytes())))
    }

    /// Makes a token that this configuration takes for `seconds` from `now` on.
    pub(crate) fn issue(
        &self,
        auth: &Auth,
        user: &str,
        name: Option<&str>,
        roles: &[String],
        now: Instant,
        seconds: u64,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = now.0 / 1_000;
        let (iss, aud) = (auth.issuer.as_deref(), auth.audience.as_deref());
        let exp = iat.saturating_add(seconds);
        let claims = Issued { user_id: user, name, roles, iss, aud, iat, exp };
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        jsonwebtoken::encode(&header, &claims, &self.0)
    }
}

#[cfg(test)]
mod tests;

//! Who is speaking: tokens in, users out.

use std::fmt;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sluice_chat::id::{Instant, UserId};

use crate::settings::Auth;

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// How much of a user's name is kept.
const MAX_NAME_CHARACTERS: usize = 200;

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
    /// Until when.
    pub(crate) expires: Instant,
}

/// Claims as they stand in a token. `exp` is required; the user is `user_id`, else `sub`.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
}

/// Why a token is not taken. Clients learn no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenRefused {
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// Anything else.
    #[error("the token is not valid")]
    Invalid,
}

/// Checks and makes tokens.
pub(crate) struct Seal {
    signing: EncodingKey,
    verifying: Vec<DecodingKey>,
    validation: Validation,
    leeway_ms: u64,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("keys", &self.verifying.len()).finish_non_exhaustive()
    }
}

impl Seal {
    /// The first secret signs, all of them verify.
    pub(crate) fn new(auth: &Auth) -> Option<Self> {
        let bytes = |secret: &crate::settings::Secret| secret.expose().as_bytes().to_vec();
        let secrets: Vec<Vec<u8>> = auth.secrets.iter().map(bytes).collect();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = auth.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp"]);
        match &auth.issuer {
            Some(issuer) => validation.set_issuer(&[issuer]),
            None => validation.iss = None,
        }
        match &auth.audience {
            Some(audience) => validation.set_audience(&[audience]),
            None => validation.validate_aud = false,
        }
        Some(Self {
            signing: EncodingKey::from_secret(secrets.first()?),
            verifying: secrets.iter().map(|secret| DecodingKey::from_secret(secret)).collect(),
            validation,
            leeway_ms: auth.leeway.as_secs() * 1_000,
        })
    }

    /// Says whose token this is.
    pub(crate) fn verify(&self, token: &str) -> Result<Identity, TokenRefused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefused::Invalid);
        }
        let mut refused = TokenRefused::Invalid;
        for key in &self.verifying {
            match jsonwebtoken::decode::<Claims>(token, key, &self.validation) {
                Ok(data) => {
                    let identity = data.claims.into_identity(self.leeway_ms);
                    return identity.ok_or(TokenRefused::Invalid);
                }
                Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => {
                    refused = TokenRefused::Expired;
                }
                Err(_) => {}
            }
        }
        Err(refused)
    }

    /// Makes a token that is valid for `seconds` from `now` on.
    pub(crate) fn issue(
        &self,
        user: &str,
        name: Option<&str>,
        roles: &[String],
        now: Instant,
        seconds: u64,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let issued = now.0 / 1_000;
        let claims = Claims {
            user_id: Some(user.to_owned()),
            sub: None,
            name: name.map(str::to_owned),
            roles: roles.to_vec(),
            exp: issued.saturating_add(seconds),
            iat: Some(issued),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }
}

impl Claims {
    /// The leeway holds as long as the token does: a socket closes when an upgrade would be refused.
    fn into_identity(self, leeway_ms: u64) -> Option<Identity> {
        let user = self.user_id.filter(|user| !user.is_empty()).or(self.sub)?;
        let expires = Instant(self.exp.saturating_mul(1_000).saturating_add(leeway_ms));
        let name = self.name.map(|name| {
            name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARACTERS).collect::<String>()
        });
        let name = name.filter(|name| !name.trim().is_empty());
        let issued = self.iat.map(|seconds| Instant(seconds.saturating_mul(1_000)));
        Some(Identity { user: UserId::parse(&user)?, name, roles: self.roles, issued, expires })
    }
}

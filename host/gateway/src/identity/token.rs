//! A token as text: three parts, a header that is understood whole, claims of the right types.
//!
//! Strict on purpose: what could be read in two ways is refused. Pure; time is an argument.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use sluice_chat::id::{Instant, UserId};

use super::{Identity, TokenRefused};
use crate::settings::Algorithm;

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// How much of a user's name is kept.
const MAX_NAME_CHARACTERS: usize = 200;
/// The last second of the year 9999. What lies behind is a slip of milliseconds, or worse.
const LAST_SECOND: u64 = 253_402_300_799;

/// A token whose header was read. Nothing is known yet about who signed it.
#[derive(Debug)]
pub(super) struct Token<'a> {
    signed: &'a str,
    claims: &'a str,
    signature: &'a str,
    algorithm: Algorithm,
    key_id: Option<String>,
}

/// A header. A key or an address in it is not looked at: whom to believe is configuration.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// What must be understood, and is not.
    crit: Option<IgnoredAny>,
    /// An encrypted token's.
    enc: Option<IgnoredAny>,
    /// A compressed token's.
    zip: Option<IgnoredAny>,
    /// Whether the claims are encoded; they have to be.
    b64: Option<IgnoredAny>,
}

/// Claims as they stand in a token. Times are whole seconds.
#[derive(Deserialize)]
pub(super) struct Claims {
    user_id: Option<String>,
    sub: Option<String>,
    name: Option<String>,
    roles: Option<Vec<String>>,
    exp: u64,
    nbf: Option<u64>,
    iat: Option<u64>,
    iss: Option<String>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What claims are held against.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// What `iss` must be.
    pub(super) issuer: Option<String>,
    /// What must be in `aud`.
    pub(super) audience: Option<String>,
    /// How far clocks may be apart.
    pub(super) leeway_ms: u64,
}

impl<'a> Token<'a> {
    /// Reads a token up to its header. `None` when it is none, or one of another kind.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_TOKEN_BYTES || !text.is_ascii() {
            return None;
        }
        let mut parts = text.split('.');
        let (header, claims) = (parts.next()?, parts.next()?);
        let signature = parts.next().filter(|signature| !signature.is_empty())?;
        if parts.next().is_some() {
            return None;
        }
        let signed = text.get(..header.len() + 1 + claims.len())?;
        let Header { alg, kid, typ, crit, enc, zip, b64 } = object(header)?;
        if [crit, enc, zip, b64].iter().any(Option::is_some) {
            return None;
        }
        // A token for logging out or for proving possession is no token for coming in.
        let typ = typ.map(|typ| typ.to_ascii_lowercase());
        let typ = typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        if !matches!(typ, None | Some("jwt" | "at+jwt")) {
            return None;
        }
        let algorithm = Algorithm::parse(&alg)?;
        Some(Self { signed, claims, signature, algorithm, key_id: kid })
    }

    /// What it says that it was signed with.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Which key it says that it was signed with. Nothing but a name to look up.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether that key signed it, with the algorithm that is both the key's and the token's.
    pub(super) fn is_signed_by(&self, key: &DecodingKey) -> bool {
        let algorithm = match self.algorithm {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        };
        let (signature, signed) = (self.signature, self.signed.as_bytes());
        // A key of another family is an error, and as good as a wrong signature.
        jsonwebtoken::crypto::verify(signature, signed, key, algorithm).unwrap_or(false)
    }

    /// What it claims, to be believed only if it is signed. `None` when a claim has the wrong type or is there twice.
    pub(super) fn claims(&self) -> Option<Claims> {
        object(self.claims)
    }
}

/// Reads a part as one JSON object. An array would do for a struct otherwise, field by field.
fn object<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    let first = json.iter().find(|byte| !byte.is_ascii_whitespace());
    serde_json::from_slice(&json).ok().filter(|_| first == Some(&b'{'))
}

impl Claims {
    /// Whose claims these are, if they hold now.
    pub(super) fn judge(self, expected: &Expected, now: Instant) -> Result<Identity, TokenRefused> {
        let Self { user_id, sub, name, roles, exp, nbf, iat, iss, aud } = self;
        let Expected { issuer, audience, leeway_ms } = expected;
        let from_whom = issuer.as_ref().is_none_or(|issuer| iss.as_ref() == Some(issuer));
        let for_us = audience.as_ref().is_none_or(|audience| match &aud {
            None => false,
            Some(Audience::One(one)) => one == audience,
            Some(Audience::Many(many)) => many.contains(audience),
        });
        let times = [Some(exp), nbf, iat];
        if times.iter().flatten().any(|seconds| *seconds > LAST_SECOND) {
            return Err(TokenRefused::Invalid);
        }
        // One that is issued tomorrow would outlive a revocation today.
        let begun = [nbf, iat].iter().flatten().all(|at| at * 1_000 <= now.0 + leeway_ms);
        if !(from_whom && for_us && begun) {
            return Err(TokenRefused::Invalid);
        }
        let user = user_id.filter(|user| !user.is_empty()).or(sub);
        let user = user.and_then(|user| UserId::parse(&user)).ok_or(TokenRefused::Invalid)?;
        let expires = Instant(exp * 1_000 + leeway_ms);
        if expires <= now {
            return Err(TokenRefused::Expired);
        }
        let shown = |name: String| -> String {
            name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARACTERS).collect()
        };
        let name = name.map(shown).filter(|name| !name.trim().is_empty());
        let issued = iat.map(|seconds| Instant(seconds * 1_000));
        Ok(Identity { user, name, roles: roles.unwrap_or_default(), issued, expires })
    }
}

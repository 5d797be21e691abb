//! Public keys as identity providers publish them: a JSON Web Key Set (RFC 7517), read leniently as a whole and strictly key by key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::settings::Algorithm;

/// Keys that are looked at; further ones are left.
const MAX_KEYS: usize = 64;
/// Keys that a token is held against when it does not say which one signed it.
const MAX_TRIED: usize = 8;
/// Bytes of an RSA modulus: from what is safe to what is bearable.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// The keys of one identity provider. Never empty.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    verifying: DecodingKey,
}

/// Why a document is no set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoKeys {
    /// Not JSON, or not of that form.
    #[error("it is not a JSON Web Key Set")]
    Unreadable,
    /// A set without a key that could verify a token.
    #[error("it has no key for RS256, ES256 or EdDSA")]
    NoneFits,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// One key as it is written. A symmetric one has no place here: what is public signs nothing.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a document. Keys for something else, and those that are not whole, are left out.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, NoKeys> {
        let Document { keys } = serde_json::from_slice(document).map_err(|_| NoKeys::Unreadable)?;
        let read = |value| Key::read(serde_json::from_value(value).ok()?);
        let keys: Vec<Key> = keys.into_iter().take(MAX_KEYS).filter_map(read).collect();
        if keys.is_empty() { Err(NoKeys::NoneFits) } else { Ok(Self(keys)) }
    }

    /// The keys that may have signed a token: those of the name, or the first few when it names none.
    pub(super) fn of(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> impl Iterator<Item = &DecodingKey> {
        let fits = move |key: &&Key| {
            key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id)
        };
        self.0.iter().filter(fits).map(|key| &key.verifying).take(MAX_TRIED)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Key {
    fn read(written: Written) -> Option<Self> {
        let Written { kty, kid, purpose, key_ops, alg, crv, n, e, x, y } = written;
        let verifies = purpose.is_none_or(|purpose| purpose == "sig")
            && key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let (algorithm, verifying) = match (kty.as_str(), crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (bytes(&n?)?, bytes(&e?)?);
                let length = n.iter().skip_while(|byte| **byte == 0).count();
                if !RSA_BYTES.contains(&length) {
                    return None;
                }
                (Algorithm::Rs256, DecodingKey::from_rsa_raw_components(&n, &e))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (x?, y?);
                if bytes(&x)?.len() != 32 || bytes(&y)?.len() != 32 {
                    return None;
                }
                (Algorithm::Es256, DecodingKey::from_ec_components(&x, &y).ok()?)
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes(&x?).filter(|x| x.len() == 32)?;
                (Algorithm::EdDsa, DecodingKey::from_ed_der(&x))
            }
            _ => return None,
        };
        let meant = alg.is_none_or(|alg| Algorithm::parse(&alg) == Some(algorithm));
        (verifies && meant).then_some(Self { id: kid, algorithm, verifying })
    }
}

fn bytes(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

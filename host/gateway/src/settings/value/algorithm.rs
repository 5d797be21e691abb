//! What tokens may be signed with.
//!
//! Only the names; verifying is identity's work.

/// A signature algorithm. There is no `none`, and no other length of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// A shared secret.
    Hs256,
    /// RSA, PKCS #1 v1.5.
    Rs256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All there are, as they are named in a token.
    pub(crate) const NAMES: [(&'static str, Self); 4] = [
        ("HS256", Self::Hs256),
        ("RS256", Self::Rs256),
        ("ES256", Self::Es256),
        ("EdDSA", Self::EdDsa),
    ];

    /// Reads a name as it stands in a token.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (_, algorithm) = Self::NAMES.iter().find(|(known, _)| *known == name)?;
        Some(*algorithm)
    }
}

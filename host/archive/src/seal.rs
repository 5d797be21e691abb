//! Sealing of what people say: AES-256-GCM, bound to its place, under keys that can be changed.
//!
//! Pure but for the random nonce. Knows texts and places, not tables: what comes out is a text
//! again, which an engine stores as it stores any. A text that is not sealed is stored as it is,
//! so that an archive may get a key, change it, or lose it for good by `sluice reseal`.
//!
//! A stored text that begins with [`MARK`] is either sealed (`MARK s KEY-ID BASE64`) or a plain one
//! that happened to begin so (`MARK p TEXT`). Each session has a key of its own, derived from the
//! configured one, so that the bound of 2^32 random nonces counts for one session only.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hkdf::{HKDF_SHA256, Prk};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use sluice_chat::id::{Seq, SessionId};

use crate::message::{Digest, Metadata, metadata_from, metadata_text};

/// First character of a stored text that is not simply itself.
const MARK: char = '\u{1}';
/// After the mark: sealed.
const SEALED: char = 's';
/// After the mark: plain.
const PLAIN: char = 'p';
/// Name under which a metadata map stands that is stored as one text.
const WHOLE: &str = "";

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// A key that seals. Shows its id and never itself.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    root: Prk,
    /// The bytes themselves as a key, as the predecessor used them.
    itself: LessSafeKey,
}

/// Names a key without telling anything of it: eight hexadecimal digits of its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// Characters of an id.
    const LENGTH: usize = 8;

    /// Reads one as it is stored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == Self::LENGTH && text.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| Self(text.to_owned()))
    }

    /// As it is stored.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a key was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `base64:` or `hex:`.
    Encoded,
    /// 32 characters that are the key themselves: few of the 2^256 keys can be typed.
    Raw,
}

impl Key {
    /// Reads `base64:…`, `hex:…` (32 bytes either way) or 32 raw characters.
    pub fn parse(text: &str) -> Option<(Self, Form)> {
        if let Some(text) = text.strip_prefix("base64:") {
            return Some((Self::of(&BASE64.decode(text.trim()).ok()?)?, Form::Encoded));
        }
        if let Some(text) = text.strip_prefix("hex:") {
            return Some((Self::of(&unhex(text.trim())?)?, Form::Encoded));
        }
        Some((Self::of(text.as_bytes())?, Form::Raw))
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != KEY_BYTES {
            return None;
        }
        let hash = digest(&SHA256, &[b"sluice key id ", bytes].concat());
        let id = hash.as_ref().iter().take(KeyId::LENGTH / 2).map(|byte| format!("{byte:02x}"));
        let itself = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?);
        let root = Prk::new_less_safe(HKDF_SHA256, bytes);
        Some(Self { id: KeyId(id.collect()), root, itself })
    }

    /// The key underived, to open what the predecessor encrypted. Nothing is sealed with it.
    pub(crate) fn itself(&self) -> &LessSafeKey {
        &self.itself
    }

    /// Its name.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// What a digest is stored as.
    fn hidden(&self, digest: &Digest) -> Digest {
        let okm = self.root.expand(&[b"sluice digests"], hmac::HMAC_SHA256);
        let key = hmac::Key::from(okm.expect("a key's length is within bounds"));
        let mut hidden = Digest([0; 32]);
        hidden.0.copy_from_slice(hmac::sign(&key, &digest.0).as_ref());
        hidden
    }

    /// The key of one session.
    fn of_session(&self, session: &SessionId) -> LessSafeKey {
        let info = [b"sluice session ".as_slice(), session.as_str().as_bytes()];
        let okm = self.root.expand(&info, &AES_256_GCM).expect("a key's length is within bounds");
        LessSafeKey::new(UnboundKey::from(okm))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let digits: Vec<u8> = text.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    let even = pairs.remainder().is_empty();
    even.then(|| pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// The keys of an archive. Without a current one new texts are stored plain.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// Seals, and opens.
    pub current: Option<Key>,
    /// Only open.
    pub previous: Vec<Key>,
}

/// Which text of a session something is. Sealed for one place, it does not open at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The session's name.
    Name(&'a SessionId),
    /// What is said at a place.
    Text(&'a SessionId, Seq),
    /// What goes with it.
    Metadata(&'a SessionId, Seq),
}

impl Place<'_> {
    fn session(&self) -> &SessionId {
        match self {
            Self::Name(session) | Self::Text(session, _) | Self::Metadata(session, _) => session,
        }
    }

    /// What the seal is bound to: column, place, session, each where no other can be meant.
    fn bound(&self) -> Vec<u8> {
        let (column, seq) = match self {
            Self::Name(_) => (b'n', Seq(0)),
            Self::Text(_, seq) => (b't', *seq),
            Self::Metadata(_, seq) => (b'm', *seq),
        };
        let mut bound = vec![column];
        bound.extend(seq.0.to_be_bytes());
        bound.extend(self.session().as_str().as_bytes());
        bound
    }
}

/// Why a text was not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Sealed by a key that is neither the current nor a previous one.
    #[error("sealed under the key {0}, which is not configured")]
    UnknownKey(KeyId),
    /// Not what was sealed, or not for this place.
    #[error("a sealed text was changed, or moved from its place")]
    Forged,
    /// The system has no random numbers to give.
    #[error("no randomness to seal with")]
    NoRandomness,
}

impl Keys {
    /// Every key that opens.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Key> {
        self.current.iter().chain(&self.previous)
    }

    /// Makes a text ready to be stored at a place.
    pub(crate) fn seal(&self, place: Place<'_>, text: &str) -> Result<String, SealError> {
        let Some(key) = &self.current else { return Ok(plain(text)) };
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let mut sealed = text.as_bytes().to_vec();
        key.of_session(place.session())
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.bound()),
                &mut sealed,
            )
            .map_err(|_| SealError::Forged)?;
        let envelope = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{MARK}{SEALED}{}{}", key.id, BASE64.encode(envelope)))
    }

    /// The way back from [`Keys::seal`], for texts of whatever key and none.
    pub(crate) fn open(&self, place: Place<'_>, stored: String) -> Result<String, SealError> {
        let Some(marked) = stored.strip_prefix(MARK) else { return Ok(stored) };
        if let Some(text) = marked.strip_prefix(PLAIN) {
            return Ok(text.to_owned());
        }
        let (id, envelope) = envelope(&stored).ok_or(SealError::Forged)?;
        let key = self.all().find(|key| key.id == id).ok_or(SealError::UnknownKey(id))?;
        let envelope = BASE64.decode(envelope).map_err(|_| SealError::Forged)?;
        let (nonce, sealed) = envelope.split_first_chunk().ok_or(SealError::Forged)?;
        let mut sealed = sealed.to_vec();
        let opened = key
            .of_session(place.session())
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(place.bound()),
                &mut sealed,
            )
            .map_err(|_| SealError::Forged)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SealError::Forged)
    }

    /// Makes metadata ready to be stored: names are sealed with the values, as one text.
    pub(crate) fn seal_metadata(
        &self,
        place: Place<'_>,
        metadata: Metadata,
    ) -> Result<Metadata, SealError> {
        let as_it_is = self.current.is_none() && !metadata.contains_key(WHOLE);
        match metadata_text(&metadata).filter(|_| !as_it_is) {
            None => Ok(metadata),
            Some(text) => Ok([(WHOLE.to_owned(), self.seal(place, &text)?)].into()),
        }
    }

    /// The way back from [`Keys::seal_metadata`].
    pub(crate) fn open_metadata(
        &self,
        place: Place<'_>,
        mut stored: Metadata,
    ) -> Result<Metadata, SealError> {
        let Some(whole) = stored.remove(WHOLE) else { return Ok(stored) };
        metadata_from(&self.open(place, whole)?).map_err(|_| SealError::Forged)
    }

    /// A digest as it is stored. Of a short text it tells the text to whoever tries them all, so it is
    /// worth nothing without the key.
    pub(crate) fn hide(&self, digest: &Digest) -> Digest {
        self.current.as_ref().map_or(*digest, |key| key.hidden(digest))
    }

    /// Whether a stored digest is this one, under whatever key.
    pub(crate) fn hides(&self, stored: &Digest, digest: &Digest) -> bool {
        stored == digest || self.all().any(|key| key.hidden(digest) == *stored)
    }

    /// What a stored text becomes under today's keys; none when that is what it is.
    pub(crate) fn reseal(
        &self,
        place: Place<'_>,
        stored: &str,
    ) -> Result<Option<String>, SealError> {
        if self.is_today(stored) {
            return Ok(None);
        }
        let text = self.open(place, stored.to_owned())?;
        self.seal(place, &text).map(Some)
    }

    /// As [`Keys::reseal`], of metadata.
    pub(crate) fn reseal_metadata(
        &self,
        place: Place<'_>,
        stored: &Metadata,
    ) -> Result<Option<Metadata>, SealError> {
        let today = match stored.get(WHOLE) {
            Some(whole) => self.is_today(whole),
            None => stored.is_empty() || self.current.is_none(),
        };
        if today {
            return Ok(None);
        }
        let metadata = self.open_metadata(place, stored.clone())?;
        self.seal_metadata(place, metadata).map(Some)
    }

    /// Whether a stored text is as the keys would seal it now.
    fn is_today(&self, stored: &str) -> bool {
        let key = envelope(stored).map(|(id, _)| id);
        key.as_ref() == self.current.as_ref().map(Key::id)
    }
}

/// Whether a text as it is stored is sealed.
pub(crate) fn is_sealed(stored: &str) -> bool {
    envelope(stored).is_some()
}

/// A text that is not sealed, as it is stored.
fn plain(text: &str) -> String {
    if text.starts_with(MARK) { format!("{MARK}{PLAIN}{text}") } else { text.to_owned() }
}

/// The key's id and the sealed bytes of a stored text that is sealed.
fn envelope(stored: &str) -> Option<(KeyId, &str)> {
    let rest = stored.strip_prefix(MARK)?.strip_prefix(SEALED)?;
    let (id, envelope) = rest.split_at_checked(KeyId::LENGTH)?;
    Some((KeyId::parse(id)?, envelope))
}

#[cfg(test)]
mod tests;

//! How the predecessor encrypted what was said: AES-256-GCM under the configured key itself, a random
//! nonce in front, base64. Nothing tells such a text from a plain one but its looks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use crate::seal::Keys;

/// Bytes of an encrypted text beside the text.
const OVERHEAD: usize = NONCE_LEN + 16;

/// Opens contents.
#[derive(Debug)]
pub struct Cipher {
    /// None where nothing was ever encrypted.
    keys: Option<Vec<LessSafeKey>>,
}

/// Encrypted, but not under any of the keys; or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Locked;

impl Cipher {
    /// Tries these keys, the current one first.
    pub fn of(keys: &Keys) -> Self {
        Self { keys: Some(keys.all().map(|key| key.itself().clone()).collect()) }
    }

    /// Takes every text as it is.
    pub fn none() -> Self {
        Self { keys: None }
    }

    /// What was said. Invalid UTF-8 in it is replaced; the flag says so.
    pub(super) fn open(&self, stored: String) -> Result<(String, bool), Locked> {
        let Some(keys) = &self.keys else { return Ok((stored, false)) };
        let Some(envelope) = envelope(&stored) else { return Ok((stored, false)) };
        let opened = keys.iter().find_map(|key| {
            let (nonce, sealed) = envelope.split_first_chunk()?;
            let mut sealed = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let opened = key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
            Some(match String::from_utf8_lossy(opened) {
                std::borrow::Cow::Borrowed(text) => (text.to_owned(), false),
                std::borrow::Cow::Owned(text) => (text, true),
            })
        });
        match opened {
            Some(opened) => Ok(opened),
            None if looks_random(&stored) => Err(Locked),
            None => Ok((stored, false)),
        }
    }
}

/// The bytes of a text that may be encrypted.
fn envelope(stored: &str) -> Option<Vec<u8>> {
    BASE64.decode(stored).ok().filter(|bytes| bytes.len() >= OVERHEAD)
}

/// Whether a text in base64 is so mixed that it is no word and no hexadecimal number. Of encrypted
/// texts one in a billion is not.
fn looks_random(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Key;

    const RAW: &str = "0123456789abcdef0123456789ABCDEF";

    fn keys(texts: &[&str]) -> Keys {
        let mut keys = texts.iter().map(|text| Key::parse(text).expect("a key").0);
        Keys { current: keys.next(), previous: keys.collect() }
    }

    /// As the predecessor did it.
    fn encrypted(text: &[u8]) -> String {
        let (key, _) = Key::parse(RAW).expect("a key");
        let nonce = [7; NONCE_LEN];
        let mut sealed = text.to_vec();
        let sealing = Nonce::assume_unique_for_key(nonce);
        key.itself().seal_in_place_append_tag(sealing, Aad::empty(), &mut sealed).expect("sealed");
        BASE64.encode([&nonce[..], &sealed].concat())
    }

    #[test]
    fn a_text_of_another_library_opens() {
        // Made with the package cryptography of Python: AESGCM(key).encrypt(nonce, text, None).
        let stored = "AAECAwQFBgcICQoLWJ29hbahDbJp14kaOOxSiLUW2H+8Sa/bb+I/BA==";
        let opened = Cipher::of(&keys(&[RAW])).open(stored.to_owned());

        assert_eq!(opened, Ok(("Hallo, Zebra".to_owned(), false)));
    }

    #[test]
    fn whichever_key_it_was_opens_it() {
        let other = "another key of 32 characters ...";
        for texts in [&[RAW][..], &[other, RAW]] {
            let cipher = Cipher::of(&keys(texts));
            assert_eq!(cipher.open(encrypted(b"")), Ok((String::new(), false)));
            assert_eq!(cipher.open(encrypted(b"\xffa")), Ok(("\u{fffd}a".to_owned(), true)));
        }
    }

    #[test]
    fn an_encrypted_text_is_never_taken_for_a_plain_one() {
        for cipher in
            [Cipher::of(&keys(&[])), Cipher::of(&keys(&["another key of 32 characters ..."]))]
        {
            assert_eq!(cipher.open(encrypted(b"secret words")), Err(Locked));
        }
        let stored = encrypted(b"secret words");
        assert_eq!(Cipher::none().open(stored.clone()), Ok((stored, false)), "told so");
    }

    #[test]
    fn what_was_stored_before_there_was_a_key_is_itself() {
        let cipher = Cipher::of(&keys(&[RAW]));
        for plain in [
            "",
            "How do zebras sleep?",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(cipher.open(plain.to_owned()), Ok((plain.to_owned(), false)));
        }
    }
}

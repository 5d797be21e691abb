//! Vectors for texts: one request, one response, nothing to remember in between.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

use crate::{Context, Embedded, EmbeddingRequest, Error, Passage, Provider, Request, Usage};

/// A vendor that embeds texts beside answering chats.
pub trait Embed: Provider {
    /// The request that asks for the vectors of these passages, at most 32 of them.
    fn ask(cx: &Context<Self::Settings>, request: &EmbeddingRequest) -> Result<Request, Error>;

    /// What a 2xx response says: a vector for each passage, in their order. Other responses go to [`Provider::failure`].
    fn read(cx: &Context<Self::Settings>, body: &str) -> Result<Embedded, Error>;
}

impl Embedded {
    /// These vectors, and the tokens of the passages where the vendor counted them; vectors have no tokens of their own.
    pub fn of(vectors: Vec<Vector>, input_tokens: Option<u64>) -> Self {
        let vectors = vectors.into_iter().map(|vector| vector.0).collect();
        Self { vectors, usage: Usage::tokens(input_tokens, input_tokens.map(|_| 0)) }
    }
}

/// As vendors take it: a text, or a list of tokens.
impl Serialize for Passage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Tokens(tokens) => tokens.serialize(serializer),
        }
    }
}

/// A vector as vendors write it: a list of numbers, or the base64 of 32-bit floats, lowest byte first.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector(pub Vec<f32>);

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Numbers).map(Self)
    }
}

struct Numbers;

impl<'de> Visitor<'de> for Numbers {
    type Value = Vec<f32>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of numbers or base64")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<f32>, A::Error> {
        let mut numbers = Vec::new();
        while let Some(number) = seq.next_element()? {
            numbers.push(number);
        }
        Ok(numbers)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<f32>, E> {
        let bytes = unbase64(text).ok_or_else(|| E::custom("no base64"))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom("bytes left over"));
        }
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

/// The bytes that a text of base64 stands for, padded or not; none if it is something else.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for symbol in group {
            bits = bits << 6 | sextet(*symbol)?;
        }
        let [_, one, two, three] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        let whole = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        bytes.extend_from_slice([one, two, three].get(..whole)?);
    }
    Some(bytes)
}

fn sextet(symbol: u8) -> Option<u32> {
    Some(u32::from(match symbol {
        b'A'..=b'Z' => symbol - b'A',
        b'a'..=b'z' => symbol - b'a' + 26,
        b'0'..=b'9' => symbol - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(json: &str) -> Option<Vec<f32>> {
        serde_json::from_str::<Vector>(json).ok().map(|vector| vector.0)
    }

    #[test]
    fn a_vector_is_read_from_numbers_and_from_base64() {
        assert_eq!(vector("[1, -0.5, 2e-3]"), Some(vec![1.0, -0.5, 0.002]));
        assert_eq!(vector("\"AACAPwAAAL8=\""), Some(vec![1.0, -0.5]));
        assert_eq!(vector("\"AACAPwAAAL8\""), Some(vec![1.0, -0.5]), "unpadded");
        assert_eq!(vector("[]"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        for json in ["null", "{}", "[1, \"x\"]", "\"AAC\"", "\"AACAP\"", "\"A*CAPw==\"", "\"é\""] {
            assert_eq!(vector(json), None, "{json}");
        }
    }
}

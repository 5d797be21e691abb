//! `POST /embeddings`: what is asked, and how vectors go out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sluice_chat::bill::Bill;
use sluice_chat::embedding::{EmbeddingRequest, Passage};

use super::bad_request::{BadRequest, Fault};
use super::intake::Intake;
use super::object::Object;

/// Most passages of one call, as OpenAI has it.
const MAX_PASSAGES: usize = 2_048;
const EXPECTED: &str = "a text, a list of texts, a list of tokens, or a list of such lists";

/// How the client wants its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As lists of numbers.
    #[default]
    Float,
    /// As base64 of 32-bit floats, lowest byte first.
    Base64,
}

/// A call, ready to be asked but for the model's name upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingCall {
    /// The model as clients know it.
    pub model: String,
    /// What is asked. Its own `model` is empty.
    pub request: EmbeddingRequest,
    /// How the vectors are to be written.
    pub encoding: Encoding,
}

impl EmbeddingCall {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        let not_json = BadRequest::body(Fault::Expected("a JSON object"));
        let text = std::str::from_utf8(body).map_err(|_| not_json)?;
        let mut object = Object::parse(text, "", &mut Intake::default())?;
        let model: String = object.required("model", "text")?;
        let passages = passages(&mut object)?;
        let encoding = encoding(&mut object)?;
        let dimensions: Option<u32> = object.optional("dimensions", "a whole number above 0")?;
        if dimensions == Some(0) {
            return Err(object.fault("dimensions", Fault::Expected("a whole number above 0")));
        }
        let user = object.optional("user", "text")?;
        let extras = object.extras();
        let request = EmbeddingRequest { model: String::new(), passages, dimensions, user, extras };
        Ok(Self { model, request, encoding })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    Lists(Vec<Vec<u32>>),
}

fn passages(body: &mut Object<'_>) -> Result<Vec<Passage>, BadRequest> {
    let passages: Vec<Passage> = match body.required("input", EXPECTED)? {
        Input::Text(text) => vec![Passage::Text(text)],
        Input::Texts(texts) => texts.into_iter().map(Passage::Text).collect(),
        Input::Tokens(tokens) => vec![Passage::Tokens(tokens)],
        Input::Lists(lists) => lists.into_iter().map(Passage::Tokens).collect(),
    };
    let is_empty = |passage: &Passage| match passage {
        Passage::Text(text) => text.is_empty(),
        Passage::Tokens(tokens) => tokens.is_empty(),
    };
    if passages.is_empty() || passages.iter().any(is_empty) {
        return Err(body.fault("input", Fault::Expected("something to embed")));
    }
    if passages.len() > MAX_PASSAGES {
        return Err(body.fault("input", Fault::Expected("at most 2048 passages")));
    }
    Ok(passages)
}

fn encoding(body: &mut Object<'_>) -> Result<Encoding, BadRequest> {
    const NAME: &str = "encoding_format";
    let told: Option<String> = body.optional(NAME, "text")?;
    match told.as_deref() {
        None | Some("float") => Ok(Encoding::Float),
        Some("base64") => Ok(Encoding::Base64),
        Some(_) => Err(body.fault(NAME, Fault::Expected("float or base64"))),
    }
}

/// Vectors on their way to a client.
#[derive(Debug, Serialize)]
pub struct EmbeddingList {
    object: &'static str,
    data: Vec<Entry>,
    model: String,
    usage: Usage,
}

#[derive(Debug, Serialize)]
struct Entry {
    object: &'static str,
    index: usize,
    embedding: Written,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Written {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
    /// Ours: nobody told the numbers, they are guessed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
    /// Ours: what it comes to at the model's price.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_micros: Option<u64>,
}

impl EmbeddingList {
    /// These vectors of a model, as the client wants them.
    pub fn new(model: String, vectors: Vec<Vec<f32>>, encoding: Encoding, bill: Bill) -> Self {
        let written = |vector: Vec<f32>| match encoding {
            Encoding::Float => Written::Float(vector),
            Encoding::Base64 => {
                let bytes: Vec<u8> =
                    vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                Written::Base64(STANDARD.encode(bytes))
            }
        };
        let entry =
            |(index, vector)| Entry { object: "embedding", index, embedding: written(vector) };
        let tokens = bill.tokens();
        Self {
            object: "list",
            data: vectors.into_iter().enumerate().map(entry).collect(),
            model,
            usage: Usage {
                prompt_tokens: tokens.input,
                total_tokens: tokens.total(),
                estimated: tokens.estimated,
                cost_micros: bill.cost_micros,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sluice_chat::answer::Tokens;

    use super::*;

    fn call(body: &Value) -> Result<EmbeddingCall, BadRequest> {
        EmbeddingCall::parse(body.to_string().as_bytes())
    }

    fn text(text: &str) -> Passage {
        Passage::Text(text.to_owned())
    }

    #[test]
    fn input_is_a_text_or_tokens_or_a_list_of_either() {
        for (input, passages) in [
            (json!("a"), vec![text("a")]),
            (json!(["a", "b"]), vec![text("a"), text("b")]),
            (json!([1, 2]), vec![Passage::Tokens(vec![1, 2])]),
            (json!([[1], [2, 3]]), vec![Passage::Tokens(vec![1]), Passage::Tokens(vec![2, 3])]),
        ] {
            let read = call(&json!({ "model": "m", "input": input })).unwrap();
            assert_eq!(read.request.passages, passages, "{input}");
        }
    }

    #[test]
    fn what_cannot_be_embedded_is_named() {
        let many = vec!["a"; MAX_PASSAGES + 1];
        for (body, param) in [
            (json!({ "input": "a" }), "model"),
            (json!({ "model": "m" }), "input"),
            (json!({ "model": "m", "input": [] }), "input"),
            (json!({ "model": "m", "input": "" }), "input"),
            (json!({ "model": "m", "input": ["a", 1] }), "input"),
            (json!({ "model": "m", "input": [[-1]] }), "input"),
            (json!({ "model": "m", "input": many }), "input"),
            (json!({ "model": "m", "input": "a", "encoding_format": "int8" }), "encoding_format"),
            (json!({ "model": "m", "input": "a", "dimensions": 0 }), "dimensions"),
        ] {
            let bad = call(&body).unwrap_err();
            assert_eq!(bad.param.as_deref(), Some(param), "{bad}");
        }
    }

    #[test]
    fn what_is_unknown_goes_along() {
        let body =
            json!({ "model": "m", "input": "a", "dimensions": 8, "user": "u", "task": "query" });

        let request = call(&body).unwrap().request;

        assert_eq!((request.dimensions, request.user.as_deref()), (Some(8), Some("u")));
        assert_eq!(request.extras[0].key, "task");
    }

    #[test]
    fn vectors_go_out_as_the_client_wants_them() {
        let tokens = Tokens { input: 3, output: 0, estimated: false };
        let list = |encoding| {
            let list =
                EmbeddingList::new("m".to_owned(), vec![vec![1.0, -0.5]], encoding, tokens.into());
            serde_json::to_value(list).unwrap()
        };

        let expected = json!({
            "object": "list",
            "data": [{ "object": "embedding", "index": 0, "embedding": [1.0, -0.5] }],
            "model": "m",
            "usage": { "prompt_tokens": 3, "total_tokens": 3 },
        });
        assert_eq!(list(Encoding::Float), expected);
        assert_eq!(list(Encoding::Base64)["data"][0]["embedding"], "AACAPwAAAL8=");
    }
}

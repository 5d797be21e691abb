//! Vectors: what is asked, and how they are read.

use serde::Deserialize;
use sluice_sdk::{
    Context, Embed, Embedded, EmbeddingRequest, Error, JsonBody, Request, TokenCount, Vector,
    read_json,
};

use crate::{OpenAi, Settings};

#[derive(Deserialize)]
struct Told {
    data: Vec<Entry>,
    #[serde(default)]
    usage: TokenCount,
}

#[derive(Deserialize)]
struct Entry {
    /// Some leave it out, and mean the order.
    index: Option<u32>,
    embedding: Vector,
}

impl Embed for OpenAi {
    fn ask(cx: &Context<Settings>, request: &EmbeddingRequest) -> Result<Request, Error> {
        let settings = &cx.settings;
        let body = JsonBody::object(|o| {
            o.field("model", &request.model);
            o.field("input", &request.passages);
            // A quarter of the bytes. Vendors that do not know it send numbers, which are read as well.
            o.field("encoding_format", "base64");
            o.optional("dimensions", request.dimensions);
            o.optional("user", request.user.as_deref().filter(|_| settings.send_user));
            o.extras(&request.extras);
        })?;
        Ok(settings.send(Request::post("/embeddings")).body(body))
    }

    fn read(_: &Context<Settings>, body: &str) -> Result<Embedded, Error> {
        let mut told: Told = read_json(body)?;
        told.data.sort_by_key(|entry| entry.index);
        let vectors = told.data.into_iter().map(|entry| entry.embedding).collect();
        Ok(Embedded::of(vectors, told.usage.prompt_tokens))
    }
}

//! Vectors: what is asked, and how they are read.

use serde::Deserialize;
use sluice_sdk::{
    Context, Embed, Embedded, EmbeddingRequest, Error, JsonBody, Passage, Request, Vector,
    read_json,
};

use crate::{Ollama, Settings};

#[derive(Deserialize)]
struct Told {
    embeddings: Vec<Vector>,
    prompt_eval_count: Option<u64>,
}

impl Embed for Ollama {
    fn ask(cx: &Context<Settings>, request: &EmbeddingRequest) -> Result<Request, Error> {
        if request.passages.iter().any(|passage| matches!(passage, Passage::Tokens(_))) {
            return Err(Error::unsupported("texts are embedded, tokens are not"));
        }
        let Settings { options, keep_alive } = &cx.settings;
        let body = JsonBody::object(|o| {
            o.field("model", &request.model);
            o.field("input", &request.passages);
            o.optional("dimensions", request.dimensions);
            o.optional("keep_alive", keep_alive.as_deref());
            o.optional("options", Some(options).filter(|options| !options.is_empty()));
            o.extras(&request.extras);
        })?;
        Ok(Request::post("/api/embed").body(body))
    }

    fn read(_: &Context<Settings>, body: &str) -> Result<Embedded, Error> {
        let told: Told = read_json(body)?;
        Ok(Embedded::of(told.embeddings, told.prompt_eval_count))
    }
}

//! Which models an upstream has: one request, one response.

use serde::Deserialize;

use crate::{Context, Error, Provider, Request, read_json};

/// A vendor that tells which models it has, for operators who want to know what to write as `upstream`.
pub trait Models: Provider {
    /// The request that asks for them.
    fn ask(cx: &Context<Self::Settings>) -> Result<Request, Error>;

    /// What a 2xx response says: each name that a chat may ask for. By itself that is the list most vendors write, of objects with an
    /// `id` under `data`. Other responses go to [`Provider::failure`].
    fn read(_cx: &Context<Self::Settings>, body: &str) -> Result<Vec<String>, Error> {
        let List { data } = read_json(body)?;
        Ok(data.into_iter().map(|entry| entry.id).collect())
    }
}

#[derive(Deserialize)]
struct List {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

//! Which models a server holds.

use serde::Deserialize;
use sluice_sdk::{Context, Error, Models, Request, read_json};

use crate::{Ollama, Settings};

#[derive(Deserialize)]
struct Told {
    models: Vec<Held>,
}

#[derive(Deserialize)]
struct Held {
    name: String,
}

impl Models for Ollama {
    fn ask(_: &Context<Settings>) -> Result<Request, Error> {
        Ok(Request::get("/api/tags"))
    }

    /// A model is known by its name alone, too, where its tag is the usual one.
    fn read(_: &Context<Settings>, body: &str) -> Result<Vec<String>, Error> {
        let Told { models } = read_json(body)?;
        let names = models.into_iter().flat_map(|Held { name }| {
            let short = name.strip_suffix(":latest").map(str::to_owned);
            short.into_iter().chain([name])
        });
        Ok(names.collect())
    }
}

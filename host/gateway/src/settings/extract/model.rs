//! `[[models]]`: what clients may pick, and whether all it refers to is there.

use std::collections::BTreeMap;

use sluice_chat::bill::Price;
use sluice_chat::id::ModelId;

use super::fields::{self, Fields, type_wrong};
use super::plugin::Plugins;
use crate::settings::keys::field::{ALSO_FIELDS, MODEL_FIELDS};
use crate::settings::problem::{Findings, Origin, Problem, quoted};
use crate::settings::sources::Sources;
use crate::settings::value::raw::Raw;
use crate::settings::{Model, Reached};

/// Longest name of a model, ours or the provider's, in bytes.
pub(super) const NAME_BYTES: usize = 200;
/// Longest system prompt in bytes.
const PROMPT_BYTES: usize = 64 * 1024;
/// Most upstreams beside the first.
const MOST_ALSO: usize = 15;
/// The heaviest weight.
const HEAVIEST: u64 = 1_000;
/// Most tokens one answer may be allowed.
const MOST_TOKENS: u64 = 10_000_000;

/// What may have a price.
const PRICES: [&str; 5] = ["input", "cached_input", "cache_write", "output", "reasoning"];
/// The highest price of a million tokens, in millionths: a million of the currency.
const DEAREST: u64 = 1_000_000_000_000;

/// A model with the places its parts were written, for the checks that need all models.
pub(super) struct Written {
    /// The model.
    pub(super) model: Model,
    /// Its id's full name and origin.
    pub(super) id: (String, Origin),
    /// Full name and origin of its plugin, and of those of its other upstreams.
    pub(super) plugins: Vec<(String, Origin)>,
    /// Its fallback's full name and origin.
    pub(super) fallback: (String, Origin),
}

/// Reads all of `[[models]]` in the order written.
pub(super) fn read(sources: &Sources, findings: &mut Findings) -> Vec<Written> {
    let Some(found) = sources.find(&["models"]) else { return Vec::new() };
    if !found.raw.is_list() {
        let problem = Problem::new("models", found.origin, "is not a list of tables");
        findings.problem(problem.accepted("a table [[models]] for each model"));
        return Vec::new();
    }
    let mut models = Vec::new();
    for index in sources.names(&["models"]) {
        let label = format!("models[{index}]");
        let path = vec!["models", index.as_str()];
        if let Some(fields) = Fields::open(sources, path, label, MODEL_FIELDS, findings) {
            let also = also(sources, &index, findings);
            models.extend(one(&fields, also, findings));
        }
    }
    models
}

/// An upstream beside the first. What is not written is as the model has it.
struct Also {
    plugin: String,
    place: (String, Origin),
    upstream: Option<String>,
    weight: Option<u32>,
    price: Option<Price>,
}

/// Reads the further upstreams of one model.
fn also(sources: &Sources, index: &str, findings: &mut Findings) -> Vec<Also> {
    let list = ["models", index, "also"];
    let label = format!("models[{index}].also");
    let Some(found) = sources.find(&list) else { return Vec::new() };
    let numbers = sources.names(&list);
    if !found.raw.is_list() || numbers.len() > MOST_ALSO {
        let problem = Problem::new(&label, found.origin, "is no list of so many tables");
        findings.problem(problem.accepted(format!("at most {MOST_ALSO} tables")));
        return Vec::new();
    }
    let mut also = Vec::new();
    for number in &numbers {
        let path = list.into_iter().chain([number.as_str()]).collect();
        let label = format!("{label}[{number}]");
        let Some(fields) = Fields::open(sources, path, label, ALSO_FIELDS, findings) else {
            continue;
        };
        let plugin = fields.required("plugin", findings, fields::text(NAME_BYTES));
        let upstream = fields.get("upstream", findings, fields::text(NAME_BYTES));
        let weight = fields.get("weight", findings, weight);
        let price = price(&fields, findings);
        let place = (fields.full("plugin"), fields.origin_of("plugin"));
        also.extend(plugin.map(|plugin| Also { plugin, place, upstream, weight, price }));
    }
    also
}

/// Reads one model. `None` when it has no id or no plugin.
fn one(fields: &Fields<'_>, also: Vec<Also>, findings: &mut Findings) -> Option<Written> {
    let id = fields.required("id", findings, model_id);
    let plugin = fields.required("plugin", findings, fields::text(NAME_BYTES));
    let name = fields.get("name", findings, fields::text(NAME_BYTES));
    let upstream = fields.get("upstream", findings, fields::text(NAME_BYTES));
    let system_prompt = fields.get("system_prompt", findings, fields::text(PROMPT_BYTES));
    let price = price(fields, findings);
    let max_output_tokens = fields.get("max_output_tokens", findings, tokens);
    let fallback = fields.get("fallback", findings, |raw| {
        let words = raw.words().map_err(type_wrong)?;
        let ids = words.into_iter().map(|word| ModelId::parse(word).ok_or_else(|| bad_id(word)));
        ids.collect::<Result<Vec<_>, _>>()
    });
    let roles = fields.get("roles", findings, fields::words);
    let own_weight = fields.get("weight", findings, weight);
    if own_weight.is_some() && also.is_empty() {
        let (name, origin) = (fields.full("weight"), fields.origin_of("weight"));
        findings.warning(&name, origin, "has no effect without also");
    }
    let (id, plugin) = (id?, plugin?);
    let place = |name: &str| (fields.full(name), fields.origin_of(name));
    let upstream = upstream.unwrap_or_else(|| id.as_str().into());
    let places = also.iter().map(|also| also.place.clone());
    let plugins = std::iter::once(place("plugin")).chain(places).collect();
    let also = also.into_iter().map(|also| Reached {
        plugin: also.plugin,
        upstream: also.upstream.unwrap_or_else(|| upstream.clone()),
        weight: also.weight.unwrap_or(1),
        price: also.price.or(price),
    });
    Some(Written {
        id: place("id"),
        plugins,
        fallback: place("fallback"),
        model: Model {
            name: name.unwrap_or_else(|| id.as_str().into()),
            also: also.collect(),
            reached: Reached { plugin, upstream, weight: own_weight.unwrap_or(1), price },
            fallback: fallback.unwrap_or_default(),
            roles: roles.unwrap_or_default(),
            id,
            system_prompt,
            max_output_tokens,
        },
    })
}

/// What somebody wrote of its price. Cached, written and thought tokens cost what the others do unless they have a price of their own.
fn price(fields: &Fields<'_>, findings: &mut Findings) -> Option<Price> {
    if !fields.is_set("price") {
        return None;
    }
    for name in fields.names("price", findings) {
        if !PRICES.contains(&name.as_str()) {
            let problem = fields.wrong(&format!("price.{name}"), "is no sort of token".into());
            findings.problem(problem.accepted(PRICES.join(", ")));
        }
    }
    let [input, cached_input, cache_write, output, reasoning] = PRICES.map(|kind| {
        let name = format!("price.{kind}");
        if ["input", "output"].contains(&kind) {
            fields.required(&name, findings, micros)
        } else {
            fields.get(&name, findings, micros)
        }
    });
    let (input, output) = (input?, output?);
    Some(Price {
        input,
        cached_input: cached_input.unwrap_or(input),
        cache_write: cache_write.unwrap_or(input),
        output,
        reasoning: reasoning.unwrap_or(output),
    })
}

fn micros(raw: Raw<'_>) -> Result<u64, String> {
    let number = raw.number().map_err(type_wrong)?;
    if number <= DEAREST { Ok(number) } else { Err(format!("{number} is out of range")) }
}

fn model_id(raw: Raw<'_>) -> Result<ModelId, String> {
    let text = raw.text().map_err(type_wrong)?;
    ModelId::parse(text).ok_or_else(|| bad_id(text))
}

fn bad_id(text: &str) -> String {
    format!("{} is no id", quoted(text))
}

fn weight(raw: Raw<'_>) -> Result<u32, String> {
    let number = raw.number().map_err(type_wrong)?;
    let fits = number <= HEAVIEST;
    u32::try_from(number).ok().filter(|_| fits).ok_or_else(|| format!("{number} is out of range"))
}

fn tokens(raw: Raw<'_>) -> Result<u32, String> {
    let number = raw.number().map_err(type_wrong)?;
    let fits = (1..=MOST_TOKENS).contains(&number);
    u32::try_from(number).ok().filter(|_| fits).ok_or_else(|| format!("{number} is out of range"))
}

/// Holds models to what they refer to: each other, and the plugins.
pub(super) fn check(models: &[Written], plugins: &Plugins, findings: &mut Findings) {
    let mut first: BTreeMap<&ModelId, &Origin> = BTreeMap::new();
    for written in models {
        let (key, origin) = &written.id;
        if let Some(other) = first.get(&written.model.id) {
            let wrong =
                format!("{} is already a model ({other})", quoted(written.model.id.as_str()));
            findings.problem(Problem::new(key, origin.clone(), wrong));
        } else {
            first.insert(&written.model.id, origin);
        }
    }
    for Written { model, plugins: places, fallback, .. } in models {
        for (plugin, (key, origin)) in model.plugins().zip(places) {
            let state = match plugins.named.get(plugin) {
                Some(true) => continue,
                Some(false) => "is switched off",
                None => "is no plugin",
            };
            let on = plugins.named.iter().filter(|(_, on)| **on);
            let on: Vec<_> = on.map(|(id, _)| id.as_str()).collect();
            let wrong = format!("{} {state}", quoted(plugin));
            let problem = Problem::new(key, origin.clone(), wrong);
            findings.problem(problem.accepted(one_of(&on, "a [plugins.ID] table")));
        }
        for id in &model.fallback {
            if *id == model.id || !first.contains_key(id) {
                let (key, origin) = fallback;
                let wrong = format!("{} is no other model", quoted(id.as_str()));
                let others = first.keys().filter(|other| ***other != model.id);
                let others: Vec<_> = others.map(|id| id.as_str()).collect();
                let problem = Problem::new(key, origin.clone(), wrong);
                findings.problem(problem.accepted(one_of(&others, "another model")));
            }
        }
    }
}

/// Names what could have been written, or what would have to be there first.
pub(super) fn one_of(names: &[&str], otherwise: &str) -> String {
    if names.is_empty() { otherwise.into() } else { names.join(", ") }
}

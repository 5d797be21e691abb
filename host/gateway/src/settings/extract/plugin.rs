//! `[plugins.ID]`: which components are loaded and what they are given.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{Fields, type_wrong};
use crate::settings::guest_limit::{self, GuestLimits};
use crate::settings::keys::field::{NAME_ACCEPTED, PLUGIN_FIELDS, is_name};
use crate::settings::preset;
use crate::settings::problem::{Findings, Problem, quoted};
use crate::settings::secret::Secret;
use crate::settings::secret::strength::is_placeholder;
use crate::settings::secret::vault::Vault;
use crate::settings::sources::Sources;
use crate::settings::value::endpoint;
use crate::settings::value::raw::Raw;
use crate::settings::{Grants, OnFailure, Plugin, Source};

/// The endpoint that bundled providers ask.
const ENDPOINT: &str = "api";
/// The secret there may be several of: one is used when the one before it is refused.
const MANY: &str = "api_key";
/// Most of them.
const MOST_KEYS: usize = 16;

/// The plugins that were read, and which ids were named at all.
#[derive(Default)]
pub(super) struct Plugins {
    /// Those nothing was wrong with, by id.
    pub(super) sound: Vec<Plugin>,
    /// Every id that was written, and whether it is switched on.
    pub(super) named: BTreeMap<String, bool>,
}

/// Reads all of `[plugins]`.
pub(super) fn read(sources: &Sources, vault: &Vault<'_>, findings: &mut Findings) -> Plugins {
    let mut plugins = Plugins::default();
    if let Some(found) = sources.find(&["plugins"])
        && !found.raw.is_table()
    {
        let problem = Problem::new("plugins", found.origin, "is not a table");
        findings.problem(problem.accepted("a table [plugins.ID] for each plugin"));
        return plugins;
    }
    for id in sources.names(&["plugins"]) {
        let label = format!("plugins.{id}");
        let path = vec!["plugins", id.as_str()];
        let Some(fields) = Fields::open(sources, path, label, PLUGIN_FIELDS, findings) else {
            continue;
        };
        if !is_name(&id) {
            let wrong = format!("{} is no name of a plugin", quoted(&id));
            let problem = Problem::new("plugins", fields.origin.clone(), wrong);
            findings.problem(problem.accepted(NAME_ACCEPTED));
        }
        let plugin = one(&id, &fields, vault, findings);
        plugins.named.insert(id, plugin.as_ref().is_none_or(|plugin| plugin.enabled));
        plugins.sound.extend(plugin);
    }
    plugins
}

/// Reads one plugin. `None` when it has no source to load.
fn one(
    id: &str,
    fields: &Fields<'_>,
    vault: &Vault<'_>,
    findings: &mut Findings,
) -> Option<Plugin> {
    let enabled = fields.get("enabled", findings, |raw| raw.flag().map_err(type_wrong));
    let enabled = enabled.unwrap_or(true);
    let source = fields.required("source", findings, source);
    let sha256 = fields.get("sha256", findings, digest);
    let settings = fields
        .get("settings", findings, |raw| raw.object().map_err(type_wrong))
        .unwrap_or_else(|| serde_json::json!({}));
    let endpoints = named(fields, "endpoints", findings, |_, raw| address(raw));
    // The variables and files of a plugin that is switched off need not exist.
    let secrets = if enabled {
        named(fields, "secrets", findings, |name, raw| secrets(name, raw, vault))
    } else {
        BTreeMap::new()
    };
    let grants = fields.get("grants", findings, grants).unwrap_or_default();
    let on_failure = fields.get("on_failure", findings, on_failure).unwrap_or_default();
    let limits = fields.get("limits", findings, limits).unwrap_or_default();
    let plugin = Plugin {
        id: id.into(),
        source: source?,
        sha256,
        settings,
        endpoints,
        secrets,
        enabled,
        grants,
        limits,
        on_failure,
    };
    Some(with_preset(plugin))
}

/// Puts the settings of a preset under those of the plugin.
pub(super) fn with_preset(mut plugin: Plugin) -> Plugin {
    let Source::Bundled(name) = &plugin.source else { return plugin };
    let found = if name == preset::PLUGIN {
        plugin.endpoints.get(ENDPOINT).and_then(preset::at)
    } else {
        preset::named(name)
    };
    if let Some(preset) = found {
        plugin.source = Source::Bundled(preset::PLUGIN.into());
        plugin.settings = preset.under(plugin.settings);
        if let (None, Some(address)) = (plugin.endpoints.get(ENDPOINT), preset.address()) {
            plugin.endpoints.insert(ENDPOINT.into(), address);
        }
    }
    plugin
}

/// Reads a table whose names are free.
fn named<T>(
    fields: &Fields<'_>,
    table: &str,
    findings: &mut Findings,
    read: impl Fn(&str, Raw<'_>) -> Result<T, String>,
) -> BTreeMap<String, T> {
    let mut taken = BTreeMap::new();
    for name in fields.names(table, findings) {
        if !is_name(&name) {
            let wrong = format!("has the name {}", quoted(&name));
            findings.problem(fields.wrong(table, wrong).accepted(NAME_ACCEPTED));
        } else if let Some(value) =
            fields.required(&format!("{table}.{name}"), findings, |raw| read(&name, raw))
        {
            taken.insert(name, value);
        }
    }
    taken
}

fn source(raw: Raw<'_>) -> Result<Source, String> {
    let text = raw.text().map_err(type_wrong)?;
    let bundled = text.strip_prefix("bundled:").filter(|name| is_name(name));
    let file = text.strip_prefix("file:").filter(|path| !path.is_empty());
    bundled
        .map(|name| Source::Bundled(name.into()))
        .or_else(|| file.map(|path| Source::File(path.into())))
        .ok_or_else(|| format!("{} is no source", quoted(text)))
}

fn grants(raw: Raw<'_>) -> Result<Grants, String> {
    let mut grants = Grants::default();
    let object = raw.object().map_err(type_wrong)?;
    for (name, value) in object.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("private_network", serde_json::Value::Bool(granted)) => {
                grants.private_network = *granted;
            }
            ("private_network", _) => return Err("has no true or false for private_network".into()),
            ("response_headers", value) => grants.response_headers = response_headers(value)?,
            _ => return Err(format!("{} cannot be granted", quoted(name))),
        }
    }
    Ok(grants)
}

fn response_headers(value: &serde_json::Value) -> Result<BTreeSet<String>, String> {
    let names =
        value.as_array().and_then(|names| names.iter().map(serde_json::Value::as_str).collect());
    let names: Vec<&str> = names.ok_or("has no list of names for response_headers")?;
    match names.iter().find(|name| !Grants::may_hold_header(name)) {
        Some(hidden) => Err(format!("the header {} is seen by no plugin", quoted(hidden))),
        None => Ok(names.into_iter().map(str::to_owned).collect()),
    }
}

fn limits(raw: Raw<'_>) -> Result<GuestLimits, String> {
    guest_limit::read(&raw.object().map_err(type_wrong)?)
}

fn on_failure(raw: Raw<'_>) -> Result<OnFailure, String> {
    match raw.text().map_err(type_wrong)? {
        "closed" => Ok(OnFailure::Closed),
        "open" => Ok(OnFailure::Open),
        other => Err(format!("{} is unknown", quoted(other))),
    }
}

fn digest(raw: Raw<'_>) -> Result<[u8; 32], String> {
    let text = raw.text().map_err(type_wrong)?;
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| digit.try_into().ok()))
        .collect();
    let bytes = digits.map(|digits| {
        let (pairs, _) = digits.as_chunks::<2>();
        pairs.iter().map(|[high, low]| high << 4 | low).collect::<Vec<u8>>()
    });
    let exact = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
    exact.ok_or_else(|| format!("{} is no digest", quoted(text)))
}

/// Reads an endpoint, never quoting it: there may be a password in it.
pub(super) fn address(raw: Raw<'_>) -> Result<url::Url, String> {
    let text = raw.text().map_err(type_wrong)?;
    if is_placeholder(text) {
        return Err("is still a placeholder".into());
    }
    endpoint::parse(text).map_err(|error| error.to_string())
}

/// Follows a secret to its place, or each of a list of keys.
fn secrets(name: &str, raw: Raw<'_>, vault: &Vault<'_>) -> Result<Vec<Secret>, String> {
    if !raw.is_list() {
        return Ok(vec![secret(raw, vault)?]);
    }
    if name != MANY {
        return Err(format!("is a list, which only {MANY} may be"));
    }
    let written = raw.words().map_err(type_wrong)?;
    if !(1..=MOST_KEYS).contains(&written.len()) {
        return Err(format!("has {} entries and not 1 to {MOST_KEYS}", written.len()));
    }
    written.into_iter().map(|text| opened(text, vault)).collect()
}

/// Follows a secret to its place.
pub(super) fn secret(raw: Raw<'_>, vault: &Vault<'_>) -> Result<Secret, String> {
    opened(raw.text().map_err(type_wrong)?, vault)
}

fn opened(text: &str, vault: &Vault<'_>) -> Result<Secret, String> {
    let found = vault.open(text).map_err(|locked| locked.to_string())?;
    found.ok_or_else(|| "is empty".into())
}

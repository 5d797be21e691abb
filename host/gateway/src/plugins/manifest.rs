//! What a plugin asks for, beside what its operator gave: it has only what both say.

use std::collections::BTreeSet;
use std::error::Error;

use figment::providers::{Format, Toml};
use serde::Deserialize;
use sluice_sandbox::{Limits, ManifestError};

use crate::settings::guest_limit::{self, GuestLimit, GuestLimits};
use crate::settings::{Grants, Plugin};

/// What a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Names of hosts.
    pub(crate) endpoints: BTreeSet<String>,
    /// Names of secrets.
    pub(crate) secrets: BTreeSet<String>,
    /// Headers of responses beyond those that any plugin sees, in lower case.
    pub(crate) response_headers: BTreeSet<String>,
    /// What it gets along with.
    pub(crate) limits: GuestLimits,
    /// Whether its author wrote it, or it is what goes for plugins without one.
    pub(crate) written: bool,
}

/// Why a plugin's manifest is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnreadableManifest {
    /// The section in the component.
    #[error(transparent)]
    Section(#[from] ManifestError),
    /// No TOML, or with keys that nobody knows.
    #[error("the plugin's manifest cannot be understood")]
    Shape(#[source] Box<dyn Error + Send + Sync>),
    /// A bound that there is not.
    #[error("the plugin's manifest {0}")]
    Limit(String),
    /// A header that no plugin sees.
    #[error("the plugin's manifest asks for the header {0:?}, which no plugin sees")]
    Header(String),
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    endpoints: BTreeSet<String>,
    secrets: BTreeSet<String>,
    response_headers: BTreeSet<String>,
    limits: serde_json::Value,
}

/// One thing that a plugin asks for, and whether it has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// What it is: `endpoint api`, `limit step "40ms"`.
    pub(crate) what: String,
    /// How it stands.
    pub(crate) stands: Stands,
}

/// How it stands with something that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It has it.
    Given,
    /// It does without: a secret that its operator has not.
    Without,
    /// It is not loaded without this line.
    Missing(String),
}

impl Manifest {
    /// What that component asks for.
    pub(crate) fn of(component: &[u8]) -> Result<Self, UnreadableManifest> {
        let Some(text) = sluice_sandbox::manifest(component)? else {
            let one = |name: &str| BTreeSet::from([name.to_owned()]);
            return Ok(Self {
                endpoints: one("api"),
                secrets: one("api_key"),
                response_headers: BTreeSet::new(),
                limits: GuestLimits::new(),
                written: false,
            });
        };
        let written = Toml::from_str::<Written>(text);
        let written = written.map_err(|error| UnreadableManifest::Shape(error.into()))?;
        let Written { endpoints, secrets, response_headers, limits } = written;
        if let Some(hidden) = response_headers.iter().find(|name| !Grants::may_hold_header(name)) {
            return Err(UnreadableManifest::Header(hidden.clone()));
        }
        let limits = guest_limit::read(&limits).map_err(UnreadableManifest::Limit)?;
        Ok(Self { endpoints, secrets, response_headers, limits, written: true })
    }

    /// Keys of the configuration that give what the plugin does not ask for.
    pub(crate) fn not_asked(&self, plugin: &Plugin) -> Vec<String> {
        let unasked = |table: &str, given: Vec<&String>, asked: &BTreeSet<String>| {
            let too_many = given.into_iter().filter(|name| !asked.contains(*name));
            too_many.map(|name| format!("{table}.{name}")).collect::<Vec<_>>()
        };
        let mut keys = unasked("endpoints", plugin.endpoints.keys().collect(), &self.endpoints);
        keys.extend(unasked("secrets", plugin.secrets.keys().collect(), &self.secrets));
        keys
    }

    /// All that it asks for, whoever its operator is.
    pub(crate) fn alone(&self) -> Vec<String> {
        let named = |what: &str, names: &BTreeSet<String>| {
            names.iter().map(|name| format!("{what} {name}")).collect::<Vec<_>>()
        };
        let limits = self.limits.iter();
        let limits = limits.map(|(limit, value)| limit_asked(*limit, *value));
        named("endpoint", &self.endpoints)
            .into_iter()
            .chain(named("secret", &self.secrets))
            .chain(named("response header", &self.response_headers))
            .chain(limits)
            .collect()
    }

    /// All that it asks for, and how that stands with what its operator gave.
    pub(crate) fn asks(&self, plugin: &Plugin) -> Vec<Ask> {
        let key = |rest: String| Stands::Missing(format!("plugins.{}.{rest}", plugin.id));
        let ask = |what: String, given: bool, otherwise: Stands| Ask {
            what,
            stands: if given { Stands::Given } else { otherwise },
        };
        let endpoints = self.endpoints.iter().map(|name| {
            let needs = || key(format!("endpoints.{name} = \"https://…\""));
            let otherwise = if self.written { needs() } else { Stands::Without };
            ask(format!("endpoint {name}"), plugin.endpoints.contains_key(name), otherwise)
        });
        let secrets = self.secrets.iter().map(|name| {
            ask(format!("secret {name}"), plugin.secrets.contains_key(name), Stands::Without)
        });
        let headers = self.response_headers.iter().map(|name| {
            let given = plugin.grants.response_headers.contains(name);
            let needs = key(format!("grants.response_headers = [\"{name}\"]"));
            ask(format!("response header {name}"), given, needs)
        });
        let limits = self.limits.iter().map(|(limit, asked)| {
            let needs = key(format!("limits.{} = {}", limit.name(), limit.text(*asked)));
            ask(limit_asked(*limit, *asked), enough(*limit, *asked, plugin), needs)
        });
        endpoints.chain(secrets).chain(headers).chain(limits).collect()
    }

    /// What the plugin may use: what its operator says, else what it asks for, else what any may.
    pub(crate) fn limits(&self, plugin: &Plugin, any: Limits) -> Limits {
        let mut limits = any;
        for (limit, value) in self.limits.iter().chain(&plugin.limits) {
            limit.put(&mut limits, *value);
        }
        limits
    }

    /// The headers that it asks for and its operator grants.
    pub(crate) fn response_headers(&self, plugin: &Plugin) -> BTreeSet<String> {
        self.response_headers.intersection(&plugin.grants.response_headers).cloned().collect()
    }
}

fn limit_asked(limit: GuestLimit, value: u64) -> String {
    format!("limit {} = {}", limit.name(), limit.text(value))
}

/// Whether what its operator allows, or any plugin has, is as much as it asks for.
fn enough(limit: GuestLimit, asked: u64, plugin: &Plugin) -> bool {
    let any = limit.of(&Limits::default());
    plugin.limits.get(&limit).copied().or(any).is_none_or(|most| most >= asked)
}

#[cfg(test)]
mod tests;

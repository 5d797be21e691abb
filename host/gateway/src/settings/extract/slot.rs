//! `LLM_PROVIDER_<n>_*`: a plugin and a model for each n, without any file.

use std::collections::BTreeMap;

use sluice_chat::id::ModelId;
use url::Url;

use super::model::{NAME_BYTES, Written};
use super::plugin::{self, Plugins};
use crate::settings::guest_limit::GuestLimits;
use crate::settings::keys::field::{PROVIDERS, SLOT_FIELDS};
use crate::settings::problem::{Findings, Origin, Problem, quoted};
use crate::settings::secret::Secret;
use crate::settings::secret::vault::Vault;
use crate::settings::sources::Sources;
use crate::settings::value::endpoint;
use crate::settings::value::raw::Raw;
use crate::settings::{Grants, Model, OnFailure, Plugin, Reached, Source};

/// The provider that needs neither address nor key.
const ECHO: &str = "echo";

/// Adds what the variables name to what the files named.
pub(super) fn read(
    sources: &Sources,
    vault: &Vault<'_>,
    plugins: &mut Plugins,
    models: &mut Vec<Written>,
    findings: &mut Findings,
) {
    for (number, fields) in sources.slots() {
        let slot = Slot { number: *number, fields };
        let id = format!("provider-{number}");
        let kind = slot.required("TYPE", findings, kind);
        let plugin = slot.plugin(&id, kind, vault, findings);
        let model = slot.model(&id, findings);
        if plugins.named.insert(id.clone(), true).is_some() {
            let wrong = format!("makes a plugin {id}, which is also in a file");
            findings.problem(Problem::new(&slot.variable("TYPE"), slot.origin("TYPE"), wrong));
        }
        plugins.sound.extend(plugin);
        models.extend(model);
    }
}

/// The variables of one number.
struct Slot<'a> {
    number: u8,
    fields: &'a BTreeMap<&'static str, String>,
}

impl Slot<'_> {
    fn variable(&self, field: &str) -> String {
        format!("LLM_PROVIDER_{}_{field}", self.number)
    }

    fn origin(&self, field: &str) -> Origin {
        if self.fields.contains_key(field) {
            Origin::Variable(self.variable(field))
        } else {
            Origin::Default
        }
    }

    /// Reads a field. `None` when it is not set or was wrong, which is reported.
    fn get<T>(
        &self,
        field: &str,
        findings: &mut Findings,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(self.fields.get(field)?) {
            Ok(value) => Some(value),
            Err(wrong) => {
                findings.problem(self.problem(field, wrong));
                None
            }
        }
    }

    /// Reads a field that must be there; its absence is reported.
    fn required<T>(
        &self,
        field: &str,
        findings: &mut Findings,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.fields.contains_key(field) {
            let set = self.fields.keys().next().map(|other| self.variable(other));
            let wrong = format!("is required, because {} is set", set.unwrap_or_default());
            findings.problem(self.problem(field, wrong));
        }
        self.get(field, findings, read)
    }

    fn problem(&self, field: &str, wrong: String) -> Problem {
        let accepted = SLOT_FIELDS.iter().find(|known| known.name == field);
        Problem::new(&self.variable(field), self.origin(field), wrong)
            .accepted(accepted.map_or("", |known| known.accepted))
    }

    fn plugin(
        &self,
        id: &str,
        kind: Option<String>,
        vault: &Vault<'_>,
        findings: &mut Findings,
    ) -> Option<Plugin> {
        let address = |text: &str| plugin::address(Raw::Variable(text));
        let key = |text: &str| plugin::secret(Raw::Variable(text), vault);
        let stands_alone = kind.as_deref() == Some(ECHO);
        let endpoint = if stands_alone {
            self.get("ENDPOINT", findings, address)
        } else {
            self.required("ENDPOINT", findings, address)
        };
        let public = endpoint.as_ref().is_some_and(|url| !endpoint::is_private(url));
        let api_key = if stands_alone || !public {
            self.get("API_KEY", findings, key)
        } else {
            self.required("API_KEY", findings, key)
        };
        Some(assemble(id, kind?, endpoint, api_key))
    }

    fn model(&self, plugin: &str, findings: &mut Findings) -> Option<Written> {
        let id = self.required("ID", findings, |text| {
            ModelId::parse(text).ok_or_else(|| format!("{} is no id", quoted(text)))
        });
        let name = self.get("NAME", findings, short);
        let upstream = self.get("MODEL", findings, short);
        let id = id?;
        let place = |field: &str| (self.variable(field), self.origin(field));
        Some(Written {
            id: place("ID"),
            plugins: vec![place("TYPE")],
            fallback: place("ID"),
            model: Model {
                name: name.unwrap_or_else(|| id.as_str().into()),
                reached: Reached {
                    plugin: plugin.into(),
                    upstream: upstream.unwrap_or_else(|| id.as_str().into()),
                    weight: 1,
                    price: None,
                },
                also: Vec::new(),
                id,
                system_prompt: None,
                max_output_tokens: None,
                fallback: Vec::new(),
                roles: Vec::new(),
            },
        })
    }
}

/// A plugin with the one endpoint and the one secret that bundled providers know.
fn assemble(id: &str, kind: String, endpoint: Option<Url>, api_key: Option<Secret>) -> Plugin {
    plugin::with_preset(Plugin {
        id: id.into(),
        source: Source::Bundled(kind),
        sha256: None,
        settings: serde_json::json!({}),
        endpoints: endpoint.map(|url| ("api".into(), url)).into_iter().collect(),
        secrets: api_key.map(|secret| ("api_key".into(), vec![secret])).into_iter().collect(),
        enabled: true,
        grants: Grants::default(),
        limits: GuestLimits::new(),
        on_failure: OnFailure::default(),
    })
}

fn kind(text: &str) -> Result<String, String> {
    if PROVIDERS.contains(&text) {
        Ok(text.into())
    } else {
        Err(format!("{} is no bundled provider", quoted(text)))
    }
}

fn short(text: &str) -> Result<String, String> {
    if text.len() > NAME_BYTES {
        Err(format!("is {} bytes long", text.len()))
    } else {
        Ok(text.into())
    }
}

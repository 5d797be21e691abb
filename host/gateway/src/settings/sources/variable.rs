//! One environment variable: which key it means, and its value as the raw text it is.
//!
//! Nothing is parsed here, so that `1234567890123456` stays a secret and does not become a number.

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use crate::settings::keys::field::{PLUGIN_FIELDS, SLOT_FIELDS};
use crate::settings::keys::table::{DEAD_VARIABLES, KEYS, TOOL_VARIABLES};
use crate::settings::keys::{self, Key, Part};
use crate::settings::suggestion;

/// What the name of a variable means.
pub(super) enum Meaning {
    /// All of a key, under its own name (`SLUICE_…`).
    Ours(Vec<String>),
    /// All of a key, under a name from before.
    Old(Vec<String>),
    /// A part of a key.
    Part(&'static Key, Part),
    /// A field of the n-th provider.
    Slot(u8, &'static str),
    /// Known, and nothing here: says what to do instead.
    Dead(&'static str),
    /// Named as ours are, but nothing we know: a slip.
    Unknown,
    /// Named as ours are, but not enough to be a slip.
    Stray,
    /// None of our business.
    Foreign,
}

/// Finds out what a variable means. `plugins` are the ids the files name, because `-` cannot be written in a variable.
pub(super) fn meaning(name: &str, plugins: &[String]) -> Meaning {
    if let Some(rest) = name.strip_prefix("SLUICE_") {
        return ours(rest, plugins);
    }
    if let Some(rest) = name.strip_prefix("LLM_PROVIDER_") {
        return slot(rest).unwrap_or(Meaning::Unknown);
    }
    if let Some((_, hint)) = DEAD_VARIABLES.iter().find(|(dead, _)| *dead == name) {
        return Meaning::Dead(hint);
    }
    let found = KEYS.iter().find_map(|key| {
        let old = key.old.iter().find(|old| old.name == name)?;
        Some((key, old.part))
    });
    match found {
        Some((key, Part::Whole)) => Meaning::Old(split(key.name)),
        Some((key, part)) => Meaning::Part(key, part),
        None => Meaning::Foreign,
    }
}

fn split(name: &str) -> Vec<String> {
    name.split('.').map(Into::into).collect()
}

/// Reads what follows `SLUICE_`.
fn ours(rest: &str, plugins: &[String]) -> Meaning {
    if !rest.contains("__") {
        return single(rest);
    }
    let lower = rest.to_lowercase();
    if rest != rest.to_uppercase() {
        return Meaning::Unknown;
    }
    let path: Vec<&str> = lower.split("__").collect();
    if keys::find(&path.join(".")).is_some() {
        return Meaning::Ours(path.into_iter().map(Into::into).collect());
    }
    match path.as_slice() {
        ["notify", "on", event] => Meaning::Ours(["notify", "on", event].map(Into::into).into()),
        ["plugins", id, field @ ..] if is_field(field) => {
            let known = plugins.iter().find(|known| known.replace('-', "_") == *id);
            let id = known.map_or(*id, String::as_str);
            let path = ["plugins", id].into_iter().chain(field.iter().copied());
            Meaning::Ours(path.map(Into::into).collect())
        }
        _ => Meaning::Unknown,
    }
}

fn is_field(path: &[&str]) -> bool {
    let free = |name: &str| PLUGIN_FIELDS.iter().any(|f| f.head() == name && f.name != name);
    match path {
        [name] => PLUGIN_FIELDS.iter().any(|field| field.name == *name),
        [name, leaf] => free(name) && !leaf.is_empty(),
        _ => false,
    }
}

/// Kubernetes puts such variables into every container near a Service called `sluice` or `sluice-…`.
fn is_service_link(rest: &str) -> bool {
    let text = format!("_{rest}");
    let port = text.contains("_PORT_") && (text.contains("_TCP") || text.contains("_UDP"));
    // `SLUICE_SERVER_PORT` is rather a slip for `SERVER_PORT` than a link to a Service called `sluice-server`.
    let named = text.ends_with("_PORT") && text != "_SERVER_PORT";
    port || named || text.ends_with("_SERVICE_HOST") || text.contains("_SERVICE_PORT")
}

/// What a name without `__` means: a slip when it is a key's but for that, else somebody else's variable.
fn single(rest: &str) -> Meaning {
    let belongs_to_a_tool = TOOL_VARIABLES.iter().any(|tool| {
        let tail = rest.strip_prefix(tool);
        tail.is_some_and(|tail| tail.is_empty() || tail.starts_with('_'))
    });
    let name = format!("SLUICE_{rest}");
    let meant: Vec<String> = KEYS.iter().map(|key| key.variable().replace("__", "_")).collect();
    if belongs_to_a_tool || is_service_link(rest) {
        Meaning::Foreign
    } else if suggestion::nearest(&name, meant.iter().map(String::as_str)).is_some() {
        Meaning::Unknown
    } else {
        Meaning::Stray
    }
}

/// Reads what follows `LLM_PROVIDER_`.
fn slot(rest: &str) -> Option<Meaning> {
    let (number, field) = rest.split_once('_')?;
    let plain = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|number| plain && (1..=99).contains(number))?;
    let field = SLOT_FIELDS.iter().find(|known| known.name == field)?;
    Some(Meaning::Slot(number, field.name))
}

/// A variable that sets one key.
pub(super) struct Variable {
    /// Its name.
    pub(super) name: String,
    /// The key.
    pub(super) path: Vec<String>,
    /// Its value, untouched.
    pub(super) raw: String,
}

impl Provider for &Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named("variable").source(self.name.as_str())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut value = Value::from(self.raw.as_str());
        for name in self.path.iter().skip(1).rev() {
            value = Dict::from([(name.clone(), value)]).into();
        }
        let root = self.path.first().cloned().unwrap_or_default();
        Ok(Profile::Default.collect(Dict::from([(root, value)])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> Option<String> {
        match meaning(name, &["my-plugin".into()]) {
            Meaning::Ours(path) | Meaning::Old(path) => Some(path.join(".")),
            Meaning::Part(..)
            | Meaning::Slot(..)
            | Meaning::Dead(_)
            | Meaning::Unknown
            | Meaning::Stray
            | Meaning::Foreign => None,
        }
    }

    #[test]
    fn every_key_has_its_variable() {
        for key in KEYS {
            assert_eq!(path(&key.variable()).as_deref(), Some(key.name));
        }
    }

    #[test]
    fn fields_of_plugins_have_variables_too() {
        assert_eq!(
            path("SLUICE_PLUGINS__MY_PLUGIN__SOURCE").as_deref(),
            Some("plugins.my-plugin.source")
        );
        assert_eq!(
            path("SLUICE_PLUGINS__OTHER__SECRETS__API_KEY").as_deref(),
            Some("plugins.other.secrets.api_key")
        );
        assert_eq!(path("SLUICE_PLUGINS__OTHER__SOURCE__X"), None);
    }

    #[test]
    fn slips_are_told_from_strangers() {
        for slip in [
            "SLUICE_SERVER_BIND",
            "SLUICE_SERVRE_BIND",
            "SLUICE_SERVER__BNID",
            "SLUICE_server__bind",
            "SLUICE_MODELS__0__ID",
            "LLM_PROVIDER_0_ID",
            "LLM_PROVIDER_01_ID",
            "LLM_PROVIDER_100_ID",
            "LLM_PROVIDER_1_KEY",
        ] {
            assert!(matches!(meaning(slip, &[]), Meaning::Unknown), "{slip}");
        }
        for stranger in [
            "PATH",
            "SLUICE_PORT",
            "SLUICE_SERVICE_HOST",
            "SLUICE_SERVICE_PORT_HTTP",
            "SLUICE_PORT_8080_TCP_ADDR",
            "SLUICE_GATEWAY_PORT_8080_TCP",
            "SLUICE_GATEWAY_SERVICE_HOST",
            "SLUICE_BIN",
            "SLUICE_MODEL_PYTHON",
        ] {
            assert!(matches!(meaning(stranger, &[]), Meaning::Foreign), "{stranger}");
        }
        for stray in ["SLUICE_SERVER_PORT", "SLUICE_EXTRA", "SLUICE_BINARY"] {
            assert!(matches!(meaning(stray, &[]), Meaning::Stray), "{stray}");
        }
    }
}

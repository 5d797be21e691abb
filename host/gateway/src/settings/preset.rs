//! Vendors that speak OpenAI's dialect, as data: what the bundled plugin `openai` has to be told for each.
//!
//! `source = "bundled:NAME"` takes a preset by its name; `bundled:openai` takes the one whose host its endpoint `api` is at. What the
//! operator writes counts more, key by key.

use serde_json::{Value, json};
use url::Url;

/// The plugin that all of them are presets of.
pub(super) const PLUGIN: &str = "openai";

/// One vendor.
#[derive(Debug)]
pub(super) struct Preset {
    /// As in `bundled:NAME`.
    pub(super) name: &'static str,
    /// Its hosts: this one, or any below it. Empty for servers that run anywhere.
    host: &'static str,
    /// The address of its API, where it is the same for everybody.
    address: Option<&'static str>,
    settings: fn() -> Value,
}

/// Every vendor known.
pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "openai",
        host: "api.openai.com",
        address: None,
        settings: || json!({ "max_tokens_field": "max_completion_tokens" }),
    },
    Preset {
        name: "azure-openai",
        host: "openai.azure.com",
        address: None,
        settings: || json!({ "auth": "api-key", "max_tokens_field": "max_completion_tokens" }),
    },
    Preset {
        name: "openrouter",
        host: "openrouter.ai",
        address: Some("https://openrouter.ai/api/v1"),
        settings: || json!({ "developer_role": false }),
    },
    Preset {
        name: "groq",
        host: "groq.com",
        address: Some("https://api.groq.com/openai/v1"),
        settings: || json!({ "developer_role": false, "max_tokens_field": "max_completion_tokens" }),
    },
    Preset {
        name: "mistral",
        host: "mistral.ai",
        address: Some("https://api.mistral.ai/v1"),
        settings: || json!({ "developer_role": false, "stream_usage": false, "send_user": false }),
    },
    Preset {
        name: "deepseek",
        host: "deepseek.com",
        address: Some("https://api.deepseek.com"),
        settings: || json!({ "developer_role": false, "send_user": false }),
    },
    Preset {
        name: "vllm",
        host: "",
        address: None,
        settings: || json!({ "developer_role": false }),
    },
    Preset {
        name: "llama-cpp",
        host: "",
        address: Some("http://127.0.0.1:8080/v1"),
        settings: || json!({ "developer_role": false, "send_user": false }),
    },
    Preset {
        name: "lm-studio",
        host: "",
        address: Some("http://127.0.0.1:1234/v1"),
        settings: || json!({ "developer_role": false, "send_user": false }),
    },
];

/// The preset of this name.
pub(super) fn named(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The preset of the vendor at this address.
pub(super) fn at(address: &Url) -> Option<&'static Preset> {
    let host = address.host_str()?;
    PRESETS.iter().filter(|preset| !preset.host.is_empty()).find(|preset| {
        host.strip_suffix(preset.host).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

impl Preset {
    /// Where its API is, unless the operator says otherwise.
    pub(super) fn address(&self) -> Option<Url> {
        self.address.and_then(|address| Url::parse(address).ok())
    }

    /// Its settings under the operator's.
    pub(super) fn under(&self, written: Value) -> Value {
        let mut settings = (self.settings)();
        if let (Value::Object(settings), Value::Object(written)) = (&mut settings, written) {
            settings.extend(written);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_known_by_its_host_and_by_nobody_elses() {
        let at = |address: &str| at(&Url::parse(address).unwrap()).map(|preset| preset.name);

        assert_eq!(at("https://api.mistral.ai/v1"), Some("mistral"));
        assert_eq!(at("https://mine.openai.azure.com/openai/v1"), Some("azure-openai"));
        assert_eq!(at("https://eu.api.openai.com/v1"), Some("openai"));
        assert_eq!(at("https://api.notmistral.ai/v1"), None);
        assert_eq!(at("https://mistral.ai.example.com/v1"), None);
        assert_eq!(at("http://127.0.0.1:8080/v1"), None);
    }

    #[test]
    fn what_the_operator_writes_counts_more() {
        let mistral = named("mistral").unwrap();

        let settings = mistral.under(json!({ "send_user": true, "send_reasoning": true }));

        assert_eq!(settings["send_user"], true);
        assert_eq!(settings["send_reasoning"], true);
        assert_eq!(settings["stream_usage"], false);
    }

    #[test]
    fn every_address_is_one_that_may_be_written() {
        for preset in PRESETS.iter().filter(|preset| preset.address.is_some()) {
            let address = preset.address.unwrap_or_default();
            crate::settings::value::endpoint::parse(address).unwrap();
            if !preset.host.is_empty() {
                assert_eq!(at(&preset.address().unwrap()).unwrap().name, preset.name);
            }
        }
    }
}

//! Which real model answers: one that the environment names, or the small local one.

use std::collections::BTreeMap;

use crate::local_model;

/// Variables for the gateway, by name.
pub(super) type Variables = BTreeMap<String, String>;

/// The local model's id in the gateway.
pub(super) const LOCAL_ID: &str = "local";

/// What the environment says about a model.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Provider {
    /// `LLM_PROVIDER_<n>_*`, which the gateway reads itself; the first one's id.
    Named(String),
    /// Only a vendor's own key; the variables that make a provider of it.
    Key(Variables),
    /// Nothing.
    None,
}

/// Looks through the environment.
pub(super) fn in_environment(environment: &Variables) -> Provider {
    let first = environment.keys().find_map(|name| {
        let number = name.strip_prefix("LLM_PROVIDER_")?.strip_suffix("_API_KEY")?;
        Some(number.to_owned())
    });
    if let Some(number) = first {
        let id = environment.get(&format!("LLM_PROVIDER_{number}_ID"));
        return Provider::Named(id.cloned().unwrap_or_default());
    }
    let Some(key) = environment.get("OPENAI_API_KEY") else { return Provider::None };
    let or =
        |name, otherwise: &'static str| environment.get(name).map_or(otherwise, String::as_str);
    Provider::Key(variables(
        "openai",
        "OpenAI",
        or("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        key,
        or("OPENAI_MODEL", "gpt-4o-mini"),
    ))
}

/// The variables that make a provider of the local model's server on `port`.
pub(super) fn local(port: u16) -> Variables {
    variables(
        LOCAL_ID,
        "SmolLM2 135M (demonstration)",
        &format!("http://127.0.0.1:{port}/v1"),
        "loopback-needs-no-key",
        local_model::UPSTREAM,
    )
}

fn variables(id: &str, name: &str, endpoint: &str, key: &str, model: &str) -> Variables {
    [
        ("ID", id),
        ("NAME", name),
        ("TYPE", "openai"),
        ("ENDPOINT", endpoint),
        ("API_KEY", key),
        ("MODEL", model),
    ]
    .into_iter()
    .map(|(what, value)| (format!("LLM_PROVIDER_1_{what}"), value.to_owned()))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Variables {
        variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_named_provider_is_left_to_the_gateway() {
        let named = environment(&[
            ("LLM_PROVIDER_1_API_KEY", "k"),
            ("LLM_PROVIDER_1_ID", "acme"),
            ("OPENAI_API_KEY", "o"),
        ]);

        assert_eq!(in_environment(&named), Provider::Named("acme".to_owned()));
    }

    #[test]
    fn a_vendors_key_alone_becomes_a_provider() {
        let Provider::Key(made) =
            in_environment(&environment(&[("OPENAI_API_KEY", "secret"), ("OPENAI_MODEL", "big")]))
        else {
            panic!("a provider");
        };

        assert_eq!(made["LLM_PROVIDER_1_API_KEY"], "secret");
        assert_eq!(made["LLM_PROVIDER_1_MODEL"], "big");
        assert_eq!(made["LLM_PROVIDER_1_ENDPOINT"], "https://api.openai.com/v1");
    }

    #[test]
    fn without_a_key_the_local_model_is_all_there_is() {
        assert_eq!(in_environment(&environment(&[("PATH", "/bin")])), Provider::None);
        assert_eq!(local(4711)["LLM_PROVIDER_1_ENDPOINT"], "http://127.0.0.1:4711/v1");
    }
}

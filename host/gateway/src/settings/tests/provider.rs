//! `LLM_PROVIDER_<n>_*`: a gateway without a file.

use super::*;

/// A secret and one whole provider.
fn provider(number: &str) -> Configuration {
    Configuration::empty().variable("JWT_SECRET", GOOD).slot(number)
}

impl Configuration {
    fn slot(self, number: &str) -> Self {
        self.field(number, "ID", &format!("model-{number}"))
            .field(number, "TYPE", "openai")
            .field(number, "ENDPOINT", "https://api.openai.com/v1")
            .field(number, "API_KEY", "sk-1234567890123456")
    }

    fn field(self, number: &str, field: &str, value: &str) -> Self {
        self.variable(&format!("LLM_PROVIDER_{number}_{field}"), value)
    }
}

#[test]
fn a_secret_and_a_provider_are_a_whole_configuration() {
    let settings =
        provider("1").field("1", "NAME", "A model").field("1", "MODEL", "gpt-4o-mini").settings();

    let [plugin] = settings.plugins.as_slice() else { panic!("{settings:?}") };
    assert_eq!(plugin.id, "provider-1");
    assert_eq!(plugin.source, Source::Bundled("openai".into()));
    assert_eq!(plugin.endpoints["api"].as_str(), "https://api.openai.com/v1");
    assert_eq!(plugin.secrets["api_key"][0].expose(), "sk-1234567890123456");
    let [model] = settings.models.as_slice() else { panic!("{settings:?}") };
    assert_eq!(model.id.as_str(), "model-1");
    assert_eq!(
        (model.name.as_str(), model.reached.plugin.as_str(), model.reached.upstream.as_str()),
        ("A model", "provider-1", "gpt-4o-mini")
    );
}

#[test]
fn numbers_may_be_left_out_and_count_as_numbers() {
    let settings = provider("10").slot("2").slot("99").file("base.toml", ECHO).settings();

    let ids: Vec<_> = settings.models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["echo", "model-2", "model-10", "model-99"]);
    assert_eq!(settings.models[1].reached.upstream, "model-2");
    assert_eq!(settings.models[1].name, "model-2");
}

#[test]
fn a_provider_at_home_needs_no_key_and_echo_needs_nothing() {
    let home = Configuration::empty()
        .variable("JWT_SECRET", GOOD)
        .field("1", "ID", "local")
        .field("1", "TYPE", "openai")
        .field("1", "ENDPOINT", "http://127.0.0.1:8081/v1")
        .field("2", "ID", "echo")
        .field("2", "TYPE", "echo")
        .settings();

    assert!(home.plugins.iter().all(|plugin| plugin.secrets.is_empty()));
}

#[test]
fn what_is_missing_or_wrong_is_named_by_its_variable() {
    let problems = Configuration::empty()
        .variable("JWT_SECRET", GOOD)
        .field("1", "NAME", "only")
        .field("2", "ID", "x")
        .field("2", "TYPE", "anthropic")
        .field("2", "ENDPOINT", "http://api.anthropic.com")
        .field("2", "API_KEY", "YOUR-KEY")
        .field("3", "ID", "x")
        .field("3", "TYPE", "opneai")
        .field("3", "ENDPOINT", "https://api.openai.com/v1")
        .field("100", "ID", "x")
        .problems();

    insta::assert_snapshot!(problems.join("\n"), @r#"
    LLM_PROVIDER_100_ID (variable): is no setting; accepted: LLM_PROVIDER_<n>_ID, _NAME, _TYPE, _ENDPOINT, _API_KEY and _MODEL with n from 1 to 99
    LLM_PROVIDER_1_TYPE (not set): is required, because LLM_PROVIDER_1_NAME is set; accepted: "openai", "anthropic", "dify", "ollama" or "echo"
    LLM_PROVIDER_1_ENDPOINT (not set): is required, because LLM_PROVIDER_1_NAME is set; accepted: an https address, or http to a private or loopback host
    LLM_PROVIDER_1_ID (not set): is required, because LLM_PROVIDER_1_NAME is set; accepted: 1 to 100 bytes without control characters, once among all models
    LLM_PROVIDER_2_ENDPOINT (variable): plain http is for loopback and private hosts only; accepted: an https address, or http to a private or loopback host
    LLM_PROVIDER_2_API_KEY (variable): is still a placeholder; accepted: "env:VAR", "file:PATH" or the secret itself
    LLM_PROVIDER_3_TYPE (variable): "opneai" is no bundled provider; accepted: "openai", "anthropic", "dify", "ollama" or "echo"
    LLM_PROVIDER_3_API_KEY (not set): is required, because LLM_PROVIDER_3_ENDPOINT is set; accepted: "env:VAR", "file:PATH" or the secret itself
    LLM_PROVIDER_3_ID (variable): "x" is already a model (variable LLM_PROVIDER_2_ID)
    "#);
}

#[test]
fn a_plugin_of_a_file_does_not_lend_its_name_to_a_provider() {
    let file = "[plugins.provider-1]\nsource = \"bundled:echo\"";
    let problems = provider("1").file("c.toml", file).problems();

    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("LLM_PROVIDER_1_TYPE (variable): makes a plugin provider-1"));
}

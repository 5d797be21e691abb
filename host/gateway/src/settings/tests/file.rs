//! Good files and what comes of them.

use super::*;
use crate::settings::generate::sluice_toml;
use sluice_chat::bill::Price;

#[test]
fn the_generated_file_is_good_once_there_are_a_secret_and_a_model() {
    let generated = Configuration::working().file("sluice.toml", sluice_toml()).settings();
    let built_in = Configuration::working().settings();

    assert_eq!(format!("{generated:?}"), format!("{built_in:?}"));
}

#[test]
fn a_whole_file_becomes_settings() {
    let key = "secrets.api_key = \"env:THE_KEY\"";
    let text = format!(
        "
[server]
bind = \"[::]:443\"
path_prefix = \"/\"
allowed_origins = [\"*\"]
public_url = \"https://chat.example.com\"
[auth]
previous_jwt_secrets = [\"env:OLD\"]
issuer = \"https://id.example\"
[limits]
messages = \"5/10s\"
[llm]
default_model = \"b\"
[telemetry]
log_format = \"json\"
level = \"warn,sluice=debug\"
[plugins.main]
source = \"file:plugins/main.wasm\"
sha256 = \"{}\"
endpoints.api = \"https://api.example.com/v1\"
{key}
settings = {{ depth = 3, date = 2024-01-01, list = [1.5, true] }}
[plugins.off]
source = \"bundled:openai\"
enabled = false
secrets.api_key = \"env:NOT_THERE\"
[[models]]
id = \"a\"
plugin = \"main\"
roles = []
max_output_tokens = 100
price = {{ input = 3_000_000, cached_input = 300_000, output = 15_000_000 }}
system_prompt = \"Be brief.\"
[[models]]
id = \"b\"
name = \"The other\"
plugin = \"main\"
upstream = \"big\"
",
        "0F".repeat(32)
    );
    let settings = Configuration::empty()
        .file("c.toml", text)
        .variable("JWT_SECRET", GOOD)
        .variable("OLD", "7Hs5Jg0PyB9fQ2mT7xLr4Kz8Wb1Nc6Vd3")
        .variable("THE_KEY", "1234567890123456")
        .settings();

    assert_eq!(settings.server.path_prefix, "");
    assert_eq!(settings.server.allowed_origins, Origins::Any);
    assert_eq!(settings.server.public_url.unwrap().host_str(), Some("chat.example.com"));
    assert_eq!(settings.auth.secrets.len(), 2);
    assert_eq!(settings.auth.secrets[0].expose(), GOOD);
    assert_eq!(settings.llm.default_model.unwrap().as_str(), "b");
    assert_eq!(settings.telemetry.log_format, LogFormat::Json);
    let [main, off] = settings.plugins.as_slice() else { panic!("two plugins") };
    assert_eq!(main.sha256, Some([0x0F; 32]));
    assert_eq!(main.secrets["api_key"][0].expose(), "1234567890123456");
    assert_eq!(
        main.settings,
        serde_json::json!({ "depth": 3, "date": "2024-01-01", "list": [1.5, true] })
    );
    assert!(!off.enabled && off.secrets.is_empty());
    let [a, b] = settings.models.as_slice() else { panic!("two models") };
    assert_eq!(
        (a.name.as_str(), a.reached.upstream.as_str(), a.max_output_tokens),
        ("a", "a", Some(100))
    );
    let price = Price {
        input: 3_000_000,
        cached_input: 300_000,
        cache_write: 3_000_000,
        output: 15_000_000,
        reasoning: 15_000_000,
    };
    assert_eq!((a.reached.price, b.reached.price), (Some(price), None));
    assert_eq!((b.name.as_str(), b.reached.upstream.as_str()), ("The other", "big"));
}

#[test]
fn lists_of_a_later_file_replace_those_of_an_earlier_one() {
    let settings = Configuration::working()
        .file("b.toml", "[[models]]\nid = \"other\"\nplugin = \"echo\"")
        .settings();

    let ids: Vec<_> = settings.models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["other"]);
}

#[test]
fn the_configuration_for_developers_needs_a_secret_and_nothing_else() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/dev.toml");
    let variables = [("JWT_SECRET".to_owned(), GOOD.to_owned())];

    let loaded = load(&[path.into()], variables.into_iter());

    let Configured { settings, warnings, effective: _ } =
        loaded.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(warnings, []);
    assert!(settings.server.bind.ip().is_loopback());
    assert_eq!(settings.server.allowed_origins, Origins::Same);
}

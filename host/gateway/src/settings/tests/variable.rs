//! Variables: names from before, ours, and who wins.

use sluice_archive::Retry;

use super::*;
use crate::settings::Engine;

/// Loads a working configuration with one variable more.
fn with(name: &str, value: &str) -> Settings {
    Configuration::working().variable(name, value).settings()
}

#[test]
fn every_name_from_before_still_works() {
    assert_eq!(with("SERVER_PORT", "9000").server.bind.to_string(), "127.0.0.1:9000");
    assert_eq!(with("CHATBOX_PATH_PREFIX", "/chat/").server.path_prefix, "/chat");
    assert_eq!(
        with("ALLOWED_ORIGINS", "https://a.example, https://b.example").server.allowed_origins,
        Origins::List(vec!["https://a.example".into(), "https://b.example".into()])
    );
    assert_eq!(with("MAX_CONNECTIONS", "12").server.max_connections, 12);
    assert_eq!(with("SHUTDOWN_TIMEOUT", "5s").server.shutdown_timeout, Duration::from_secs(5));
    assert_eq!(with("RATE_LIMIT", "7").limits.messages.to_string(), "7/1m");
    let minutes = |duration: Duration| duration.as_secs() / 60;
    assert_eq!(minutes(with("RATE_LIMIT_CLEANUP_INTERVAL", "1m").limits.cleanup_interval), 1);
    assert_eq!(with("MAX_MESSAGE_SIZE", "65536").limits.max_message_size, 65_536);
    assert_eq!(minutes(with("SESSION_TTL", "2m0s").session.ttl), 2);
    assert_eq!(minutes(with("SESSION_CLEANUP_INTERVAL", "3m").session.cleanup_interval), 3);
    assert_eq!(minutes(with("RECONNECT_TIMEOUT", "1h").session.reconnect_timeout), 60);
    assert_eq!(minutes(with("LLM_STREAM_TIMEOUT", "5m").llm.stream_timeout), 5);
    assert_eq!(with("IGNORED", "").auth.secrets[0].expose(), GOOD);
}

#[test]
fn a_key_that_seals_is_taken_in_each_of_its_forms() {
    let base64 = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let hex = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let id = |settings: Settings| settings.storage.keys.current.map(|key| key.id().to_string());

    assert_eq!(id(with("SLUICE_STORAGE__ENCRYPTION_KEY", base64)), id(with("ENCRYPTION_KEY", hex)));
    assert_eq!(id(with("IGNORED", "")), None);
    let previous = with("SLUICE_STORAGE__PREVIOUS_ENCRYPTION_KEYS", &format!("{base64},{hex}"));
    assert_eq!(previous.storage.keys.previous.len(), 2);

    let raw = || Configuration::working().variable("ENCRYPTION_KEY", GOOD);
    assert!(raw().load().expect("taken").0.storage.keys.current.is_some());
    let warnings = raw().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("32 characters") && !warnings[0].contains(GOOD), "{warnings:?}");
}

#[test]
fn names_from_before_that_do_nothing_yet_are_warned_of() {
    for (name, value) in [
        ("SMTP_HOST", "mail"),
        ("S3_BUCKET", "files"),
        ("K8S_NAMESPACE", "chat"),
        ("LOG_LEVEL", "debug"),
        ("SLUICE_SOMETHING", "else"),
    ] {
        let load = Configuration::working().variable(name, value);
        let warnings = load.warnings();
        assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
        assert!(warnings[0].contains(name), "{name}: {warnings:?}");
    }
}

#[test]
fn an_address_of_a_database_means_that_engine_unless_another_is_named() {
    let uri = "mongodb://someone:secret@localhost:27017";
    let configuration = [
        ("MONGO_URI", uri),
        ("MONGO_DATABASE", "talks"),
        ("MONGO_CONNECT_TIMEOUT", "3s"),
        ("MONGO_RETRY_ATTEMPTS", "9"),
        ("MONGO_RETRY_DELAY", "1s"),
        ("MONGO_RETRY_MAX_DELAY", "5s"),
    ]
    .into_iter()
    .fold(Configuration::working(), |all, (name, value)| all.variable(name, value));

    let Engine::MongoDb(database) = configuration.settings().storage.engine else {
        unreachable!("the address counts");
    };
    assert_eq!((database.uri.as_str(), database.database.as_str()), (uri, "talks"));
    assert_eq!(database.connect_timeout, Duration::from_secs(3));
    let (delay, max_delay) = (Duration::from_secs(1), Duration::from_secs(5));
    assert_eq!(database.retry, Retry { attempts: 9, delay, max_delay });
    assert!(!format!("{database:?}").contains("secret"));

    let named = Configuration::working().variable("MONGO_URI", uri);
    let warnings = named.variable("SLUICE_STORAGE__ENGINE", "sqlite").warnings();
    let told =
        "storage.mongodb.uri (variable MONGO_URI): has no effect with storage.engine = \"sqlite\"";
    assert_eq!(warnings, [told]);
}

#[test]
fn defaults_yield_to_files_files_to_old_names_and_those_to_ours() {
    let file = |text: &'static str| Configuration::working().file("a.toml", text);
    let bind = |configuration: Configuration| configuration.settings().server.bind.to_string();

    let first = "[server]\nbind = \"127.0.0.2:1\"";
    let second = "[server]\nbind = \"127.0.0.3:2\"";
    assert_eq!(bind(file(first)), "127.0.0.2:1");
    assert_eq!(bind(file(first).file("b.toml", second)), "127.0.0.3:2");
    assert_eq!(bind(file(second).variable("SERVER_PORT", "3")), "127.0.0.3:3");
    assert_eq!(
        bind(file(first).variable("SERVER_PORT", "3").variable("SLUICE_SERVER__BIND", "[::1]:4")),
        "[::1]:4"
    );

    let ttl = |configuration: Configuration| configuration.settings().session.ttl.as_secs();
    let written = || file("[session]\nttl = \"1s\"");
    assert_eq!(ttl(written().variable("SESSION_TTL", "2s")), 2);
    let both = written().variable("SESSION_TTL", "2s").variable("SLUICE_SESSION__TTL", "3s");
    assert_eq!(ttl(both), 3);
}

#[test]
fn an_empty_variable_is_not_there() {
    let settings = Configuration::working()
        .variable("SLUICE_SERVER__BIND", "")
        .variable("SERVER_PORT", "")
        .variable("LLM_PROVIDER_1_ID", "")
        .variable("SLUICE_NO__SUCH", "")
        .settings();

    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8080");
}

#[test]
fn text_that_looks_like_something_else_stays_text() {
    for text in ["1234567890123456", "true", "[a]", "\"quoted\""] {
        assert_eq!(with("SLUICE_AUTH__ISSUER", text).auth.issuer.as_deref(), Some(text));
        let settings = with("SLUICE_PLUGINS__ECHO__SECRETS__KEY", text);
        assert_eq!(settings.plugins[0].secrets["key"][0].expose(), text);
    }
}

#[test]
fn what_was_not_written_gives_way_to_what_was() {
    let settings = with("LLM_STREAM_TIMEOUT", "5s");
    assert_eq!(settings.llm.first_byte_timeout, Duration::from_secs(5));
    assert_eq!(settings.llm.idle_timeout, Duration::from_secs(5));
    assert_eq!(settings.llm.connect_timeout, Duration::from_secs(5));

    assert_eq!(with("MAX_MESSAGE_SIZE", "4096").limits.max_content, 4_096);
}

#[test]
fn plugins_can_be_changed_and_made_by_variables() {
    let settings = Configuration::working()
        .file("c.toml", "[plugins.my-plugin]\nsource = \"bundled:openai\"")
        .variable("SLUICE_PLUGINS__MY_PLUGIN__ENDPOINTS__API", "https://api.example.com/v1")
        .variable("SLUICE_PLUGINS__MY_PLUGIN__SETTINGS", "{\"depth\": 3}")
        .variable("SLUICE_PLUGINS__NEW__SOURCE", "file:new.wasm")
        .variable("SLUICE_PLUGINS__NEW__ENABLED", "false")
        .settings();

    let ids: Vec<_> = settings.plugins.iter().map(|plugin| plugin.id.as_str()).collect();
    assert_eq!(ids, ["echo", "my-plugin", "new"]);
    assert_eq!(settings.plugins[1].endpoints["api"].as_str(), "https://api.example.com/v1");
    assert_eq!(settings.plugins[1].settings, serde_json::json!({ "depth": 3 }));
    assert_eq!(settings.plugins[2].source, Source::File("new.wasm".into()));
    assert!(!settings.plugins[2].enabled);
}

#[test]
fn variables_of_kubernetes_and_of_other_tools_are_left_alone() {
    let settings = Configuration::working()
        .variable("SLUICE_PORT", "tcp://10.0.0.1:80")
        .variable("SLUICE_SERVICE_PORT_HTTP", "80")
        .variable("SLUICE_PORT_80_TCP_ADDR", "10.0.0.1")
        .variable("SLUICE_BUNDLE", "target/plugins")
        .variable("PATH", "/bin")
        .settings();

    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8080");
}

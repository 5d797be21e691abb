use std::time::Duration;

use serde_json::json;

use super::*;
use crate::settings::{OnFailure, Source};

/// A component with this manifest and nothing else.
fn component(manifest: &str) -> Vec<u8> {
    const NAME: &str = "sluice:manifest";
    let byte = |number: usize| u8::try_from(number).unwrap();
    let section = [&[byte(NAME.len())], NAME.as_bytes(), manifest.as_bytes()].concat();
    let leb128 = [byte(section.len() % 128 + 128), byte(section.len() / 128)];
    [b"\0asm\x0d\0\x01\0".as_slice(), &[0], &leb128, &section].concat()
}

fn read(manifest: &str) -> Result<Manifest, UnreadableManifest> {
    Manifest::of(&component(manifest))
}

fn plugin() -> Plugin {
    Plugin {
        id: "p".to_owned(),
        source: Source::Bundled("p".to_owned()),
        sha256: None,
        settings: json!({}),
        endpoints: [("api".to_owned(), "https://a.example".parse().unwrap())].into(),
        secrets: [].into(),
        enabled: true,
        grants: Grants::default(),
        limits: GuestLimits::new(),
        on_failure: OnFailure::Closed,
    }
}

fn missing(manifest: &str, plugin: &Plugin) -> Vec<String> {
    let asks = read(manifest).unwrap().asks(plugin).into_iter();
    let lines = asks.filter_map(|ask| match ask.stands {
        Stands::Missing(line) => Some(line),
        Stands::Given | Stands::Without => None,
    });
    lines.collect()
}

const MUCH: &str = r#"
endpoints = ["api", "files"]
secrets = ["api_key"]
response_headers = ["x-cost"]
limits = { step = "40ms", hook = "1ms", memory = "8MiB" }
"#;

#[test]
fn what_is_asked_for_and_not_given_is_told_by_the_lines_that_would_give_it() {
    let lines = [
        r#"plugins.p.endpoints.files = "https://…""#,
        r#"plugins.p.grants.response_headers = ["x-cost"]"#,
        r#"plugins.p.limits.step = "40ms""#,
    ];
    let mut plugin = plugin();
    assert_eq!(missing(MUCH, &plugin), lines);

    plugin.endpoints.insert("files".to_owned(), "https://f.example".parse().unwrap());
    assert_eq!(missing(MUCH, &plugin), lines[1..]);
    plugin.grants.response_headers.insert("x-cost".to_owned());
    assert_eq!(missing(MUCH, &plugin), lines[2..]);
    plugin.limits.insert(GuestLimit::Step, 39);
    assert_eq!(missing(MUCH, &plugin), lines[2..], "less than it asks for");
    plugin.limits.insert(GuestLimit::Step, 40);
    assert!(missing(MUCH, &plugin).is_empty());
}

#[test]
fn a_plugin_has_what_its_operator_says_else_what_it_asks_for() {
    let mut plugin = plugin();
    plugin.limits.insert(GuestLimit::Step, 50);
    plugin.grants.response_headers.extend(["x-cost", "x-other"].map(str::to_owned));
    let manifest = read(MUCH).unwrap();

    let limits = manifest.limits(&plugin, Limits::default());

    let millis = Duration::from_millis;
    assert_eq!((limits.step, limits.hook, limits.start), (millis(50), millis(1), millis(50)));
    assert_eq!(limits.memory_bytes, 8 << 20);
    assert_eq!(manifest.response_headers(&plugin), ["x-cost".to_owned()].into(), "what both say");
}

#[test]
fn one_without_a_manifest_asks_for_a_host_and_a_key_and_can_do_without() {
    let none = Manifest::of(b"\0asm\x0d\0\x01\0").unwrap();
    let mut plugin = plugin();
    assert!(none.not_asked(&plugin).is_empty());

    plugin.endpoints.clear();
    plugin.endpoints.insert("apo".to_owned(), "https://a.example".parse().unwrap());

    assert!(none.asks(&plugin).iter().all(|ask| ask.stands == Stands::Without));
    assert_eq!(none.not_asked(&plugin), ["endpoints.apo"], "misspelt");
    let written = read("").unwrap();
    assert_eq!((written.asks(&plugin), written.not_asked(&plugin).len()), (vec![], 1));
}

#[test]
fn a_manifest_that_nobody_can_grant_is_refused() {
    for (manifest, wrong) in [
        ("response_headers = [\"set-cookie\"]", "asks for the header \"set-cookie\""),
        ("response_headers = [\"X-Cost\"]", "asks for the header \"X-Cost\""),
        ("limits = { memory = \"1GiB\" }", "manifest has for memory something else than"),
        ("sockets = true", "cannot be understood"),
        ("endpoints", "cannot be understood"),
    ] {
        let error = read(manifest).unwrap_err().to_string();
        assert!(error.contains(wrong), "{manifest}: {error}");
    }
}

//! What is refused at load, and with which words.

use proptest::prelude::*;
use sluice_chat::event::ErrorKind;
use sluice_sandbox::{CallError, Digest, Limits, LoadError, Provider};

use crate::component::component;
use crate::world::{load, load_bytes, sandbox};

/// Loads a component in text form.
async fn load_text(text: &str) -> Result<Provider, LoadError> {
    load_bytes(&wat::parse_str(text).expect("sound text")).await
}

/// A component that exports empty interfaces under these names.
fn exporting(names: &[&str]) -> String {
    let exports: Vec<_> =
        names.iter().map(|name| format!(r#"(export "{name}" (instance $empty))"#)).collect();
    let exports = exports.concat();
    format!("(component (instance $empty) {exports})")
}

#[tokio::test]
async fn a_sound_plugin_can_be_looked_at() {
    let provider = load(&sandbox(1), "count").await;

    assert_eq!(provider.name(), "count");
    assert_eq!(provider.digest(), Digest::of(&component("count")));
    assert_eq!(provider.contract().to_string(), "0.1.0");
    assert_eq!(
        provider.exports(),
        ["sluice:plugin/lifecycle@0.1.0", "sluice:plugin/provider@0.1.0"]
    );
    for import in provider.imports() {
        assert!(import.starts_with("sluice:plugin/"), "{import}");
    }
}

#[tokio::test]
async fn an_import_outside_the_contract_is_named() {
    let cases = [
        (
            r#"(component (import "wasi:cli/exit@0.2.0" (instance (export "exit" (func)))))"#,
            "wasi:cli/exit@0.2.0",
        ),
        (
            r#"(component (import "sluice:plugin/log@0.1.0" (instance (export "shout" (func)))))"#,
            "sluice:plugin/log@0.1.0#shout",
        ),
        (
            r#"(component (import "sluice:plugin/types@0.1.0" (instance (export "now" (func)))))"#,
            "sluice:plugin/types@0.1.0#now",
        ),
        (r#"(component (import "sluice:plugin/log@0.2.0" (instance)))"#, "sluice:plugin/log@0.2.0"),
        (r#"(component (import "sluice:plugin/kv@0.1.0" (instance)))"#, "sluice:plugin/kv@0.1.0"),
        (r#"(component (import "log" (func)))"#, "log"),
    ];

    for (text, expected) in cases {
        let loaded = load_text(text).await;
        let Err(LoadError::ForbiddenImport { import }) = loaded else {
            panic!("{expected}: {loaded:?}");
        };
        assert_eq!(import, expected);
    }
}

#[tokio::test]
async fn another_contract_is_told_from_none() {
    let other = ["sluice:plugin/lifecycle@0.2.0", "sluice:plugin/provider@0.2.0"];
    let mixed = ["sluice:plugin/lifecycle@0.1.0", "sluice:plugin/provider@0.2.0"];

    for names in [other, mixed] {
        let loaded = load_text(&exporting(&names)).await;
        assert!(matches!(loaded, Err(LoadError::OtherContract { .. })), "{loaded:?}");
    }
    for (names, expected) in [
        (&["wasi:http/handler@0.2.0"][..], "lifecycle"),
        (&["sluice:plugin/lifecycle@0.1.0"], "provider"),
        (&[], "lifecycle"),
    ] {
        let loaded = load_text(&exporting(names)).await;
        let Err(LoadError::NoProvider { missing }) = loaded else { panic!("{loaded:?}") };
        assert_eq!(missing, expected);
    }
}

#[tokio::test]
async fn right_names_with_the_wrong_shape_do_not_link() {
    let names = ["sluice:plugin/lifecycle@0.1.0", "sluice:plugin/provider@0.1.0"];

    let loaded = load_text(&exporting(&names)).await;

    assert!(matches!(loaded, Err(LoadError::Link(_))), "{loaded:?}");
}

#[tokio::test]
async fn what_is_no_component_is_said_to_be_none() {
    let module = wat::parse_str("(module)").unwrap();

    for (bytes, what) in [
        (&b""[..], "empty"),
        (b"\0asm", "something unknown"),
        (b"(component)", "something unknown"),
        (&module, "a core module"),
    ] {
        let loaded = load_bytes(bytes).await;
        let Err(LoadError::NotAComponent(found)) = loaded else { panic!("{what}: {loaded:?}") };
        assert_eq!(found, what);
    }
}

#[tokio::test]
async fn a_component_beyond_the_size_limit_is_not_looked_at() {
    let mut bytes = component("count");
    bytes.resize((8 << 20) + 1, 0);

    let loaded = load_bytes(&bytes).await;

    assert!(matches!(loaded, Err(LoadError::TooLarge { most: 8_388_608, .. })), "{loaded:?}");
}

#[tokio::test]
async fn a_component_beyond_the_engine_is_refused() {
    let instances = "(core instance (instantiate $m))".repeat(9);
    for text in [
        "(component (core module (memory 65536)))".to_owned(),
        "(component (core module (table 4294967295 funcref)))".to_owned(),
        "(component (core module (memory i64 1)))".to_owned(),
        "(component (core module (memory 1) (memory 1)))".to_owned(),
        format!("(component (core module $m (memory 1)) {instances})"),
    ] {
        let bytes = wat::parse_str(&text).unwrap();
        let loaded = load_bytes(&bytes).await;
        assert!(matches!(loaded, Err(LoadError::Compile(_))), "{text}: {loaded:?}");
    }
}

#[tokio::test]
async fn only_the_pinned_component_is_taken() {
    let sandbox = sandbox(1);
    let bytes = component("count");
    let right = Digest::of(&bytes);
    let wrong = Digest::of(b"another");

    let taken = sandbox.load("count", &bytes, Some(&right), Limits::default(), "{}").await;
    let refused = sandbox.load("count", &bytes, Some(&wrong), Limits::default(), "{}").await;

    assert!(taken.is_ok(), "{taken:?}");
    let Err(LoadError::WrongDigest { pinned, found }) = refused else { panic!("{refused:?}") };
    assert_eq!((pinned, found), (wrong, right));
}

#[tokio::test]
async fn refused_settings_come_with_the_plugins_own_words() {
    let bytes = component("trap");

    let loaded = sandbox(1).load("trap", &bytes, None, Limits::default(), r#"["refuse"]"#).await;

    let Err(LoadError::Settings { error }) = &loaded else { panic!("{loaded:?}") };
    let detail = error.detail.as_deref().unwrap();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(detail.starts_with("no [31mmodel named!!!"), "{detail}");
    assert_eq!(detail.len(), 512);
    let shown = loaded.unwrap_err().to_string();
    assert!(shown.starts_with("the plugin refuses its settings: no [31mmodel"), "{shown}");
}

#[tokio::test]
async fn a_plugin_that_crashes_on_trial_is_refused() {
    let bytes = component("trap");

    let loaded = sandbox(1).load("trap", &bytes, None, Limits::default(), r#"["configure"]"#).await;

    let Err(LoadError::Trial(CallError::Trapped { .. })) = loaded else { panic!("{loaded:?}") };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Broken bytes are refused or, where nothing was hit that matters, taken: nothing crashes and nothing hangs.
    #[test]
    fn a_damaged_component_ends_in_a_plain_error(
        cut: prop::sample::Index,
        flip: prop::sample::Index,
        bit in 0..8,
    ) {
        let sound = component("count");
        let truncated = &sound[..cut.index(sound.len())];
        let mut bytes = sound.clone();
        bytes[flip.index(sound.len())] ^= 1_u8 << bit;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

        let (damaged, truncated) = runtime.block_on(async {
            (load_bytes(&bytes).await, load_bytes(truncated).await)
        });

        prop_assert!(truncated.is_err());
        drop(damaged);
    }
}

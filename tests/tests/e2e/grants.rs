//! A plugin has what it asks for and its operator gives; one that asks for more stays off.

use std::path::Path;

use serde_json::json;
use sluice_tests::{Answer, Gateway, Setup, guest, kind};

/// The component, with a manifest.
fn asking(component: &Path, manifest: &str) -> Vec<u8> {
    const NAME: &str = "sluice:manifest";
    let byte = |number: usize| u8::try_from(number).expect("a short section");
    let section = [&[byte(NAME.len())], NAME.as_bytes(), manifest.as_bytes()].concat();
    let leb128 = [byte(section.len() % 128 + 128), byte(section.len() / 128)];
    let component = std::fs::read(component).expect("a component");
    [component.as_slice(), &[0], &leb128, &section].concat()
}

async fn offered(gateway: &Gateway) -> Vec<String> {
    let client = gateway.connect("ada").await;
    let models = client.greeting["models"].as_array().expect("models").clone();
    models.iter().map(|model| model["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_new_version_that_asks_for_more_stays_off_until_that_is_granted() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("stranger.wasm");
    std::fs::copy(guest("chatty"), &file).expect("a copy");
    let config = format!(
        "
[auth]
admin_roles = [\"admin\"]
[plugins.echo]
source = \"bundled:echo\"
[plugins.stranger]
source = \"file:{}\"
[[models]]
id = \"echo\"
plugin = \"echo\"
[[models]]
id = \"stranger\"
plugin = \"stranger\"
",
        file.display()
    );
    let mut gateway = Setup::new().config(&config).start().await;
    assert_eq!(offered(&gateway).await, ["echo", "stranger"]);

    gateway.stop().await;
    let more = "endpoints = ['files']\nresponse_headers = ['x-cost']\nlimits = { step = '40ms' }";
    std::fs::write(&file, asking(&guest("chatty"), more)).expect("a newer version");
    gateway.start_again().await;

    assert_eq!(offered(&gateway).await, ["echo"], "the others go on");
    assert_eq!(gateway.metric("sluice_plugins_off").await, Some(1.0));
    let lines = [
        r#"plugins.stranger.endpoints.files = "https://…""#,
        r#"plugins.stranger.grants.response_headers = ["x-cost"]"#,
        r#"plugins.stranger.limits.step = "40ms""#,
    ];
    gateway.logged("a plugin stays off").await;
    let token = gateway.token_with("root", &["admin"]);
    let told = gateway.call("GET", "/chatbox/admin/plugins").bearer(&token).send().await.json();
    let stranger = &told["plugins"][1];
    assert_eq!(stranger, &json!({ "id": "stranger", "state": "off", "asks_for": lines }));
    let checked = gateway.run(&["check"]).await;
    assert_eq!(checked.code, Some(64), "{}", checked.stderr);
    for line in lines {
        assert!(checked.stderr.contains(line), "{}", checked.stderr);
    }

    gateway.stop().await;
    for (key, value) in [
        ("ENDPOINTS__FILES", "https://files.example"),
        ("GRANTS", r#"{"response_headers": ["x-cost"]}"#),
        ("LIMITS", r#"{"step": "40ms"}"#),
    ] {
        gateway.set(&format!("SLUICE_PLUGINS__STRANGER__{key}"), value);
    }
    gateway.start_again().await;

    assert_eq!(offered(&gateway).await, ["echo", "stranger"]);
    assert_eq!(gateway.metric("sluice_plugins_off").await, Some(0.0));
}

#[tokio::test]
async fn nothing_starts_without_a_policy_that_asks_for_more() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("judge.wasm");
    std::fs::write(&file, asking(&guest("judge"), "limits = { hook = '1s' }")).expect("a file");
    let config = format!(
        "
[plugins.echo]
source = \"bundled:echo\"
[plugins.judge]
source = \"file:{}\"
[[models]]
id = \"echo\"
plugin = \"echo\"
[policies]
chain = [\"judge\"]
",
        file.display()
    );

    let ended = Setup::new().config(&config).ended().await;

    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains(r#"plugins.judge.limits.hook = "1s""#), "{}", ended.stderr);
}

#[tokio::test]
async fn a_bound_of_one_plugin_holds_for_it_alone() {
    let plugin = |id: &str, limits: &str| {
        let file = guest("hoard");
        format!(
            "
[plugins.{id}]
source = \"file:{}\"
{limits}
[[models]]
id = \"{id}\"
plugin = \"{id}\"
upstream = \"polite\"
",
            file.display()
        )
    };
    let config = plugin("large", "") + &plugin("small", "limits = { memory = \"4MiB\" }");
    let gateway = Setup::new().config(&config).start().await;
    let mut mebibytes = Vec::new();
    for model in ["small", "large"] {
        let mut client = gateway.connect("ada").await;
        let ask = json!({ "type": "user_message", "content": "How much?", "model_id": model });
        client.send(&ask).await;
        let heard = client.frames_until("an error", |frame| kind(frame) == "error").await;
        mebibytes.push(Answer::of(&heard).text.parse::<u64>().expect("a number"));
    }

    let [small, large] = mebibytes[..] else { panic!("two numbers") };
    assert!(small < 4 && (8..16).contains(&large), "{small} and {large} MiB");
}

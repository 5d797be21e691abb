//! Plugins that misbehave hurt their own answer and nothing else.

use serde_json::json;
use sluice_tests::{Answer, Client, FakeProvider, Script, Setup, guest, kind};

/// A gateway with the bundled echo and the guest `name`; `upstream` tells the guest what to do.
fn with_guest(name: &str, upstream: &str) -> Setup {
    with_settings(name, upstream, "{}")
}

fn with_settings(name: &str, upstream: &str, settings: &str) -> Setup {
    let path = guest(name);
    Setup::new().config(&format!(
        "
[plugins.echo]
source = \"bundled:echo\"

[plugins.{name}]
source = \"file:{}\"
settings = {settings}

[[models]]
id = \"echo\"
plugin = \"echo\"
upstream = \"echo\"

[[models]]
id = \"{name}\"
plugin = \"{name}\"
upstream = \"{upstream}\"
",
        path.display()
    ))
}

async fn ask(client: &mut Client, model: &str, content: &str) {
    client.send(&json!({ "type": "user_message", "content": content, "model_id": model })).await;
}

#[tokio::test]
async fn a_hostile_plugin_fails_its_own_answer_while_its_neighbour_goes_on() {
    let table = [
        ("spin", "start"),
        ("spin", "copy"),
        ("hoard", "all"),
        ("trap", "start"),
        ("trap", "step"),
        ("trap", "deep"),
        ("flood", "bytes"),
        ("flood", "steps"),
        ("flood", "fail"),
    ];
    for (name, upstream) in table {
        let mut gateway = with_guest(name, upstream).start().await;
        let mut mallory = gateway.connect("mallory").await;
        let mut alice = gateway.connect("alice").await;

        ask(&mut mallory, name, "Do your worst").await;
        mallory.next_of("loading").await;
        ask(&mut alice, "echo", "the quick brown fox").await;
        let neighbour = alice.answer().await;
        let heard = mallory.frames_until("an error", |frame| kind(frame) == "error").await;

        assert_eq!(neighbour.finish_reason, "stop", "{name} {upstream}");
        assert!(neighbour.text.contains("the quick brown fox"), "{name}: {}", neighbour.text);
        assert_eq!(Answer::of(&heard).finish_reason, "error", "{name} {upstream}");
        let code = &heard.last().expect("an error")["error"]["code"];
        assert!(
            ["LLM_UNAVAILABLE", "LLM_TIMEOUT"].map(|c| json!(c)).contains(code),
            "{name}: {code}"
        );
        assert!(gateway.is_running(), "{name} {upstream}");
        ask(&mut mallory, "echo", "and again").await;
        assert_eq!(mallory.answer().await.finish_reason, "stop", "{name} {upstream}");
    }
}

#[tokio::test]
async fn a_plugin_that_crashes_while_it_is_configured_stops_the_start() {
    for name in ["spin", "trap"] {
        let ended = with_settings(name, "any", r#"{ at = "configure" }"#).ended().await;

        assert_eq!(ended.code, Some(64), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(name), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn what_a_plugin_logs_cannot_forge_a_line() {
    let gateway = with_guest("chatty", "any").start().await;
    let mut alice = gateway.connect("alice").await;

    ask(&mut alice, "chatty", "Say something").await;
    alice.answer().await;

    let log = gateway.log();
    assert!(!log.lines().any(|line| line.trim_start().starts_with("ERROR forged")), "{log}");
    assert!(!log.contains("\u{1b}[2J"), "control characters are not passed on");
    assert!(log.len() < 1 << 20, "{} bytes of log", log.len());
}

#[tokio::test]
async fn something_that_is_no_plugin_stops_the_start() {
    let folder = tempfile_with(b"\0asm\x01\0\0\0");
    let config = format!(
        "[plugins.mine]\nsource = \"file:{}\"\n[[models]]\nid = \"m\"\nplugin = \"mine\"\nupstream = \"m\"\n",
        folder.path().join("mine.wasm").display()
    );

    let ended = Setup::new().config(&config).ended().await;

    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains("mine"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

fn tempfile_with(bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().expect("a folder for the test");
    std::fs::write(folder.path().join("mine.wasm"), bytes).expect("written");
    folder
}

#[tokio::test]
async fn a_plugin_that_is_asked_by_all_leaves_room_for_another() {
    let slow = FakeProvider::start().await;
    slow.always(Script::silent());
    let endpoint = slow.endpoint();
    let gateway = Setup::new()
        .config(&format!(
            "
[sandbox]
max_answers = 8

[plugins.slow]
source = \"bundled:openai\"
endpoints.api = \"{endpoint}\"

[plugins.echo]
source = \"bundled:echo\"

[[models]]
id = \"slow\"
plugin = \"slow\"

[[models]]
id = \"echo\"
plugin = \"echo\"
"
        ))
        .start()
        .await;
    let mut crowd = Vec::new();
    for n in 0..8 {
        let mut client = gateway.connect(&format!("user-{n}")).await;
        ask(&mut client, "slow", "Hello?").await;
        client.next_of("loading").await;
        crowd.push(client);
    }
    // Three quarters of eight wait for their answers, and two were told that there is no room.
    slow.request(6).await;
    for client in crowd.drain(6..) {
        refused_for_lack_of_room(client).await;
    }

    let mut alice = gateway.connect("alice").await;
    ask(&mut alice, "echo", "the quick brown fox").await;
    assert_eq!(alice.answer().await.text, "the quick brown fox");
}

async fn refused_for_lack_of_room(mut client: Client) {
    assert_eq!(client.next_of("error").await["error"]["code"], "LLM_UNAVAILABLE");
}

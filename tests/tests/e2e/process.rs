//! The process: how it starts, refuses to start, and ends.

use std::net::TcpListener;

use sluice_tests::{FakeProvider, Setup, Signal, patiently};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[tokio::test]
async fn a_port_in_use_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();

    let ended = Setup::new().set("SLUICE_SERVER__BIND", &address).ended().await;

    assert_eq!(ended.code, Some(69), "{}", ended.stderr);
    assert!(ended.stderr.contains(&address), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "no readiness line");
}

#[tokio::test]
async fn all_problems_of_a_configuration_are_told_at_once() {
    let config = "
[server]
bind = \"nowhere\"
max_conections = 5

[limits]
max_content = -3
messages = \"many\"

[session]
ttl = \"soon\"
";
    for command in [&["serve"][..], &["check"][..]] {
        let setup = Setup::new().unset("SLUICE_SERVER__BIND").set("JWT_SECRET", "too short");
        let ended = setup.config(config).run(command).await;

        assert_eq!(ended.code, Some(64), "{command:?} {}", ended.stderr);
        let told = ended.stderr + &ended.stdout;
        for key in ["bind", "max_conections", "max_content", "messages", "ttl", "jwt_secret"] {
            assert!(
                told.to_lowercase().contains(key),
                "{command:?} says nothing of {key}:\n{told}"
            );
        }
        assert!(told.contains("sluice.toml"), "the file is named:\n{told}");
        assert!(!told.contains("too short"), "a secret is never printed:\n{told}");
    }
}

#[tokio::test]
async fn a_secret_of_digits_or_a_truth_value_is_still_text() {
    for secret in ["12345678901234567890123456789012345678", "true"] {
        let ended = Setup::new().set("JWT_SECRET", secret).run(&["check"]).await;

        let told = ended.stderr + &ended.stdout;
        assert!(!told.contains(secret), "a secret is never printed:\n{told}");
        assert!(!told.contains("invalid type"), "the environment has only text:\n{told}");
    }
}

#[tokio::test]
async fn a_placeholder_is_no_secret() {
    let secret = "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME";

    let ended = Setup::new().set("JWT_SECRET", secret).ended().await;

    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
}

#[tokio::test]
async fn a_plugin_that_is_not_there_stops_the_start() {
    let config = "
[plugins.mine]
source = \"file:nowhere/mine.wasm\"

[[models]]
id = \"m\"
plugin = \"mine\"
upstream = \"m\"
";
    let ended = Setup::new().config(config).ended().await;

    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains("mine"), "{}", ended.stderr);
}

#[tokio::test]
async fn check_says_what_would_run() {
    let provider = FakeProvider::start().await;

    let ended = Setup::with(&provider).run(&["check"]).await;

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("upstream-fake"), "{}", ended.stdout);
    let told = ended.stdout + &ended.stderr;
    assert!(!told.contains("key-of-the-test"), "{told}");
}

#[tokio::test]
async fn a_key_is_explained_and_a_slip_is_told_what_was_meant() {
    let explain = async |key| Setup::new().run(&["check", "--explain", key]).await;

    let told = explain("session.ttl").await;
    let by_its_old_name = explain("SESSION_TTL").await;
    let slip = explain("session.tll").await;

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for word in ["accepted: a duration", "default: \"15m\"", "SLUICE_SESSION__TTL", "a change: "] {
        assert!(told.stdout.contains(word), "{word}: {}", told.stdout);
    }
    assert_eq!(by_its_old_name.stdout, told.stdout);
    assert_eq!((slip.code, slip.stdout.as_str()), (Some(64), ""));
    assert!(slip.stderr.contains("did you mean session.ttl?"), "{}", slip.stderr);
}

#[tokio::test]
async fn a_command_asks_for_no_more_of_the_configuration_than_it_needs() {
    let config = "
[plugins.vendor]
source = \"bundled:openai\"
endpoints.api = \"https://api.vendor.example/v1\"
secrets.api_key = \"env:NOT_SET_HERE\"

[[models]]
id = \"m\"
plugin = \"vendor\"
";
    let ended = async |secret: &str, arguments: &[&str]| {
        // A MongoDB has backups of its own.
        let setup = Setup::new().config(config).set("SLUICE_STORAGE__ENGINE", "sqlite");
        setup.set("JWT_SECRET", secret).run(arguments).await
    };
    let good = Setup::new().secret().to_owned();

    for (secret, arguments, code, says) in [
        (&*good, &["check"][..], 64, "NOT_SET_HERE"),
        (&good, &["token", "--user", "ada"], 0, ""),
        ("short", &["token", "--user", "ada"], 64, "auth.jwt_secret"),
        // Theirs is the archive, which is not there.
        ("short", &["backup", "copy.db"], 69, "is not an archive"),
        ("short", &["reseal"], 0, ""),
    ] {
        let ended = ended(secret, arguments).await;

        assert_eq!(ended.code, Some(code), "{arguments:?} {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{arguments:?} {}", ended.stderr);
        assert_eq!(ended.stderr.contains("NOT_SET_HERE"), says == "NOT_SET_HERE");
    }
}

#[tokio::test]
async fn version_and_help_are_there() {
    for (argument, word) in [("--version", "sluice"), ("--help", "serve")] {
        let ended = Setup::new().run(&[argument]).await;

        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains(word), "{}", ended.stdout);
    }
}

#[tokio::test]
async fn a_token_made_by_the_tool_opens_the_gateway() {
    let gateway = Setup::new().start().await;

    let made = gateway.setup().clone().run(&["token", "--user", "alice", "--ttl", "1h"]).await;
    let opened = gateway.dial().bearer(made.stdout.trim()).open().await;

    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert_eq!(opened.expect("it opens").greeting["user_id"], "alice");
}

#[tokio::test]
async fn an_interrupt_is_a_polite_stop() {
    let mut gateway = Setup::new().start().await;

    gateway.signal(Signal::SIGINT);

    assert_eq!(gateway.stop_already().await.code(), Some(0));
}

#[tokio::test]
async fn the_last_sentence_of_a_client_is_not_in_the_log() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).set("SLUICE_TELEMETRY__LEVEL", "debug").start().await;

    gateway.connect("alice").await.ask("a-very-private-sentence").await;

    assert!(!gateway.log().contains("very-private"), "prompts are never logged");
}

#[tokio::test]
async fn sockets_that_say_nothing_more_do_not_hold_up_a_stop() {
    let setup = Setup::new().set("SLUICE_SERVER__SHUTDOWN_TIMEOUT", "8s");
    let mut gateway = setup.start().await;
    let address = gateway.address();
    let body = format!(
        "PATCH /chatbox/sessions/x HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
    );
    let known = format!("Authorization: Bearer {}\r\n", gateway.token("alice"));
    let mut sockets = Vec::new();
    // Whether an answer comes of it, and what was said.
    for (answered, said) in [
        (false, String::new()),
        (false, "GET /chatbox/healthz HT".to_owned()),
        (false, format!("{body}{known}\r\n")),
        (true, format!("{body}\r\n")),
        (true, format!("GET /chatbox/healthz HTTP/1.1\r\nHost: {address}\r\n\r\n")),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(said.as_bytes()).await.expect("written");
        if answered {
            let first = patiently(&said, stream.read_u8()).await;
            assert_eq!(first.expect("an answer"), b'H', "{said}");
        }
        sockets.push(stream);
    }

    let status = gateway.stop().await;

    assert_eq!(status.code(), Some(0));
    drop(sockets); // open until here
}

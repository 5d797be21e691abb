//! `config/examples`: each is a configuration that works.

use std::fs;

use sluice_tests::{Setup, root};

/// A secret no rule complains about.
const SECRET: &str = "9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0PyB";

/// Runs `sluice check` on an example with what its head says that it needs.
async fn checked(name: &str, text: &str) -> sluice_tests::Ended {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let secret = folder.path().join("jwt");
    fs::write(&secret, SECRET).expect("the folder is ours");
    let text = text.replace("/run/secrets/jwt", &secret.display().to_string());
    let mut setup = Setup::new().unset("SLUICE_SERVER__BIND").unset("JWT_SECRET").config(&text);
    for variable in text.split("env:").skip(1).filter_map(|rest| rest.split('"').next()) {
        let value = match variable {
            "JWT_SECRET" => SECRET.to_owned(),
            "MONGO_URI" => "mongodb://127.0.0.1:9".to_owned(),
            "ENCRYPTION_KEY" => format!("hex:{}", "0123456789abcdef".repeat(4)),
            _ => "key-of-the-test".to_owned(),
        };
        setup = setup.set(variable, &value);
    }
    let ended = setup.run(&["check"]).await;
    assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
    ended
}

#[tokio::test]
async fn every_example_passes_the_check_without_a_warning() {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("config/examples")).expect("there are examples") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("it is text");
        assert!(text.contains(&format!("sluice serve --config config/examples/{name}")), "{name}");
        let ended = checked(&name, &text).await;
        assert!(!ended.stderr.contains("warning"), "{name}: {}", ended.stderr);
        assert!(!ended.stdout.contains(SECRET) && !ended.stdout.contains("key-of"), "{name}");
        names.push(name);
    }
    names.sort();
    for expected in ["air-gapped.toml", "hosted.toml", "mongodb.toml", "several-models.toml"] {
        assert!(names.iter().any(|name| name == expected), "{names:?}");
    }
}

#[tokio::test]
async fn the_check_prints_what_is_in_force_and_where_it_came_from() {
    let setup = Setup::new().set("RATE_LIMIT", "7").config(
        "
[session]
ttl = \"1h\"
[plugins.echo]
source = \"bundled:echo\"
[[models]]
id = \"echo\"
plugin = \"echo\"
",
    );
    let secret = setup.secret().to_owned();

    let ended = setup.run(&["check"]).await;

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let line = |start: &str| ended.stdout.lines().find(|line| line.starts_with(start));
    assert_eq!(line("limits.messages"), Some("limits.messages = \"7/1m\"  # variable RATE_LIMIT"));
    assert_eq!(line("limits.admin"), Some("limits.admin = \"20/1m\""));
    assert!(
        line("session.ttl")
            .is_some_and(|line| line.contains("\"1h\"  # ") && line.ends_with("sluice.toml:3"))
    );
    assert_eq!(line("auth.jwt_secret"), Some("auth.jwt_secret = \"***\"  # variable JWT_SECRET"));
    assert!(!ended.stdout.contains(&secret) && !ended.stderr.contains(&secret));
}

#[tokio::test]
async fn a_configuration_is_refused_before_a_port_is_asked_for() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();

    let setup = Setup::new().set("SLUICE_SERVER__BIND", &address);
    let ended = setup.set("LLM_STREAM_TIMEOUT", "soon").ended().await;

    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("llm.stream_timeout (variable LLM_STREAM_TIMEOUT)"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_key_is_explained_by_any_of_its_names_and_a_slip_gets_a_hint() {
    let explained = async |name| Setup::new().run(&["check", "--explain", name]).await;

    let (key, variable) = (explained("limits.messages").await, explained("RATE_LIMIT").await);
    assert_eq!((key.code, key.stderr.as_str()), (Some(0), ""));
    for words in ["limits.messages", "accepted: ", "default: \"100/1m\"", "RATE_LIMIT", "SIGHUP"] {
        assert!(key.stdout.contains(words), "{words}: {}", key.stdout);
    }
    assert_eq!(variable.stdout, key.stdout);

    let slip = explained("limits.mesages").await;
    assert_eq!((slip.code, slip.stdout.as_str()), (Some(64), ""));
    assert!(slip.stderr.contains("did you mean limits.messages?"), "{}", slip.stderr);
}

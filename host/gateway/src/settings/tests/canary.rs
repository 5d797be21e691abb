//! Secrets do not come out: not in problems, not in warnings, not in `Debug`.

use super::*;

const CANARY: &str = "canary7Qx";

#[test]
fn no_problem_carries_a_secret() {
    let values = [
        CANARY.to_owned(),
        format!("{CANARY}{CANARY}-password-{CANARY}{CANARY}"),
        format!("CHANGE_ME{CANARY}"),
        format!("env:{CANARY} not a name"),
        format!("https://user:{CANARY}@api.example.com/?{CANARY}"),
    ];
    for value in values {
        let text = format!(
            "
[auth]
jwt_secret = \"{value}\"
jwt_secert = \"{value}\"
previous_jwt_secrets = [\"{value}\"]
jwks_url = \"ftp://user:{CANARY}@keys.example\"
[server]
public_url = \"ftp://user:{CANARY}@chat.example\"
allowed_origins = [\"https://user:{CANARY}@chat.example\"]
[server.extra]
deep = \"{value}\"
[storage]
encryption_key = \"{value}\"
[storage.mongodb]
uri = \"{value}\"
[plugins.x]
source = \"bundled:openai\"
endpoints.api = \"http://user:{CANARY}@api.example.com\"
secrets.key = [\"{value}\"]
secert.key = \"{value}\"
settings = {{ key = \"{value}\" }}
enabled = \"no\"
"
        );
        let problems = Configuration::empty()
            .file("c.toml", text)
            .variable("MONGO_URI", &value)
            .variable("SLUICE_AUTH__JWT_SECERT", &value)
            .variable("SLUICE_PLUGINS__X__SETTINGS", &format!("{{\"a\": {value}}}"))
            .variable("LLM_PROVIDER_1_API_KEY", &value)
            .variable("LLM_PROVIDER_1_ENDPOINT", &format!("https://u:{CANARY}@a.example"))
            .problems();

        assert!(problems.len() > 10, "{problems:#?}");
        assert!(!problems.join("\n").contains(CANARY), "{problems:#?}");
    }
}

#[test]
fn bad_toml_is_not_quoted() {
    for text in [
        format!("[auth]\njwt_secret = {CANARY}"),
        format!("[auth]\njwt_secret = \"{CANARY}"),
        format!("[auth]\njwt_secret = \"{CANARY}\" \"{CANARY}\""),
        format!("[auth]\njwt_secret = '{CANARY}\\q' {CANARY}"),
    ] {
        let problems = Configuration::working().file("c.toml", text.clone()).problems();

        assert!(problems.join("\n").contains("c.toml:2: is not TOML"), "{text}\n{problems:#?}");
        assert!(!problems.join("\n").contains(CANARY), "{text}\n{problems:#?}");
    }
}

#[test]
fn no_settings_and_no_warning_show_a_secret() {
    let secret = format!("{CANARY}-{GOOD}");
    let text = format!(
        "
[storage]
engine = \"sqlite\"
[storage.mongodb]
uri = \"mongodb://user:{CANARY}@db\"
[plugins.x]
source = \"bundled:openai\"
endpoints.api = \"https://api.example.com\"
secrets.key = \"{CANARY}\"
settings = {{ key = \"{CANARY}\" }}
limits = {{ memory = \"8MiB\" }}
"
    );
    let (settings, warnings) = Configuration::working()
        .file("c.toml", text)
        .variable("JWT_SECRET", &secret)
        .variable("SMTP_PASS", CANARY)
        .variable("LLM_PROVIDER_1_ID", "m")
        .variable("LLM_PROVIDER_1_TYPE", "openai")
        .variable("LLM_PROVIDER_1_ENDPOINT", "https://api.example.com")
        .variable("LLM_PROVIDER_1_API_KEY", CANARY)
        .load()
        .unwrap();

    let shown = format!("{settings:?} {settings:#?} {warnings:?}");
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("***"));
    assert_eq!(settings.auth.secrets[0].expose(), secret);
    assert_eq!(format!("{} {:?}", settings.auth.secrets[0], settings.auth.secrets[0]), "*** ***");
}

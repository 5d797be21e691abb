//! Wrong configurations, and the words they are refused with.

use super::*;

#[test]
fn everything_wrong_is_told_at_once_with_key_place_and_remedy() {
    let configuration = "
[server]
bind = \"localhost:80\"
max_connections = \"many\"
pathprefix = \"/x\"
[auth]
leeway = 30
[limits]
max_content = -3
messages = \"100\"
[session]
ttl = \"99d\"
[sevrer]
bind = \"127.0.0.1:1\"
";
    let problems = Configuration::empty()
        .file("a.toml", configuration)
        .file("b.toml", "[llm]\ndefault_model = \"x\"")
        .variable("SLUICE_LLM__IDLE_TIMEOUT", "soon")
        .variable("SLUICE_SERVER__BNID", "127.0.0.1:1")
        .variable("SERVER_PORT", "0")
        .problems();

    insta::assert_snapshot!(problems.join("\n"), @r#"
    SLUICE_SERVER__BNID (variable): is no setting; did you mean SLUICE_SERVER__BIND?
    server.pathprefix (a.toml:5): is no setting; did you mean server.path_prefix?
    sevrer (a.toml:13): is no setting; did you mean server?
    server.bind (a.toml:3): "localhost:80" is not an address with a port; accepted: an IP address and a port such as "127.0.0.1:8080"; port 0 takes a free one
    server.bind (variable SERVER_PORT): "0" is not a port; accepted: a whole number from 1 to 65535
    server.max_connections (a.toml:4): has the wrong type, a string; accepted: a whole number from 1 to 1000000
    auth.leeway (a.toml:7): has the wrong type, a number; accepted: a duration from "0s" to "5m", such as "500ms" or "1h30m"
    limits.messages (a.toml:10): "100" is not a rate; accepted: a number and a window such as "100/1m", from "1/24h" to "100000/10ms"
    limits.max_content (a.toml:9): has the wrong type, a negative number or a fraction; accepted: a whole number from 1 to 1048576
    session.ttl (a.toml:12): 99d is above the range; accepted: a duration from "10ms" to "30d", such as "500ms" or "1h30m"
    llm.idle_timeout (variable SLUICE_LLM__IDLE_TIMEOUT): "soon" is not a duration; accepted: a duration from "10ms" to "1h", such as "500ms" or "1h30m"
    auth.jwt_secret (not set): is required; set it in a file or by JWT_SECRET, or name keys by auth.jwks_url or auth.jwks_file; accepted: at least 32 random characters (`openssl rand -base64 48` makes some), "env:VAR" or "file:PATH"
    models (not set): there is no model to answer with; accepted: LLM_PROVIDER_1_ID, _TYPE, _ENDPOINT, _API_KEY and _MODEL, or a table [[models]] and its [plugins.ID] in a file
    llm.default_model (b.toml:2): "x" is no model; accepted: a model that exists
    "#);
}

#[test]
fn one_wrong_thing_is_one_problem() {
    let cases = [
        ("[server]\nbind = 8080", "server.bind (c.toml:2): has the wrong type, a number"),
        ("[server]\nbind = \"::1\"", "server.bind (c.toml:2): \"::1\" is not an address"),
        (
            "[server]\npath_prefix = \"chat\"",
            "server.path_prefix (c.toml:2): \"chat\" is not a path",
        ),
        (
            "[server]\nallowed_origins = [\"*\", \"https://a.example\"]",
            "server.allowed_origins (c.toml:2): names \"*\"",
        ),
        (
            "[server]\nallowed_origins = \"*\"",
            "server.allowed_origins (c.toml:2): has the wrong type, a string",
        ),
        (
            "[server]\ntrusted_proxies = [\"10.0.0.0/64\"]",
            "server.trusted_proxies (c.toml:2): \"10.0.0.0/64\"",
        ),
        (
            "[server]\npublic_url = \"chat.example.com\"",
            "server.public_url (c.toml:2): not an address",
        ),
        (
            "[server]\npublic_url = \"https://your-domain.example\"",
            "server.public_url (c.toml:2): is still a placeholder",
        ),
        (
            "[server]\nmax_connections = 0",
            "server.max_connections (c.toml:2): 0 is below the range",
        ),
        (
            "[server]\nmax_connections = -1",
            "server.max_connections (c.toml:2): has the wrong type, a negative",
        ),
        (
            "[server]\nshutdown_timeout = \"1.5s\"",
            "server.shutdown_timeout (c.toml:2): \"1.5s\" is not a duration",
        ),
        ("[server.bind]\nx = 1", "server.bind (c.toml:1): has the wrong type, a table"),
        ("server = 1", "server (c.toml:1): is not a table"),
        ("x = 1", "x (c.toml:1): is no setting"),
        ("\nserver.bind = \"x\"", "server.bind (c.toml:2): \"x\" is not an address"),
        ("server = { bind = \"x\" }", "server.bind (c.toml:1): \"x\" is not an address"),
        ("\"server.bind\" = \"[::]:80\"", "server.bind (c.toml:1): is no setting"),
        ("\"storage.sqlite\" = 1", "storage.sqlite (c.toml:1): is no setting"),
        (
            "[server]\njwt_secret = \"x\"",
            "server.jwt_secret (c.toml:2): is no setting; did you mean auth.jwt_secret?",
        ),
        ("[auth]\nadmin_roles = [1]", "auth.admin_roles (c.toml:2): has the wrong type, a list"),
        (
            "[limits]\nmax_message_size = \"1MB\"",
            "limits.max_message_size (c.toml:2): \"1MB\" is not a size",
        ),
        ("[limits]\npublic = \"0/1m\"", "limits.public (c.toml:2): \"0/1m\" is not a rate"),
        (
            "[storage]\nengine = \"postgres\"",
            "storage.engine (c.toml:2): \"postgres\" is not one of",
        ),
        (
            "[storage]\nengine = \"mongodb\"",
            "storage.engine (c.toml:2): mongodb needs storage.mongodb.uri",
        ),
        (
            "[storage]\nencryption_key = \"base64:c2hvcnQ=\"",
            "storage.encryption_key (c.toml:2): is no key of 32 bytes; accepted: \"base64:",
        ),
        (
            "[storage.mongodb]\nuri = \"postgres://localhost\"",
            "storage.mongodb.uri (c.toml:2): is no address of a MongoDB",
        ),
        (
            "[storage.mongodb]\nretry_attempts = 0",
            "storage.mongodb.retry_attempts (c.toml:2): 0 is below the range",
        ),
        (
            "[telemetry]\nlevel = \"loud\"",
            "telemetry.level (c.toml:2): \"loud\" is not a log level",
        ),
        (
            "[llm]\nstream_timeout = \"10s\"\nidle_timeout = \"11s\"",
            "llm.idle_timeout (c.toml:3): is above llm.stream_timeout (c.toml:2)",
        ),
        (
            "[limits]\nmax_content = 2000\nmax_message_size = \"1KiB\"",
            "limits.max_content (c.toml:2): is above limits.max_message_size (c.toml:3)",
        ),
        (
            "[llm]\ndefault_model = \"gpt\"",
            "llm.default_model (c.toml:2): \"gpt\" is no model; accepted: echo",
        ),
        ("[plugins]\nx = 1", "plugins.x (c.toml:2): is not a table"),
        (
            "[plugins.X]\nsource = \"bundled:echo\"",
            "plugins (c.toml:1): \"X\" is no name of a plugin",
        ),
        ("[plugins.x]", "plugins.x.source (c.toml:1): is required"),
        ("[plugins.x]\nsource = \"echo\"", "plugins.x.source (c.toml:2): \"echo\" is no source"),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nsetings = {}",
            "plugins.x.setings (c.toml:3): is no setting; did you mean settings?",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nsha256 = \"abc\"",
            "plugins.x.sha256 (c.toml:3): \"abc\" is no digest",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nsettings = 1",
            "plugins.x.settings (c.toml:3): has the wrong type, a number",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nendpoints.api = \"http://api.openai.com\"",
            "plugins.x.endpoints.api (c.toml:3): plain http",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nendpoints = \"https://a.example\"",
            "plugins.x.endpoints (c.toml:3): is not a table",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nendpoints.API = \"https://a.example\"",
            "plugins.x.endpoints (c.toml:3): has the name \"API\"",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nsecrets.key = \"env:NOT_SET\"",
            "plugins.x.secrets.key (c.toml:3): names the variable NOT_SET, which is not set",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nsecrets.key = \"\"",
            "plugins.x.secrets.key (c.toml:3): is required",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\n[[models]]\nid = \"a\"\nplugin = \"x\"\nalso = [{ plugin = \"y\" }]",
            "models[0].also[0].plugin (c.toml:6): \"y\" is no plugin",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\n[[models]]\nid = \"a\"\nplugin = \"x\"\nalso = [{ plugin = \"x\", wieght = 1 }]",
            "models[0].also[0].wieght (c.toml:6): is no setting; did you mean weight?",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\n[[models]]\nid = \"a\"\nplugin = \"x\"\nweight = 1001\nalso = [{ plugin = \"x\" }]",
            "models[0].weight (c.toml:6): 1001 is out of range",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\n[[models]]\nid = \"a\"\nplugin = \"x\"\nalso = \"x\"",
            "models[0].also (c.toml:6): is no list of so many tables",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nsecrets.other = [\"a-key\"]",
            "plugins.x.secrets.other (c.toml:3): is a list, which only api_key may be",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nsecrets.api_key = [\"a-key\", \"env:NOT_SET\"]",
            "plugins.x.secrets.api_key (c.toml:3): names the variable NOT_SET, which is not set",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nsecrets.api_key = []",
            "plugins.x.secrets.api_key (c.toml:3): has 0 entries and not 1 to 16",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\non_failure = \"maybe\"",
            "plugins.x.on_failure (c.toml:3): \"maybe\" is unknown",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\ngrants = { everything = true }",
            "plugins.x.grants (c.toml:3): \"everything\" cannot be granted",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\ngrants = { private_network = \"yes\" }",
            "plugins.x.grants (c.toml:3): has no true or false for private_network",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\ngrants = { response_headers = [\"set-cookie\"] }",
            "plugins.x.grants (c.toml:3): the header \"set-cookie\" is seen by no plugin",
        ),
        (
            "[plugins.x]\nsource = \"bundled:echo\"\nlimits = { memory = \"1GiB\" }",
            "plugins.x.limits (c.toml:3): has for memory something else than \"1MiB\" to \"16MiB\"",
        ),
    ];

    for (text, expected) in cases {
        let problems = Configuration::working().file("c.toml", text).problems();
        assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
        assert!(problems[0].starts_with(expected), "{text}\n{}", problems[0]);
    }
}

#[test]
fn models_are_held_to_what_they_name() {
    let configuration = "
[plugins.on]
source = \"bundled:echo\"
[plugins.off]
source = \"bundled:echo\"
enabled = false
[[models]]
id = \"a\"
plugin = \"no\"
fallback = [\"a\", \"z\"]
[[models]]
id = \"a\"
plugin = \"off\"
max_output_tokens = 0
price = { input = -1, reasonning = 2 }
[[models]]
id = \"\"
plugin = \"on\"
modle = \"x\"
";
    let problems = Configuration::empty()
        .variable("JWT_SECRET", GOOD)
        .file("c.toml", configuration)
        .problems();

    insta::assert_snapshot!(problems.join("\n"), @r#"
    models[1].price.reasonning (c.toml:15): is no sort of token; accepted: input, cached_input, cache_write, output, reasoning
    models[1].price.input (c.toml:15): has the wrong type, a negative number or a fraction; accepted: whole numbers from 0 to 1000000000000 for input and output, and where they differ for cached_input, cache_write and reasoning
    models[1].price.output (c.toml:11): is required; accepted: whole numbers from 0 to 1000000000000 for input and output, and where they differ for cached_input, cache_write and reasoning
    models[1].max_output_tokens (c.toml:14): 0 is out of range; accepted: a whole number from 1 to 10000000
    models[2].modle (c.toml:19): is no setting; accepted: id, name, plugin, upstream, system_prompt, price.KIND, max_output_tokens, fallback, also, weight, roles
    models[2].id (c.toml:17): is required; accepted: 1 to 100 bytes without control characters, once among all models
    models[1].id (c.toml:12): "a" is already a model (c.toml:8)
    models[0].plugin (c.toml:9): "no" is no plugin; accepted: on
    models[0].fallback (c.toml:10): "a" is no other model; accepted: another model
    models[0].fallback (c.toml:10): "z" is no other model; accepted: another model
    models[1].plugin (c.toml:13): "off" is switched off; accepted: on
    "#);
}

#[test]
fn a_gateway_without_a_secret_or_a_model_is_told_how_to_get_them() {
    let problems = Configuration::empty().problems();

    insta::assert_snapshot!(problems.join("\n"), @r#"
    auth.jwt_secret (not set): is required; set it in a file or by JWT_SECRET, or name keys by auth.jwks_url or auth.jwks_file; accepted: at least 32 random characters (`openssl rand -base64 48` makes some), "env:VAR" or "file:PATH"
    models (not set): there is no model to answer with; accepted: LLM_PROVIDER_1_ID, _TYPE, _ENDPOINT, _API_KEY and _MODEL, or a table [[models]] and its [plugins.ID] in a file
    "#);
}

#[test]
fn every_rule_for_signing_secrets_is_held_wherever_one_is_written() {
    let cases = [
        ("tiny", "has 4 characters, fewer than 32"),
        ("9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs-PassWord", "is weak: it contains one of the words"),
        ("xyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxy", "is weak: it repeats a short pattern"),
        ("CHANGE_ME_9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0PyB", "is still a placeholder"),
        ("env:ELSEWHERE", "has 4 characters, fewer than 32"),
    ];

    for (secret, expected) in cases {
        let written = [
            ("auth.jwt_secret", format!("[auth]\njwt_secret = \"{secret}\"")),
            (
                "auth.previous_jwt_secrets",
                format!("[auth]\njwt_secret = \"{GOOD}\"\nprevious_jwt_secrets = [\"{secret}\"]"),
            ),
        ];
        for (key, text) in written {
            let problems = Configuration::empty()
                .file("base.toml", ECHO)
                .file("c.toml", text)
                .variable("ELSEWHERE", "nope")
                .problems();
            let told = problems.iter().any(|p| p.starts_with(key) && p.contains(expected));
            assert!(told, "{secret}: {problems:#?}");
            assert!(problems.iter().all(|p| !p.contains(secret)), "{problems:#?}");
        }
    }
    let problems = Configuration::working().variable("JWT_SECRET", "tiny").problems();
    assert!(problems[0].contains("openssl rand -base64 48"), "{problems:#?}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_like_any_other() {
    let problems = Configuration::working()
        .file("c.toml", "[server]\nbind = 127.0.0.1\n")
        .file("d.toml", "[server]\nbind = 1")
        .problems();

    assert!(problems[0].starts_with("c.toml:2: is not TOML: "), "{problems:#?}");
    assert!(problems[1].starts_with("server.bind (d.toml:2)"), "{problems:#?}");

    let missing = [PathBuf::from("nowhere/sluice.toml")];
    let problems = load(&missing, std::iter::empty()).err().unwrap();
    assert_eq!(
        problems.to_string().lines().next().unwrap(),
        "nowhere/sluice.toml: cannot be read (entity not found)"
    );
}

#[test]
fn a_value_of_the_wrong_type_is_told_for_every_key_by_its_name() {
    let odd = [
        "1",
        "-1",
        "1.5",
        "true",
        "\"\"",
        "\"?\"",
        "[]",
        "[[1]]",
        "{ a = { b = 1 } }",
        "2024-01-01",
    ];
    let base = format!("{ECHO}[auth]\njwt_secret = \"{GOOD}\"");
    for key in keys::table::KEYS {
        let wrong = odd.iter().filter(|value| {
            let text = format!("[{}]\n{} = {value}", key.section(), key.leaf());
            let Err(problems) =
                Configuration::empty().file("a.toml", base.clone()).file("c.toml", text).load()
            else {
                return false;
            };
            let place = format!("{} (c.toml:2): ", key.name);
            assert!(problems.iter().any(|p| p.starts_with(&place)), "{}: {problems:#?}", key.name);
            true
        });
        assert!(wrong.count() >= 5, "{} takes nearly anything", key.name);
    }
}

proptest::proptest! {
    /// Whatever a file says, loading answers.
    #[test]
    fn any_text_in_a_file_is_answered(
        text in "(\\[{1,2}(server|auth|models|plugins\\.x|storage|notify)\\]{1,2}\n([a-z_.\"]{1,12} = (\"[^\"\n]{0,9}\"|[0-9]{1,3}|true|\\[\\]|\\{\\})\n){0,4}){0,4}|.*",
    ) {
        let _answer = Configuration::working().file("c.toml", text).load();
    }
}

#[test]
fn keys_and_algorithms_have_to_fit_together() {
    let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (good, empty) = (file("good.json", keys), file("empty.json", r#"{"keys":[]}"#));
    let url = "jwks_url = \"https://id.example/keys\"";
    let cases = [
        (
            "jwks_url = \"http://id.example/keys\"".into(),
            "auth.jwks_url (c.toml:2): plain http is for",
        ),
        (
            "jwks_url = \"https://me:pw@id.example/keys\"".into(),
            "auth.jwks_url (c.toml:2): a credential",
        ),
        (
            format!("{url}\njwks_file = \"{good}\""),
            "auth.jwks_file (c.toml:3): contradicts auth.jwks_url",
        ),
        (format!("jwks_file = \"{empty}\""), "auth.jwks_file (c.toml:2): there are no keys in it"),
        (
            "jwks_file = \"nowhere.json\"".into(),
            "auth.jwks_file (c.toml:2): the file of the keys cannot be read",
        ),
        ("algorithms = [\"none\"]".into(), "auth.algorithms (c.toml:2): \"none\" is no algorithm"),
        (
            "algorithms = [\"hs256\"]".into(),
            "auth.algorithms (c.toml:2): \"hs256\" is no algorithm",
        ),
        (
            "algorithms = [\"RS256\"]".into(),
            "auth.algorithms (c.toml:2): names RS256, but there is neither",
        ),
    ];
    for (text, start) in cases {
        let problems =
            Configuration::working().file("c.toml", format!("[auth]\n{text}")).problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].starts_with(start), "{problems:#?}");
    }
    let without_secret =
        |text: String| Configuration::empty().file("base.toml", format!("{ECHO}[auth]\n{text}"));
    let problems = without_secret(format!("{url}\nalgorithms = [\"HS256\"]")).problems();
    assert!(problems[0].contains("names HS256, but there is no auth.jwt_secret"), "{problems:#?}");

    let audience = "audience = \"sluice\"";
    let auth = without_secret(format!("{url}\n{audience}")).settings().auth;
    assert_eq!(auth.algorithms, [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]);
    let auth = Configuration::working().settings().auth;
    assert_eq!(auth.algorithms, [Algorithm::Hs256]);
    let warnings = without_secret(format!("jwks_file = \"{good}\"")).warnings();
    assert!(warnings[0].starts_with("auth.audience (not set): "), "{warnings:#?}");
}

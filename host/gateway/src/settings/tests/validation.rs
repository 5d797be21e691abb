//! Nothing starts on a configuration that was not held to every rule: there is no way to settings but through the checks.

use proptest::prelude::*;

use super::*;
use crate::settings::keys::table::KEYS;
use crate::settings::keys::{Effect, Key};
use crate::settings::secret::strength::{GENERATE, WEAK_WORDS};
use crate::settings::value::Kind;

fn with_secret(secret: &str) -> Loaded {
    Configuration::empty().file("base.toml", ECHO).variable("JWT_SECRET", secret).load()
}

/// What is wrong with a secret: one line, which shows nothing of it.
fn complaint(secret: &str) -> String {
    let problems = with_secret(secret).expect_err("it is refused").join("\n");
    assert!(problems.contains("auth.jwt_secret"), "{problems}");
    assert!(problems.contains(GENERATE), "the remedy is named: {problems}");
    problems
}

/// One of the weak words is what templates say too.
fn calls_it_weak(told: &str) -> bool {
    told.contains("is weak") || told.contains("is still a placeholder")
}

#[test]
fn validate_missing_jwt_secret() {
    for problems in [
        Configuration::empty().file("base.toml", ECHO).problems(),
        Configuration::empty().file("base.toml", ECHO).variable("JWT_SECRET", "").problems(),
        Configuration::empty()
            .file("base.toml", format!("{ECHO}[auth]\njwt_secret = \"\""))
            .problems(),
    ] {
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(
            problems[0].contains("is required") && problems[0].contains(GENERATE),
            "{problems:#?}"
        );
    }
}

// Of these letters no weak word can be made.
proptest! {
    /// A short secret is told the least length; one with a weak word that it is weak; and neither is shown.
    #[test]
    fn weak_secrets_are_rejected(
        short in "[BCFGHJKQVXYZ2-9]{1,31}", word in prop::sample::select(WEAK_WORDS.as_slice()),
        filling in "[BCFGHJKQVXYZ2-9]{32}",
    ) {
        let told = complaint(&short);
        prop_assert!(told.contains("fewer than 32"), "{}", told);
        prop_assert!(short.len() < 4 || !told.contains(&short), "{}", told);
        for weak in [format!("{word}{filling}"), format!("{filling}{}", word.to_uppercase())] {
            let told = complaint(&weak);
            prop_assert!(calls_it_weak(&told), "{}", told);
            prop_assert!(!told.contains(&weak) && !told.contains(&filling), "{}", told);
        }
        // Long enough, and nothing but one character again and again.
        let told = complaint(&filling.chars().take(1).collect::<String>().repeat(40));
        prop_assert!(told.contains("is weak"), "{}", told);
    }

    /// Random secrets of 32 to 100 characters are taken, also as the ones from before.
    #[test]
    fn strong_secrets_are_accepted(
        secret in "[B-Z2-9]{32,100}", old in "[B-Z2-9]{32,100}",
    ) {
        let weak = |text: &str| WEAK_WORDS.iter().any(|word| text.to_lowercase().contains(word));
        let varied = |text: &str| text.chars().collect::<BTreeSet<_>>().len() >= 8;
        prop_assume!(!weak(&secret) && !weak(&old) && varied(&secret) && varied(&old));
        let loaded = Configuration::empty().file("base.toml", ECHO).variable("JWT_SECRET", &secret)
            .variable("SLUICE_AUTH__PREVIOUS_JWT_SECRETS", &old).load();
        let (settings, warnings) = loaded.unwrap();
        prop_assert_eq!(warnings, Vec::<String>::new());
        let secrets: Vec<_> = settings.auth.secrets.iter().map(Secret::expose).collect();
        prop_assert_eq!(secrets, [secret.as_str(), old.as_str()]);
    }

    /// However short the secret is, the configuration is refused and the key is named.
    #[test]
    fn invalid_config_rejection(secret in "[BCFGHJKQVXYZ2-9]{0,31}") {
        complaint(&secret);
    }

    /// A weak word is found in the middle of a long secret.
    #[test]
    fn weak_secret_rejection(
        before in "[BCFGHJKQVXYZ2-9]{16}", word in prop::sample::select(WEAK_WORDS.as_slice()),
        after in "[BCFGHJKQVXYZ2-9]{16}",
    ) {
        let told = complaint(&format!("{before}{word}{after}"));
        prop_assert!(calls_it_weak(&told), "{}", told);
    }

    /// What is within its range is taken as it was written, without a warning.
    #[test]
    fn valid_config_acceptance(
        port in 8_000..=8_099_u16, connections in 1_000..=10_000_usize, rate in 1..=100_000_u32,
        seconds in 30..=300_u64,
    ) {
        let settings = Configuration::working()
            .variable("SERVER_PORT", &port.to_string())
            .variable("MAX_CONNECTIONS", &connections.to_string())
            .variable("RATE_LIMIT", &rate.to_string())
            .variable("LLM_STREAM_TIMEOUT", &format!("{seconds}s"))
            .settings();
        prop_assert_eq!(settings.server.bind.port(), port);
        prop_assert_eq!(settings.server.max_connections, connections);
        prop_assert_eq!(settings.limits.messages, Rate { count: rate, window: Duration::from_mins(1) });
        prop_assert_eq!(settings.llm.stream_timeout, Duration::from_secs(seconds));
    }

    /// Loading is validating: however many mistakes there are, each is told, with its key, and there are no settings.
    #[test]
    fn validation_called(wrong in prop::sample::subsequence(MISTAKES.to_vec(), 1..=MISTAKES.len())) {
        let mut configuration = Configuration::working();
        for (variable, value, _) in &wrong {
            configuration = configuration.variable(variable, value);
        }
        let problems = configuration.problems();
        prop_assert_eq!(problems.len(), wrong.len(), "{:#?}", problems);
        for (_, _, key) in &wrong {
            prop_assert!(problems.iter().any(|problem| problem.starts_with(key)), "{}: {:#?}", key, problems);
        }
    }

    /// Every key with a range is held to it: its ends are taken, and what lies beyond is refused under the key's name.
    #[test]
    fn validation_coverage(index in any::<prop::sample::Index>(), beyond in 1..1_000_u64) {
        let ranged = |key: &&Key| key.effect == Effect::Now && range(key).is_some();
        let keys: Vec<_> = KEYS.iter().filter(ranged).collect();
        let key = keys[index.index(keys.len())];
        let load = |value: &str| Configuration::working().variable(&key.variable(), value).load();
        let (least, most) = range(key).unwrap();
        let unit = if matches!(key.kind, Kind::Duration(..)) { "ms" } else { "" };
        for outside in [least.checked_sub(beyond), most.checked_add(beyond)].into_iter().flatten() {
            let problems = load(&format!("{outside}{unit}")).expect_err("beyond its range").join("\n");
            prop_assert!(problems.starts_with(key.name), "{}", problems);
            prop_assert!(problems.contains("the range; accepted: "), "{}", problems);
        }
        for inside in [least, most] {
            let told = load(&format!("{inside}{unit}")).err().unwrap_or_default().join("\n");
            // Within its own range it may contradict a neighbour, and nothing else.
            prop_assert!(told.is_empty() || told.contains("is above"), "{}: {}", key.name, told);
            prop_assert!(!told.contains("the range"), "{}", told);
        }
    }
}

/// The ends of what a key accepts, where it has any.
fn range(key: &Key) -> Option<(u64, u64)> {
    let (Kind::Count(least, most) | Kind::Duration(least, most) | Kind::Size(least, most)) =
        key.kind
    else {
        return None;
    };
    Some((least, most))
}

/// Variables with values nobody can mean, and the keys that they are told under.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("SERVER_PORT", "-1", "server.bind"),
    ("MAX_CONNECTIONS", "0", "server.max_connections"),
    ("MAX_MESSAGE_SIZE", "12ab", "limits.max_message_size"),
    ("RATE_LIMIT", "many", "limits.messages"),
    ("ADMIN_RATE_WINDOW", "0s", "limits.admin"),
    ("SESSION_TTL", "soon", "session.ttl"),
    ("RECONNECT_TIMEOUT", "-5m", "session.reconnect_timeout"),
    ("LLM_STREAM_TIMEOUT", "2 minutes", "llm.stream_timeout"),
    ("SHUTDOWN_TIMEOUT", "3", "server.shutdown_timeout"),
    ("CHATBOX_PATH_PREFIX", "chat", "server.path_prefix"),
    ("ALLOWED_ORIGINS", "YOUR-ORIGIN", "server.allowed_origins"),
    ("SLUICE_AUTH__ALGORITHMS", "none", "auth.algorithms"),
];

#[test]
fn ports_are_held_to_their_ends() {
    for (port, good) in
        [("-1", false), ("0", false), ("65536", false), ("1", true), ("65535", true)]
    {
        let loaded = Configuration::working().variable("SERVER_PORT", port).load();
        assert_eq!(loaded.is_ok(), good, "{port}");
    }
}

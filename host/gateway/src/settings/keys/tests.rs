use std::collections::{BTreeMap, BTreeSet};

use super::field::{PROVIDERS, is_name};
use super::table::{DEAD_VARIABLES, KEYS};
use super::*;
use crate::settings::secret::vault::Vault;
use crate::settings::sources::default_value;
use crate::settings::value::raw::Raw;

#[test]
fn every_default_is_accepted_by_its_own_kind() {
    let nothing = BTreeMap::new();
    for key in KEYS {
        let value = default_value(key.default).unwrap();
        let read = key.kind.read(Raw::Written(&value), &Vault::new(&nothing));
        assert!(read.is_ok(), "{}: {read:?}", key.name);
    }
}

#[test]
fn no_name_means_two_things() {
    let mut seen = BTreeSet::new();
    let names = KEYS.iter().map(|key| key.name.to_owned());
    let variables = KEYS.iter().map(Key::variable);
    let old = KEYS.iter().flat_map(|key| key.old).map(|old| old.name.to_owned());
    let dead = DEAD_VARIABLES.iter().map(|(name, _)| (*name).to_owned());

    for name in names.chain(variables).chain(old).chain(dead) {
        assert!(seen.insert(name.clone()), "{name}");
    }
}

#[test]
fn keys_of_one_table_stand_together() {
    let mut sections: Vec<_> = KEYS.iter().map(Key::section).collect();
    sections.dedup();

    let different: BTreeSet<_> = sections.iter().collect();
    assert_eq!(sections.len(), different.len(), "{sections:?}");
}

#[test]
fn providers_are_names_of_bundled_plugins() {
    assert!(PROVIDERS.iter().all(|name| is_name(name)));
}

#[test]
fn every_contractual_variable_is_known() {
    for name in [
        "SERVER_PORT",
        "JWT_SECRET",
        "ENCRYPTION_KEY",
        "CHATBOX_PATH_PREFIX",
        "RECONNECT_TIMEOUT",
        "MAX_CONNECTIONS",
        "MAX_MESSAGE_SIZE",
        "RATE_LIMIT",
        "RATE_LIMIT_CLEANUP_INTERVAL",
        "ADMIN_RATE_LIMIT",
        "ADMIN_RATE_WINDOW",
        "SESSION_TTL",
        "SESSION_CLEANUP_INTERVAL",
        "LLM_STREAM_TIMEOUT",
        "SHUTDOWN_TIMEOUT",
        "ALLOWED_ORIGINS",
        "CORS_ALLOWED_ORIGINS",
        "MONGO_URI",
        "MONGO_DATABASE",
        "MONGO_CONNECT_TIMEOUT",
        "MONGO_RETRY_ATTEMPTS",
        "MONGO_RETRY_DELAY",
        "MONGO_RETRY_MAX_DELAY",
        "LLM_PROVIDER_1_ID",
        "LLM_PROVIDER_42_API_KEY",
    ] {
        assert!(explain(name).is_some(), "{name}");
    }
}

#[test]
fn a_key_is_explained_under_each_of_its_names() {
    let told = explain("limits.admin").unwrap();

    insta::assert_snapshot!(told, @r#"
    limits.admin
      Requests of one operator to the admin routes, counted apart from messages.
      accepted: a number and a window such as "100/1m", from "1/24h" to "100000/10ms"
      default: "20/1m"
      variables: SLUICE_LIMITS__ADMIN, ADMIN_RATE_LIMIT (the number, per minute), ADMIN_RATE_WINDOW (the window)
      a change: reloaded on SIGHUP
    "#);
    assert_eq!(explain("ADMIN_RATE_WINDOW").as_ref(), Some(&told));
    assert_eq!(explain("SLUICE_LIMITS__ADMIN").as_ref(), Some(&told));
}

#[test]
fn fields_are_explained_and_strangers_are_not() {
    for name in [
        "plugins.x.source",
        "plugins.x.secrets.api_key",
        "models.id",
        "models.also.weight",
        "LLM_PROVIDER_7_TYPE",
    ] {
        assert!(explain(name).is_some_and(|told| told.contains("accepted")), "{name}");
    }
    assert!(explain("MONGO_COLLECTION").is_some_and(|told| told.contains("no effect")));
    for name in ["", "server", "plugins.x", "models.x", "LLM_PROVIDER_", "PATH"] {
        assert_eq!(explain(name), None, "{name}");
    }
}

#[test]
fn a_slip_finds_the_key_and_a_part_finds_those_it_is_in() {
    assert_eq!(meant("server.bnid"), ["server.bind"]);
    assert_eq!(meant("ADMIN_RATE_WINDW"), ["ADMIN_RATE_WINDOW"]);
    assert!(meant("prefix").contains(&"server.path_prefix".to_owned()));
    assert_eq!(meant("server").len(), 8);
    assert_eq!(meant(""), [""; 0]);
    assert_eq!(meant("nothing.of.the.kind"), [""; 0]);
}

//! Limits of addresses, and whose word on addresses counts.

use sluice_tests::{Gateway, Reply, Setup};

/// Asks from an address, as a proxy on this machine would pass it on.
async fn from(gateway: &Gateway, address: &str, path: &str, token: Option<&str>) -> Reply {
    let call = gateway.call("GET", path).header("X-Forwarded-For", address);
    match token {
        Some(token) => call.bearer(token).send().await,
        None => call.send().await,
    }
}

fn behind_a_proxy() -> Setup {
    Setup::new().set("SLUICE_SERVER__TRUSTED_PROXIES", "127.0.0.0/8")
}

const HEALTH: &str = "/chatbox/healthz";
const SESSIONS: &str = "/chatbox/sessions";

#[tokio::test]
async fn routes_without_a_token_are_limited_by_address() {
    let gateway = behind_a_proxy().set("SLUICE_LIMITS__PUBLIC", "3/1m").start().await;
    for path in [HEALTH, "/chatbox/readyz", "/chatbox/shared/nothing"] {
        assert_ne!(from(&gateway, "192.0.2.1", path, None).await.status, 429, "{path}");
    }

    let refused = from(&gateway, "192.0.2.1", HEALTH, None).await;

    assert_eq!(refused.status, 429, "{}", refused.body);
    let seconds: u64 = refused.header("retry-after").expect("a header").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(from(&gateway, "192.0.2.2", HEALTH, None).await.status, 200);
    let token = gateway.token("alice");
    assert_eq!(from(&gateway, "192.0.2.1", SESSIONS, Some(&token)).await.status, 200);
}

#[tokio::test]
async fn refused_tokens_are_limited_by_address_and_good_ones_are_not() {
    let gateway = behind_a_proxy().set("SLUICE_LIMITS__PUBLIC", "3/1m").start().await;
    let here = async |path: &str, token| from(&gateway, "192.0.2.1", path, token).await;
    assert_eq!(here(SESSIONS, Some("a.b.c")).await.status, 401);
    assert_eq!(here(SESSIONS, None).await.status, 401);
    assert_eq!(here("/v1/models", Some("a.b.c")).await.status, 401);

    let refused = here(SESSIONS, Some("a.b.c")).await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_eq!(refused.json()["error"], "rate_limit_exceeded");
    assert!(refused.header("retry-after").is_some());
    let refused = here("/v1/models", None).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].clone()),
        (429, "rate_limit_exceeded".into())
    );
    let dial = gateway.dial().bearer("a.b.c").header("X-Forwarded-For", "192.0.2.1");
    assert_eq!(dial.open().await.expect_err("no token of ours").status, 429);

    let token = gateway.token("alice");
    let good = from(&gateway, "192.0.2.1", SESSIONS, Some(&token)).await;
    assert_eq!(good.status, 200, "{}", good.body);
    assert_eq!(here(HEALTH, None).await.status, 200, "counted apart");
    assert_eq!(from(&gateway, "192.0.2.2", SESSIONS, None).await.status, 401);
}

#[tokio::test]
async fn an_address_has_a_share_of_the_connections() {
    let setup = behind_a_proxy().set("SLUICE_LIMITS__CONNECTIONS_PER_ADDRESS", "2");
    let gateway = setup.start().await;
    let open = async |user: &str, address: &str| {
        let dial = gateway.dial().bearer(&gateway.token(user));
        dial.header("X-Forwarded-For", address).open().await
    };
    let _first = open("a", "2001:db8:1:2::1").await.expect("room");
    let _second = open("b", "2001:db8:1:2::2").await.expect("room");

    let refused =
        open("c", "2001:db8:1:2:3::1").await.expect_err("one network of IPv6 is one address");

    assert_eq!(refused.status, 429, "{}", refused.body);
    assert!(refused.body.contains("CONNECTION_LIMIT_EXCEEDED"), "{}", refused.body);
    let _elsewhere = open("c", "2001:db8:1:3::1").await.expect("another address");
    let _here: Vec<_> = [
        open("d", "127.0.0.1").await.expect("this machine is not counted"),
        open("e", "127.0.0.1").await.expect("this machine is not counted"),
        open("f", "127.0.0.1").await.expect("this machine is not counted"),
    ]
    .into();
}

#[tokio::test]
async fn a_stranger_does_not_choose_its_address() {
    let gateway = Setup::new().set("SLUICE_LIMITS__PUBLIC", "3/1m").start().await;

    for n in 0..3 {
        assert_eq!(from(&gateway, &format!("192.0.2.{n}"), HEALTH, None).await.status, 200);
    }

    assert_eq!(from(&gateway, "192.0.2.9", HEALTH, None).await.status, 429);
}

//! Tokens of an identity provider that publishes its keys.

use sluice_tests::{IdentityProvider, Setup, SigningKey, claims};

#[tokio::test]
async fn tokens_of_an_identity_provider_are_taken_and_its_keys_may_change() {
    let (first, second, foreign) =
        (SigningKey::new("a"), SigningKey::new("b"), SigningKey::new("a"));
    let provider = IdentityProvider::start(&[&first]).await;
    let setup = Setup::new().unset("JWT_SECRET").set("SLUICE_AUTH__JWKS_URL", &provider.url());
    let gateway = setup.start().await;
    let open = async |key: &SigningKey| {
        gateway
            .dial()
            .bearer(&key.sign(&claims("alice")))
            .open()
            .await
            .map(|client| client.greeting)
    };

    assert_eq!(open(&first).await.expect("a known key")["user_id"], "alice");
    assert_eq!(open(&foreign).await.expect_err("another's key").status, 401);
    let shared = gateway.dial().bearer(&gateway.token("alice")).open().await;
    assert_eq!(shared.expect_err("there is no secret").status, 401);

    // Names that are invented in a row do not hammer the provider.
    let before = provider.asked();
    for n in 0..20 {
        let invented = SigningKey::new(&format!("invented-{n}"));
        assert_eq!(open(&invented).await.expect_err("an unknown key").status, 401);
    }
    assert!(provider.asked() <= before + 2, "{} after {before}", provider.asked());

    provider.publish(&[&first, &second]);
    // Within a few seconds of the last question none is asked; then the new key is found.
    sluice_tests::patiently("the new key to count", async {
        while open(&second).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(open(&first).await.is_ok(), "the old key still counts");
}

#[tokio::test]
async fn without_its_keys_a_gateway_starts_and_says_that_it_cannot_tell() {
    let key = SigningKey::new("a");
    let setup = Setup::new().set("SLUICE_AUTH__JWKS_URL", "http://127.0.0.1:9/keys.json");
    let gateway = setup.start().await;

    let refused = gateway.dial().bearer(&key.sign(&claims("alice"))).open().await;
    let ready = gateway.call("GET", "/chatbox/readyz").send().await;

    assert_eq!(refused.expect_err("nobody knows").status, 503);
    assert_eq!(ready.status, 503, "{}", ready.body);
    assert_eq!(ready.json()["checks"]["keys"]["status"], "failed");
    gateway.connect("alice").await; // the secret still counts
}

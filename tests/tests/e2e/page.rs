//! The chat page as it is served. What it does in a browser is in `browser.rs`.

use sluice_tests::Setup;

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy_and_without_a_token() {
    let gateway = Setup::new().start().await;

    for (path, kind) in
        [("", "text/html"), ("chat.js", "text/javascript"), ("chat.css", "text/css")]
    {
        let reply = gateway.call("GET", &format!("/chatbox/{path}")).send().await;

        assert_eq!(reply.status, 200, "{path}");
        let told = reply.header("content-type").unwrap_or_default();
        assert!(told.starts_with(kind), "{path}: {told}");
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[tokio::test]
async fn the_page_moves_with_the_prefix() {
    let gateway = Setup::new().set("CHATBOX_PATH_PREFIX", "/support/chat").start().await;

    let page = gateway.call("GET", "/support/chat/").send().await;
    let old = gateway.call("GET", "/chatbox/").send().await;

    assert_eq!((page.status, old.status), (200, 404));
}

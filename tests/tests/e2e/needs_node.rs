//! OpenAI's own client for JavaScript, unchanged, against the gateway.

use sluice_tests::{Language, OpenAiClient, not_run};

use super::official_client as client;

const LANGUAGE: Language = Language::JavaScript;

/// Whether the client is here; says so when it is not.
fn is_here() -> bool {
    let fetched = OpenAiClient::is_fetched(LANGUAGE);
    if let Err(why) = &fetched {
        not_run("OpenAI's own client for JavaScript", why);
    }
    fetched.is_ok()
}

#[tokio::test]
async fn it_chats_streams_and_lists_models() {
    if is_here() {
        client::it_chats_streams_and_lists_models(LANGUAGE).await;
    }
}

#[tokio::test]
async fn it_uses_tools_schemas_and_pictures() {
    if is_here() {
        client::it_uses_tools_schemas_and_pictures(LANGUAGE).await;
    }
}

#[tokio::test]
async fn it_tells_failures_apart() {
    if is_here() {
        client::it_tells_failures_apart(LANGUAGE).await;
    }
}

#[tokio::test]
async fn leaving_a_stream_closes_the_upstream() {
    if is_here() {
        client::leaving_a_stream_closes_the_upstream(LANGUAGE).await;
    }
}

#[tokio::test]
async fn its_own_timeout_closes_the_upstream() {
    if is_here() {
        client::its_own_timeout_closes_the_upstream(LANGUAGE).await;
    }
}

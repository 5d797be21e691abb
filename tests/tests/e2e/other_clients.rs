//! What clients of others than OpenAI, unchanged, find at the gateway.
//!
//! The stories are told once; which library lives through them is in `needs_python` and `needs_node`.

use serde_json::json;
use sluice_tests::{FakeProvider, ForeignClient, Library, Script, Setup};

use super::official_client::calling;
use super::vendors;

/// Tests in which a library lives through stories; nothing but a line where it is not fetched.
macro_rules! stories {
    ($library:ident of $client:ident: $($story:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $story() {
                let library = sluice_tests::Library::$library;
                match sluice_tests::ForeignClient::is_fetched(library) {
                    Ok(()) => crate::$client::$story(library).await,
                    Err(why) => sluice_tests::not_run(&format!("{library:?}"), &why),
                }
            }
        )+
    };
}
pub(crate) use stories;

pub(crate) async fn it_chats_streams_and_uses_tools(library: Library) {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;

    let mut client = ForeignClient::start(library, &gateway, "alice", &["chat", "stream", "tools"]);

    // A terminal shows neither reasons nor pieces.
    let shows_all = library != Library::Llm;
    let whole = client.next().await;
    assert_eq!(whole["text"], "Hello there.");
    assert_eq!(whole["total_tokens"], 18);
    let streamed = client.next().await;
    let pieces = if shows_all { json!(["Hello", " there", "."]) } else { json!(["Hello there."]) };
    assert_eq!(streamed["pieces"], pieces);
    assert_eq!(streamed["total_tokens"], 18);
    if shows_all {
        assert_eq!([&whole["finish_reason"], &streamed["finish_reason"]], ["stop", "stop"]);
    }
    provider.then(calling("call_1", "Oslo"));
    provider.then(calling("call_2", "Rome"));
    provider.then(Script::saying(&["It snows."]));
    let told = json!({ "text": "It snows.", "told": ["snow in Oslo", "snow in Rome"] });
    assert_eq!(client.next().await, told);
    let last = provider.request(5).await.body;
    for (n, call) in ["call_1", "call_2"].into_iter().enumerate() {
        assert_eq!(last["messages"][2 + 2 * n]["tool_call_id"], call, "{last}");
    }
}

pub(crate) async fn it_hears_of_a_failure(library: Library) {
    let provider = FakeProvider::playing(Script::refusing(401, "text/plain", "no")).await;
    let gateway = Setup::with(&provider).start().await;

    let mut client = ForeignClient::start(library, &gateway, "alice", &["failed_chat"]);

    assert_eq!(client.next().await, json!({ "status": 502 }));
    assert_eq!(provider.count(), 1, "what will not pass is not tried again");
}

pub(crate) async fn leaving_a_stream_closes_the_upstream(library: Library) {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon"])).await;
    let gateway = Setup::with(&provider).start().await;
    provider.release(1);

    let mut client = ForeignClient::start(library, &gateway, "alice", &["cancel"]);
    let heard = client.next().await;
    provider.hung_up(1).await;

    assert_eq!(heard, json!({ "heard": "Once " }));
}

pub(crate) async fn every_vendor_answers_it(library: Library) {
    for kind in vendors::KINDS {
        let (provider, gateway) = vendors::behind(kind).await;
        provider.always(Script::recorded(kind, "plain-stream"));

        let mut client = ForeignClient::start(library, &gateway, "alice", &["chat", "stream"]);
        let whole = client.next().await;
        let streamed = client.next().await;

        let text = whole["text"].as_str().expect("a text");
        assert!(text.starts_with("Hello!"), "{kind}: {whole}");
        let pieces = streamed["pieces"].as_array().expect("pieces");
        let joined: String = pieces.iter().filter_map(|piece| piece.as_str()).collect();
        assert_eq!(joined, text, "{kind}");
        // What this recording of OpenAI's does not count is estimated, by the length of the request.
        if kind != "openai" {
            assert_eq!(whole["total_tokens"], streamed["total_tokens"], "{kind}");
        }
    }
}

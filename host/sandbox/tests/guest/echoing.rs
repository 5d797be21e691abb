//! A plugin as authors write it, with the SDK: `echo`, there and back.

use std::time::Duration;

use sluice_chat::event::{ChatEvent, FinishReason};
use sluice_chat::request::{ChatRequest, Message, Role};
use sluice_sandbox::{Directive, Input, Limits, LoadError, Provider};

use crate::component::plugin;
use crate::world::{begin, sandbox, texts};

async fn load(settings: &str) -> Result<Provider, LoadError> {
    sandbox(1).load("echo", &plugin("echo"), None, Limits::default(), settings).await
}

fn question(text: &str) -> ChatRequest {
    let messages = vec![Message::text(Role::User, text)];
    ChatRequest { messages, stream: true, ..ChatRequest::default() }
}

#[tokio::test]
async fn echo_says_the_last_message_back() {
    let mut answer = begin(&load(r#"{"delay_ms": 0}"#).await.unwrap()).await;

    let said = answer.start(&question("open sesame")).await.unwrap();

    assert_eq!(texts(&said), ["open sesame"]);
    assert_eq!(said.events.last(), Some(&ChatEvent::Finish(FinishReason::Stop)));
    assert_eq!(said.next, Directive::Done);
}

#[tokio::test]
async fn echo_with_a_delay_asks_to_be_woken_for_each_word() {
    let mut answer = begin(&load(r#"{"delay_ms": 7}"#).await.unwrap()).await;
    let mut text = String::new();

    let mut said = answer.start(&question("one two three")).await.unwrap();
    while said.next == Directive::Wait(Duration::from_millis(7)) {
        text.extend(texts(&said));
        said = answer.step(Input::Woken).await.unwrap();
    }
    text.extend(texts(&said));

    assert_eq!(said.next, Directive::Done);
    assert_eq!(text, "one two three");
    assert_eq!(answer.spent().calls, 3);
}

#[tokio::test]
async fn echo_refuses_settings_it_does_not_know() {
    let loaded = load(r#"{"dealy_ms": 7}"#).await;

    let Err(LoadError::Settings { error }) = loaded else { panic!("{loaded:?}") };
    assert!(error.detail.as_deref().unwrap_or_default().contains("dealy_ms"), "{error:?}");
}

use sluice_sdk::{ChatEvent, Directive, Message, Role};

use super::*;

fn chat(texts: &[(Role, &str)]) -> ChatRequest {
    let messages = texts.iter().map(|(role, text)| Message::of(*role, *text)).collect();
    ChatRequest { messages, ..ChatRequest::new("echo") }
}

fn cx(settings: Settings) -> Context<Settings> {
    Context { settings, ..Context::default() }
}

fn text(text: &str) -> ChatEvent {
    ChatEvent::Text(text.to_owned())
}

const STOP: ChatEvent = ChatEvent::Finish(FinishReason::Stop);

#[test]
fn the_last_user_message_comes_back_word_by_word() {
    let cx = cx(Settings::default());
    let mut echo = Echo::default();
    let said = [(Role::User, "one"), (Role::Assistant, "one"), (Role::User, "two words")];

    let first = echo.start(&cx, chat(&said));
    let second = echo.step(&cx, Input::Woken);

    assert_eq!(
        first,
        Output { events: vec![text("two ")], next: Directive::Wait(40), parting: None }
    );
    assert_eq!(
        second,
        Output { events: vec![text("words"), STOP], next: Directive::Done, parting: None }
    );
}

#[test]
fn without_delay_or_without_streaming_everything_comes_at_once() {
    let at_once =
        Output { events: vec![text("two words"), STOP], next: Directive::Done, parting: None };
    let no_delay = cx(Settings { delay_ms: Delay::try_from(0).unwrap() });
    let said = chat(&[(Role::User, "two words")]);
    let complete = ChatRequest { stream: false, ..said.clone() };

    assert_eq!(Echo::default().start(&no_delay, said), at_once);
    assert_eq!(Echo::default().start(&cx(Settings::default()), complete), at_once);
}

#[test]
fn nothing_said_is_nothing_answered() {
    let silent = Echo::default().start(&cx(Settings::default()), chat(&[]));

    assert_eq!(silent, Output { events: vec![STOP], next: Directive::Done, parting: None });
}

#[test]
fn a_delay_the_host_does_not_grant_is_refused_with_the_settings() {
    assert!(Context::<Settings>::read(r#"{"delay_ms":60000}"#).is_ok());
    let refused = Context::<Settings>::read(r#"{"delay_ms":60001}"#).unwrap_err();

    assert!(refused.detail.unwrap().contains("delay_ms"));
}

//! One answer and its neighbours: nothing passes between them, and none takes another's place.

use sluice_chat::event::{ChatEvent, FinishReason};
use sluice_chat::id::Instant;
use sluice_sandbox::{CallError, Directive, Input, Limits};

use crate::component::component;
use crate::world::{ask, begin, frames, load, sandbox, texts};

#[tokio::test]
async fn an_answer_is_started_stepped_and_ended() {
    let provider = load(&sandbox(1), "count").await;
    let mut answer = begin(&provider).await;

    let started = answer.start(&ask("sesame")).await.unwrap();
    let stepped = answer.step(frames(&["one", "two"])).await.unwrap();
    let ended = answer.step(Input::End).await.unwrap();

    assert_eq!(texts(&started), ["start 1"]);
    assert_eq!(texts(&stepped), ["step 2", "one", "two"]);
    assert_eq!(stepped.next, Directive::More);
    let finish = ChatEvent::Finish(FinishReason::Other("sesame".to_owned()));
    assert_eq!(ended.events.last(), Some(&finish));
    assert_eq!(ended.next, Directive::Done);
    assert_eq!(answer.spent().calls, 3);
    assert!(answer.spent().output_bytes > "start 1 step 2 one two".len());
    assert!(answer.spent().peak_memory_bytes >= 64 << 10);
}

#[tokio::test]
async fn what_is_over_takes_no_more_calls() {
    let provider = load(&sandbox(1), "count").await;
    let mut answer = begin(&provider).await;
    answer.start(&ask("")).await.unwrap();
    answer.step(Input::End).await.unwrap();

    let more = answer.step(Input::End).await;

    assert!(matches!(more, Err(CallError::Poisoned)), "{more:?}");
}

#[tokio::test]
async fn no_answer_sees_what_another_left() {
    let provider = load(&sandbox(4), "count").await;
    let mut first = begin(&provider).await;
    let mut second = begin(&provider).await;

    let said = first.start(&ask("")).await.unwrap();
    let beside = second.start(&ask("")).await.unwrap();
    drop((first, second));
    let after = begin(&provider).await.start(&ask("")).await.unwrap();

    assert_eq!(texts(&said), ["start 1"]);
    assert_eq!(texts(&beside), ["start 1"]);
    assert_eq!(texts(&after), ["start 1"]);
}

#[tokio::test]
async fn a_full_pool_is_busy_until_an_answer_is_dropped() {
    let provider = load(&sandbox(2), "count").await;
    let first = begin(&provider).await;
    let mut second = begin(&provider).await;

    let third = provider.answer(Instant(0), 0).await;
    assert!(matches!(third, Err(CallError::Busy)), "{third:?}");
    drop(first);
    let fourth = provider.answer(Instant(0), 0).await;

    assert!(fourth.is_ok(), "{fourth:?}");
    assert_eq!(texts(&second.start(&ask("")).await.unwrap()), ["start 1"]);
}

#[tokio::test]
async fn an_answer_that_is_done_takes_no_place() {
    let provider = load(&sandbox(1), "count").await;
    let mut done = begin(&provider).await;
    done.start(&ask("")).await.unwrap();
    done.step(Input::End).await.unwrap();

    let next = provider.answer(Instant(0), 0).await;

    assert!(next.is_ok(), "{next:?}");
    drop(done);
}

#[tokio::test]
async fn a_plugin_with_a_bound_of_its_own_leaves_room_for_others() {
    let sandbox = sandbox(3);
    let limits = Limits { live_answers: Some(1), ..Limits::default() };
    let bytes = component("count");
    let bounded = sandbox.load("bounded", &bytes, None, limits, "{}").await.unwrap();
    let free = load(&sandbox, "count").await;
    let _first = begin(&bounded).await;

    let second = bounded.answer(Instant(0), 0).await;

    assert!(matches!(second, Err(CallError::Busy)), "{second:?}");
    let _others = (begin(&free).await, begin(&free).await);
}

#[tokio::test]
async fn a_full_pool_still_tries_a_new_plugin() {
    let sandbox = sandbox(1);
    let provider = load(&sandbox, "count").await;
    let _only = begin(&provider).await;

    let loaded = sandbox.load("late", &component("count"), None, Limits::default(), "{}").await;

    assert!(loaded.is_ok(), "{loaded:?}");
}

#[tokio::test]
async fn a_crash_ends_its_own_answer_only() {
    let sandbox = sandbox(4);
    let provider = load(&sandbox, "trap").await;
    let mut sound = begin(&provider).await;
    sound.start(&ask("none")).await.unwrap();

    for model in ["start", "step", "deep"] {
        let mut doomed = begin(&provider).await;
        let crashed = match doomed.start(&ask(model)).await {
            Ok(_started) => doomed.step(Input::End).await,
            crashed => crashed,
        };
        assert!(matches!(crashed, Err(CallError::Trapped { .. })), "{model}: {crashed:?}");
        let after = doomed.step(Input::End).await;
        assert!(matches!(after, Err(CallError::Poisoned)), "{model}: {after:?}");
    }

    assert_eq!(sound.step(Input::End).await.unwrap().next, Directive::Done);
}

#[tokio::test]
async fn a_crash_names_the_place_for_operators() {
    let provider = load(&sandbox(1), "trap").await;
    let mut answer = begin(&provider).await;

    let crashed = answer.start(&ask("start")).await;

    let Err(CallError::Trapped { message, backtrace }) = crashed else {
        panic!("{crashed:?}");
    };
    assert!(message.contains("unreachable"), "{message}");
    assert!(backtrace.contains("panic"), "{backtrace}");
}

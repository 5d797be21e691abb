//! Guests that do not come back: they end with their budget, and their neighbours go on meanwhile.

use std::cell::RefCell;
use std::time::Duration;

use sluice_chat::id;
use sluice_sandbox::{Answer, Budget, CallError, Input, Limits, LoadError, Provider};
use tokio::task::yield_now;

use crate::component::component;
use crate::world::{ask, begin, frames, load, sandbox, texts};

#[tokio::test]
async fn a_guest_that_never_starts_is_refused_at_load() {
    let bytes = component("spin");

    let loaded =
        sandbox(1).load("spin", &bytes, None, Limits::default(), r#"{"in":"configure"}"#).await;

    let Err(LoadError::Trial(CallError::TimedOut(Budget::Call))) = loaded else {
        panic!("{loaded:?}");
    };
}

#[tokio::test]
async fn a_call_ends_with_its_budget() {
    let provider = load(&sandbox(1), "spin").await;

    let mut starting = begin(&provider).await;
    let started = starting.start(&ask("start")).await;
    let spent_starting = starting.spent().guest_time;
    drop(starting);
    let mut stepping = begin(&provider).await;
    stepping.start(&ask("step")).await.unwrap();
    let spent_before = stepping.spent().guest_time;
    let stepped = stepping.step(Input::End).await;

    assert!(matches!(started, Err(CallError::TimedOut(Budget::Call))), "{started:?}");
    assert!(matches!(stepped, Err(CallError::TimedOut(Budget::Call))), "{stepped:?}");
    // Beside the call itself, the answer's first ticks may have met its set-up.
    assert!(spent_starting >= Limits::default().start, "{spent_starting:?}");
    assert_eq!(stepping.spent().guest_time, spent_before + Limits::default().step);
}

#[tokio::test]
async fn all_calls_of_an_answer_share_a_budget() {
    let limits = Limits {
        step: Duration::from_hours(1),
        answer: Duration::from_millis(30),
        ..Limits::default()
    };
    let bytes = component("spin");
    let provider = sandbox(1).load("spin", &bytes, None, limits, "{}").await.unwrap();
    let mut answer = begin(&provider).await;
    answer.start(&ask("step")).await.unwrap();

    let stepped = answer.step(Input::End).await;

    assert!(matches!(stepped, Err(CallError::TimedOut(Budget::Answer))), "{stepped:?}");
    assert_eq!(answer.spent().guest_time, Duration::from_millis(30));
}

#[tokio::test]
async fn large_copies_are_interrupted_too() {
    let provider = load(&sandbox(1), "spin").await;
    let mut answer = begin(&provider).await;
    answer.start(&ask("copy")).await.unwrap();

    let stepped = answer.step(Input::End).await;

    assert!(matches!(stepped, Err(CallError::TimedOut(_))), "{stepped:?}");
}

/// One thread for both: the neighbour moves only while the spinner gives way.
#[tokio::test]
async fn a_neighbour_goes_on_while_a_guest_spins() {
    const STEPS: usize = 10;
    let sandbox = sandbox(4);
    let spin = load(&sandbox, "spin").await;
    let count = load(&sandbox, "count").await;
    let mut spinner = begin(&spin).await;
    let mut neighbour = begin(&count).await;
    neighbour.start(&ask("")).await.unwrap();
    let order = RefCell::new(Vec::new());

    let spinning = async {
        let ended = spinner.start(&ask("start")).await;
        order.borrow_mut().push("spinner".to_owned());
        ended
    };
    let walking = async {
        for _ in 0..STEPS {
            let output = neighbour.step(frames(&["frame"])).await.unwrap();
            order.borrow_mut().push(texts(&output)[0].to_owned());
            yield_now().await;
        }
    };
    let (ended, ()) = tokio::join!(spinning, walking);

    assert!(matches!(ended, Err(CallError::TimedOut(_))), "{ended:?}");
    let order = order.into_inner();
    assert_eq!(order.len(), STEPS + 1);
    assert_eq!(order[0], "step 2");
    assert_eq!(order[STEPS], "spinner", "{order:?}");
}

/// Polls a call until it first gives way, then drops it.
async fn drop_half_way(answer: &mut Answer) {
    tokio::select! {
        biased;
        ended = answer.step(Input::End) => panic!("it should be spinning: {ended:?}"),
        () = yield_now() => {}
    }
}

/// As [`begin`], once there is a place: a call that was dropped on the siding keeps its own until its next tick.
async fn begin_when_free(provider: &Provider) -> Answer {
    loop {
        match provider.answer(id::Instant(0), 0).await {
            Err(CallError::Busy) => yield_now().await,
            begun => return begun.expect("an answer"),
        }
    }
}

#[tokio::test]
async fn a_hundred_calls_dropped_half_way_leave_nothing_behind() {
    let sandbox = sandbox(2);
    let spin = load(&sandbox, "spin").await;
    let count = load(&sandbox, "count").await;
    let mut neighbour = begin(&count).await;
    neighbour.start(&ask("")).await.unwrap();

    for _ in 0..100 {
        let mut answer = begin_when_free(&spin).await;
        answer.start(&ask("step")).await.unwrap();
        drop_half_way(&mut answer).await;
        let after = answer.step(Input::End).await;
        assert!(matches!(after, Err(CallError::Poisoned)), "{after:?}");
    }

    assert_eq!(texts(&neighbour.step(frames(&["on"])).await.unwrap()), ["step 2", "on"]);
    let mut fresh = begin_when_free(&count).await;
    assert_eq!(texts(&fresh.start(&ask("")).await.unwrap()), ["start 1"]);
}

//! Guests that want more memory than there is for them.

use sluice_sandbox::{CallError, Input, Limits};

use crate::component::component;
use crate::world::{ask, begin, load, sandbox, texts};

#[tokio::test]
async fn a_guest_that_takes_all_memory_ends_at_its_limit() {
    let provider = load(&sandbox(1), "hoard").await;

    let mut at_start = begin(&provider).await;
    let started = at_start.start(&ask("")).await;
    let peak = at_start.spent().peak_memory_bytes;
    drop(at_start);
    let mut in_step = begin(&provider).await;
    in_step.start(&ask("polite")).await.unwrap();
    let stepped = in_step.step(Input::Woken).await;

    assert!(matches!(started, Err(CallError::OutOfMemory)), "{started:?}");
    assert!(matches!(stepped, Err(CallError::OutOfMemory)), "{stepped:?}");
    assert!(peak <= Limits::MAX_MEMORY_BYTES, "{peak}");
    assert!(peak > Limits::MAX_MEMORY_BYTES / 2, "{peak}");
    // Three instances made, one of them on trial, a start that failed, one that did not, and a step that failed.
    let used = provider.used();
    assert_eq!((used.calls, used.failed.out_of_memory, used.failed.all()), (6, 2, 2), "{used:?}");
    assert!(used.peak_memory_bytes >= peak && !used.time.is_zero(), "{used:?}");
}

#[tokio::test]
async fn a_guest_that_bears_a_refusal_goes_on() {
    let limits = Limits { memory_bytes: 6 << 20, ..Limits::default() };
    let bytes = component("hoard");
    let provider = sandbox(1).load("hoard", &bytes, None, limits, "{}").await.unwrap();
    let mut answer = begin(&provider).await;

    let output = answer.start(&ask("polite")).await.unwrap();

    let got: usize = texts(&output)[0].parse().unwrap();
    assert!((3..=5).contains(&got), "{got} MiB of 6");
    assert!(answer.spent().peak_memory_bytes <= 6 << 20);
}

#[tokio::test]
async fn memory_comes_back_clean_for_the_next() {
    let provider = load(&sandbox(1), "hoard").await;

    for _ in 0..20 {
        let mut answer = begin(&provider).await;
        assert_eq!(answer.spent().guest_time.as_secs(), 0);
        let output = answer.start(&ask("polite")).await.unwrap();
        let got: usize = texts(&output)[0].parse().unwrap();
        assert!((13..=15).contains(&got), "{got} MiB of 16");
    }
}

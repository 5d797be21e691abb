use mongodb::bson::{Document, deserialize_from_document, doc};
use mongodb::error::{CommandError, WriteError};
use proptest::prelude::*;

use super::*;

/// What somebody would see whose every operation fails in these ways, one after another, and then
/// succeeds: whether it did, how often it was called, and the waits in between.
fn told(retry: Retry, failures: Vec<Error>, jitter: f64) -> (bool, usize, Vec<Duration>) {
    let mut failures = failures.into_iter();
    let (mut calls, mut waits) = (0, Vec::new());
    let mut tries = Tries::new(retry);
    loop {
        calls += 1;
        let Some(error) = failures.next() else { return (true, calls, waits) };
        let Some(wait) = tries.next(&error, jitter) else { return (false, calls, waits) };
        waits.push(wait);
    }
}

fn io(kind: std::io::ErrorKind) -> Error {
    // A text that says the opposite: nobody may go by it.
    Error::from(std::io::Error::new(kind, "duplicate key"))
}

fn refused(code: i32) -> Error {
    let told: Document = doc! { "code": code, "errmsg": "connection refused, timeout, socket" };
    let told: CommandError = deserialize_from_document(told).expect("a refusal");
    ErrorKind::Command(told).into()
}

fn contradicted(code: i32) -> Error {
    let told: Document = doc! { "code": code, "errmsg": "connection reset, i/o timeout, EOF" };
    let told: WriteError = deserialize_from_document(told).expect("a refusal");
    ErrorKind::Write(WriteFailure::WriteError(told)).into()
}

fn any_transient() -> impl Strategy<Value = Error> {
    use std::io::ErrorKind as Io;
    let kinds = [
        Io::ConnectionRefused,
        Io::ConnectionReset,
        Io::TimedOut,
        Io::UnexpectedEof,
        Io::BrokenPipe,
    ];
    prop_oneof![
        proptest::sample::select(kinds.to_vec()).prop_map(io),
        proptest::sample::select(STATE_CODES.to_vec()).prop_map(refused),
    ]
}

fn any_final() -> impl Strategy<Value = Error> {
    prop_oneof![
        // Duplicate key, document too large, and whatever else is said of a single write.
        proptest::sample::select(vec![11_000, 11_001, 17_280, 10_334, 121]).prop_map(contradicted),
        // Unauthorized, bad value, no such command, and so on.
        (1..20_000_i32)
            .prop_filter("of the server's state", |code| !STATE_CODES.contains(code))
            .prop_map(refused),
        Just(Error::custom("timeout")),
    ]
}

fn any_retry() -> impl Strategy<Value = Retry> {
    (1..12_u32, 1..500_u64, 1..5_000_u64).prop_map(|(attempts, delay, max_delay)| Retry {
        attempts,
        delay: Duration::from_millis(delay),
        max_delay: Duration::from_millis(max_delay),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// `k` transient failures below the limit: success after exactly `k + 1` calls. At or above it:
    /// failure after exactly as many calls as there are attempts.
    #[test]
    fn transient_errors_retried(
        retry in any_retry(),
        failures in prop::collection::vec(any_transient(), 0..15),
        jitter in 0.0..1.0_f64,
    ) {
        let (attempts, count) = (retry.attempts as usize, failures.len());

        let (succeeded, calls, _) = told(retry, failures, jitter);

        prop_assert_eq!(succeeded, count < attempts);
        prop_assert_eq!(calls, if count < attempts { count + 1 } else { attempts });
    }

    /// Each wait is at least its doubled delay, capped; jitter only adds, a quarter at most.
    #[test]
    fn exponential_backoff(
        retry in any_retry(),
        error in any_transient(),
        jitter in 0.0..1.0_f64,
    ) {
        let (_, calls, waits) = told(retry, vec![error; 20], jitter);

        prop_assert_eq!(waits.len() + 1, calls);
        for (number, wait) in (0_u32..).zip(waits) {
            let nominal = retry.delay.saturating_mul(2_u32.pow(number)).min(retry.max_delay);
            prop_assert!(wait >= nominal, "{wait:?} < {nominal:?}");
            let most = nominal.mul_f64(1.0 + JITTER);
            prop_assert!(wait <= most, "{wait:?} > {most:?}");
        }
    }

    /// Whatever the text says and however many tries are left: one call, no wait.
    #[test]
    fn non_transient_errors_fail_immediately(
        retry in any_retry(),
        error in any_final(),
        earlier in prop::collection::vec(any_transient(), 0..3),
        jitter in 0.0..1.0_f64,
    ) {
        let expected = earlier.len().min(retry.attempts as usize - 1) + 1;
        let waited = earlier.len().min(retry.attempts as usize - 1);
        let failures = earlier.into_iter().chain([error]).collect();

        let (succeeded, calls, waits) = told(retry, failures, jitter);

        prop_assert!(!succeeded);
        prop_assert_eq!(calls, expected);
        prop_assert_eq!(waits.len(), waited);
    }
}

/// The way back of docs/production-readiness.md: with one attempt nothing is tried again.
#[test]
fn one_attempt_is_one_call() {
    let retry =
        Retry { attempts: 1, delay: Duration::from_millis(100), max_delay: Duration::from_secs(2) };
    for kind in [std::io::ErrorKind::ConnectionRefused, std::io::ErrorKind::TimedOut] {
        assert_eq!(told(retry, vec![io(kind)], 0.0), (false, 1, Vec::new()));
    }
    assert_eq!(told(retry, Vec::new(), 0.0), (true, 1, Vec::new()));
}

//! Which try comes next when one failed: the same way again, another way, or none.
//!
//! Pure. Only while nothing of the answer was said: what was heard of one provider is never continued by another.

use std::time::Duration;

use sluice_chat::event::{ErrorKind, ProviderError, RetryHint};
use sluice_chat::exchange::TransportFailure;
use sluice_sandbox::CallError;

use super::AskError;

/// Tries of one way, the first included.
const TRIES: u32 = 2;
/// Wait before the second try, where the upstream names none. Doubled for each further one; chance adds up to as much again.
const WAIT: Duration = Duration::from_millis(250);
/// Longest wait that an upstream may ask for and get: beyond it another way is better, or an honest failure.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long a key rests that was refused for itself or for its quota: neither passes soon.
const REST: Duration = Duration::from_mins(10);
/// How long a key rests that was used too often, where the upstream names no time.
const SHORT_REST: Duration = Duration::from_secs(30);

/// How long the key should rest that was used, if what failed is about the key: another may be taken.
pub(super) fn rest_after(error: &AskError) -> Option<Duration> {
    let AskError::Provider(told) = error else { return None };
    match (told.kind, told.retry) {
        (
            ErrorKind::RateLimited | ErrorKind::QuotaExhausted | ErrorKind::Authentication,
            RetryHint::AfterMs(ms),
        ) => Some(Duration::from_millis(ms.into())),
        (ErrorKind::RateLimited, RetryHint::Never) => Some(SHORT_REST),
        (ErrorKind::QuotaExhausted | ErrorKind::Authentication, RetryHint::Never)
        | (_, RetryHint::OtherCredential) => Some(REST),
        (
            ErrorKind::InvalidRequest
            | ErrorKind::Permission
            | ErrorKind::NotFound
            | ErrorKind::ContextTooLong
            | ErrorKind::ContentBlocked
            | ErrorKind::Overloaded
            | ErrorKind::Timeout
            | ErrorKind::Protocol
            | ErrorKind::Unsupported
            | ErrorKind::Cancelled
            | ErrorKind::Other,
            RetryHint::Never | RetryHint::AfterMs(_),
        ) => None,
    }
}

/// What a failure says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// It is about the question, or about us: it fails everywhere.
    Nothing,
    /// Not this way; another may know better.
    OtherWay,
    /// It may pass, after the time that the upstream named if it named one.
    Time(Option<Duration>),
}

impl Remedy {
    /// What helps against a failure.
    pub(super) fn against(error: &AskError) -> Self {
        match error {
            AskError::TookTooLong | AskError::Plugin(CallError::Busy) => Self::Nothing,
            AskError::Transport { failure, .. } => match failure {
                TransportFailure::Connect | TransportFailure::Tls | TransportFailure::Reset => {
                    Self::Time(None)
                }
                // Whoever waits has waited long enough.
                TransportFailure::Timeout
                | TransportFailure::TooLarge
                | TransportFailure::Blocked
                | TransportFailure::MalformedFraming => Self::OtherWay,
            },
            AskError::Provider(told) => Self::told(told),
            AskError::Plugin(_)
            | AskError::Breach(_)
            | AskError::NothingToRead
            | AskError::Unfiltered(_)
            | AskError::TooManyExchanges => Self::OtherWay,
        }
    }

    fn told(told: &ProviderError) -> Self {
        match told.kind {
            ErrorKind::InvalidRequest | ErrorKind::ContentBlocked | ErrorKind::Cancelled => {
                Self::Nothing
            }
            ErrorKind::Authentication
            | ErrorKind::Permission
            | ErrorKind::NotFound
            | ErrorKind::QuotaExhausted
            | ErrorKind::ContextTooLong
            | ErrorKind::Unsupported => Self::OtherWay,
            ErrorKind::RateLimited
            | ErrorKind::Overloaded
            | ErrorKind::Timeout
            | ErrorKind::Protocol
            | ErrorKind::Other => match told.retry {
                RetryHint::AfterMs(ms) => Self::Time(Some(Duration::from_millis(ms.into()))),
                RetryHint::Never if told.kind == ErrorKind::RateLimited => Self::Time(None),
                RetryHint::Never | RetryHint::OtherCredential => Self::OtherWay,
            },
        }
    }

    /// Whether it tells of an upstream that is down, and not of what it was asked.
    pub(super) fn blames_upstream(error: &AskError) -> bool {
        match error {
            AskError::Transport { failure, .. } => matches!(
                failure,
                TransportFailure::Connect
                    | TransportFailure::Tls
                    | TransportFailure::Timeout
                    | TransportFailure::Reset
            ),
            AskError::Provider(told) => {
                matches!(told.kind, ErrorKind::Overloaded | ErrorKind::Timeout)
                    || told.status.is_some_and(|status| status >= 500)
            }
            AskError::TookTooLong
            | AskError::Plugin(_)
            | AskError::Breach(_)
            | AskError::NothingToRead
            | AskError::Unfiltered(_)
            | AskError::TooManyExchanges => false,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The same way again, after a while.
    Again(Duration),
    /// The next way, at once. Where there is none, the failure stands.
    OtherWay,
    /// Nothing: the failure stands.
    GiveUp,
}

/// The tries of one way so far.
#[derive(Debug)]
pub(super) struct Attempts {
    tries: u32,
}

impl Attempts {
    /// The first one.
    pub(super) fn first() -> Self {
        Self { tries: 1 }
    }

    /// What comes after a failure. `chance` is a random number from 0 to 1.
    pub(super) fn after(&mut self, remedy: Remedy, chance: f64) -> Next {
        let wait = match remedy {
            Remedy::Nothing => return Next::GiveUp,
            Remedy::OtherWay => return Next::OtherWay,
            Remedy::Time(Some(asked)) => asked,
            Remedy::Time(None) => WAIT * 2_u32.pow(self.tries - 1),
        };
        if self.tries >= TRIES || wait > LONGEST_WAIT {
            return Next::OtherWay;
        }
        self.tries += 1;
        Next::Again(wait + wait.min(WAIT).mul_f64(chance.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(kind: ErrorKind, retry: RetryHint) -> AskError {
        AskError::Provider(ProviderError { kind, detail: None, status: None, retry })
    }

    #[test]
    fn what_is_wrong_with_the_question_is_asked_nowhere_again() {
        for kind in [ErrorKind::InvalidRequest, ErrorKind::ContentBlocked] {
            let remedy = Remedy::against(&told(kind, RetryHint::AfterMs(10)));
            assert_eq!(Attempts::first().after(remedy, 0.5), Next::GiveUp);
        }
    }

    #[test]
    fn a_wrong_credential_is_not_tried_twice_but_another_way_is() {
        let remedy = Remedy::against(&told(ErrorKind::Authentication, RetryHint::AfterMs(10)));
        assert_eq!(Attempts::first().after(remedy, 0.0), Next::OtherWay);
    }

    #[test]
    fn a_key_rests_as_long_as_the_upstream_says_and_only_for_what_is_its_own() {
        let rest = |kind, retry| rest_after(&told(kind, retry));
        let week = RetryHint::AfterMs(604_800_000);
        assert_eq!(rest(ErrorKind::RateLimited, week), Some(Duration::from_hours(168)));
        assert_eq!(rest(ErrorKind::QuotaExhausted, RetryHint::OtherCredential), Some(REST));
        assert_eq!(rest(ErrorKind::Authentication, RetryHint::Never), Some(REST));
        assert_eq!(rest(ErrorKind::Overloaded, RetryHint::AfterMs(1)), None);
        assert_eq!(rest(ErrorKind::InvalidRequest, RetryHint::Never), None);
    }

    #[test]
    fn the_upstreams_own_wait_is_kept_unless_it_is_absurd() {
        let after = |ms| Remedy::against(&told(ErrorKind::RateLimited, RetryHint::AfterMs(ms)));
        let Next::Again(wait) = Attempts::first().after(after(2_000), 0.0) else { panic!() };
        assert_eq!(wait, Duration::from_secs(2));
        assert_eq!(Attempts::first().after(after(86_400_000), 0.0), Next::OtherWay);
    }

    fn any_remedy() -> impl Strategy<Value = Remedy> {
        prop_oneof![
            Just(Remedy::Nothing),
            Just(Remedy::OtherWay),
            prop::option::of(0..20_000_u64)
                .prop_map(|ms| Remedy::Time(ms.map(Duration::from_millis))),
        ]
    }

    proptest! {
        /// However it fails, a way is tried at most twice, and waits are bounded and never shorter than asked for.
        #[test]
        fn tries_are_bounded(failures in prop::collection::vec((any_remedy(), 0.0..1.0_f64), 20)) {
            let mut attempts = Attempts::first();
            let mut tries = 1;
            for (remedy, chance) in failures {
                match attempts.after(remedy, chance) {
                    Next::Again(wait) => {
                        tries += 1;
                        let asked = match remedy {
                            Remedy::Time(asked) => asked.unwrap_or(WAIT),
                            Remedy::Nothing | Remedy::OtherWay => panic!("nothing to wait for"),
                        };
                        prop_assert!(wait >= asked && wait <= LONGEST_WAIT + WAIT);
                    }
                    Next::OtherWay | Next::GiveUp => break,
                }
            }
            prop_assert!(tries <= TRIES);
        }
    }
}

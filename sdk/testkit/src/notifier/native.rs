//! Tells cases to a notifier's Rust type.

use std::{marker::PhantomData, path::Path};

use sluice_sdk::{self as sdk, Context, Notifier};

use super::case::{News, NotifierCase, Severity};
use super::check::{NotifierCheckError, Telling, check_notifier};
use crate::{
    event::Failure,
    native::{self, said},
    policy::Stopped,
    recording::Recording,
    request::Request,
};

/// A notifier, natively.
#[derive(Debug)]
pub struct NativeNotifier<N>(PhantomData<N>);

impl<N> Default for NativeNotifier<N> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<N: Notifier> NativeNotifier<N> {
    fn context(case: &NotifierCase) -> Result<Context<N::Settings>, Stopped> {
        native::context(&case.circumstances).map_err(Stopped::Refused)
    }
}

impl<N: Notifier> Telling for NativeNotifier<N> {
    fn render(&self, case: &NotifierCase) -> Result<Result<Option<Request>, Failure>, Stopped> {
        let rendered = N::render(&Self::context(case)?, &notice(&case.notice));
        Ok(rendered.map(|request| request.map(said::request)).map_err(said::failure))
    }

    fn accepted(&self, case: &NotifierCase, answer: &Recording) -> Result<bool, Stopped> {
        let field = |(name, value): &(String, String)| sdk::Field {
            name: name.clone(),
            value: value.clone(),
        };
        let headers = answer.headers.iter().map(field).collect();
        let head = sdk::Head { status: answer.status, headers };
        let body = String::from_utf8_lossy(&answer.body);
        Ok(N::accepted(&Self::context(case)?, &head, &body))
    }
}

fn notice(news: &News) -> sdk::Notice {
    let News { id, kind, severity, title, text, about, at_ms, attempt } = news.clone();
    sdk::Notice {
        id,
        kind,
        severity: match severity {
            Severity::Warning => sdk::Severity::Warning,
            Severity::Critical => sdk::Severity::Critical,
        },
        title,
        text,
        about: about.into_iter().map(|(name, value)| sdk::Field { name, value }).collect(),
        at: at_ms,
        attempt,
    }
}

/// Checks the case in this folder and panics with what is wrong. `SLUICE_UPDATE=1` writes its expectation anew.
#[track_caller]
#[expect(clippy::panic, reason = "called by tests, whose way to fail this is")]
pub fn assert_notifier_case<N: Notifier>(folder: impl AsRef<Path>) {
    if let Err(wrong) = checked::<N>(folder.as_ref()) {
        panic!("{wrong}");
    }
}

/// Checks every case in this folder of cases and panics with all that is wrong, or if there is none. Like
/// [`assert_notifier_case`] otherwise.
#[track_caller]
pub fn assert_notifier_cases<N: Notifier>(cases: impl AsRef<Path>) {
    native::assert_each(cases.as_ref(), checked::<N>);
}

fn checked<N: Notifier>(folder: &Path) -> Result<(), String> {
    let checked = NotifierCase::load(folder).map_err(NotifierCheckError::from).and_then(|case| {
        check_notifier(&NativeNotifier::<N>::default(), &case, native::wants_update())
    });
    native::told(folder, checked)
}

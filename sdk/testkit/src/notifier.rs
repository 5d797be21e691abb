//! Cases of notifiers: a notice in, what is to be sent out, and whether each recorded answer of the receiver counts as taken.
//!
//! The folder of a case holds `case.toml` (see [`NotifierCase`]), `exchange-1.http` and so on for answers of the receiver, and
//! `expect.jsonl` (a [`Told`] a line). [`check_notifier`] asks twice, in fresh instances: of that nothing may show.

mod case;
mod check;
#[cfg(feature = "native")]
mod native;

pub use case::{News, NotifierCase, Severity};
pub use check::{NotifierCheckError, Telling, Told, check_notifier};
#[cfg(feature = "native")]
pub use native::{NativeNotifier, assert_notifier_case, assert_notifier_cases};

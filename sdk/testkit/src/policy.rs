//! Cases of policies: facts in, decisions out.
//!
//! The folder of a case holds `case.toml` (see [`PolicyCase`]) and `expect.jsonl` (a [`Said`] a line). [`check_policy`] asks twice, in
//! fresh instances, and filters what the model says cut at every character: of none of that may anything show.

mod case;
mod check;
mod judging;
#[cfg(feature = "native")]
mod native;
mod said;
mod showing;

pub use case::{Action, Happened, PolicyCase, Spoken, Who};
pub use check::{PolicyCheckError, check_policy};
pub use judging::{Channel, Filtering, Judged, Judging, OutputVerdict, Span, Stopped};
#[cfg(feature = "native")]
pub use native::{NativePolicy, RunningFilter, assert_policy_case, assert_policy_cases};
pub use said::{
    Decision, Denial, Edit, Effect, MessageDecision, Reservation, Said, Scope, Shown,
    UsageDecision, Verdict, Window,
};

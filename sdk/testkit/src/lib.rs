//! Replays recorded exchanges against a plugin and compares what it asks for and says with what was expected.
//!
//! A plugin's tests need one line a case:
//!
//! ```no_run
//! # #[derive(Default)] struct Acme;
//! # impl sluice_sdk::Answer for Acme {
//! #     type Settings = ();
//! #     fn start(&mut self, _: &sluice_sdk::Context<()>, _: sluice_sdk::ChatRequest) -> sluice_sdk::Output {
//! #         sluice_sdk::Output::done(sluice_sdk::Events::new())
//! #     }
//! #     fn step(&mut self, _: &sluice_sdk::Context<()>, _: sluice_sdk::Input) -> sluice_sdk::Output {
//! #         sluice_sdk::Output::done(sluice_sdk::Events::new())
//! #     }
//! # }
//! # sluice_sdk::answer!(Acme);
//! sluice_testkit::assert_case::<Acme>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases/plain-stream"));
//! ```
//!
//! `SLUICE_UPDATE=1` writes what was seen in place of what was expected; read the difference before you commit it.
//!
//! # A case
//!
//! A case is a folder of plain files, to be replayed by this crate natively and by the host in its sandbox:
//!
//! | File | Holds |
//! |---|---|
//! | `case.toml` | `about`, `[settings]` of the plugin, the `[chat]` asked; see [`Case`] and [`Chat`] |
//! | `exchange-1.http` … | the upstream's answer to the first request and so on: status line, headers, blank line, body, byte for byte; see [`Recording`] |
//! | `request-1.json` … | the request expected before it: see [`Request`] |
//! | `expect.jsonl` | the [`Event`]s expected, one a line, then `{"end": …}` with an [`Ending`] |
//!
//! Adjacent pieces of one text, one thought or one tool call count as one event, here as in the file: how an answer is cut
//! into pieces is up to the network.
//!
//! # What is checked
//!
//! Beside the comparison, [`check`] plays each case cut at every byte, byte by byte, and with a byte order mark: nothing of that
//! may show. Then it breaks the recording: it ends or resets it after every byte, puts an error page into it at every frame
//! border, and turns its status into 500. A broken recording may only be *done* where it still says everything the whole one
//! says; in all other places it must fail.

mod case;
mod chat;
mod check;
mod event;
mod golden;
#[cfg(feature = "native")]
mod native;
mod notifier;
mod play;
mod policy;
mod recording;
mod request;
mod subject;

pub use case::{Case, CaseError};
pub use chat::{
    Blob, Chat, Content, Format, Function, Message, Part, Role, SchemaFormat, Tool, ToolChoice,
    ToolContent,
};
pub use check::{CheckError, check};
pub use event::{Ending, Event, Failure, Finish, Retry, Usage};
#[cfg(feature = "native")]
pub use native::{Native, Running, assert_case, assert_cases};
#[cfg(feature = "native")]
pub use notifier::{NativeNotifier, assert_notifier_case, assert_notifier_cases};
pub use notifier::{
    News, NotifierCase, NotifierCheckError, Severity, Telling, Told, check_notifier,
};
pub use play::{Cut, PlayError, Played, play};
pub use policy::{
    Action, Channel, Decision, Denial, Edit, Effect, Filtering, Happened, Judged, Judging,
    MessageDecision, OutputVerdict, PolicyCase, PolicyCheckError, Reservation, Said, Scope, Shown,
    Span, Spoken, Stopped, UsageDecision, Verdict, Who, Window, check_policy,
};
#[cfg(feature = "native")]
pub use policy::{NativePolicy, RunningFilter, assert_policy_case, assert_policy_cases};
pub use recording::{Recording, TransportFailure};
pub use request::{FramingWish, Request};
pub use subject::{Circumstances, Input, Next, Output, Steps, Subject};

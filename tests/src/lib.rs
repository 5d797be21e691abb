//! A client of the real gateway: what the end-to-end tests are written with.
//!
//! Starts the binary, speaks its protocols over real sockets and plays the model's server.
//! Knows no crate of the host: what it believes about the protocol is written here a second time, on purpose.
#![expect(clippy::panic, reason = "a harness reports by panicking, and only tests run it")]

mod answer;
mod block;
mod browser;
mod client;
mod events;
mod foreign_client;
mod gateway;
mod http;
mod identity_provider;
mod local_model;
mod loopback;
mod mail_sink;
mod mongod;
mod process;
mod provider;
mod proxy;
mod setup;
mod terminal;
mod token;
mod usage;
mod workspace;

use std::{future::Future, time::Duration};

pub use answer::Answer;
pub use block::{Block, blocks, document};
pub use browser::{Browser, Page};
pub use client::{Client, Dial, Refusal};
pub use events::Events;
pub use foreign_client::{ForeignClient, Library};
pub use gateway::{Ended, Gateway};
pub use http::{Call, Reply};
pub use identity_provider::{IdentityProvider, SigningKey};
pub use local_model::LocalModel;
pub use loopback::{own_address, own_host};
pub use mail_sink::{Letter, MailSink};
pub use mongod::Mongod;
pub use nix::sys::signal::Signal;
pub use provider::{FakeProvider, Request, Script};
pub use proxy::Proxy;
pub use setup::Setup;
pub use terminal::Terminal;
pub use token::{claims, expiring_in, hmac, mint, now};
pub use workspace::{binary, guest, root, target};

/// How long anything may take before a test gives up: generous, since it is never waited out when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for `event`, and says what was waited for when it does not come.
pub async fn patiently<T>(what: &str, event: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(PATIENCE, event).await;
    came.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Says that a part was not run, and why. Where nothing may be left out (`CI=true`), that is a failure.
#[expect(clippy::print_stdout, reason = "the summary of a run counts these lines")]
pub fn not_run(what: &str, why: &str) {
    let strict = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!strict, "NOT RUN: {what} ({why})");
    println!("NOT RUN: {what} ({why})");
}

/// Reads the `type` of a frame; empty when there is none.
pub fn kind(frame: &serde_json::Value) -> &str {
    frame["type"].as_str().unwrap_or_default()
}

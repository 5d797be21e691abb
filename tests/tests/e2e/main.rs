//! The promises of `docs/protocol.md`, one module each, held against the real binary over real sockets.
//!
//! A module that is named `needs_…` needs a program that not every machine has; `cargo sluice test` brings it.

mod addresses;
mod admin;
mod backup;
mod bad_input;
mod broken_provider;
mod canary;
mod cancel;
mod closing;
mod crowd;
mod devices;
mod disk;
mod examples;
mod failure;
mod fallback;
mod idempotency;
mod identity;
mod keys;
mod limits;
mod metrics;
mod model;
mod needs_chromium;
mod needs_model;
mod needs_mongod;
mod needs_python;
mod openai;
mod operator;
mod page;
mod process;
mod regenerate;
mod reload;
mod rest;
mod restart;
mod resume;
mod rollback;
mod sandbox;
mod sealed;
mod shared;
mod slow_reader;
mod stop;
mod streaming;
mod vendors;

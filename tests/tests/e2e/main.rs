//! The promises of `docs/protocol.md`, one module each, held against the real binary over real sockets.

mod bad_input;
mod cancel;
mod devices;
mod failure;
mod idempotency;
mod identity;
mod limits;
mod model;
mod page;
mod process;
mod regenerate;
mod rest;
mod restart;
mod resume;
mod sandbox;
mod streaming;

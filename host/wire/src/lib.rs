//! The client protocol: frames, error codes, close codes, positions.
//!
//! Shapes only: no sockets, no sessions, no decisions. `docs/protocol.md` tells the same to authors of chat clients.

pub mod client;
pub mod close;
pub mod error;
pub mod openai;
pub mod server;

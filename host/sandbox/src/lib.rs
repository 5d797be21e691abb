//! The sandbox: untrusted components in, typed answers out. Wasmtime and nothing else.
//!
//! A [`Sandbox`] checks and compiles components; a [`Provider`] or a [`Policy`] is one that passed; an [`Answer`] is a fresh instance
//! that lives as long as one chat answer, and so does a [`Filter`]; a hook of a policy has a fresh instance for each call. Everything a guest could do to its host is bounded here: time, memory, output, log lines.
//!
//! No sockets, no credentials, no clock of day, no retries, and no opinion on the order of inputs: that is the gateway's.

mod answer;
mod beside;
mod cache;
mod call;
mod contract;
mod convert;
mod digest;
mod embedding;
mod engine;
mod fresh;
mod guest;
mod limits;
mod listing;
mod load;
mod log;
mod manifest;
mod meter;
mod notifier;
mod plain;
mod policy;
mod provider;
mod sandbox;
mod siding;
mod ticker;

pub use crate::answer::{Answer, Directive, Input, Output, Spent};
pub use crate::cache::CacheError;
pub use crate::call::{Budget, CallError};
pub use crate::contract::{ContractVersion, Hook};
pub use crate::digest::Digest;
pub use crate::limits::Limits;
pub use crate::load::{LoadError, Plugin};
pub use crate::manifest::{ManifestError, manifest};
pub use crate::meter::{Failed, Used};
pub use crate::notifier::Notifier;
pub use crate::policy::{Filter, Policy};
pub use crate::provider::{Origin, Provider};
pub use crate::sandbox::{Sandbox, SandboxSettings, StartError};

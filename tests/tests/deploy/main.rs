//! `config/deploy`: what is there to deploy with is checked by the programs that will read it, and against the running gateway.
//!
//! No container is built and no cluster asked: neither is to be had where tests run.
#![expect(clippy::panic, reason = "a file that does not keep its promise is a failed test")]

mod files;
mod guides;
mod needs_promtool;
mod needs_systemd;
mod needs_validators;
mod promql;
mod proxies;
mod watching;

//! Lines for the operator's log: rate- and length-limited by the host. Natively they go nowhere.

use crate::bindings::sluice::plugin::log::Level;

/// What only a plugin's author wants to see.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// What an operator may want to see.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// What an operator should look at some day.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// What an operator should look at now.
pub fn error(message: &str) {
    write(Level::Error, message);
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, message: &str) {
    crate::bindings::sluice::plugin::log::log(level, message);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(_: Level, _: &str) {}

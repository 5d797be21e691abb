//! The cutter: connections are cut after every byte, and at random, and nobody may lose a word or hear one twice.
//!
//! Not here: cuts chosen by hand, each with its own promise. Those are in `e2e`.

mod devices;
mod every_byte;
mod line;
mod model;
mod stage;
mod transcript;

/// Whether the long variants are to be run as well: `cargo sluice test --all` says so.
fn all() -> bool {
    std::env::var_os("SLUICE_TESTS").is_some_and(|value| value == "all")
}

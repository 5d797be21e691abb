//! Guests at their worst, as real WebAssembly: what the sandbox promises about each of them.

mod abi;
mod cached;
mod echoing;
mod endless;
mod greedy;
mod isolated;
mod judging;
mod loaded;
mod talkative;

mod component;
mod world;

//! The contract as Rust: generated from `sdk/wit`, never edited. Authors use the names that the crate's root re-exports.
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    unsafe_code,
    unreachable_pub,
    unused_qualifications,
    rustdoc::all,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../wit/0.1",
    world: "provider-plugin",
    pub_export_macro: true,
    export_macro_name: "export_plugin",
    default_bindings_module: "sluice_sdk::bindings",
    additional_derives: [PartialEq],
});

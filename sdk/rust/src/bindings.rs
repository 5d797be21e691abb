//! The contract as Rust: generated from `sdk/wit`, never edited. Authors use the names that the crate's root re-exports.
//!
//! Each exported interface is generated on its own, so that a plugin exports those it implements and no other; the component is
//! described by all of them together.
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
    world: "policy-plugin",
    pub_export_macro: true,
    export_macro_name: "export_lifecycle",
    default_bindings_module: "sluice_sdk::bindings",
    additional_derives: [PartialEq],
    generate_unused_types: true,
});

/// What every provider exports, and the words of chats.
pub mod provider {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "answer-hook",
        pub_export_macro: true,
        export_macro_name: "export_provider",
        default_bindings_module: "sluice_sdk::bindings::provider",
        additional_derives: [PartialEq],
        generate_unused_types: true,
        with: { "sluice:plugin/types@0.1.0": crate::bindings::sluice::plugin::types },
    });
}

/// What every notifier exports.
pub mod notice {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "notice-hook",
        pub_export_macro: true,
        export_macro_name: "export_notifier",
        default_bindings_module: "sluice_sdk::bindings::notice",
        additional_derives: [PartialEq],
        with: {
            "sluice:plugin/types@0.1.0": crate::bindings::sluice::plugin::types,
            "sluice:plugin/http@0.1.0": crate::bindings::provider::sluice::plugin::http,
        },
    });
}

/// What a provider may export beside its answers: vectors.
pub mod embedding {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "embedding-hook",
        pub_export_macro: true,
        export_macro_name: "export_embedding",
        default_bindings_module: "sluice_sdk::bindings::embedding",
        additional_derives: [PartialEq],
        with: {
            "sluice:plugin/types@0.1.0": crate::bindings::sluice::plugin::types,
            "sluice:plugin/http@0.1.0": crate::bindings::provider::sluice::plugin::http,
        },
    });
}

/// What a provider may export beside its answers: which models its upstream has.
pub mod listing {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "listing-hook",
        pub_export_macro: true,
        export_macro_name: "export_listing",
        default_bindings_module: "sluice_sdk::bindings::listing",
        additional_derives: [PartialEq],
        with: {
            "sluice:plugin/types@0.1.0": crate::bindings::sluice::plugin::types,
            "sluice:plugin/http@0.1.0": crate::bindings::provider::sluice::plugin::http,
        },
    });
}

/// The hook `on-connect`, and the words of all hooks.
pub mod connect {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "connect-hook",
        pub_export_macro: true,
        export_macro_name: "export_connect",
        default_bindings_module: "sluice_sdk::bindings::connect",
        additional_derives: [PartialEq],
        generate_unused_types: true,
        with: { "sluice:plugin/types@0.1.0": crate::bindings::sluice::plugin::types },
    });
}

/// The hook `on-message`.
pub mod message {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "message-hook",
        pub_export_macro: true,
        export_macro_name: "export_message",
        default_bindings_module: "sluice_sdk::bindings::message",
        additional_derives: [PartialEq],
        with: {
            "sluice:plugin/types@0.1.0": crate::bindings::sluice::plugin::types,
            "sluice:plugin/chat@0.1.0": crate::bindings::provider::sluice::plugin::chat,
            "sluice:plugin/policy-types@0.1.0": crate::bindings::connect::sluice::plugin::policy_types,
        },
    });
}

/// The hook `on-output`.
pub mod output {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "output-hook",
        pub_export_macro: true,
        export_macro_name: "export_output",
        default_bindings_module: "sluice_sdk::bindings::output",
        additional_derives: [PartialEq],
        with: {
            "sluice:plugin/types@0.1.0": crate::bindings::sluice::plugin::types,
            "sluice:plugin/policy-types@0.1.0": crate::bindings::connect::sluice::plugin::policy_types,
        },
    });
}

/// The hook `on-admin`.
pub mod admin {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "admin-hook",
        pub_export_macro: true,
        export_macro_name: "export_admin",
        default_bindings_module: "sluice_sdk::bindings::admin",
        additional_derives: [PartialEq],
        with: {
            "sluice:plugin/types@0.1.0": crate::bindings::sluice::plugin::types,
            "sluice:plugin/policy-types@0.1.0": crate::bindings::connect::sluice::plugin::policy_types,
        },
    });
}

/// The hook `on-usage`.
pub mod usage {
    wit_bindgen::generate!({
        path: "../wit/0.1",
        world: "usage-hook",
        pub_export_macro: true,
        export_macro_name: "export_usage",
        default_bindings_module: "sluice_sdk::bindings::usage",
        additional_derives: [PartialEq],
        with: {
            "sluice:plugin/types@0.1.0": crate::bindings::sluice::plugin::types,
            "sluice:plugin/policy-types@0.1.0": crate::bindings::connect::sluice::plugin::policy_types,
        },
    });
}

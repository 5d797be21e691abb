//! Generated from `sdk/wit/0.1`. Raw on purpose: what these guests do, the SDK does not let happen.

wit_bindgen::generate!({
    path: "../../../sdk/wit/0.1",
    world: "provider-plugin",
});

pub(crate) use self::exports::sluice::plugin::{lifecycle, provider};
pub(crate) use self::sluice::plugin::{chat, types};

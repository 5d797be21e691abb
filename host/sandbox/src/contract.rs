//! The contract as this host speaks it: generated bindings, and what a component says of itself before it runs.
//!
//! No judgement: `load` decides what a mismatch means.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

mod bindings {
    //! Generated from `sdk/wit/0.1`.

    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.1",
        world: "provider-plugin",
        exports: { default: async },
    });
}

mod embeddings {
    //! Generated from `sdk/wit/0.1`: what a provider may export beside its answers.

    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.1",
        world: "embedding-hook",
        exports: { default: async },
        with: {
            "sluice:plugin/types@0.1.0": super::bindings::sluice::plugin::types,
            "sluice:plugin/http@0.1.0": super::bindings::sluice::plugin::http,
        },
    });
}

mod listings {
    //! Generated from `sdk/wit/0.1`: which models a provider's upstream has.

    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.1",
        world: "listing-hook",
        exports: { default: async },
        with: {
            "sluice:plugin/types@0.1.0": super::bindings::sluice::plugin::types,
            "sluice:plugin/http@0.1.0": super::bindings::sluice::plugin::http,
        },
    });
}

mod hooks {
    //! Generated from `sdk/wit/0.1`: what policies export, each interface on its own.

    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.1",
        world: "policy-hooks",
        exports: { default: async },
        with: {
            "sluice:plugin/types@0.1.0": super::bindings::sluice::plugin::types,
            "sluice:plugin/chat@0.1.0": super::bindings::sluice::plugin::chat,
        },
    });
}

mod notices {
    //! Generated from `sdk/wit/0.1`: what notifiers export.

    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.1",
        world: "notice-hook",
        exports: { default: async },
        with: {
            "sluice:plugin/types@0.1.0": super::bindings::sluice::plugin::types,
            "sluice:plugin/http@0.1.0": super::bindings::sluice::plugin::http,
        },
    });
}

pub(crate) use bindings::exports::sluice::plugin::{lifecycle, provider};
pub(crate) use bindings::sluice::plugin::{chat, http, log, types};
pub(crate) use bindings::{ProviderPlugin, ProviderPluginPre};
pub(crate) use embeddings::exports::sluice::plugin::embedding;
pub(crate) use hooks::exports::sluice::plugin::{
    on_admin, on_connect, on_message, on_output, on_usage,
};
pub(crate) use hooks::sluice::plugin::policy_types;
pub(crate) use listings::exports::sluice::plugin::listing;
pub(crate) use notices::exports::sluice::plugin::notifier;

/// Package that every interface of the contract belongs to.
const PACKAGE: &str = "sluice:plugin/";

/// The interface that every plugin exports.
pub(crate) const LIFECYCLE: &str = "lifecycle";

/// The interface that makes a plugin a provider.
pub(crate) const PROVIDER: &str = "provider";

/// The interface that makes a plugin a notifier.
pub(crate) const NOTIFIER: &str = "notifier";

/// The interface of providers that make vectors too.
pub(crate) const EMBEDDING: &str = "embedding";

/// The interface of providers that say which models their upstream has.
pub(crate) const LISTING: &str = "listing";

/// Names a plugin may import. All but `log` hold types only.
const IMPORTS: [&str; 5] = ["types", "chat", "http", "policy-types", "log"];

/// Version of the contract, as in `0.1.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractVersion {
    major: u64,
    minor: u64,
    patch: u64,
}

impl ContractVersion {
    /// What this host speaks.
    pub const HOST: Self = Self { major: 0, minor: 1, patch: 0 };

    /// Reads `0.1.0`; nothing but three numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|part| part.parse().ok());
        let version =
            Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? };
        numbers.next().is_none().then_some(version)
    }

    /// Whether a plugin of this version runs on a host that speaks `host`. Before 1.0 each minor version stands alone.
    pub fn runs_on(&self, host: &Self) -> bool {
        let same_minor = self.major > 0 || self.minor == host.minor;
        self.major == host.major && same_minor && self.minor <= host.minor
    }
}

impl fmt::Display for ContractVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// An interface of the contract that a component names: `sluice:plugin/NAME@VERSION`.
pub(crate) struct Interface<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: ContractVersion,
}

impl<'a> Interface<'a> {
    /// Takes an import's or export's full name apart; `None` when it is not of our package or has no readable version.
    pub(crate) fn parse(full: &'a str) -> Option<Self> {
        let (name, version) = full.strip_prefix(PACKAGE)?.split_once('@')?;
        Some(Self { name, version: ContractVersion::parse(version)? })
    }
}

/// A place where policies are asked. Each is an interface of its own, and a policy exports those it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// Before a connection is opened.
    Connect,
    /// Before a message is stored.
    Message,
    /// Before anything the model said is shown.
    Output,
    /// Before an administrator's action runs.
    Admin,
    /// After an answer.
    Usage,
}

impl Hook {
    /// Every hook, in the order in which a message meets them.
    pub const ALL: [Self; 5] =
        [Self::Connect, Self::Message, Self::Output, Self::Admin, Self::Usage];

    /// The word in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Message => "message",
            Self::Output => "output",
            Self::Admin => "admin",
            Self::Usage => "usage",
        }
    }

    /// The interface.
    pub(crate) fn interface(self) -> &'static str {
        match self {
            Self::Connect => "on-connect",
            Self::Message => "on-message",
            Self::Output => "on-output",
            Self::Admin => "on-admin",
            Self::Usage => "on-usage",
        }
    }
}

/// Names at a component's border, read from the component itself.
#[derive(Debug)]
pub(crate) struct Border {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    /// Imports outside the contract, functions with their interface: `wasi:cli/exit@0.2.0`, `sluice:plugin/log@0.1.0#shout`.
    pub(crate) forbidden: Vec<String>,
}

impl Border {
    /// Interfaces of the contract that it exports, whatever version.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = Interface<'_>> {
        self.exports.iter().filter_map(|export| Interface::parse(export))
    }

    /// Whether it exports that interface.
    pub(crate) fn exports(&self, name: &str) -> bool {
        self.interfaces().any(|interface| interface.name == name)
    }

    /// Reads it.
    pub(crate) fn of(component: &Component, engine: &Engine) -> Self {
        let ty = component.component_type();
        let mut border = Self { imports: Vec::new(), exports: Vec::new(), forbidden: Vec::new() };
        for (name, item) in ty.imports(engine) {
            border.imports.push(name.to_owned());
            border.forbidden.extend(forbidden(name, &item.ty, engine));
        }
        border.exports = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
        border
    }
}

/// What of one import lies outside the contract.
fn forbidden(import: &str, item: &ComponentItem, engine: &Engine) -> Vec<String> {
    let known = Interface::parse(import).filter(|known| {
        IMPORTS.contains(&known.name) && known.version.runs_on(&ContractVersion::HOST)
    });
    let (Some(interface), ComponentItem::ComponentInstance(instance)) = (known, item) else {
        return vec![import.to_owned()];
    };
    let allowed = |name: &str, item: &ComponentItem| match item {
        ComponentItem::ComponentFunc(_) => interface.name == "log" && name == "log",
        ComponentItem::Type(_) => true,
        ComponentItem::CoreFunc(_)
        | ComponentItem::Module(_)
        | ComponentItem::Component(_)
        | ComponentItem::ComponentInstance(_)
        | ComponentItem::Resource(_) => false,
    };
    instance
        .exports(engine)
        .filter(|(name, item)| !allowed(name, &item.ty))
        .map(|(name, _)| format!("{import}#{name}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> ContractVersion {
        ContractVersion::parse(text).expect("a version")
    }

    #[test]
    fn a_plugin_of_another_minor_does_not_run_before_one_zero() {
        assert!(version("0.1.7").runs_on(&version("0.1.0")));
        assert!(!version("0.2.0").runs_on(&version("0.1.0")));
        assert!(!version("0.1.0").runs_on(&version("0.2.0")));
    }

    #[test]
    fn an_older_plugin_runs_on_a_newer_host_after_one_zero() {
        assert!(version("1.0.0").runs_on(&version("1.3.0")));
        assert!(!version("1.4.0").runs_on(&version("1.3.0")));
        assert!(!version("1.0.0").runs_on(&version("2.0.0")));
    }

    #[test]
    fn a_version_is_three_numbers() {
        for text in ["", "1", "0.1", "0.1.0.0", "0.1.x", "v0.1.0", "0.1.0-rc.1"] {
            assert_eq!(ContractVersion::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_of_other_packages_are_not_ours() {
        assert!(Interface::parse("sluice:plugin/log@0.1.0").is_some());
        assert!(Interface::parse("sluice:plugin/log").is_none());
        assert!(Interface::parse("wasi:cli/exit@0.2.0").is_none());
        assert!(Interface::parse("sluice:plugins/log@0.1.0").is_none());
    }
}

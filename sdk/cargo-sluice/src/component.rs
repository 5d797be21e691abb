//! From a core module to a component that the gateway will load.
//!
//! Encodes, looks at imports and exports, and writes the file only when its bytes changed.
//! Runs nothing: whether the plugin works is for `sluice plugin check` and `sluice plugin test`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::{InterfaceId, Resolve, WorldItem, WorldKey};

/// What a plugin does, read off what it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Answers.
    Provider,
    /// Judges.
    Policy,
    /// Tells somebody.
    Notifier,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provider => "provider",
            Self::Policy => "policy",
            Self::Notifier => "notifier",
        })
    }
}

/// A component on disk.
#[derive(Debug)]
pub(crate) struct Component {
    pub(crate) file: PathBuf,
    pub(crate) size: u64,
    /// Hex.
    pub(crate) sha256: String,
    pub(crate) kind: Kind,
}

/// Why a core module is no plugin.
#[derive(Debug, Error)]
pub(crate) enum ComponentError {
    /// The module carries no or a broken contract, or imports what no component has.
    #[error("it is no plugin: the compiled module cannot be made a component")]
    NotEncodable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The encoded component cannot be read back.
    #[error("its component cannot be read back")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It asks for something that the gateway gives to no plugin.
    #[error("it imports {}, and a plugin may import nothing but sluice:plugin/log", .0.join(", "))]
    ForbiddenImports(Vec<String>),
    /// It exports none of the plugin interfaces.
    #[error(
        "it exports no plugin interface; did you forget `sluice_sdk::provider!`, `sluice_sdk::policy!` or `sluice_sdk::notifier!`?"
    )]
    NoKind,
    /// A file could not be read or written.
    #[error("{} cannot be read or written", .file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Makes the component of the core module in `module` at `file`, unless it is there already.
///
/// `stamps` is a folder for notes about what was made of what, so that an unchanged module costs
/// two hashes and no encoding.
pub(crate) fn make(module: &Path, file: &Path, stamps: &Path) -> Result<Component, ComponentError> {
    let core = read(module)?;
    let stamp = Stamp::of(&core, file, stamps);
    if let Some(known) = stamp.still_valid(file) {
        return Ok(known);
    }
    let bytes = encode(&core)?;
    let kind = inspect(&bytes)?;
    write_if_changed(file, &bytes)?;
    let component = Component {
        file: file.to_owned(),
        size: bytes.len() as u64,
        sha256: hex_sha256(&bytes),
        kind,
    };
    stamp.write(&component)?;
    Ok(component)
}

fn encode(core: &[u8]) -> Result<Vec<u8>, ComponentError> {
    let encoded =
        ComponentEncoder::default().validate(true).module(core).and_then(ComponentEncoder::encode);
    encoded.map_err(|source| ComponentError::NotEncodable(source.into()))
}

/// Finds what a component is, and refuses one that imports more than the log.
pub(crate) fn inspect(component: &[u8]) -> Result<Kind, ComponentError> {
    let decoded = wit_component::decode(component)
        .map_err(|source| ComponentError::Unreadable(source.into()))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(ComponentError::NoKind);
    };
    let world = &resolve.worlds[world];
    let forbidden: Vec<String> = world
        .imports
        .iter()
        .filter(|(key, item)| !is_allowed_import(&resolve, key, item))
        .map(|(key, _)| resolve.name_world_key(key))
        .collect();
    if !forbidden.is_empty() {
        return Err(ComponentError::ForbiddenImports(forbidden));
    }
    world
        .exports
        .keys()
        .find_map(|key| kind_of_export(&resolve.name_world_key(key)))
        .ok_or(ComponentError::NoKind)
}

/// The log may be imported, and interfaces of the contract that hold nothing but types.
fn is_allowed_import(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> bool {
    let name = resolve.name_world_key(key);
    let WorldItem::Interface { id, .. } = item else { return false };
    name.starts_with("sluice:plugin/log@")
        || (name.starts_with("sluice:plugin/") && has_only_types(resolve, *id))
}

fn has_only_types(resolve: &Resolve, interface: InterfaceId) -> bool {
    resolve.interfaces[interface].functions.is_empty()
}

/// Reads the kind off an export's name, `sluice:plugin/provider@0.1.0`.
fn kind_of_export(name: &str) -> Option<Kind> {
    let interface = name.strip_prefix("sluice:plugin/")?.split('@').next()?;
    match interface {
        "provider" => Some(Kind::Provider),
        "on-connect" | "on-message" | "on-output" | "on-admin" | "on-usage" => Some(Kind::Policy),
        "notifier" => Some(Kind::Notifier),
        _ => None,
    }
}

/// Writes beside and renames, so that nobody ever reads half a component.
fn write_if_changed(file: &Path, bytes: &[u8]) -> Result<(), ComponentError> {
    if fs::read(file).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let at = |source| ComponentError::File { file: file.to_owned(), source };
    let partial = file.with_extension("wasm.partial");
    fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).map_err(at)?;
    fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, file)).map_err(at)
}

fn read(file: &Path) -> Result<Vec<u8>, ComponentError> {
    fs::read(file).map_err(|source| ComponentError::File { file: file.to_owned(), source })
}

/// A note about which component was made of which core module, by which version of this tool.
#[derive(Debug)]
struct Stamp {
    file: PathBuf,
    core_sha256: String,
}

impl Stamp {
    fn of(core: &[u8], component: &Path, stamps: &Path) -> Self {
        // Named by the whole path: a guest may have the same name as a plugin.
        let name = hex_sha256(component.as_os_str().as_encoded_bytes());
        Self { file: stamps.join(name), core_sha256: hex_sha256(core) }
    }

    /// The component that was made, if module, component and tool are still what they were.
    fn still_valid(&self, component: &Path) -> Option<Component> {
        let bytes = fs::read(component).ok()?;
        let sha256 = hex_sha256(&bytes);
        let noted = fs::read_to_string(&self.file).ok()?;
        let kind = [Kind::Provider, Kind::Policy, Kind::Notifier]
            .into_iter()
            .find(|&kind| noted == self.text(&sha256, kind))?;
        Some(Component { file: component.to_owned(), size: bytes.len() as u64, sha256, kind })
    }

    fn write(&self, made: &Component) -> Result<(), ComponentError> {
        let at = |source| ComponentError::File { file: self.file.clone(), source };
        fs::create_dir_all(self.file.parent().unwrap_or(Path::new("."))).map_err(at)?;
        fs::write(&self.file, self.text(&made.sha256, made.kind)).map_err(at)
    }

    fn text(&self, component_sha256: &str, kind: Kind) -> String {
        let tool = env!("CARGO_PKG_VERSION");
        format!("{} {component_sha256} {kind} {tool}\n", self.core_sha256)
    }
}

/// SHA-256 in hex.
pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests;

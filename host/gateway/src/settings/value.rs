//! Kinds of values, what each accepts in words, and the one reader from written to typed.
//!
//! Knows nothing of keys, files or variables.

pub(super) mod algorithm;
pub(super) mod duration;
pub(super) mod endpoint;
pub(super) mod network;
pub(super) mod origins;
pub(super) mod rate;
pub(super) mod raw;
pub(super) mod size;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sluice_archive::Key;
use url::Url;

use self::network::Network;
use self::origins::Origins;
use self::rate::Rate;
use self::raw::{Raw, WrongType};
use super::problem::quoted;
use super::secret::Secret;
use super::secret::strength::{self, is_placeholder};
use super::secret::vault::Vault;

/// What may be written for a key. Bounds are inclusive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// `IP:PORT`.
    Address,
    /// Path in front of our routes.
    Prefix,
    /// Browser origins.
    Origins,
    /// Networks in CIDR notation.
    Networks,
    /// Absolute http or https address, or nothing.
    WebAddress,
    /// `true` or `false`.
    Flag,
    /// Whole number.
    Count(u64, u64),
    /// Duration, bounds in milliseconds.
    Duration(u64, u64),
    /// Size, bounds in bytes.
    Size(u64, u64),
    /// So many in such a window.
    Rate,
    /// Text, at most so many bytes; may be empty.
    Text(usize),
    /// Place in the file system.
    Path,
    /// Any number of words.
    Words,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Directives for the log.
    Filter,
    /// For each event a list of plugins.
    Routes,
    /// A secret, or nothing.
    Secret,
    /// A secret that signs tokens, or nothing.
    SigningSecret,
    /// Any number of those.
    SigningSecrets,
    /// A key that seals what is stored, or nothing.
    SealingKey,
    /// Any number of those.
    SealingKeys,
}

/// A value that was read. Which variant comes out of which [`Kind`] is fixed in [`Kind::read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// Of [`Kind::Address`].
    Address(SocketAddr),
    /// Of [`Kind::Prefix`], [`Kind::Text`], [`Kind::Path`], [`Kind::Choice`] and [`Kind::Filter`].
    Text(String),
    /// Of [`Kind::Origins`].
    Origins(Origins),
    /// Of [`Kind::Networks`].
    Networks(Vec<Network>),
    /// Of [`Kind::WebAddress`].
    WebAddress(Option<Url>),
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Count`] and [`Kind::Size`].
    Number(u64),
    /// Of [`Kind::Duration`].
    Duration(Duration),
    /// Of [`Kind::Rate`].
    Rate(Rate),
    /// Of [`Kind::Words`].
    Words(Vec<String>),
    /// Of [`Kind::Routes`].
    Routes(BTreeMap<String, Vec<String>>),
    /// Of all kinds of secrets. At most one for the singular ones.
    Secrets(Vec<Secret>),
}

/// Why a value was not taken, one sentence each, each going on from the key's name.
type Wrongs = Vec<String>;

/// What a key that seals may be, in words.
const SEALING_KEY: &str = r#""base64:…" or "hex:…" of 32 random bytes (`openssl rand -base64 32` makes some), or 32 raw characters"#;

const LOG_LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Kind {
    /// Reads a value and holds it to the kind's bounds. All that is wrong with it comes back, secrets unmentioned.
    pub(super) fn read(self, raw: Raw<'_>, vault: &Vault<'_>) -> Result<Typed, Wrongs> {
        match self {
            Self::Address => parsed(raw, |text| text.parse().ok(), "is not an address with a port")
                .map(Typed::Address),
            Self::Prefix => parsed(raw, prefix, "is not a path").map(Typed::Text),
            Self::Origins => origins(&raw.words().map_err(type_wrong)?).map(Typed::Origins),
            Self::Networks => each(raw, |text| {
                Network::parse(text)
                    .ok_or_else(|| vec![format!("{} is not a network", quoted(text))])
            })
            .map(Typed::Networks),
            Self::WebAddress => web_address(raw.text().map_err(type_wrong)?).map(Typed::WebAddress),
            Self::Flag => raw.flag().map(Typed::Flag).map_err(type_wrong),
            Self::Count(least, most) => {
                within(raw.number().map_err(type_wrong)?, least, most, |n| n.to_string())
            }
            Self::Size(least, most) => {
                let bytes = match raw.number() {
                    Ok(bytes) => bytes,
                    Err(_) => parsed(raw, size::parse, "is not a size")?,
                };
                within(bytes, least, most, size::text)
            }
            Self::Duration(least, most) => {
                let duration = parsed(raw, duration::parse, "is not a duration")?;
                let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
                within(millis, least, most, |n| duration::text(Duration::from_millis(n)))?;
                Ok(Typed::Duration(duration))
            }
            Self::Rate => parsed(raw, Rate::parse, "is not a rate").map(Typed::Rate),
            Self::Text(most) => bounded(raw, most).map(Typed::Text),
            Self::Path => parsed(raw, path, "is not a path").map(Typed::Text),
            Self::Words => Ok(Typed::Words(
                raw.words().map_err(type_wrong)?.into_iter().map(Into::into).collect(),
            )),
            Self::Choice(choices) => {
                let choose = |text: &str| choices.contains(&text).then(|| text.to_owned());
                parsed(raw, choose, "is not one of the choices").map(Typed::Text)
            }
            Self::Filter => parsed(raw, filter, "is not a log level").map(Typed::Text),
            Self::Routes => routes(raw).map(Typed::Routes),
            Self::Secret | Self::SigningSecret | Self::SealingKey => {
                let text = raw.text().map_err(type_wrong)?;
                let found = self.open(text, vault)?;
                Ok(Typed::Secrets(found.into_iter().collect()))
            }
            Self::SigningSecrets | Self::SealingKeys => {
                let found = each(raw, |text| self.open(text, vault))?;
                Ok(Typed::Secrets(found.into_iter().flatten().collect()))
            }
        }
    }

    /// What may be written, in words that follow "accepted:".
    pub(super) fn accepted(self) -> String {
        match self {
            Self::Address => {
                r#"an IP address and a port such as "127.0.0.1:8080"; port 0 takes a free one"#
                    .into()
            }
            Self::Prefix => r#"a path such as "/chatbox", or "/" for none"#.into(),
            Self::Origins => {
                r#"a list of origins such as "https://chat.example.com", or ["*"] for all"#.into()
            }
            Self::Networks => r#"a list of networks such as "10.0.0.0/8""#.into(),
            Self::WebAddress => {
                r#"an address such as "https://chat.example.com", or "" for none"#.into()
            }
            Self::Flag => "true or false".into(),
            Self::Count(least, most) => format!("a whole number from {least} to {most}"),
            Self::Duration(least, most) => format!(
                r#"a duration from "{}" to "{}", such as "500ms" or "1h30m""#,
                duration::text(Duration::from_millis(least)),
                duration::text(Duration::from_millis(most)),
            ),
            Self::Size(least, most) => format!(
                r#"a size from "{}" to "{}" in B, KiB, MiB or GiB, or a number of bytes"#,
                size::text(least),
                size::text(most),
            ),
            Self::Rate => format!(
                r#"a number and a window such as "100/1m", from "1/24h" to "{}/10ms""#,
                Rate::MAX_COUNT
            ),
            Self::Text(most) => format!("text of at most {most} bytes"),
            Self::Path => "a path".into(),
            Self::Words => "a list of words".into(),
            Self::Choice(choices) => {
                let quoted: Vec<_> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
                quoted.join(" or ")
            }
            Self::Filter => {
                format!(r#"{}, or directives such as "info,sluice=debug""#, LOG_LEVELS.join(", "))
            }
            Self::Routes => "a table of lists of plugins, one for each event".into(),
            Self::Secret => r#"a secret, "env:VAR" or "file:PATH""#.into(),
            Self::SigningSecret => format!(
                r#"at least {} random characters (`{}` makes some), "env:VAR" or "file:PATH""#,
                strength::LEAST_CHARACTERS,
                strength::GENERATE
            ),
            Self::SigningSecrets => format!(
                r#"a list of secrets of at least {} characters, "env:VAR" or "file:PATH""#,
                strength::LEAST_CHARACTERS
            ),
            Self::SealingKey => format!("{SEALING_KEY}, \"env:VAR\" or \"file:PATH\""),
            Self::SealingKeys => {
                format!("a list of keys, each {SEALING_KEY}, \"env:VAR\" or \"file:PATH\"")
            }
        }
    }

    /// Follows a secret to its place; one that signs is held to the rules for those.
    fn open(self, text: &str, vault: &Vault<'_>) -> Result<Option<Secret>, Wrongs> {
        let found = vault.open(text).map_err(|locked| vec![locked.to_string()])?;
        let signs = matches!(self, Self::SigningSecret | Self::SigningSecrets);
        let seals = matches!(self, Self::SealingKey | Self::SealingKeys);
        if seals && found.as_ref().is_some_and(|secret| Key::parse(secret.expose()).is_none()) {
            return Err(vec!["is no key of 32 bytes".into()]);
        }
        let weak: Wrongs = found
            .iter()
            .filter(|_| signs)
            .flat_map(|secret| strength::weaknesses(secret.expose()))
            .map(|weakness| weakness.to_string())
            .collect();
        if weak.is_empty() { Ok(found) } else { Err(weak) }
    }
}

/// The complaint about a wrong type.
fn type_wrong(WrongType(found): WrongType) -> Wrongs {
    vec![format!("has the wrong type, {found}")]
}

/// Reads a string with a parser; a string it does not take is quoted in the complaint.
fn parsed<T>(
    raw: Raw<'_>,
    parse: impl Fn(&str) -> Option<T>,
    complaint: &str,
) -> Result<T, Wrongs> {
    let text = raw.text().map_err(type_wrong)?;
    parse(text).ok_or_else(|| vec![format!("{} {complaint}", quoted(text))])
}

/// Reads every word of a list and collects what is wrong with any of them.
fn each<T>(raw: Raw<'_>, read: impl Fn(&str) -> Result<T, Wrongs>) -> Result<Vec<T>, Wrongs> {
    let mut taken = Vec::new();
    let mut wrongs = Vec::new();
    for word in raw.words().map_err(type_wrong)? {
        match read(word) {
            Ok(value) => taken.push(value),
            Err(wrong) => wrongs.extend(wrong),
        }
    }
    if wrongs.is_empty() { Ok(taken) } else { Err(wrongs) }
}

/// Reads for each event a list of names; in the variable of one event they stand between commas.
fn routes(raw: Raw<'_>) -> Result<BTreeMap<String, Vec<String>>, Wrongs> {
    let object = raw.object().map_err(type_wrong)?;
    let mut routes = BTreeMap::new();
    for (event, names) in object.as_object().into_iter().flatten() {
        let names: Option<Vec<String>> = match (names.as_array(), names.as_str()) {
            (Some(names), _) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
            (None, Some(names)) => {
                let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
                Some(names.map(str::to_owned).collect())
            }
            (None, None) => None,
        };
        let names =
            names.ok_or_else(|| vec![format!("has no list of names for {}", quoted(event))])?;
        routes.insert(event.clone(), names);
    }
    Ok(routes)
}

fn within(
    number: u64,
    least: u64,
    most: u64,
    text: impl Fn(u64) -> String,
) -> Result<Typed, Wrongs> {
    if (least..=most).contains(&number) {
        return Ok(Typed::Number(number));
    }
    let side = if number < least { "below" } else { "above" };
    Err(vec![format!("{} is {side} the range", text(number))])
}

fn bounded(raw: Raw<'_>, most: usize) -> Result<String, Wrongs> {
    let text = raw.text().map_err(type_wrong)?;
    if text.len() > most {
        return Err(vec![format!("is {} bytes long", text.len())]);
    }
    Ok(text.into())
}

fn path(text: &str) -> Option<String> {
    (!text.is_empty() && !text.contains('\0')).then(|| text.into())
}

/// Brings a prefix to `""` or `/a/b`.
fn prefix(text: &str) -> Option<String> {
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~.".contains(&byte);
    let good = |segment: &str| {
        !segment.is_empty() && segment.bytes().all(plain) && !matches!(segment, "." | "..")
    };
    let rest = trimmed.strip_prefix('/');
    let fits = trimmed.is_empty() || rest.is_some_and(|rest| rest.split('/').all(good));
    fits.then(|| trimmed.into())
}

fn filter(text: &str) -> Option<String> {
    let target = |byte: u8| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte);
    let good = |directive: &str| match directive.split_once('=') {
        Some((name, level)) => {
            !name.is_empty() && name.bytes().all(target) && LOG_LEVELS.contains(&level)
        }
        None => LOG_LEVELS.contains(&directive),
    };
    text.split(',').all(good).then(|| text.into())
}

fn origins(words: &[&str]) -> Result<Origins, Wrongs> {
    match words {
        [] => return Ok(Origins::Same),
        ["*"] => return Ok(Origins::Any),
        _ => {}
    }
    let mut list = Vec::new();
    let mut wrongs = Vec::new();
    for word in words {
        match origins::normal(word) {
            _ if *word == "*" => wrongs.push("names \"*\" beside others".into()),
            // There may be a password before the `@`.
            _ if word.contains('@') => wrongs.push("names something that is not an origin".into()),
            _ if is_placeholder(word) => {
                wrongs.push(format!("{} is still a placeholder", quoted(word)));
            }
            Some(origin) => list.push(origin),
            None => wrongs.push(format!("{} is not an origin", quoted(word))),
        }
    }
    if wrongs.is_empty() { Ok(Origins::List(list)) } else { Err(wrongs) }
}

/// Reads an address of our own or of a service, unquoted in complaints: there may be a password in it.
fn web_address(text: &str) -> Result<Option<Url>, Wrongs> {
    if text.is_empty() {
        return Ok(None);
    }
    if is_placeholder(text) {
        return Err(vec!["is still a placeholder".into()]);
    }
    endpoint::parse_any(text).map(Some).map_err(|error| vec![error.to_string()])
}

#[cfg(test)]
mod tests;

//! Every key of the table, read: typed values to be taken one by one, each exactly once.
//!
//! A bad value is reported and replaced by its default, so that reading goes on and finds the rest.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::settings::keys::table::KEYS;
use crate::settings::keys::{Effect, Key, Part};
use crate::settings::problem::{Findings, Origin, Problem, quoted};
use crate::settings::secret::Secret;
use crate::settings::secret::vault::Vault;
use crate::settings::sources::{Sources, default_value};
use crate::settings::value::Typed;
use crate::settings::value::network::Network;
use crate::settings::value::origins::Origins;
use crate::settings::value::rate::Rate;
use crate::settings::value::raw::Raw;

/// All values, by the names of their keys. Taking one under a name or type that is not in the table is a bug here, which
/// the first test to load anything finds.
pub(in crate::settings) struct Values(BTreeMap<&'static str, Entry>);

/// One value that was read.
struct Entry {
    typed: Typed,
    origin: Origin,
    /// Nothing was wrong with it, so comparing it with others makes sense.
    sound: bool,
}

/// Declares the way out for one variant of [`Typed`].
macro_rules! take {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty) => {
        $(#[$doc])*
        pub(super) fn $name(&mut self, key: &str) -> $type {
            let Some(Entry { typed: Typed::$variant(value), .. }) = self.0.remove(key) else {
                unreachable!("the table has no such key left: {key}");
            };
            value
        }
    };
}

impl Values {
    /// Reads everything; problems and warnings go to `findings`.
    pub(super) fn read(sources: &Sources, vault: &Vault<'_>, findings: &mut Findings) -> Self {
        let entries = KEYS.iter().map(|key| (key.name, read(key, sources, vault, findings)));
        Self(entries.collect())
    }

    /// A value as it was read, until it is taken.
    pub(in crate::settings) fn typed(&self, key: &str) -> Option<&Typed> {
        self.0.get(key).map(|entry| &entry.typed)
    }

    /// Where a value came from.
    pub(in crate::settings) fn origin(&self, key: &str) -> Origin {
        self.0.get(key).map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// Whether somebody wrote the value, and wrote it well.
    pub(super) fn is_written(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|entry| entry.sound && entry.origin != Origin::Default)
    }

    /// Whether the value, written or not, is what its kind accepts.
    pub(super) fn is_sound(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|entry| entry.sound)
    }

    /// Holds one value to be at most another. A default gives way; what was written is a contradiction.
    pub(super) fn at_most(&mut self, lower: &str, upper: &str, findings: &mut Findings) {
        let (Some(low), Some(high)) = (self.0.get(lower), self.0.get(upper)) else { return };
        let above = match (&low.typed, &high.typed) {
            (Typed::Duration(low), Typed::Duration(high)) => low > high,
            (Typed::Number(low), Typed::Number(high)) => low > high,
            _ => false,
        };
        if !above || !low.sound || !high.sound {
            return;
        }
        if low.origin == Origin::Default {
            let typed = high.typed.clone();
            if let Some(entry) = self.0.get_mut(lower) {
                entry.typed = typed;
            }
            return;
        }
        let wrong = format!("is above {upper} ({})", high.origin);
        findings.problem(Problem::new(lower, low.origin.clone(), wrong));
    }

    /// Keys nobody took.
    #[cfg(test)]
    pub(super) fn left(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }

    take!(/** Takes an address. */ address, Address, SocketAddr);
    take!(/** Takes text, a prefix, a choice or a filter. */ text, Text, String);
    take!(/** Takes a set of origins. */ origins, Origins, Origins);
    take!(/** Takes a web address. */ web_address, WebAddress, Option<Url>);
    take!(/** Takes a flag. */ flag, Flag, bool);
    take!(/** Takes a whole number or a size. */ number, Number, u64);
    take!(/** Takes a duration. */ duration, Duration, Duration);
    take!(/** Takes a list of words. */ words, Words, Vec<String>);
    take!(/** Takes a rate. */ rate, Rate, Rate);
    take!(/** Takes networks. */ networks, Networks, Vec<Network>);
    take!(/** Takes secrets, at most one from a key for one. */ secrets, Secrets, Vec<Secret>);

    take!(/** Takes, for each event, who is told. */ routes, Routes, BTreeMap<String, Vec<String>>);

    /// Takes a path.
    pub(super) fn path(&mut self, key: &str) -> PathBuf {
        self.text(key).into()
    }

    /// Takes text that may be absent.
    pub(super) fn some_text(&mut self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// Takes a number as a count of things in memory. The table's bounds keep it far below the limits of any target.
    pub(super) fn count(&mut self, key: &str) -> usize {
        usize::try_from(self.number(key)).unwrap_or(usize::MAX)
    }
}

/// Reads one key with all its variables.
fn read(key: &'static Key, sources: &Sources, vault: &Vault<'_>, findings: &mut Findings) -> Entry {
    let default = default_typed(key, vault);
    let path: Vec<&str> = key.name.split('.').collect();
    let mut entry = Entry { typed: default.clone(), origin: Origin::Default, sound: true };
    if let Some(found) = sources.find(&path) {
        entry.origin = found.origin;
        match key.kind.read(found.raw, vault) {
            Ok(typed) => entry.typed = typed,
            Err(wrongs) => {
                entry.sound = false;
                for wrong in wrongs {
                    let problem = Problem::new(key.name, entry.origin.clone(), wrong);
                    findings.problem(problem.accepted(key.kind.accepted()));
                }
            }
        }
    }
    read_parts(key, sources, &mut entry, findings);
    if entry.sound && entry.origin != Origin::Default && entry.typed != default {
        match key.effect {
            Effect::Now => {}
            Effect::Later => {
                findings.warning(key.name, entry.origin.clone(), "has no effect yet");
            }
        }
    }
    entry
}

/// The default, typed. A test holds every default to its own kind.
fn default_typed(key: &Key, vault: &Vault<'_>) -> Typed {
    let value = default_value(key.default).expect("defaults are TOML values");
    key.kind.read(Raw::Written(&value), vault).expect("defaults are accepted by their own kind")
}

/// Lets old variables change their parts of the value, unless `SLUICE_…` has set all of it.
fn read_parts(key: &Key, sources: &Sources, entry: &mut Entry, findings: &mut Findings) {
    if entry.origin == Origin::Variable(key.variable()) {
        return;
    }
    for (part, origin, raw) in sources.parts(key) {
        let (changed, complaint, accepted) = match part {
            Part::Whole => continue,
            Part::Port => {
                (with_port(&entry.typed, raw), "is not a port", "a whole number from 1 to 65535")
            }
            Part::PerMinute => {
                let window = Duration::from_mins(1);
                let rate = Rate::parse_count(raw).map(|count| Typed::Rate(Rate { count, window }));
                (rate, "is not a number of requests", "a whole number from 1 to 100000")
            }
            Part::Window => (
                with_window(&entry.typed, raw),
                "is not a window",
                r#"a duration from "10ms" to "24h""#,
            ),
        };
        if let Some(typed) = changed {
            entry.typed = typed;
            entry.origin = origin;
        } else {
            entry.sound = false;
            let wrong = format!("{} {complaint}", quoted(raw));
            findings.problem(Problem::new(key.name, origin, wrong).accepted(accepted));
        }
    }
}

fn with_port(typed: &Typed, raw: &str) -> Option<Typed> {
    let Typed::Address(mut address) = *typed else { return None };
    let digits = raw.bytes().all(|byte| byte.is_ascii_digit());
    address.set_port(raw.parse().ok().filter(|port| digits && *port > 0)?);
    Some(Typed::Address(address))
}

fn with_window(typed: &Typed, raw: &str) -> Option<Typed> {
    let Typed::Rate(rate) = *typed else { return None };
    Some(Typed::Rate(Rate { window: Rate::parse_window(raw)?, ..rate }))
}

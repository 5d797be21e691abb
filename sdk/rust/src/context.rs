//! What the host tells a plugin before anything else.

use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, bindings::exports::sluice::plugin::lifecycle};

/// The circumstances of an answer.
#[derive(Debug, Clone, Default)]
pub struct Context<S> {
    /// Settings of the plugin's configuration. No secrets.
    pub settings: S,
    /// Milliseconds since the Unix epoch when the answer began.
    pub now_ms: u64,
    /// Randomness for jitter and ids.
    pub seed: u64,
    /// The host's version and the contract it speaks, for diagnostics.
    pub host: String,
}

impl<S: DeserializeOwned + Default> Context<S> {
    /// Reads settings from JSON text; nothing, `null` and `{}` are the default.
    pub fn read(settings: &str) -> Result<Self, Error> {
        let written = settings.trim();
        let is_empty = matches!(written, "" | "null")
            || written
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
                .is_some_and(|inner| inner.trim().is_empty());
        let settings = if is_empty {
            S::default()
        } else {
            serde_json::from_str(written)
                .map_err(|error| Error::new(ErrorKind::Other, format!("settings: {error}")))?
        };
        Ok(Self { settings, now_ms: 0, seed: 0, host: String::new() })
    }

    /// From what the host handed over.
    pub(crate) fn from_host(told: lifecycle::Context) -> Result<Self, Error> {
        let lifecycle::Context { settings, now, seed, host } = told;
        Ok(Self { now_ms: now, seed, host, ..Self::read(&settings)? })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        pause: u32,
    }

    #[test]
    fn nothing_null_and_an_empty_object_are_the_default() {
        for written in ["", "null", "{}", " { } "] {
            assert_eq!(Context::<Settings>::read(written).unwrap().settings, Settings::default());
            Context::<()>::read(written).unwrap();
        }
    }

    #[test]
    fn settings_are_read_and_unknown_keys_refused() {
        let read = Context::<Settings>::read(r#"{"pause":5}"#).unwrap();
        let refused = Context::<Settings>::read(r#"{"paws":5}"#).unwrap_err();

        assert_eq!(read.settings.pause, 5);
        assert!(refused.detail.unwrap().contains("paws"));
    }
}

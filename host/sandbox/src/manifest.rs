//! What a plugin asks its operator for: a text in the component, read before anything of it runs.

use wasmparser::{Parser, Payload};

/// Name of the custom section, of the component or of a module in it.
const SECTION: &str = "sluice:manifest";

/// Longest text, in bytes.
const MOST_BYTES: usize = 16 << 10;

/// Why a manifest cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// There are several, and nobody could say which one counts.
    #[error("the plugin has more than one manifest")]
    Several,
    /// It is longer than anybody would read.
    #[error("the plugin's manifest has more than {MOST_BYTES} bytes")]
    TooLong,
    /// It is no text.
    #[error("the plugin's manifest is not UTF-8")]
    NotText,
}

/// The manifest of a component, as its author wrote it; none if there is none, or if this is no WebAssembly, of which loading says more.
pub fn manifest(component: &[u8]) -> Result<Option<&str>, ManifestError> {
    let payloads = Parser::new(0).parse_all(component).map_while(Result::ok);
    let mut found = payloads.filter_map(|payload| {
        let Payload::CustomSection(section) = payload else { return None };
        (section.name() == SECTION).then(|| section.data())
    });
    let Some(text) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(ManifestError::Several);
    }
    if text.len() > MOST_BYTES {
        return Err(ManifestError::TooLong);
    }
    str::from_utf8(text).map(Some).map_err(|_| ManifestError::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(sections: &str) -> Vec<u8> {
        wat::parse_str(format!("(component (core module {sections}))")).unwrap()
    }

    #[test]
    fn a_manifest_is_found_wherever_it_is_in_the_component() {
        let inside = module(r#"(@custom "sluice:manifest" "limits = {}")"#);
        assert_eq!(manifest(&inside), Ok(Some("limits = {}")));
        let without = module(r#"(@custom "other" "x")"#);
        assert_eq!(manifest(&without), Ok(None));
        assert_eq!(manifest(b"not WebAssembly"), Ok(None));
    }

    #[test]
    fn what_nobody_could_rely_on_is_refused() {
        let one = r#"(@custom "sluice:manifest" "a")"#;
        assert_eq!(manifest(&module(&format!("{one}{one}"))), Err(ManifestError::Several));
        let long = format!(r#"(@custom "sluice:manifest" "{}")"#, "a".repeat(MOST_BYTES + 1));
        assert_eq!(manifest(&module(&long)), Err(ManifestError::TooLong));
        let bytes = r#"(@custom "sluice:manifest" "\ff")"#;
        assert_eq!(manifest(&module(bytes)), Err(ManifestError::NotText));
    }
}

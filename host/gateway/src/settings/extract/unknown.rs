//! Keys that are not in the table, and things that are tables where no table may be.
//!
//! Never goes into what it does not know: there may be a secret under a misspelt name.

use crate::settings::keys::Key;
use crate::settings::keys::table::KEYS;
use crate::settings::problem::{Findings, Problem};
use crate::settings::sources::Sources;
use crate::settings::suggestion;

/// Tables with rules of their own.
const FREE: [&str; 2] = ["plugins", "models"];

/// Reports every key that means nothing.
pub(super) fn report(sources: &Sources, findings: &mut Findings) {
    inside(sources, &[], findings);
}

fn inside(sources: &Sources, path: &[&str], findings: &mut Findings) {
    for name in sources.names(path) {
        let here: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        let full = here.join(".");
        // `"server.bind" = …` in quotes is one odd name and not the key.
        let quoted = name.contains('.');
        let known = KEYS.iter().any(|key| key.name == full) || FREE.contains(&full.as_str());
        let known = known && !quoted;
        if known {
            continue;
        }
        let Some(found) = sources.find(&here) else { continue };
        let section = format!("{full}.");
        if quoted || !KEYS.iter().any(|key| key.name.starts_with(&section)) {
            findings.problem(Problem::new(&full, found.origin, describe(&full)));
        } else if found.raw.is_table() {
            inside(sources, &here, findings);
        } else {
            let problem = Problem::new(&full, found.origin, "is not a table");
            findings.problem(problem.accepted(format!("a table [{full}]")));
        }
    }
}

/// Says that there is no such key, and which was perhaps meant.
fn describe(full: &str) -> String {
    let leaf = full.rsplit('.').next().unwrap_or(full);
    let names = KEYS.iter().map(|key| key.name).chain(KEYS.iter().map(Key::section)).chain(FREE);
    let elsewhere = || KEYS.iter().find(|key| key.leaf() == leaf).map(|key| key.name);
    match suggestion::nearest(full, names).or_else(elsewhere) {
        Some(meant) => format!("is no setting; did you mean {meant}?"),
        None => "is no setting".into(),
    }
}

//! `[policies]`: who judges, and in which order.

use std::collections::BTreeMap;

use super::values::Values;
use crate::settings::Policies;
use crate::settings::problem::{Findings, Problem, quoted};

/// Reads all of it. `plugins` are those that are switched on or off, by id.
pub(super) fn read(
    values: &mut Values,
    plugins: &BTreeMap<String, bool>,
    findings: &mut Findings,
) -> Policies {
    let key = "policies.chain";
    let (origin, written) = (values.origin(key), values.words(key));
    let mut chain: Vec<String> = Vec::new();
    for id in written {
        let state = match plugins.get(&id) {
            Some(true) if chain.contains(&id) => Some("is asked already"),
            Some(true) => None,
            Some(false) => Some("is switched off"),
            None => Some("is no plugin"),
        };
        if let Some(state) = state {
            let wrong = format!("{} {state}", quoted(&id));
            let accepted = "IDs of [plugins.ID] tables that are switched on, each once";
            findings.problem(Problem::new(key, origin.clone(), wrong).accepted(accepted));
        }
        chain.push(id);
    }
    Policies { chain, break_glass: values.words("policies.break_glass") }
}

//! Reading who it is about, and making one for tests.

use crate::{Principal, Subject};

impl Subject {
    /// A user of that id without roles: what a test begins with.
    pub fn of(id: impl Into<String>) -> Self {
        let id = id.into();
        let principal =
            Principal { name: id.clone(), id, roles: Vec::new(), attributes: Vec::new() };
        Self {
            principal,
            address: String::new(),
            session: None,
            model: None,
            now: 0,
            labels: Vec::new(),
        }
    }

    /// Whether the user has that role.
    pub fn has_role(&self, role: &str) -> bool {
        self.principal.roles.iter().any(|own| own == role)
    }

    /// The latest label of that name which an earlier policy of the chain set.
    pub fn label(&self, name: &str) -> Option<&str> {
        let latest = self.labels.iter().rfind(|label| label.name == name);
        latest.map(|label| label.value.as_str())
    }
}

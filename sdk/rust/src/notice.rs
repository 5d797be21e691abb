//! Reading a notice, and making one for tests.

use crate::{Field, Notice, Severity};

impl Severity {
    /// In letters: `warning`, `critical`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Notice {
    /// What it is about, under that name: `user_id`, `session_id`, `link`, `model` …
    pub fn about(&self, name: &str) -> Option<&str> {
        let found = self.about.iter().find(|field| field.name == name)?;
        Some(&found.value)
    }

    /// A user's request for help, at its first try: what a test begins with.
    pub fn of_help(user: &str, session: &str) -> Self {
        let field =
            |name: &str, value: &str| Field { name: name.to_owned(), value: value.to_owned() };
        Self {
            id: "n1".to_owned(),
            kind: "help_request".to_owned(),
            severity: Severity::Critical,
            title: format!("Help Request - User {user}"),
            text: format!("User {user} asks for help in session {session}."),
            about: vec![field("session_id", session), field("user_id", user)],
            at: 0,
            attempt: 1,
        }
    }
}

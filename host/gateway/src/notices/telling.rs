//! What somebody is to be told, in words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_archive::Parcel;
use sluice_chat::exchange::Field;
use sluice_chat::id::{ModelId, SessionId, UserId};
use sluice_chat::notice::{self, Notice};
use url::Url;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A user asks for a human.
    HelpRequest,
    /// A model's provider failed so often that it is passed over.
    ProviderDown,
    /// The archive does not keep what it acknowledges whatever happens.
    ArchiveDegraded,
}

impl Occasion {
    /// The word in the archive, in metrics and for plugins.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::HelpRequest => "help_request",
            Self::ProviderDown => "provider_down",
            Self::ArchiveDegraded => "archive_degraded",
        }
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Somebody should look.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// In letters.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telling {
    /// What happened.
    pub(crate) occasion: Occasion,
    /// What it is about: of one key so many are told in a time.
    pub(crate) key: String,
    /// The words.
    pub(crate) content: Content,
}

/// The words of it, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// How much it matters.
    pub(crate) severity: Severity,
    /// In one line.
    pub(crate) title: String,
    /// In a sentence.
    pub(crate) text: String,
    /// What it is about, by name.
    pub(crate) data: BTreeMap<String, String>,
}

impl Content {
    /// As plugins are told it, at one try.
    pub(super) fn notice(&self, parcel: &Parcel) -> Notice {
        let about = self.data.iter();
        Notice {
            id: parcel.notice.id.to_string(),
            kind: parcel.notice.kind.clone(),
            severity: match self.severity {
                Severity::Warning => notice::Severity::Warning,
                Severity::Critical => notice::Severity::Critical,
            },
            title: self.title.clone(),
            text: self.text.clone(),
            about: about
                .map(|(name, value)| Field { name: name.clone(), value: value.clone() })
                .collect(),
            at: parcel.notice.at,
            attempt: parcel.attempts.saturating_add(1),
        }
    }
}

impl Telling {
    /// A user asks for help in a session. `panel` is where operators look at sessions.
    pub(crate) fn help(session: &SessionId, user: &UserId, panel: Option<&Url>) -> Self {
        let mut data = vec![("user_id", user.to_string()), ("session_id", session.to_string())];
        if let Some(panel) = panel {
            let mut link = panel.clone();
            if let Ok(mut path) = link.path_segments_mut() {
                path.pop_if_empty().push(session.as_str());
            }
            data.push(("link", link.into()));
        }
        Self::new(
            Occasion::HelpRequest,
            &format!("help_request:{session}"),
            (Severity::Critical, format!("Help Request - User {user}")),
            format!("User {user} asks for help in session {session}."),
            data,
        )
    }

    /// A model is passed over for a while.
    pub(crate) fn provider_down(model: &ModelId, provider: &str) -> Self {
        Self::new(
            Occasion::ProviderDown,
            &format!("provider_down:{model}"),
            (Severity::Critical, format!("Provider of model {model} is down")),
            format!(
                "The provider {provider} failed several times in a row for the model {model}. It is passed over for a while."
            ),
            vec![("model", model.to_string()), ("provider", provider.to_owned())],
        )
    }

    /// The archive is one that may lose what it acknowledged.
    pub(crate) fn archive_degraded() -> Self {
        Self::new(
            Occasion::ArchiveDegraded,
            "archive_degraded",
            (Severity::Warning, "The archive may lose messages".to_owned()),
            "The database is a standalone server: what was acknowledged may be lost when it crashes. Use a replica set.".to_owned(),
            Vec::new(),
        )
    }

    fn new(
        occasion: Occasion,
        key: &str,
        (severity, title): (Severity, String),
        text: String,
        data: Vec<(&str, String)>,
    ) -> Self {
        let data = data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let content = Content { severity, title, text, data };
        Self { occasion, key: key.to_owned(), content }
    }

    /// As it is stored.
    pub(super) fn body(&self) -> String {
        serde_json::to_string(&self.content).expect("texts are JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_session_whatever_it_is_called() {
        let session = SessionId::parse("a/../b?c").expect("an id");
        let user = UserId::parse("ada").expect("an id");
        let panel: Url = "https://chat.example.com/admin/".parse().expect("an address");

        let told = Telling::help(&session, &user, Some(&panel));

        let link = told.content.data.get("link").map(String::as_str);
        assert_eq!(link, Some("https://chat.example.com/admin/a%2F..%2Fb%3Fc"));
        let read: Content = serde_json::from_str(&told.body()).expect("as it was stored");
        assert_eq!(read, told.content);
    }
}

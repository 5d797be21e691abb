//! The case of a policy, read: what it is asked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    case::{CaseError, described},
    chat::Chat,
    event::Usage,
    subject::Circumstances,
};

/// One case of a policy. Each table of `case.toml` asks one hook, in the order that a message meets them.
///
/// ```toml
/// about = "Staff may use what others may not."
/// connect = true                                      # asks `on-connect`
///
/// [settings]
/// role = "staff"
///
/// [subject]
/// id = "ada"
/// roles = ["staff"]
/// model = "big-1"
///
/// [chat]                                              # asks `on-message`
/// messages = [{ role = "user", text = "Hello" }]
///
/// [[output]]                                          # asks `on-output`, one read of the socket after the other
/// text = "What a model says"
///
/// [action]                                            # asks `on-admin`
/// name = "takeover"
/// arguments = { reason = "asked for help" }
///
/// [outcome]                                           # asks `on-usage`
/// usage = { input_tokens = 3, output_tokens = 40 }
/// ended = "stop"
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyCase {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is about.
    pub about: String,
    /// What the policy is told first; the time also counts as that of the subject. `now_ms` in `case.toml`, 0 unless given.
    pub circumstances: Circumstances,
    /// Who it is about.
    pub subject: Who,
    /// Whether a connection is asked about.
    pub connect: bool,
    /// The message that is asked about; its model is the subject's unless it names one.
    pub chat: Option<Chat>,
    /// What a model says, to be filtered; nothing is asked without.
    pub output: Vec<Spoken>,
    /// The action that is asked about.
    pub action: Option<Action>,
    /// The end of an answer that it is told.
    pub outcome: Option<Happened>,
}

/// Who a case is about: a user without roles, unless it says more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Who {
    /// Id of the user.
    pub id: String,
    /// Their name; the id unless given.
    pub name: Option<String>,
    /// Roles of the token.
    pub roles: Vec<String>,
    /// What else the token says.
    pub attributes: BTreeMap<String, String>,
    /// Where they come from.
    pub address: String,
    /// Their session.
    pub session: Option<String>,
    /// Public id of the model that is meant.
    pub model: Option<String>,
    /// What earlier policies of the chain said.
    pub labels: BTreeMap<String, String>,
}

impl Default for Who {
    fn default() -> Self {
        Self {
            id: "ada".to_owned(),
            name: None,
            roles: Vec::new(),
            attributes: BTreeMap::new(),
            address: String::new(),
            session: None,
            model: None,
            labels: BTreeMap::new(),
        }
    }
}

/// What one read of the socket brought: `text = "…"`, `reasoning = "…"`, `tool_arguments = { slot = 0, text = "…" }` or
/// `citation = {…}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spoken {
    /// Words of the answer.
    Text(String),
    /// Thought before it.
    Reasoning(String),
    /// A fragment of a tool call's arguments.
    ToolArguments {
        /// Slot of the call.
        slot: u32,
        /// The fragment.
        text: String,
    },
    /// A citation, whole.
    Citation(Value),
}

/// What an administrator is about to do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Which action.
    pub name: String,
    /// On what.
    pub target: Option<String>,
    /// With what.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// How an answer went.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Happened {
    /// What it took.
    pub usage: Usage,
    /// Whether that is a guess.
    pub estimated: bool,
    /// What it cost, in millionths.
    pub cost_micros: Option<u64>,
    /// How long it took.
    pub duration_ms: u32,
    /// How long it took to begin.
    pub first_piece_ms: Option<u32>,
    /// The contract's word.
    pub ended: String,
}

impl Default for Happened {
    fn default() -> Self {
        Self {
            usage: Usage::default(),
            estimated: false,
            cost_micros: None,
            duration_ms: 0,
            first_piece_ms: None,
            ended: "stop".to_owned(),
        }
    }
}

/// The file `case.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    about: String,
    #[serde(default)]
    now_ms: u64,
    #[serde(default)]
    settings: Value,
    #[serde(default)]
    subject: Who,
    #[serde(default)]
    connect: bool,
    chat: Option<Map<String, Value>>,
    #[serde(default)]
    output: Vec<Spoken>,
    action: Option<Action>,
    outcome: Option<Happened>,
}

impl PolicyCase {
    /// Reads the case in this folder.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, CaseError> {
        let folder = folder.as_ref().to_owned();
        let Description {
            about,
            now_ms,
            settings,
            subject,
            connect,
            chat,
            output,
            action,
            outcome,
        } = described(&folder)?;
        let chat = chat
            .map(|mut chat| {
                let model = subject.model.as_deref().unwrap_or_default();
                chat.entry("model").or_insert_with(|| json!(model));
                serde_json::from_value(Value::Object(chat))
            })
            .transpose()
            .map_err(|source| CaseError::Chat { path: folder.join("case.toml"), source })?;
        let circumstances = Circumstances { settings, now_ms, seed: 0 };
        Ok(Self { folder, about, circumstances, subject, connect, chat, output, action, outcome })
    }
}

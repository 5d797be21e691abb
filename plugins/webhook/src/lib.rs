//! Tells a webhook: a JSON body, signed as Standard Webhooks has it, or one that Slack and those that speak like it take.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_sdk::{Context, Error, Field, Notice, Notifier, Request, Severity};

/// Settings of the plugin.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Put after the address of the endpoint `api`.
    path: String,
    format: Format,
    /// Kinds that are told: `help_request`, `provider_down` … None stands for all.
    kinds: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// `type`, `timestamp` and `data`.
    #[default]
    Standard,
    /// `text` in Slack's markup.
    Slack,
}

/// As Standard Webhooks recommends it.
#[derive(Serialize)]
struct Standard<'a> {
    r#type: &'a str,
    /// RFC 3339.
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: &'a str,
    severity: &'a str,
    title: &'a str,
    text: &'a str,
    about: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Slack {
    text: String,
}

/// The notifier.
#[derive(Debug)]
pub struct Webhook;

impl Notifier for Webhook {
    type Settings = Settings;

    fn render(cx: &Context<Settings>, notice: &Notice) -> Result<Option<Request>, Error> {
        let Settings { path, format, kinds } = &cx.settings;
        if !kinds.is_empty() && !kinds.contains(&notice.kind) {
            return Ok(None);
        }
        let request = Request::post(path).signed(&notice.id);
        let request = match format {
            Format::Standard => request.json(&standard(notice)),
            Format::Slack => request.json(&Slack { text: slack(notice) }),
        };
        request.map(Some)
    }
}

fn standard(notice: &Notice) -> Standard<'_> {
    let about = notice.about.iter().map(|field| (field.name.as_str(), field.value.as_str()));
    Standard {
        r#type: &notice.kind,
        timestamp: sluice_sdk::rfc3339(notice.at),
        data: Data {
            id: &notice.id,
            severity: notice.severity.as_str(),
            title: &notice.title,
            text: &notice.text,
            about: about.collect(),
        },
    }
}

/// Title in bold, text, and a line for each thing that it is about. Only the link, which is made of the operator's address, links.
fn slack(notice: &Notice) -> String {
    let sign = match notice.severity {
        Severity::Warning => ":warning:",
        Severity::Critical => ":rotating_light:",
    };
    let title = format!("{sign} *{}*", escaped(&notice.title));
    let about = notice.about.iter().map(|Field { name, value }| match name.as_str() {
        "link" => format!("<{}>", escaped(value)),
        name => format!("{name}: {}", escaped(value)),
    });
    [title, escaped(&notice.text)].into_iter().chain(about).collect::<Vec<_>>().join("\n")
}

/// Text that links to nothing and calls nobody, whatever a user is called.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

sluice_sdk::notifier!(Webhook);
sluice_sdk::manifest!("endpoints = ['api']\nsecrets = ['signing_key']");

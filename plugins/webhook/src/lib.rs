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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sluice_sdk::{Auth, Body, Head, Piece};

    use super::*;

    fn sent(settings: &str, notice: &Notice) -> Option<(Request, Value)> {
        let cx = Context::read(settings).expect("settings");
        let request = Webhook::render(&cx, notice).expect("JSON")?;
        let Body::Json(pieces) = &request.body else { unreachable!("a body") };
        let text: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::BlobBase64(_) => unreachable!("no blobs"),
            })
            .collect();
        let body = serde_json::from_str(&text).expect("JSON");
        Some((request, body))
    }

    #[test]
    fn a_notice_is_sent_signed_and_whole() {
        let notice = Notice { at: 1_764_111_600_000, ..Notice::of_help("ada", "s1") };

        let (request, body) = sent(r#"{"path": "/hooks/sluice"}"#, &notice).expect("sent");

        assert_eq!((request.endpoint.as_str(), request.path.as_str()), ("api", "/hooks/sluice"));
        assert_eq!(request.auth, Auth::Scheme("signature".to_owned()));
        let id = request.headers.iter().find(|field| field.name == "webhook-id");
        assert_eq!(id.map(|field| field.value.as_str()), Some("n1"));
        let expected = json!({
            "type": "help_request",
            "timestamp": "2025-11-25T23:00:00Z",
            "data": {
                "id": "n1",
                "severity": "critical",
                "title": "Help Request - User ada",
                "text": "User ada asks for help in session s1.",
                "about": {"user_id": "ada", "session_id": "s1"},
            },
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn what_slack_gets_links_to_nothing_but_the_operators_page() {
        let mut notice = Notice::of_help("<!channel> & co", "s1");
        let value = "https://chat.example/s1?a=1&b=2".to_owned();
        notice.about.push(Field { name: "link".to_owned(), value });

        let (_, body) = sent(r#"{"format": "slack"}"#, &notice).expect("sent");

        let title = ":rotating_light: *Help Request - User &lt;!channel&gt; &amp; co*";
        let text = "User &lt;!channel&gt; &amp; co asks for help in session s1.";
        let about = "session_id: s1\nuser_id: &lt;!channel&gt; &amp; co";
        let link = "<https://chat.example/s1?a=1&amp;b=2>";
        assert_eq!(body["text"], [title, text, about, link].join("\n"));
    }

    #[test]
    fn only_the_kinds_that_are_named_are_told() {
        let notice = Notice::of_help("ada", "s1");

        assert!(sent(r#"{"kinds": ["provider_down"]}"#, &notice).is_none());
        assert!(sent(r#"{"kinds": ["provider_down", "help_request"]}"#, &notice).is_some());
    }

    #[test]
    fn a_success_is_taken_and_anything_else_is_tried_again() {
        let cx = Context::read("{}").expect("settings");
        for (status, taken) in [(200, true), (204, true), (302, false), (410, false), (500, false)]
        {
            let head = Head { status, headers: Vec::new() };
            assert_eq!(Webhook::accepted(&cx, &head, ""), taken, "{status}");
        }
    }
}

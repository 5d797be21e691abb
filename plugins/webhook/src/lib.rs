//! Tells by a webhook, to whatever takes JSON: signed as Standard Webhooks has it, or shaped as Slack wants it.
//!
//! The address is the endpoint `api`; the secret `signing_key`, where there is one, signs.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_sdk::{Context, Notice, Notifier, Request, Severity};

/// Settings of the plugin.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    shape: Shape,
}

/// What a receiver understands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    /// `type`, `timestamp` and `data`, as Standard Webhooks recommends.
    #[default]
    Standard,
    /// `text`, as incoming webhooks of Slack have it, and of Mattermost and Rocket.Chat.
    Slack,
}

/// The notifier.
#[derive(Debug)]
pub struct Webhook;

impl Notifier for Webhook {
    type Settings = Settings;

    fn render(cx: &Context<Settings>, notice: &Notice) -> Option<Request> {
        let body = match cx.settings.shape {
            Shape::Standard => standard(notice),
            Shape::Slack => json!({ "text": slack(notice) }),
        };
        let request = Request::post("").header("webhook-id", &notice.id).auth("signature");
        request.json(&body).ok()
    }
}

fn standard(notice: &Notice) -> Value {
    let at = i64::try_from(notice.at).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let about = notice.about.iter().map(|field| (field.name.clone(), json!(field.value)));
    json!({
        "type": notice.kind,
        "timestamp": at.map(|at| at.to_string()),
        "data": {
            "id": notice.id,
            "severity": word(notice.severity),
            "title": notice.title,
            "text": notice.text,
            "about": about.collect::<Map<_, _>>(),
        },
    })
}

/// Slack's own markup, in which three characters are written otherwise.
fn slack(notice: &Notice) -> String {
    let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let sign = match notice.severity {
        Severity::Warning => ":warning:",
        Severity::Critical => ":rotating_light:",
    };
    let link = notice.about("link").map(|link| format!("\n<{}>", plain(link)));
    format!(
        "{sign} *{}*\n{}{}",
        plain(&notice.title),
        plain(&notice.text),
        link.unwrap_or_default()
    )
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

sluice_sdk::notifier!(Webhook);

#[cfg(test)]
mod tests {
    use sluice_sdk::{Auth, Body, Field, Head, Piece};

    use super::*;

    fn notice() -> Notice {
        let field = |name: &str, value: &str| Field { name: name.into(), value: value.into() };
        Notice {
            id: "n1".to_owned(),
            kind: "help_request".to_owned(),
            severity: Severity::Critical,
            title: "Help <Ada>".to_owned(),
            text: "Ada & others ask.".to_owned(),
            about: vec![field("user_id", "ada"), field("link", "https://chat.example/s1?a=1&b=2")],
            at: 1_700_000_000_000,
            attempt: 2,
        }
    }

    fn body(shape: Shape) -> Value {
        let cx = Context { settings: Settings { shape }, ..Context::default() };
        let request = Webhook::render(&cx, &notice()).unwrap();
        assert_eq!((request.path.as_str(), request.auth), ("", Auth::Scheme("signature".into())));
        assert_eq!(request.headers[0].value, "n1", "the same at every try");
        let Body::Json(pieces) = request.body else { panic!("a body") };
        let [Piece::Text(text)] = &pieces[..] else { panic!("one text") };
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_usual_shape_says_everything() {
        let about = json!({ "user_id": "ada", "link": "https://chat.example/s1?a=1&b=2" });
        assert_eq!(
            body(Shape::Standard),
            json!({
                "type": "help_request",
                "timestamp": "2023-11-14T22:13:20Z",
                "data": { "id": "n1", "severity": "critical", "title": "Help <Ada>", "text": "Ada & others ask.", "about": about },
            })
        );
    }

    #[test]
    fn slack_reads_markup_that_nobody_can_put_in() {
        let text = ":rotating_light: *Help &lt;Ada&gt;*\nAda &amp; others ask.\n<https://chat.example/s1?a=1&amp;b=2>";
        assert_eq!(body(Shape::Slack), json!({ "text": text }));
    }

    #[test]
    fn only_a_status_of_success_is_taken() {
        let cx = Context::default();
        for (status, taken) in [(200, true), (204, true), (301, false), (410, false), (500, false)]
        {
            let head = Head { status, headers: Vec::new() };
            assert_eq!(Webhook::accepted(&cx, &head, "ok"), taken, "{status}");
        }
    }
}

//! `[notify]`: who is told of what, and the way by e-mail.

use std::collections::BTreeMap;
use std::time::Duration;

use sluice_mail::{Login, Mailer, Security, ServerSettings};

use super::values::Values;
use crate::settings::problem::{Findings, Problem, quoted};
use crate::settings::value::endpoint;
use crate::settings::{Events, Notify};

/// The channel that is no plugin.
pub(crate) const MAIL: &str = "mail";
/// Events that somebody can be told of.
const EVENTS: [&str; 2] = ["help_request", "alarm"];
/// Longest wait for each answer of the mail server.
const PATIENCE: Duration = Duration::from_secs(10);
/// The port on which TLS begins at once.
const TLS_PORT: u16 = 465;

/// Reads all of it. `plugins` are those that are switched on or off, by id.
pub(super) fn read(
    values: &mut Values,
    plugins: &BTreeMap<String, bool>,
    findings: &mut Findings,
) -> Notify {
    let mail = mail(values, findings);
    let (origin, written) = (values.origin("notify.on"), values.routes("notify.on"));
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (event, channels) in written {
        let mut wrong = |what: String, accepted: &str| {
            findings.problem(Problem::new("notify.on", origin.clone(), what).accepted(accepted));
        };
        if !EVENTS.contains(&event.as_str()) {
            wrong(format!("{} is no event", quoted(&event)), r#""help_request" or "alarm""#);
            continue;
        }
        for channel in &channels {
            if channel != MAIL && !plugins.get(channel).is_some_and(|enabled| *enabled) {
                let accepted = r#""mail", or the ID of a plugin that is switched on"#;
                wrong(format!("{} is nobody to be told", quoted(channel)), accepted);
            }
        }
        if mail.is_none() && channels.iter().any(|channel| channel == MAIL) {
            wrong(
                format!("{} is told by mail, and there is no mail", quoted(&event)),
                "notify.smtp.host, notify.smtp.from and notify.admin_emails for mail",
            );
        }
        named.insert(event, channels);
    }
    let mut channels = |event: &str| named.remove(event).unwrap_or_else(|| vec![MAIL.to_owned()]);
    let events = Events {
        help_request: channels("help_request"),
        alarm: channels("alarm"),
        panel: values.web_address("notify.admin_panel_url"),
    };
    Notify { events, mail }
}

/// The mail server, if one is named and there is somebody to write to.
fn mail(values: &mut Values, findings: &mut Findings) -> Option<ServerSettings> {
    let host_origin = values.origin("notify.smtp.host");
    let host = values.some_text("notify.smtp.host");
    let port = u16::try_from(values.number("notify.smtp.port")).unwrap_or(u16::MAX);
    let user = values.some_text("notify.smtp.user");
    let password = values.secrets("notify.smtp.password").pop();
    let from = values.some_text("notify.smtp.from");
    let security = values.text("notify.smtp.security");
    let (to_origin, to) =
        (values.origin("notify.admin_emails"), values.words("notify.admin_emails"));
    let host = host?;
    // A warning: an older set-up may name a server and nobody to write to.
    let mut missing = |what: &str| {
        let warning = format!("has no effect without {what}");
        findings.warning("notify.smtp.host", host_origin.clone(), &warning);
    };
    if to.is_empty() {
        missing("notify.admin_emails (ADMIN_EMAILS)");
        return None;
    }
    let Some(from) = from else {
        missing("notify.smtp.from (EMAIL_FROM)");
        return None;
    };
    let private = endpoint::is_private_host(&host);
    let security = match security.as_str() {
        "tls" => Security::Tls,
        "starttls" => Security::StartTls,
        "none" if private => Security::Plain,
        "none" => {
            let wrong = "is for loopback and private hosts only";
            findings.problem(
                Problem::new("notify.smtp.security", host_origin, wrong)
                    .accepted(r#""starttls" or "tls""#),
            );
            return None;
        }
        _ if port == TLS_PORT => Security::Tls,
        _ if endpoint::is_loopback_host(&host) => Security::Plain,
        _ => Security::StartTls,
    };
    let login = user
        .zip(password)
        .map(|(user, password)| Login { user, password: password.expose().to_owned() });
    let settings = ServerSettings { host, port, security, login, from, to, patience: PATIENCE };
    if let Err(error) = Mailer::new(&settings) {
        let wrong = error.to_string();
        findings.problem(
            Problem::new("notify", to_origin, wrong).accepted("addresses such as ops@example.com"),
        );
        return None;
    }
    Some(settings)
}

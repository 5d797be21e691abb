//! Notices, told to a guest.

use sluice_chat::exchange::{self, Field};
use sluice_chat::notice as ours;

use crate::contract::{http, notifier, types};

/// A notice, copied.
pub(crate) fn notice(notice: &ours::Notice) -> notifier::Notice {
    let ours::Notice { id, kind, severity, title, text, about, at, attempt } = notice;
    notifier::Notice {
        id: id.clone(),
        kind: kind.clone(),
        severity: match severity {
            ours::Severity::Warning => notifier::Severity::Warning,
            ours::Severity::Critical => notifier::Severity::Critical,
        },
        title: title.clone(),
        text: text.clone(),
        about: about.iter().map(field).collect(),
        at: at.0,
        attempt: *attempt,
    }
}

/// The head of a response, copied.
pub(crate) fn head(head: &exchange::Head) -> http::Head {
    http::Head { status: head.status, headers: head.headers.iter().map(field).collect() }
}

fn field(field: &Field) -> types::Field {
    types::Field { name: field.name.clone(), value: field.value.clone() }
}

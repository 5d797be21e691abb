//! A notice as a letter.

use std::fmt::Write as _;

use sluice_archive::Notice;
use sluice_mail::Letter;
use sluice_wire::server::timestamp;

use super::telling::Content;

/// Writes it.
pub(super) fn letter(notice: &Notice, content: &Content) -> Letter {
    let Content { severity, title, text, data } = content;
    let at = timestamp(notice.at);
    let severity = severity.as_str();
    let mut plain = format!("{text}\n\n");
    let mut html = format!("<p>{}</p>\n<table>\n", escaped(text));
    let own = [("time".to_owned(), at), ("severity".to_owned(), severity.to_owned())];
    for (name, value) in data.iter().map(|(name, value)| (name.clone(), value.clone())).chain(own) {
        let told = writeln!(plain, "{name}: {value}").and_then(|()| {
            writeln!(html, "<tr><th>{}</th><td>{}</td></tr>", escaped(&name), escaped(&value))
        });
        told.expect("a text takes everything");
    }
    html.push_str("</table>\n");
    Letter { id: notice.id.to_string(), subject: title.clone(), text: plain, html }
}

/// Text that is no markup, whatever it says.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use sluice_chat::id::{Instant, NoticeId, SessionId, UserId};

    use super::*;
    use crate::notices::Telling;

    #[test]
    fn a_name_is_no_markup() {
        let user = UserId::parse("<img src=x onerror='alert(1)'>").expect("an id");
        let session = SessionId::parse("s1").expect("an id");
        let told = Telling::help(&session, &user, None);
        let notice = Notice {
            id: NoticeId::parse("n1").expect("an id"),
            kind: "help_request".to_owned(),
            key: told.key.clone(),
            at: Instant(1_000),
            body: String::new(),
        };

        let letter = letter(&notice, &told.content);

        assert!(!letter.html.contains("<img"), "{}", letter.html);
        assert!(letter.html.contains("&lt;img src=x onerror=&#39;alert(1)&#39;&gt;"));
        assert!(letter.text.contains("session_id: s1\n"), "{}", letter.text);
        assert!(letter.text.contains("time: 1970-01-01T00:00:01Z\n"), "{}", letter.text);
    }
}

//! What is sent.

use lettre::address::Envelope;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message, MessageBuilder, MultiPart, SinglePart};

/// A letter, before it is known from whom and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Names it: the same letter sent again has the same id, by which mail programs show it once. Letters, digits, dots and
    /// dashes.
    pub id: String,
    /// One line. Whatever would end it early is taken out.
    pub subject: String,
    /// For those who read text.
    pub text: String,
    /// For those who read HTML. Whoever writes it escapes what others wrote.
    pub html: String,
}

impl Letter {
    /// As it goes over the wire to one of those it is addressed to.
    pub(crate) fn message(
        &self,
        from: &Mailbox,
        to: &[Mailbox],
        recipient: &Mailbox,
    ) -> Result<Message, lettre::error::Error> {
        let subject: String =
            self.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let id = format!("<{}@{}>", self.id, from.email.domain());
        let envelope = Envelope::new(Some(from.email.clone()), vec![recipient.email.clone()])?;
        let addressed = |letter: MessageBuilder, one: &Mailbox| letter.to(one.clone());
        let letter = Message::builder().from(from.clone()).subject(subject).message_id(Some(id));
        let part = |kind, body: &str| SinglePart::builder().header(kind).body(body.to_owned());
        let text = part(ContentType::TEXT_PLAIN, &self.text);
        let html = part(ContentType::TEXT_HTML, &self.html);
        to.iter()
            .fold(letter, addressed)
            .envelope(envelope)
            .multipart(MultiPart::alternative().singlepart(text).singlepart(html))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_subject_adds_a_header_or_a_recipient() {
        let letter = Letter {
            id: "n1".to_owned(),
            subject: "Help\r\nBcc: mallory@example.com\r\n\r\nHello".to_owned(),
            text: "text".to_owned(),
            html: "<p>text</p>".to_owned(),
        };
        let address = |text: &str| text.parse::<Mailbox>().expect("an address");

        let to = [address("ops@example.com"), address("Night <night@example.com>")];
        let message =
            letter.message(&address("sluice@example.com"), &to, &to[1]).expect("a letter");

        let sent = String::from_utf8(message.formatted()).expect("text");
        let (head, body) = sent.split_once("\r\n\r\n").expect("a head and a body");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(head.contains("Message-ID: <n1@example.com>"), "{head}");
        assert!(body.contains("<p>text</p>"));
        let recipients: Vec<String> =
            message.envelope().to().iter().map(ToString::to_string).collect();
        assert_eq!(recipients, ["night@example.com"]);
        assert!(head.contains("To: ops@example.com, Night <night@example.com>"), "{head}");
    }
}

//! E-mail by SMTP and nothing else: letters to a few fixed addresses, through one server.
//!
//! Tries once and keeps nothing; who wants a letter to arrive tries again. Whether a connection may go without TLS is the
//! configuration's to say.

mod letter;
mod mailer;

pub use letter::Letter;
pub use lettre::message::Mailbox;
pub use mailer::{Login, MailError, Mailer, MailerError, Security, ServerSettings};

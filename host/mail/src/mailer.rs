//! The way to the server.

use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use crate::letter::Letter;

/// How a connection is kept from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte, as on port 465.
    Tls,
    /// TLS after a word in plain text, as on port 587; without it nothing is sent.
    StartTls,
    /// Not at all: for a server on this machine or in a network of the operator's.
    Plain,
}

/// Whom the server takes letters from.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub user: String,
    /// Their password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(***)")
    }
}

/// Where letters go.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The server's name, which its certificate must be for.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub security: Security,
    /// Who we are to it; some want to know nothing.
    pub login: Option<Login>,
    /// From whom letters are: `Name <name@example.com>` or the address alone.
    pub from: String,
    /// To whom: at least one.
    pub to: Vec<String>,
    /// Longest wait for each answer of the server.
    pub patience: Duration,
}

/// Why there is no mailer.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// That is no address.
    #[error("`{0}` is no e-mail address")]
    Address(String),
    /// Nobody to write to.
    #[error("there is nobody to write to")]
    Nobody,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up for e-mail")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// Why a letter was not taken. Sources are for logs: they hold what the server said, and no secret.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It cannot be written down.
    #[error("the letter cannot be written")]
    Letter(#[source] lettre::error::Error),
    /// The server cannot be reached, or does not take it.
    #[error("the mail server did not take the letter")]
    Server(#[source] lettre::transport::smtp::Error),
}

/// Sends letters, each over a connection of its own.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mailer {
    /// Sets it up. Connects to nothing.
    pub fn new(settings: &ServerSettings) -> Result<Self, MailerError> {
        let address = |text: &String| text.parse().map_err(|_| MailerError::Address(text.clone()));
        let to: Vec<Mailbox> = settings.to.iter().map(address).collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err(MailerError::Nobody);
        }
        let parameters = || TlsParameters::new(settings.host.clone()).map_err(MailerError::Tls);
        let tls = match settings.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::StartTls => Tls::Required(parameters()?),
            Security::Plain => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(settings.patience));
        if let Some(Login { user, password }) = &settings.login {
            transport = transport.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self { transport: transport.build(), from: address(&settings.from)?, to })
    }

    /// To whom letters are addressed.
    pub fn recipients(&self) -> &[Mailbox] {
        &self.to
    }

    /// Sends a letter, once, to one of the recipients: a server that refuses one of several takes a letter for none of them. When
    /// this returns the server has it.
    pub async fn send(&self, letter: &Letter, recipient: &Mailbox) -> Result<(), MailError> {
        let message = letter.message(&self.from, &self.to, recipient).map_err(MailError::Letter)?;
        self.transport.send(message).await.map_err(MailError::Server)?;
        Ok(())
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("to", &self.to.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_told_by_name() {
        let settings = ServerSettings {
            host: "localhost".to_owned(),
            port: 25,
            security: Security::Plain,
            login: Some(Login { user: "u".to_owned(), password: "canary".to_owned() }),
            from: "sluice@example.com".to_owned(),
            to: vec!["ops@example.com".to_owned(), "nobody".to_owned()],
            patience: Duration::from_secs(1),
        };
        assert!(!format!("{settings:?}").contains("canary"));

        let refused = Mailer::new(&settings);
        assert!(matches!(&refused, Err(MailerError::Address(text)) if text == "nobody"));
        let nobody = Mailer::new(&ServerSettings { to: Vec::new(), ..settings });
        assert!(matches!(nobody, Err(MailerError::Nobody)));
    }
}

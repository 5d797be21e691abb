//! Ways to tell somebody.

use std::sync::Arc;
use std::time::Duration;

use sluice_archive::Parcel;
use sluice_chat::exchange::{Framing, Request};
use sluice_chat::notice::Notice;
use sluice_mail::{MailError, Mailbox, Mailer};
use sluice_sandbox::{CallError, Notifier};
use sluice_upstream::{Blobs, Endpoints, ExchangeError, Timeouts, Upstream};
use tokio::time::timeout;

use super::letter::letter;
use super::telling::Content;
use crate::clock;

/// Longest that one try may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a receiver may be silent.
const TIMEOUTS: Timeouts = Timeouts { first_byte: PATIENCE, idle: PATIENCE };

/// A way to tell somebody.
#[derive(Debug)]
pub(crate) enum Channel {
    /// E-mail to one of the administrators: one address that is refused is in nobody else's way.
    Mail {
        /// Who sends it.
        mailer: Arc<Mailer>,
        /// Whom it is for.
        recipient: Box<Mailbox>,
    },
    /// A plugin, which says what is to be sent and whether it was taken.
    Plugin {
        /// The plugin.
        notifier: Notifier,
        /// Where it may send.
        endpoints: Arc<Endpoints>,
        /// The way out.
        upstream: Upstream,
    },
}

/// Why somebody was not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChannelError {
    /// What is stored is not what a notice holds.
    #[error("the notice cannot be read")]
    Content(#[source] serde_json::Error),
    /// The mail server.
    #[error("not told by e-mail")]
    Mail(#[source] MailError),
    /// The plugin failed.
    #[error("the plugin could not tell")]
    Plugin(#[source] CallError),
    /// The way to the receiver, or back.
    #[error("the receiver was not reached")]
    Exchange(#[source] ExchangeError),
    /// The receiver answered something else than that it took it.
    #[error("the receiver did not take it, status {0}")]
    NotAccepted(u16),
    /// Nobody answered in time.
    #[error("told nobody within {PATIENCE:?}")]
    TookTooLong,
}

/// What events and figures call a channel, of which mail has one for each address: `mail:ops@example.com`.
pub(super) fn way(channel: &str) -> &str {
    channel.split_once(':').map_or(channel, |(way, _)| way)
}

impl Channel {
    /// Tries once. When this returns the other side has it.
    pub(super) async fn tell(&self, parcel: &Parcel) -> Result<(), ChannelError> {
        let content: Content =
            serde_json::from_str(&parcel.notice.body).map_err(ChannelError::Content)?;
        let told = async {
            match self {
                Self::Mail { mailer, recipient } => {
                    let letter = letter(&parcel.notice, &content);
                    mailer.send(&letter, recipient).await.map_err(ChannelError::Mail)
                }
                Self::Plugin { notifier, endpoints, upstream } => {
                    let notice = content.notice(parcel);
                    send(notifier, endpoints, upstream, &notice).await
                }
            }
        };
        timeout(PATIENCE, told).await.map_err(|_| ChannelError::TookTooLong)?
    }
}

/// Sends what the plugin wants sent, and asks it whether that was taken.
async fn send(
    notifier: &Notifier,
    endpoints: &Endpoints,
    upstream: &Upstream,
    notice: &Notice,
) -> Result<(), ChannelError> {
    let rendered = notifier.render(notice, clock::now(), rand::random()).await;
    // Nothing to send: this receiver need not know.
    let Some(request) = rendered.map_err(ChannelError::Plugin)? else { return Ok(()) };
    let request = Request { framing: Framing::Whole, ..request };
    let blobs = Blobs::default();
    let sent = upstream.exchange(endpoints, request, &blobs, &TIMEOUTS).await;
    let response = sent.map_err(ChannelError::Exchange)?;
    let head = response.head().clone();
    let body = response.text().await.map_err(ChannelError::Exchange)?;
    let accepted = notifier.accepted(&head, &body, clock::now(), rand::random()).await;
    if accepted.map_err(ChannelError::Plugin)? {
        Ok(())
    } else {
        Err(ChannelError::NotAccepted(head.status))
    }
}

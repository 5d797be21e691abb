//! Ways to tell somebody.

use std::time::Duration;

use sluice_archive::Parcel;
use sluice_mail::{MailError, Mailer};
use tokio::time::timeout;

use super::letter::letter;
use super::telling::Content;

/// Longest that one try may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A way to tell somebody.
#[derive(Debug)]
pub(crate) enum Channel {
    /// E-mail to the administrators.
    Mail(Mailer),
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
    /// Nobody answered in time.
    #[error("told nobody within {PATIENCE:?}")]
    TookTooLong,
}

impl Channel {
    /// Tries once. When this returns the other side has it.
    pub(super) async fn tell(&self, parcel: &Parcel) -> Result<(), ChannelError> {
        let content: Content =
            serde_json::from_str(&parcel.notice.body).map_err(ChannelError::Content)?;
        let told = async {
            match self {
                Self::Mail(mailer) => {
                    let letter = letter(&parcel.notice, &content);
                    mailer.send(&letter).await.map_err(ChannelError::Mail)
                }
            }
        };
        timeout(PATIENCE, told).await.map_err(|_| ChannelError::TookTooLong)?
    }
}

//! Why an exchange did not happen or broke, and what the plugin hears of it.

use std::error::Error;

use sluice_chat::exchange::TransportFailure;
use sluice_framing::FramingError;

use crate::address::NotGranted;
use crate::request::RequestError;

/// Why there is no upstream.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The HTTP client could not be set up.
    #[error("the outbound HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Why an exchange broke. Sources are for logs; they name no secret and no query.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The description was refused. Nothing was sent.
    #[error("the request was refused")]
    Refused(#[from] RequestError),
    /// The name leads where nobody granted that it may. Nobody was connected to.
    #[error("the upstream's name leads into a private network")]
    NotGranted(#[source] reqwest::Error),
    /// No connection.
    #[error("no connection to the upstream")]
    Connect(#[source] reqwest::Error),
    /// No agreement on TLS.
    #[error("no agreement on TLS with the upstream")]
    Tls(#[source] reqwest::Error),
    /// No response in time.
    #[error("the upstream did not begin to answer in time")]
    NoFirstByte,
    /// The response stopped coming.
    #[error("the upstream stalled")]
    Stalled,
    /// The connection broke, before or within the response.
    #[error("the connection to the upstream broke")]
    Reset(#[source] reqwest::Error),
    /// The response is compressed, which nobody asked for.
    #[error("the upstream sent compressed content")]
    Compressed,
    /// The response cannot be cut into frames.
    #[error("the response is not what was expected")]
    Framing(#[from] FramingError),
    /// The exchange had failed before; the reason was told then.
    #[error("the exchange had failed before")]
    Over,
}

impl ExchangeError {
    /// What the plugin hears.
    pub fn failure(&self) -> TransportFailure {
        match self {
            Self::Refused(refused) if refused.is_size() => TransportFailure::TooLarge,
            Self::Refused(_) | Self::NotGranted(_) => TransportFailure::Blocked,
            Self::Connect(_) => TransportFailure::Connect,
            Self::Tls(_) => TransportFailure::Tls,
            Self::NoFirstByte | Self::Stalled => TransportFailure::Timeout,
            Self::Reset(_) | Self::Over => TransportFailure::Reset,
            Self::Compressed | Self::Framing(FramingError::Malformed) => {
                TransportFailure::MalformedFraming
            }
            Self::Framing(
                FramingError::FrameTooLarge { .. }
                | FramingError::PendingTooLarge { .. }
                | FramingError::BodyTooLarge { .. },
            ) => TransportFailure::TooLarge,
        }
    }

    /// Sorts what the client said while a request was sent.
    pub(crate) fn while_sending(error: reqwest::Error) -> Self {
        // Addresses may carry what a plugin put into a query.
        let error = error.without_url();
        if is_caused_by::<NotGranted>(&error) {
            Self::NotGranted(error)
        } else if is_caused_by::<rustls::Error>(&error) {
            Self::Tls(error)
        } else if error.is_connect() {
            Self::Connect(error)
        } else {
            Self::Reset(error)
        }
    }

    /// Sorts what the client said while a response was read.
    pub(crate) fn while_reading(error: reqwest::Error) -> Self {
        Self::Reset(error.without_url())
    }
}

/// Whether one of these is somewhere among the causes.
fn is_caused_by<E: Error + 'static>(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        // An I/O error hides what it wraps from the chain and goes on with that one's source.
        cause = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

//! One WebSocket to a gateway, and why it cannot be had.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::UrlError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::frame::{Incoming, Outgoing};
use crate::problem::Problem;

/// Where to connect, and as whom.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// `http://host:port/prefix`
    pub(super) url: String,
    pub(super) token: String,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What came over it.
#[derive(Debug)]
pub(super) enum Heard {
    Frame(Box<Incoming>),
    /// It is over; trying again may help.
    Lost,
    /// It is over for good; why.
    Refused(String),
}

impl Connection {
    /// Opens one.
    pub(super) async fn open(address: &Address) -> Result<Self, Problem> {
        let url = socket_url(&address.url)?;
        let bad = || Problem::usage(format!("{} is no address", address.url));
        let mut request = url.into_client_request().map_err(|source| bad().because(source))?;
        let protocols = format!("sluice.v1, bearer.{}", address.token);
        let protocols = HeaderValue::from_str(&protocols)
            .map_err(|_| Problem::usage("the token is no token").mend("cargo sluice up"))?;
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(answer)) if answer.status() == 401 => {
                Err(Problem::usage(format!("{} does not accept the token", address.url))
                    .mend("cargo sluice up")
                    .mend("sluice token --user NAME"))
            }
            Err(Error::Http(answer)) => {
                Err(Problem::usage(format!("{} answers {}", address.url, answer.status())))
            }
            Err(Error::Url(UrlError::TlsFeatureNotEnabled)) => Err(bad()),
            Err(source) => Err(Problem::usage(format!("nothing answers at {}", address.url))
                .because(source)
                .mend("cargo sluice up")),
        }
    }

    /// Waits for the next thing of note.
    pub(super) async fn hear(&mut self) -> Heard {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    // A frame that is none is of no use, and no reason to leave.
                    if let Ok(frame) = serde_json::from_str(&text) {
                        return Heard::Frame(Box::new(frame));
                    }
                }
                Some(Ok(Message::Close(Some(close)))) => return closed(&close),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Heard::Lost,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Sends; what does not arrive shows as a lost connection when listening.
    pub(super) async fn send(&mut self, frame: &Outgoing) {
        if let Ok(text) = serde_json::to_string(frame) {
            self.socket.send(Message::text(text)).await.ok();
        }
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        // They will notice either way.
        self.socket.close(None).await.ok();
    }
}

fn closed(close: &CloseFrame) -> Heard {
    match u16::from(close.code) {
        4401 => Heard::Refused("the token has expired".to_owned()),
        4403 => Heard::Refused("that is not allowed".to_owned()),
        4409 => Heard::Refused("the session was deleted or opened elsewhere".to_owned()),
        _ => Heard::Lost,
    }
}

/// From `http://host/prefix` to `ws://host/prefix/ws`.
fn socket_url(url: &str) -> Result<String, Problem> {
    let rest = url.trim_end_matches('/').strip_prefix("http://").ok_or_else(|| {
        Problem::usage(format!("{url} does not begin with http://"))
            .mend("cargo sluice chat --url http://127.0.0.1:8080/chatbox")
    })?;
    Ok(format!("ws://{rest}/ws"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sockets_address_is_below_the_gateways() {
        let made = socket_url("http://127.0.0.1:8080/chatbox/").expect("an address");

        assert_eq!(made, "ws://127.0.0.1:8080/chatbox/ws");
        assert!(socket_url("127.0.0.1:8080").is_err());
    }
}

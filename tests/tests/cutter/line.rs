//! One connection that may be cut anywhere, in the middle of the handshake too.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use sluice_tests::{Gateway, patiently};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::header::{AUTHORIZATION, HOST, HeaderValue},
    },
};

/// An open connection.
#[derive(Debug)]
pub(crate) struct Line {
    socket: WebSocketStream<TcpStream>,
}

impl Line {
    /// Opens one as `user` through a proxy and hears the greeting; none when it is cut before that.
    pub(crate) async fn open(gateway: &Gateway, through: &str, user: &str) -> Option<Self> {
        let value = |text: &str| HeaderValue::from_str(text).expect("a header's value");
        let request = format!("ws://{through}/chatbox/ws").into_client_request();
        let mut request = request.expect("a request that can be written");
        request.headers_mut().insert(HOST, value(gateway.address()));
        let token = format!("Bearer {}", gateway.token(user));
        request.headers_mut().insert(AUTHORIZATION, value(&token));
        let stream = TcpStream::connect(through).await.expect("somebody listens");
        stream.set_nodelay(true).expect("a socket takes options");
        let opened = patiently("the upgrade", client_async(request, stream)).await;
        let socket = match opened {
            Ok((socket, _)) => socket,
            Err(error) => {
                assert!(!matches!(error, Error::Http(_)), "refused: {error}");
                return None;
            }
        };
        let mut line = Self { socket };
        let greeting = line.next().await?;
        assert_eq!(greeting["type"], "connection_status", "{greeting}");
        Some(line)
    }

    /// Sends a frame. Whether it went anywhere shows when something is read.
    pub(crate) async fn send(&mut self, frame: &Value) {
        drop(self.socket.send(Message::text(frame.to_string())).await);
    }

    /// The next frame; none when the line is cut.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        patiently("a frame or the end", async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Some(serde_json::from_str(&text).expect("each frame is JSON"));
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(other)) => {
                        unreachable!("the gateway says nothing of the kind: {other:?}")
                    }
                    Some(Err(_)) | None => return None,
                }
            }
        })
        .await
    }
}

//! The way in: listens, bounds what an unknown peer costs, and serves HTTP with upgrades.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

mod line;

pub(crate) use line::Line;

/// How long a peer may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes the kernel may hold for a reader that does not read. Set on the listener, inherited by each socket, as the time above is.
const SEND_BUFFER: usize = 64 * 1024;
/// How long a peer may take nothing of what it is sent, or be gone without a word; the kernel ends the connection then.
const UNTAKEN: Duration = Duration::from_secs(20);
/// Sockets that speak plain HTTP at a time: requests, probes, pages, and those on their way to a chat.
const PLAIN_SOCKETS: usize = 1_024;
const BACKLOG: i32 = 1_024;

/// Listens on an address.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    // HTTP itself has no bound for it, and the places are counted.
    socket.set_tcp_user_timeout(Some(UNTAKEN))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until `drain`, so many sockets at a time that have not become chats; those are counted by the turnstile. Each is a task
/// of `tasks`.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    tasks: TaskTracker,
    drain: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(PLAIN_SOCKETS));
    loop {
        let accepted = tokio::select! {
            () = drain.cancelled() => return,
            accepted = admit(&listener, &places) => accepted,
        };
        match accepted {
            Ok((place, stream, peer)) => {
                tasks.spawn(converse(place, stream, peer, app.clone(), drain.clone()));
            }
            Err(error) => {
                // Out of file descriptors, usually: others have to close before there is room.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not accept a socket"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Waits for a place first: what is beyond stays in the kernel's backlog and costs no memory here.
async fn admit(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((place, stream, peer))
}

async fn converse(
    place: OwnedSemaphorePermit,
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    drain: CancellationToken,
) {
    let (wire, line) = line::over(stream);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(line.clone());
        app.clone().oneshot(request.map(axum::body::Body::new))
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(64 * 1024);
    let connection = http.serve_connection(TokioIo::new(wire), service).with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(error = &error as &dyn std::error::Error, "a socket ended early");
    }
    drop(place);
}

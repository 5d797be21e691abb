//! The way in: listens, bounds what an unknown peer costs, and serves HTTP with upgrades.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use dashmap::DashMap;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::address::Block;

mod line;

pub(crate) use line::Line;

/// How long a peer may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take nothing of what it is sent, or be gone without a word; the kernel ends the connection then.
const UNTAKEN: Duration = Duration::from_secs(20);
/// Bytes the kernel may hold for a reader that does not read. Set on the listener, inherited by each socket, as the time above is.
const SEND_BUFFER: usize = 64 * 1024;
/// Sockets that speak plain HTTP at a time: requests, probes, pages, and those on their way to a chat.
const PLAIN_SOCKETS: usize = 1_024;
/// Of these, how many one party may have that is no proxy of ours: nobody keeps everybody else out alone.
const OF_ONE_PARTY: usize = PLAIN_SOCKETS / 2;
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
/// of `tasks`. Behind an address that `is_ours` there are many parties, and nobody counts them here.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    tasks: TaskTracker,
    drain: CancellationToken,
    is_ours: impl Fn(IpAddr) -> bool,
) {
    let places = Arc::new(Semaphore::new(PLAIN_SOCKETS));
    let crowd = Arc::new(Crowd::default());
    loop {
        let accepted = tokio::select! {
            () = drain.cancelled() => return,
            accepted = admit(&listener, &places) => accepted,
        };
        match accepted {
            Ok((place, stream, peer)) => {
                // Who is one too many finds the socket closed.
                if let Some(guest) = crowd.enter(peer.ip(), &is_ours) {
                    let seat = Seat { _place: place, _guest: guest };
                    tasks.spawn(converse(seat, stream, peer, app.clone(), drain.clone()));
                }
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
    seat: Seat,
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
    drop(seat);
}

/// What one plain socket takes up.
struct Seat {
    _place: OwnedSemaphorePermit,
    _guest: Guest,
}

/// Plain sockets by the party that has them.
#[derive(Debug, Default)]
struct Crowd(DashMap<Block, usize>);

/// One socket of a party. Counted until it is dropped.
#[derive(Debug)]
struct Guest {
    crowd: Arc<Crowd>,
    /// None of whom nobody counts.
    party: Option<Block>,
}

impl Crowd {
    /// Lets one more in, unless this party has all that it may.
    fn enter(self: &Arc<Self>, address: IpAddr, is_ours: impl Fn(IpAddr) -> bool) -> Option<Guest> {
        // Where both families are listened to, one of IPv4 comes as one of IPv6.
        let address = address.to_canonical();
        let party = (!address.is_loopback() && !is_ours(address)).then(|| Block::of(address));
        if let Some(party) = party {
            let mut count = self.0.entry(party).or_default();
            if *count >= OF_ONE_PARTY {
                return None;
            }
            *count += 1;
        }
        Some(Guest { crowd: Arc::clone(self), party })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Some(party) = self.party else { return };
        self.crowd.0.remove_if_mut(&party, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_party_has_half_of_the_places_at_most_and_a_proxy_all() {
        let crowd = Arc::new(Crowd::default());
        let [stranger, proxy, other, mapped]: [IpAddr; 4] =
            ["192.0.2.1", "198.51.100.7", "192.0.2.2", "::ffff:198.51.100.7"]
                .map(|address| address.parse().unwrap());
        let enter = |address| crowd.enter(address, |address| address == proxy);

        let mut inside: Vec<_> = std::iter::from_fn(|| enter(stranger)).collect();
        assert_eq!(inside.len(), OF_ONE_PARTY);
        assert!(enter(other).is_some());
        for address in [proxy, mapped] {
            let entered = (0..PLAIN_SOCKETS).filter(|_| enter(address).is_some()).count();
            assert_eq!(entered, PLAIN_SOCKETS, "{address}");
        }

        inside.pop();
        assert!(enter(stranger).is_some(), "a place is free again");
        inside.clear();
        assert!(crowd.0.is_empty(), "nobody is remembered who is gone");
    }
}

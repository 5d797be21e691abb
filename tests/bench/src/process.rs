//! Processes of this very program beside the one that measures, and what Linux tells of any process.

use std::{env, fs, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// A part of the bench in a process of its own; killed on drop.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
}

impl Process {
    /// Starts this program in another role and reads its address.
    pub(crate) async fn start(role: &[&str]) -> Self {
        let mut command = Command::new(env::current_exe().expect("a program knows its own path"));
        command.args(role).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("this program starts again");
        let said = child.stdout.take().expect("piped");
        let address = BufReader::new(said).lines().next_line().await.expect("text");
        Self { child, address: address.expect("an address") }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("still running")
    }
}

/// Processor time of a process so far, of all its threads.
pub(crate) fn cpu(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    // The second field is a name in parentheses; user and system time are the 14th and 15th.
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let ticks: u64 = fields.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    // A hundredth of a second each, whatever the kernel's own clock.
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process in bytes.
pub(crate) fn memory(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kib: f64 = line.trim_end_matches("kB").trim().parse().expect("a number");
    kib * 1024.0
}

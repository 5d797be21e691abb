//! What a running gateway holds of its machine, as the kernel says.

use std::fs;

use crate::Gateway;

impl Gateway {
    /// How many files, sockets included, it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process())).expect("its files").count()
    }

    /// Bytes that the kernel keeps because the peers of its connections do not take them, as it counts them for itself.
    pub fn unsent_bytes(&self) -> u64 {
        // Lines of the kernel's table: an id, the local address in hexadecimal digits, the other one, a state, the queues.
        let port = self.address().rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        let ours = format!(":{:04X}", port.expect("a port"));
        let table = fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
        let unsent = |line: &str| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next()?;
            let queues = fields.nth(2)?;
            let (send, _) = queues.split_once(':')?;
            local.ends_with(&ours).then(|| u64::from_str_radix(send, 16).ok())?
        };
        table.lines().filter_map(unsent).sum()
    }

    /// Bytes of memory it has for itself.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process()));
        let status = status.expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kib.expect("a number of KiB") * 1024
    }
}

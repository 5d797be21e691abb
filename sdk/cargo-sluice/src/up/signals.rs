//! What ends it: Ctrl-C, a polite kill, a closed terminal.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::problem::Problem;

/// Listens for all of them.
#[derive(Debug)]
pub(super) struct Signals([Signal; 3]);

impl Signals {
    /// Begins to listen; from here on they do not end the process by themselves.
    pub(super) fn listen() -> Result<Self, Problem> {
        let listen =
            |kind| signal(kind).map_err(|source| Problem::internal("no signals").because(source));
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    /// Waits for the next of them.
    pub(super) async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

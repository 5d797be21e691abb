//! What a connection writes: frames and refusals, one at a time, to a reader who may be slow but not stuck.

use std::time::Duration;

use axum::extract::ws::Message;
use sluice_chat::id::ClientMessageId;
use sluice_wire::close::CloseCode;
use sluice_wire::error::{ErrorBody, ErrorCode};
use sluice_wire::server::ServerFrame;
use tokio::time::Instant as Deadline;

use super::{Connection, Farewell, Outcome};
use crate::metrics::Traffic;
use crate::rate::OverLimit;
use crate::{clock, fresh};

/// How long a peer may take nothing of what is being written to it. However little it takes, it reads, and may go on.
const PROGRESS: Duration = Duration::from_secs(10);
/// How often that is looked at while a write waits.
const GLANCE: Duration = Duration::from_secs(1);
impl Connection {
    pub(super) fn error_body(&self, code: ErrorCode, detail: Option<String>) -> ErrorBody {
        let trace = fresh::trace();
        tracing::debug!(trace, connection = self.id.0, code = code.as_str(), "refused a frame");
        ErrorBody { detail, ..ErrorBody::new(code, trace) }
    }

    pub(super) async fn send_over_limit(
        &mut self,
        over: OverLimit,
        client: Option<&ClientMessageId>,
    ) -> Outcome {
        // Rounded up: who comes back then is let in.
        let ms = u64::try_from(over.retry_after.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let body = self.error_body(ErrorCode::TooManyRequests, None);
        self.send_error(ErrorBody { retry_after: Some(ms.max(1)), ..body }, client).await
    }

    pub(super) async fn send_missing(&mut self, field: &str) -> Outcome {
        let body = self.error_body(ErrorCode::MissingField, Some(format!("field: {field}")));
        self.send_error(body, None).await
    }

    pub(super) async fn send_code(
        &mut self,
        code: ErrorCode,
        client: Option<&ClientMessageId>,
    ) -> Outcome {
        let body = self.error_body(code, None);
        self.send_error(body, client).await
    }

    pub(super) async fn send_error(
        &mut self,
        body: ErrorBody,
        client: Option<&ClientMessageId>,
    ) -> Outcome {
        self.traffic().refused_frame(body.code);
        self.send(&ServerFrame::error(body, client, clock::now())).await
    }

    pub(super) async fn send(&mut self, frame: &ServerFrame) -> Outcome {
        self.write(Message::Text(frame.to_json().into())).await?;
        self.traffic().sent();
        Ok(())
    }

    pub(super) fn traffic(&self) -> &Traffic {
        &self.gateway.means.metrics.traffic
    }

    /// Writes one frame. Shutdown and being cut off do not wait for a reader that takes its time.
    pub(super) async fn write(&mut self, message: Message) -> Outcome {
        let (cut_off, drain) = (self.cut_off.clone(), self.gateway.drain.clone());
        tokio::select! {
            biased;
            written = self.socket.send(message) => written.map_err(|_| Farewell::Gone),
            () = stuck(|| self.line.taken()) => Err(Farewell::Close(CloseCode::SlowConsumer)),
            code = cut_off.cut() => Err(Farewell::Close(code)),
            () = drain.cancelled() => Err(Farewell::Close(CloseCode::GoingAway)),
        }
    }
}

/// Until a count of bytes has not grown for too long.
async fn stuck(bytes: impl Fn() -> u64) {
    let (mut taken, mut since) = (bytes(), Deadline::now());
    while since.elapsed() < PROGRESS {
        tokio::time::sleep(GLANCE).await;
        let now = bytes();
        if now != taken {
            (taken, since) = (now, Deadline::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Just short of being stuck.
    const NEARLY: Duration = Duration::from_secs(8);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_byte_now_and_then_is_not_stuck_and_one_that_takes_none_is() {
        let (taken, started) = (AtomicU64::new(0), Deadline::now());
        let waited = {
            let slow = async {
                for _ in 0..100 {
                    tokio::time::sleep(NEARLY).await;
                    taken.fetch_add(1, Ordering::Relaxed);
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = stuck(|| taken.load(Ordering::Relaxed)) => started.elapsed(),
                () = slow => Duration::ZERO,
            }
        };

        let read = 100 * NEARLY;
        assert_eq!(taken.load(Ordering::Relaxed), 100);
        assert!(waited >= read + PROGRESS && waited <= read + PROGRESS + 2 * GLANCE, "{waited:?}");
    }
}

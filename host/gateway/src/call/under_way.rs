//! A call in the hands of whoever waits for it, which no task switch takes part in while they do.

use std::fmt;
use std::pin::Pin;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::task_tracker::TrackedFuture;

use super::Piece;

/// What makes a call go on, to its last line on record. Shutdown waits for it.
type Running = TrackedFuture<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// A call that has begun. Dropping it is hanging up.
#[derive(Debug)]
pub(crate) struct UnderWay {
    // Dropped before the rest, which so learns that nobody listens.
    pieces: mpsc::Receiver<Piece>,
    rest: Rest,
}

impl UnderWay {
    /// One that runs so and tells its pieces there.
    pub(super) fn new(pieces: mpsc::Receiver<Piece>, running: Running) -> Self {
        Self { pieces, rest: Rest(Some(running)) }
    }

    /// Goes on until there is a piece; none after the end. Losing the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Piece> {
        tokio::select! {
            biased;
            piece = self.pieces.recv() => piece,
            () = self.rest.run(), if !self.rest.is_over() => self.pieces.recv().await,
        }
    }

    /// Lets it go on by itself, for somebody who takes its pieces when they have a use for them.
    pub(crate) fn apart(self) -> mpsc::Receiver<Piece> {
        self.pieces
    }
}

/// What is left of a call, none when it is over. Dropped, it goes on as a task.
struct Rest(Option<Running>);

impl Rest {
    async fn run(&mut self) {
        if let Some(running) = &mut self.0 {
            running.await;
            self.0 = None;
        }
    }

    fn is_over(&self) -> bool {
        self.0.is_none()
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let (Some(running), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn(running));
        }
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("is_over", &self.is_over()).finish()
    }
}

#[cfg(test)]
mod tests {
    use sluice_chat::event::ChatEvent;
    use tokio_util::task::TaskTracker;

    use super::*;

    /// A call that says so many words, and one more when it is over; and what shutdown waits for.
    fn call(words: usize) -> (UnderWay, TaskTracker) {
        let (pieces, heard) = mpsc::channel(1);
        let tasks = TaskTracker::new();
        tasks.close();
        let running = async move {
            for _ in 0..words {
                let word = Piece::Said(vec![ChatEvent::Text("word".to_owned())]);
                if pieces.send(word).await.is_err() {
                    break;
                }
            }
        };
        (UnderWay::new(heard, tasks.track_future(Box::pin(running))), tasks)
    }

    #[tokio::test]
    async fn goes_on_with_whoever_waits_and_is_over_with_its_last_piece() {
        let (mut call, tasks) = call(3);

        for _ in 0..3 {
            assert!(call.next().await.is_some());
        }

        assert!(call.next().await.is_none());
        assert!(call.next().await.is_none(), "again");
        tasks.wait().await;
    }

    #[tokio::test]
    async fn goes_on_by_itself_apart() {
        let (call, tasks) = call(1);

        let mut pieces = call.apart();

        tasks.wait().await;
        assert!(pieces.recv().await.is_some());
        assert!(pieces.recv().await.is_none());
    }

    #[tokio::test]
    async fn whoever_leaves_is_known_to_have_left_and_shutdown_waits_for_the_rest() {
        let (mut call, tasks) = call(usize::MAX);
        assert!(call.next().await.is_some());
        assert_eq!(tasks.len(), 1);

        drop(call);

        tasks.wait().await;
    }
}

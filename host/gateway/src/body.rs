//! Bodies of requests: read with a bound on each, on the wait for it, and on what all of them take together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What all bodies take together; one that is longer is alone. What is read of them takes about as much again, for a moment.
const BUDGET_BYTES: usize = 256 * 1024 * 1024;
/// What the budget counts in.
const UNIT_BYTES: usize = 1024;
/// How long a body may wait for its part of the budget.
const ROOM_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body that has begun may pause.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long all of it may take.
const TOTAL_TIMEOUT: Duration = Duration::from_mins(5);

/// The way in for bodies.
#[derive(Debug)]
pub(crate) struct Bodies {
    budget: Arc<Semaphore>,
    room_timeout: Duration,
    pause_timeout: Duration,
}

/// A body's part of the budget, given back by being dropped.
#[derive(Debug)]
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyRefused {
    /// Longer than a body may be.
    #[error("the body is too long")]
    TooLarge,
    /// It stopped coming.
    #[error("the body did not come")]
    Missing,
    /// Too many others are here.
    #[error("there is no room for the body")]
    NoRoom,
}

impl Bodies {
    /// Nobody is in.
    pub(crate) fn new() -> Self {
        Self {
            budget: Arc::new(Semaphore::new(units(BUDGET_BYTES))),
            room_timeout: ROOM_TIMEOUT,
            pause_timeout: PAUSE_TIMEOUT,
        }
    }

    /// Reads a body of at most `most` bytes. Its room is to be kept for as long as what was read from it.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        most: usize,
    ) -> Result<(Vec<u8>, Room), BodyRefused> {
        let told =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        // One that does not say may be as long as any.
        let length: usize = told.unwrap_or(most);
        if length > most {
            return Err(BodyRefused::TooLarge);
        }
        let room = Arc::clone(&self.budget)
            .acquire_many_owned(u32::try_from(units(length.min(BUDGET_BYTES))).unwrap_or(u32::MAX));
        let permit = timeout(self.room_timeout, room).await.map_err(|_| BodyRefused::NoRoom)?;
        let permit = permit.map_err(|_| BodyRefused::NoRoom)?;
        let bytes =
            timeout(TOTAL_TIMEOUT, self.collect(body, told.unwrap_or_default(), length)).await;
        Ok((bytes.map_err(|_| BodyRefused::Missing)??, Room { _permit: permit }))
    }

    async fn collect(
        &self,
        body: Body,
        expected: usize,
        most: usize,
    ) -> Result<Vec<u8>, BodyRefused> {
        let mut bytes = Vec::with_capacity(expected);
        let mut pieces = body.into_data_stream();
        while let Some(piece) =
            timeout(self.pause_timeout, pieces.next()).await.map_err(|_| BodyRefused::Missing)?
        {
            let piece = piece.map_err(|_| BodyRefused::Missing)?;
            if bytes.len() + piece.len() > most {
                return Err(BodyRefused::TooLarge);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::HeaderValue;
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    fn of_length(length: usize) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(length))])
    }

    fn in_pieces(pieces: usize) -> Body {
        let piece = Ok::<_, Infallible>(Bytes::from_static(&[7; 1024]));
        Body::from_stream(stream::iter(vec![piece; pieces]))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit_whether_it_tells_its_length_or_not() {
        let bodies = Bodies::new();

        let (bytes, _room) = bodies.read(&of_length(4096), in_pieces(4), 4096).await.unwrap();
        assert_eq!(bytes, [7; 4096]);
        let (bytes, _room) = bodies.read(&HeaderMap::new(), in_pieces(4), 4096).await.unwrap();
        assert_eq!(bytes.len(), 4096);
        let over = bodies.read(&of_length(4097), in_pieces(4), 4096).await;
        assert_eq!(over.unwrap_err(), BodyRefused::TooLarge);
        let over = bodies.read(&HeaderMap::new(), in_pieces(5), 4096).await;
        assert_eq!(over.unwrap_err(), BodyRefused::TooLarge);
    }

    #[tokio::test]
    async fn a_body_that_stops_coming_is_given_up() {
        let pause_timeout = Duration::from_millis(1);
        let bodies = Bodies { pause_timeout, ..Bodies::new() };
        let stalled = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());

        let given_up = bodies.read(&of_length(10), stalled, 4096).await;

        assert_eq!(given_up.unwrap_err(), BodyRefused::Missing);
    }

    #[tokio::test]
    async fn room_is_taken_while_a_body_is_held_and_given_back_with_it() {
        let room_timeout = Duration::from_millis(1);
        let bodies = Bodies { room_timeout, ..Bodies::new() };
        let (_, room) = bodies.read(&HeaderMap::new(), in_pieces(1), BUDGET_BYTES).await.unwrap();

        let refused = bodies.read(&of_length(1024), in_pieces(1), 4096).await;
        assert_eq!(refused.unwrap_err(), BodyRefused::NoRoom);

        drop(room);
        assert!(bodies.read(&of_length(1024), in_pieces(1), 4096).await.is_ok());
    }
}

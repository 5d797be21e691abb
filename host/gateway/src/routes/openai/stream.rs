//! An answer as server-sent events.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use sluice_wire::openai::{Chunks, Failure, UsageBody};
use tokio::sync::mpsc;

use crate::call::{Done, Piece};

/// What ends a stream that is whole, and no other.
const DONE: &str = "data: [DONE]\n\n";

/// Each piece as the events it makes. A failure is an event and the end; dropping the stream hangs up.
pub(super) fn events(
    chunks: Chunks,
    first: Piece,
    pieces: mpsc::Receiver<Piece>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let rest = stream::unfold(Some(pieces), async |pieces| {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(piece @ Piece::Said(_)) => Some((Some(piece), Some(pieces))),
            ended => Some((ended, None)),
        }
    });
    let begun = stream::iter([Some(first)]).chain(rest);
    begun
        .scan(chunks, |chunks, piece| std::future::ready(Some(text(chunks, piece))))
        .filter_map(async |text| (!text.is_empty()).then(|| Ok(Bytes::from(text))))
}

/// The events of a piece; of none, the end of a task that went down.
fn text(chunks: &mut Chunks, piece: Option<Piece>) -> String {
    let mut text = String::new();
    match piece {
        Some(Piece::Said(events)) => {
            for chunk in chunks.hear(events) {
                event(&mut text, &chunk);
            }
        }
        Some(Piece::Ended(Ok(Done { reason, bill, usage }))) => {
            for chunk in chunks.end(&reason, UsageBody::new(bill, usage.as_ref())) {
                event(&mut text, &chunk);
            }
            text.push_str(DONE);
        }
        Some(Piece::Ended(Err(undone))) => {
            event(&mut text, &Failure::Provider(undone.kind).body());
        }
        None => event(&mut text, &Failure::Internal.body()),
    }
    text
}

fn event(text: &mut String, data: &impl Serialize) {
    // Shapes of ours, with no keys that are not texts.
    let data = serde_json::to_string(data).expect("it can be written");
    text.push_str("data: ");
    text.push_str(&data);
    text.push_str("\n\n");
}

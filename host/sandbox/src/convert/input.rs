//! What came of an exchange, on its way to a guest. Moved, not copied: this is the path of every frame.

use sluice_chat::exchange as ours;

use crate::answer::Input;
use crate::contract::{http, provider, types};

/// One input.
pub(crate) fn input(input: Input) -> provider::Input {
    match input {
        Input::Head(head) => provider::Input::Head(self::head(head)),
        Input::Frames(frames) => provider::Input::Frames(frames.into_iter().map(frame).collect()),
        Input::End => provider::Input::End,
        Input::Failed(failure) => provider::Input::Failed(transport_failure(failure)),
        Input::Woken => provider::Input::Woken,
    }
}

/// The beginning of a response.
pub(crate) fn head(head: ours::Head) -> http::Head {
    http::Head { status: head.status, headers: head.headers.into_iter().map(field).collect() }
}

fn frame(frame: ours::Frame) -> http::Frame {
    http::Frame { event: frame.event, data: frame.data }
}

fn field(field: ours::Field) -> types::Field {
    types::Field { name: field.name, value: field.value }
}

fn transport_failure(failure: ours::TransportFailure) -> http::TransportFailure {
    match failure {
        ours::TransportFailure::Connect => http::TransportFailure::Connect,
        ours::TransportFailure::Tls => http::TransportFailure::Tls,
        ours::TransportFailure::Timeout => http::TransportFailure::Timeout,
        ours::TransportFailure::Reset => http::TransportFailure::Reset,
        ours::TransportFailure::TooLarge => http::TransportFailure::TooLarge,
        ours::TransportFailure::Blocked => http::TransportFailure::Blocked,
        ours::TransportFailure::MalformedFraming => http::TransportFailure::MalformedFraming,
    }
}

//! Cuts the bytes of a response into frames: server-sent events, one JSON text a line, or the body as a whole.
//!
//! Pure: no sockets, no clock, no idea of what a frame means.
//! A [`Decoder`] is fed whatever pieces the network produced; where those were cut never shows in the frames.
//! What it holds is bounded by [`Limits`], whatever the upstream sends.
//!
//! ```
//! use sluice_framing::{Decoder, Framing, Limits};
//!
//! let mut decoder = Decoder::new(Framing::of(Some("text/event-stream; charset=utf-8")), Limits::default());
//! let mut frames = Vec::new();
//! decoder.push(b"data: {\"a\":", &mut frames)?;
//! decoder.push(b"1}\r\n\r\n", &mut frames)?;
//! assert_eq!(frames[0].data, r#"{"a":1}"#);
//! assert_eq!(decoder.finish()?, None);
//! # Ok::<(), sluice_framing::FramingError>(())
//! ```

mod decoder;
mod frame;
mod framing;
mod limits;
mod line;
mod ndjson;
mod preamble;
mod sse;
mod whole;

pub use decoder::Decoder;
pub use frame::Frame;
pub use framing::Framing;
pub use limits::{FramingError, Limits};

//! OpenAI's chat completions: what its clients send, what they expect back, and how they are told that something failed.
//!
//! Shapes only, as the rest of this crate: nothing is asked, fetched or counted here. A request becomes a
//! [`ChatRequest`](sluice_chat::request::ChatRequest); what this vocabulary has no word for goes along as it is.

mod attachment;
mod bad_request;
mod chunk;
mod completion;
mod content;
mod embedding;
mod failure;
mod intake;
mod message;
mod model;
mod object;
mod own;
mod request;
mod tool;
mod usage;

pub use bad_request::{BadRequest, Fault};
pub use chunk::{Chunk, Chunks};
pub use completion::{Completion, Head, Whole};
pub use embedding::{EmbeddingCall, EmbeddingList, Encoding};
pub use failure::{Failure, FailureBody};
pub use intake::Blob;
pub use model::{ModelEntry, ModelList};
pub use request::ChatCall;
pub use usage::UsageBody;

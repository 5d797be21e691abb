//! What a chat is: its words, one answer, one turn, one event log.
//!
//! Pure. No tokio, no clock, no serialisation format, no I/O: time and ids come in as arguments, work goes out as values.

pub mod answer;
pub mod bill;
pub mod embedding;
pub mod event;
pub mod exchange;
pub mod history;
pub mod id;
pub mod log;
pub mod notice;
pub mod policy;
pub mod redaction;
pub mod request;
pub mod response_times;
pub mod tally;
pub mod turn;
pub mod upstream_ids;

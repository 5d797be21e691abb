//! The archive through its public face, on real files.

mod answer;
mod append;
mod backup;
mod commit;
mod import;
mod model;
mod open;
mod outbox;
mod reservation;
mod review;
mod sealed;
mod session;
mod shared;
mod support;
mod usage;

//! Outbound HTTP and nothing else: performs the exchanges that plugins describe, fetches documents that the configuration
//! names, and visits a gateway for `sluice doctor`.
//!
//! Where a request goes and which credential it carries is configuration; a description only names
//! them. Follows no redirect, uses no proxy, decodes no content, reads no environment.

mod address;
mod blob;
mod credential;
mod destination;
mod document;
mod endpoint;
mod error;
mod request;
mod response;
mod upstream;
mod visit;

pub use address::Granted;
pub use blob::Blobs;
pub use credential::{Credential, CredentialError};
pub use destination::{Destination, DestinationError};
pub use document::{Document, FetchError};
pub use endpoint::{Endpoint, Endpoints};
pub use error::{ExchangeError, StartError};
pub use request::{MAX_BODY_BYTES, MAX_TEXT_BYTES, PathError, RequestError};
pub use response::Response;
pub use upstream::{Timeouts, Upstream};
pub use visit::{UpgradeError, Visit, Visitor};

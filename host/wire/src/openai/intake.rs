//! What reading a request gathers beside the conversation: the bytes sent along, and how much there is of everything.

use super::bad_request::{BadRequest, Fault};

/// Fields and list entries of one body that are read. A body of nothing but tiny ones takes many times its size in memory.
const MAX_ELEMENTS: usize = 100_000;

/// Bytes that came in a request. Plugins see a description of them only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Name within the request.
    pub id: String,
    /// The bytes, decoded.
    pub bytes: Vec<u8>,
}

/// One request being read.
#[derive(Debug, Default)]
pub(super) struct Intake {
    pub(super) blobs: Vec<Blob>,
    /// Bytes of the body that were blobs.
    pub(super) encoded_bytes: usize,
    elements: usize,
}

impl Intake {
    /// Counts what is about to be read.
    pub(super) fn count(&mut self, elements: usize) -> Result<(), BadRequest> {
        self.elements = self.elements.saturating_add(elements);
        if self.elements > MAX_ELEMENTS {
            return Err(BadRequest::body(Fault::TooMany));
        }
        Ok(())
    }

    /// Keeps bytes and names them. `encoded` is how long they were in the body.
    pub(super) fn keep(&mut self, bytes: Vec<u8>, encoded: usize) -> String {
        let id = format!("blob-{}", self.blobs.len() + 1);
        self.encoded_bytes = self.encoded_bytes.saturating_add(encoded);
        self.blobs.push(Blob { id: id.clone(), bytes });
        id
    }
}

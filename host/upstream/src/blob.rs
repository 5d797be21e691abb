//! Bytes that a request's body refers to by name. Plugins never see them.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The blobs of one request, by id.
#[derive(Debug, Clone, Default)]
pub struct Blobs(BTreeMap<String, Bytes>);

impl Blobs {
    /// Adds a blob, replacing one of the same id.
    pub fn insert(&mut self, id: impl Into<String>, bytes: impl Into<Bytes>) {
        self.0.insert(id.into(), bytes.into());
    }

    /// The blob of that id.
    pub fn get(&self, id: &str) -> Option<&Bytes> {
        self.0.get(id)
    }
}
